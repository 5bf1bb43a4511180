/**
 * The situations of a connection whose histories are recorded and replayed: each that a deploy may
 * find in the middle. A situation gets `life`, does what an operator or a mishap would do, and leaves
 * its workflows as they are then.
 */
const FROM = '2026-09-01';

export const SITUATIONS = {
  async 'initial sync'({ start, until }) {
    const handle = await start();
    await until(handle, ({ streams }) => streams[0]?.rows > 0);
  },

  async 'incremental sync'({ start, settled, until }) {
    const handle = await start({ every: '1h', anchor: '02:00' });
    const { syncsCompleted } = await settled(handle);
    await handle.signal('syncNow');
    await until(handle, (status) => status.syncsCompleted > syncsCompleted);
    await handle.signal('set', { every: '6h', anchor: null });
    await handle.signal('set', { streams: ['leads', 'activities', 'tasks'] });
    await until(handle, ({ status, streams }) => status === 'Up to date' && streams.length === 3);
  },

  async paused({ start, until }) {
    const handle = await start();
    await until(handle, ({ streams }) => streams[0]?.rows > 0);
    await handle.signal('pause');
    await handle.signal('syncNow');
    await until(handle, ({ historicalSync }) => historicalSync === 'pending');
  },

  async 'paused and resumed'({ start, until, settled }) {
    const handle = await start();
    await until(handle, ({ streams }) => streams[0]?.rows > 0);
    await handle.signal('pause');
    await until(handle, ({ historicalSync }) => historicalSync === 'pending');
    await handle.signal('resume');
    await settled(handle);
  },

  async blocked({ start, until, refuseKey }) {
    await refuseKey();
    const handle = await start();
    await until(handle, ({ status }) => status === 'Blocked');
    await handle.signal('syncNow');
  },

  async 'blocked and freed'({ start, until, settled, refuseKey, acceptKey }) {
    const handle = await start();
    await settled(handle);
    await refuseKey();
    await handle.signal('syncNow');
    await until(handle, ({ status }) => status === 'Blocked');
    await acceptKey();
    await handle.signal('resume');
    await handle.signal('syncNow');
    await settled(handle);
  },

  async 'backfill queued'({ start, settled, until }) {
    const handle = await start();
    await settled(handle);
    await handle.signal('backfill', 'some day');
    await handle.executeUpdate('requestBackfill', { args: ['2026-08-01'] });
    await handle.signal('backfill', { from: '2026-07-01', to: '2026-08-01', streams: ['leads'] });
    await handle.signal('backfill', { from: '2026-06-01', to: '2026-07-01', id: 'summer' });
    await until(handle, ({ backfills }) => backfills.some(({ status }) => status === 'running'));
  },

  async 'backfill done'({ start, settled, until }) {
    const handle = await start();
    await settled(handle);
    await handle.signal('backfill', { from: '2026-08-01', streams: ['leads'], id: 'once' });
    await handle.signal('backfill', { from: '2026-08-01', streams: ['leads'], id: 'once' });
    await until(handle, ({ backfills }) => backfills.every(({ status }) => status === 'done'));
  },

  async 'continued as new'({ start, settled, until, runs }) {
    const handle = await start();
    await settled(handle);
    await handle.signal('backfill', { from: '2026-06-01', id: 'goes on' });
    await handle.signal('backfill', { from: '2026-06-01', id: 'goes-on' });
    for (let sent = 0; sent < 200 && (await runs(handle)) < 2; sent += 1) {
      await handle.signal('set', { every: '6h' });
    }
    await until(handle, ({ backfills }) => backfills.every(({ status }) => status === 'done'));
  },

  async cancelled({ start, until }) {
    const handle = await start();
    await until(handle, ({ streams }) => streams[0]?.rows > 0);
    await handle.cancel();
    await handle.result().catch(() => undefined);
  },

  async rebuild({ start, settled, until }) {
    const handle = await start();
    await settled(handle);
    await handle.signal('rebuild', { layout: 'flat' });
    await handle.executeUpdate('requestRebuild', { args: [{ layout: 'jsonb' }] });
    await until(handle, ({ rebuild }) => rebuild?.status === 'done');
  },

  async reconcile({ start, settled, until }) {
    const handle = await start();
    await settled(handle);
    await handle.signal('reconcile', { of: 'nothing' });
    await handle.signal('reconcile');
    await until(handle, ({ reconcile }) => reconcile?.status === 'done');
    await handle.executeUpdate('requestReconcile', { args: [{ streams: ['leads'] }] });
    await until(handle, ({ reconcile }) => reconcile?.status === 'done');
  },

  async 'wrong input'({ start }) {
    const handle = await start({ every: '1 fortnight' });
    await handle.result().catch(() => undefined);
  },

  async 'sync that stands alone'({ start, settled, client, name, id }) {
    await settled(await start());
    await client.workflow.execute('incrementalSync', {
      ...{ taskQueue: 'closehaul', workflowId: `${id}-alone`, args: [name] },
    });
  },
};

/** After all others, since it is a trouble of the whole account. */
export const LAST_SITUATIONS = {
  async 'stream parked'({ start, until, setFaults }) {
    setFaults(['not-found=/lead/']);
    const handle = await start();
    await until(
      handle,
      ({ status, syncsCompleted }) => status === 'Incomplete' && syncsCompleted > 0,
    );
    setFaults([]);
  },
};

export const START = { startDate: FROM, streams: ['leads', 'activities'] };

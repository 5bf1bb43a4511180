import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { chromium, type BrowserContext, type FrameLocator, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ensureChromium } from '../../src/local/chromium.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import { ROOT } from '../architecture-facts.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import {
  testClient,
  testDatabase,
  testNamespace,
  testSandbox,
  testWorker,
  type TestDatabase,
} from '../support/stack.js';
import { toolCacheFolder } from '../support/tools.js';

/**
 * What a person sees and does in Temporal's Web UI, in a real browser on the real server. With
 * UPDATE_DOCS=1 it also takes the pictures of docs/operations.md anew.
 */
const WORKFLOW = 'close-stitch_closeio';
const IMAGES = join(ROOT, 'docs', 'images');
/** Where there is no browser yet, it is installed first. */
const INSTALL_TIMEOUT_MS = 600_000;
const FLAGS = ['no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run', 'disable-sync'];
const QUIET_FLAGS = ['disable-background-networking', 'disable-component-update'];

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker;
let browser: BrowserContext;
let page: Page;
let handle: WorkflowHandle;
const profile = mkdtempSync(join(tmpdir(), 'closehaul-browser-'));

beforeAll(async () => {
  const options = { cacheFolder: toolCacheFolder(), env: process.env };
  const executablePath = await ensureChromium(options);
  browser = await chromium.launchPersistentContext(profile, {
    ...{ executablePath, headless: true, viewport: { width: 1280, height: 860 } },
    args: [...FLAGS, ...QUIET_FLAGS].map((flag) => `--${flag}`),
  });
  // The page asks for news of the product; the tests ask nothing of the internet.
  await browser.route(
    (url) => url.origin !== inject('temporalUiUrl'),
    (route) => route.abort(),
  );
  page = await browser.newPage();
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ leads: 60, activities: 600 });
  worker = await testWorker(database.url, sandbox.url);
  handle = await startConnection(client, { name: 'Stitch Closeio', streams: ['all'] });
  await untilStatus(handle, 'up to date', isSettled);
}, INSTALL_TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  rmSync(profile, { recursive: true, force: true });
  await handle?.terminate().catch(() => undefined);
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

function address(path = ''): string {
  return `${inject('temporalUiUrl')}/namespaces/${testNamespace()}/workflows${path}`;
}

/** Anew, since the Web UI reads them once. */
async function openDetails(): Promise<void> {
  const { runId } = await handle.describe();
  await page.goto(address(`/${WORKFLOW}/${runId}`));
  await page.getByText('User Metadata', { exact: true }).first().click();
}

/** Of a row of a table. */
function cells(row: string | undefined): readonly string[] {
  return (row ?? '').split('\t').map((cell) => cell.replace(/^│/, '').trim());
}

/** The Web UI shows Markdown in a frame; of the summary, and last of the current details. */
function details(): FrameLocator {
  return page.frameLocator('iframe').last();
}

async function picture(name: string): Promise<void> {
  if (process.env['UPDATE_DOCS'] !== '1') return;
  mkdirSync(IMAGES, { recursive: true });
  await page.screenshot({ path: join(IMAGES, `${name}.png`), animations: 'disabled' });
}

describe('a person with a browser', () => {
  it('finds the connection among the workflows that run', async () => {
    await page.goto(address('?query=ExecutionStatus%3D%22Running%22'));
    const link = page.getByRole('link', { name: WORKFLOW, exact: true }).first();
    await link.waitFor();
    await picture('workflows');
    await link.click();
    await page.getByRole('heading', { name: WORKFLOW }).waitFor();
  });

  it('reads how it stands: state, what is complete, streams with rows and lag', async () => {
    await openDetails();
    const table = details().getByRole('table');
    await table.getByText('activities').waitFor();
    const text = await details().locator('body').innerText();

    expect(text).toMatch(/Up to date, complete up to 20\d\d-/);
    expect(text).toMatch(/Next sync .*every 30m/);
    const { streams } = await untilStatus(handle, 'an answer', () => true);
    const rows = await table.getByRole('row').allInnerTexts();
    expect(cells(rows[0])).toEqual(['stream', 'rows', 'complete up to', 'lag']);
    expect(rows).toHaveLength(1 + 10 + 1);
    const activities = streams.find(({ name }) => name === 'activities');
    const count = activities?.rows.toLocaleString('en-US') ?? '';
    expect(rows.map((row) => cells(row).slice(0, 2))).toContainEqual(['activities', count]);
    expect(rows.at(-1)).toMatch(/^23 others\t/);
    await picture('details');
  });

  it('sends backfill through the form for signals, and sees it arrive', async () => {
    await page.getByRole('button', { name: 'More Actions' }).click();
    await page.getByRole('menuitem', { name: 'Send a Signal' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await dialog.getByTestId('signal-select-button').click();
    // What a signal is for stands beside its name.
    const option = dialog.getByRole('option', { name: 'backfill' });
    await option.getByText('Reads again from a date: "2024-01-01"').waitFor();
    await picture('signals');
    await option.click();
    await dialog.locator('.cm-content').fill('"2024-01-01"');
    await picture('backfill');
    await dialog.getByRole('button', { name: 'Submit' }).click();
    await dialog.waitFor({ state: 'hidden' });

    const { backfills, rejectedRequests } = await untilStatus(
      handle,
      'the backfill is done',
      (status) => status.backfills.some((job) => job.status === 'done'),
    );
    expect(rejectedRequests).toEqual([]);
    expect(backfills).toMatchObject([{ from: '2024-01-01T00:00:00.000000Z', streams: null }]);
    await openDetails();
    const done = `Backfill ${backfills[0]?.id ?? ''}, 2024-01-01 to`;
    await details().getByRole('listitem').filter({ hasText: done }).waitFor();
  });
});

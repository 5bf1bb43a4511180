import type { Socket } from 'node:net';
import pg from 'pg';

/**
 * Sends rows by `COPY … FROM STDIN`: `text` is in COPY's text format, a line for each row. Throws
 * what PostgreSQL answers, as `client.query` does.
 */
export function copyIn(client: pg.PoolClient, statement: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => (error ? reject(error) : resolve());
    client.query(new CopyIn(statement, text, done));
  });
}

/** What pg's connection can do for COPY; its types leave it out. */
interface CopyConnection {
  readonly stream: Pick<Socket, 'cork' | 'uncork' | 'write'>;
  query(text: string): void;
  endCopyFrom(): void;
}

/**
 * A COPY that is sent as a whole, so that the statements behind it need not wait for it. Where
 * PostgreSQL refuses the statement it passes over the rows that follow ("COPY Operations" in its
 * protocol), and a connection that breaks is pg's to notice: there is no stream to be left half
 * written, which is where pg-copy-streams throws what nobody can catch.
 */
class CopyIn extends pg.Query {
  constructor(statement: string, text: string, done: (error?: Error | null) => void) {
    super(statement, done);
    this.submit = (given) => {
      const connection = given as unknown as CopyConnection;
      connection.stream.cork();
      connection.query(statement);
      connection.stream.write(copyDataHeader(text));
      connection.stream.write(text);
      connection.endCopyFrom();
      // All that is sent in this turn goes to the network at once: eight tables of a page in one call.
      process.nextTick(() => connection.stream.uncork());
    };
  }

  /** PostgreSQL is ready for the rows, which are on their way. */
  handleCopyInResponse(): void {
    return;
  }
}

/**
 * What stands before the rows ("CopyData" in the message formats of PostgreSQL's protocol). pg takes them
 * as bytes only, and copies these once more: 6 MiB at the peak of a history.
 */
function copyDataHeader(text: string): Buffer {
  const header = Buffer.from('d\0\0\0\0');
  header.writeInt32BE(header.length - 1 + Buffer.byteLength(text), 1);
  return header;
}

import type { Connection } from '@temporalio/client';
import { createAdmission, type RequestOptions } from '../admission/admit.js';
import type { Admission, Nl2codeClient } from '../client.js';
import type { ResolvedConfig } from '../config.js';
import { attachHost, type HostLease } from '../embedded/attach.js';
import { Nl2codeError } from '../session/error-table.js';
import { SessionStore } from '../store/session-store.js';
import { connectOptions } from '../temporal-connection.js';

/** A client of the sessions of one data directory, and the hold on whoever serves them. */
export interface SessionClient {
  client: Nl2codeClient<RequestOptions>;
  lease: HostLease;
  /** Gives up the hold; the last one ends an embedded server. */
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;

/** Connects to who serves this data directory. Without anybody: brings server and worker when `embed` is set, else resolves null. */
export async function attachClient(config: ResolvedConfig, options: { embed?: boolean; admission?: Admission<RequestOptions> } = {}): Promise<SessionClient | null> {
  const lease = await attachHost(config, { embed: options.embed ?? false });
  if (!lease) return null;
  try {
    // Half a second of loading that commands without a server do not pay.
    const [{ Client, Connection }, { Nl2codeClient }] = await Promise.all([import('@temporalio/client'), import('../client.js')]);
    const connection = await connect(Connection, config, lease);
    const client = new Nl2codeClient<RequestOptions>({
      client: new Client({ connection, namespace: lease.namespace }),
      store: new SessionStore(config.dataDir, config.durability),
      taskQueue: lease.taskQueue,
      admission: options.admission ?? createAdmission(config),
    });
    return {
      client,
      lease,
      close: async () => {
        await connection.close();
        await lease.release();
      },
    };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

async function connect(server: typeof Connection, config: ResolvedConfig, { address }: HostLease): Promise<Connection> {
  const options = connectOptions(config, address);
  try {
    return await server.connect({ ...options, connectTimeout: CONNECT_MS });
  } catch (error) {
    throw new Nl2codeError('temporal-unavailable', `The Temporal server at ${options.address} does not answer.`, { cause: error });
  }
}

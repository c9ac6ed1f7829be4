import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WithStartWorkflowOperation, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, type Client, type WorkflowHandle, type WorkflowStartOptions } from '@temporalio/client';
import { canonical } from './session/canonical.js';
import type { Decision } from './session/decision.js';
import { errorTable, Nl2codeError } from './session/error-table.js';
import type { Hash } from './session/json.js';
import type { Request } from './session/request.js';
import type { Result } from './session/result.js';
import { startDetails, startSummary } from './session/run-text.js';
import { readResult, requests } from './store/read-result.js';
import { sha256 } from './store/blobs.js';
import type { SessionFolder, SessionStore } from './store/session-store.js';
import { followSession, type Followed } from './follow.js';
import { isGivenUp, sendUpdate, statusOf } from './send-update.js';
import { listSessions, type OpenRun, type SessionFilter, type SessionSummary } from './session-list.js';
import { missingAttributes } from './temporal-namespace.js';
import type { nl2codeWorkflow } from './workflows/nl2code.js';
import { beginning, STATUS } from './workflows/search-attributes.js';
import { decideSignal, decideUpdate, followUpUpdate, snapshotQuery, stopSignal, type Snapshot } from './workflows/messages.js';

/** Turns what a caller gives into an admitted request; see admission/. `check` writes nothing, `snapshot` copies the inputs. */
export interface Admission<Options> {
  admit(options: Options, folder: () => SessionFolder, id: string): Promise<Request>;
  /** The same for a request that goes on from `last` in the session of `folder`. */
  admitFollowUp(options: Options, last: Request, folder: SessionFolder, id: string): Promise<Request>;
}

/** What a client of sessions stands on; `createNl2codeClient` makes it from a configuration. */
export interface Nl2codeClientOptions<Options> {
  client: Client;
  store: SessionStore;
  /** Task queue of the workers that serve the sessions. */
  taskQueue: string;
  admission: Admission<Options>;
}

/** A session that was started, or found again. */
export interface Started {
  /** Id of the session, which is its workflow's id. */
  session: string;
  /** The request as it was admitted: every default filled in, inputs by name, size and sha256. */
  request: Request;
  /** False when the idempotency key found a session that was started before. */
  fresh: boolean;
}

/** A follow-up that its session has taken on. */
export interface FollowedUp {
  session: string;
  request: Request;
  /** How many requests of the session are before it. */
  before: number;
  /** Where the session's event log stood, in bytes: events of this request come after it. */
  from: number;
}

/** A failed call is repeated by the server or the user; nothing here waits longer for a server that is away. */
const CALL_MS = 10_000;
const QUERY_MS = 2_000;
const OPEN_POLL_MS = 50;
/** Of the prompt, for lists of sessions that no worker has taken up yet. */
const MEMO_CHARS = 120;

type Shown = Pick<WorkflowStartOptions, 'staticSummary' | 'staticDetails' | 'typedSearchAttributes'>;

/** gRPC's status of a start with a search attribute that the namespace does not have. */
const INVALID_ARGUMENT = 3;

/** The typed client of sessions: start, get, list, follow, decide, stop. Needs the Temporal server and the session store; runs anywhere but in workflows. */
export class Nl2codeClient<Options extends { idempotencyKey?: string | undefined }> {
  private attributes = false;

  constructor(private readonly options: Nl2codeClientOptions<Options>) {}

  /**
   * Admits a request and starts its session. Refusals leave nothing behind. With an idempotency key the same request finds its session
   * again. Throws `bad-request`, `bad-input`, `price-unknown`, `model-*` or, when the server is away, `temporal-unavailable`.
   */
  async start(options: Options): Promise<Started> {
    const { client, store, taskQueue, admission } = this.options;
    const session = options.idempotencyKey ? `n${sha256(options.idempotencyKey).slice(0, 15)}` : newSessionId();
    const request = await admission.admit(options, () => store.session(session), 'r1');
    const digest = sha256(canonical(request));
    try {
      await this.starting(session, request, (shown) =>
        client.workflow.start<typeof nl2codeWorkflow>('nl2codeWorkflow', {
          workflowId: session,
          taskQueue,
          args: [{ request }],
          memo: { nl2codeRequest: digest, nl2codePrompt: request.prompt.slice(0, MEMO_CHARS) },
          ...shown,
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowTaskTimeout: '5s',
        }),
      );
      return { session, request, fresh: true };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw unavailable(error);
      const { memo } = await this.handle(session).describe();
      if (memo?.nl2codeRequest !== digest) throw new Nl2codeError('bad-request', `The idempotency key ${JSON.stringify(options.idempotencyKey)} belongs to another request (session ${session}): use another key.`, { remedy: '' });
      return { session, request, fresh: false };
    }
  }

  /**
   * Admits a request for a session that a workflow of yours starts as its child: `executeChild(nl2codeWorkflow, { workflowId: session, args:
   * [{ request }] })`. Call it in an activity; repeating it with the same files is harmless. A session id is used for one request: a session
   * that has its verdict answers with that again. Throws `bad-request`, `bad-input`, `price-unknown` or `model-*`.
   */
  admit(session: string, options: Options): Promise<Request> {
    const { store, admission } = this.options;
    // A named session may be there already: a refusal then leaves it as it was.
    return admission.admit({ ...options, idempotencyKey: options.idempotencyKey ?? session }, () => store.session(session), 'r1');
  }

  /**
   * Goes on with a session, whose run may be open or over: the request goes both as start argument and as Update, and its id makes it
   * one. With an idempotency key a repeat is the same request; without one it gets one, which the error carries when nobody answered, since
   * the session may take it all the same. Needs a worker: the Update is answered by the run.
   */
  async followUp(session: string, options: Options): Promise<FollowedUp> {
    const { client, taskQueue, admission } = this.options;
    const folder = this.folder(session);
    const opened = await this.opened(session, folder);
    const last = opened.at(-1)!;
    const key = options.idempotencyKey ?? newSessionId();
    const id = `f${sha256(key).slice(0, 15)}`;
    const again = opened.find((request) => request.id === id);
    const from = folder.eventBytes;
    const request = again ?? (await admission.admitFollowUp(options, last, folder, id));
    try {
      const { before } = await this.starting(session, request, (shown) => {
        const start = new WithStartWorkflowOperation<typeof nl2codeWorkflow>('nl2codeWorkflow', {
          workflowId: session,
          taskQueue,
          args: [{ request }],
          ...shown,
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          workflowTaskTimeout: '5s',
        });
        return client.workflow.executeUpdateWithStart(followUpUpdate, { startWorkflowOperation: start, args: [request], updateId: id });
      });
      return { session, request, before, from };
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) throw new Nl2codeError('bad-request', refused(error), { remedy: '' });
      throw unavailable(error, session, key);
    }
  }

  /** The requests of a session so far. A session that was started a moment ago is waited for: what is left out comes from its first request. */
  private async opened(session: string, folder: SessionFolder): Promise<Request[]> {
    for (const deadline = Date.now() + CALL_MS; ; await delay(OPEN_POLL_MS)) {
      const opened = requests(folder.chain.walk(folder.chain.head()).map((link) => link.record));
      if (opened.length > 0) return opened;
      const run = await this.describe(session);
      if (run?.open === false || Date.now() > deadline) throw new Nl2codeError('temporal-unavailable', `Session ${session} has no request to go on from: it was never begun, or no worker has taken it up.`, { remedy: '' });
    }
  }

  /** The result of a request, of the last one when none is named; undefined while it is open. Reads the store only. Throws `not-found`. */
  get(session: string, request?: string): Result | undefined {
    return readResult(this.folder(session), session, request);
  }

  /** What the run says of itself now; undefined when no worker answers or the run is over. */
  async snapshot(session: string): Promise<Snapshot | undefined> {
    try {
      return await this.options.client.withDeadline(Date.now() + QUERY_MS, () => this.handle(session).query(snapshotQuery));
    } catch {
      return undefined;
    }
  }

  /** The sessions of the store, newest request first, and where they stand. */
  list(filter?: SessionFilter): Promise<SessionSummary[]> {
    return listSessions(this.options.store, { open: () => this.openRuns(), describe: (session) => this.describe(session), snapshot: (session) => this.snapshot(session) }, filter);
  }

  /** The open runs of the task queue, as Temporal's visibility lists them; undefined when it can't be asked. */
  private async openRuns(): Promise<OpenRun[] | undefined> {
    const { client, taskQueue } = this.options;
    const query = `WorkflowType = 'nl2codeWorkflow' AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue.replaceAll(/['\\]/g, '\\$&')}'`;
    const runs: OpenRun[] = [];
    try {
      await client.withDeadline(Date.now() + CALL_MS, async () => {
        for await (const { workflowId, typedSearchAttributes, memo, startTime } of client.workflow.list({ query, pageSize: 1000 })) {
          const prompt = memo?.nl2codePrompt;
          runs.push({ session: workflowId, status: typedSearchAttributes.get(STATUS), startedAt: startTime.getTime(), prompt: typeof prompt === 'string' ? prompt : '' });
        }
      });
      return runs;
    } catch {
      return undefined;
    }
  }

  /** Events, snapshots and at last the result, until the request (default: the last one) is closed or `signal` aborts. Resumes at a byte offset. */
  follow(session: string, options: { request?: string; from?: number; signal?: AbortSignal } = {}): AsyncGenerator<Followed> {
    return followSession(this.folder(session), session, { ...options, snapshot: () => this.snapshot(session), describe: () => this.describe(session) });
  }

  /** Decides the proposal that waits. Refused with `stale-decision` when it is not the one that was shown, or was decided already. */
  async decide(session: string, input: { proposal: string; actor: string; decision: Decision }): Promise<void> {
    const { client } = this.options;
    const decision = this.stored(session, input.decision);
    const updateId = sha256(canonical([input.proposal, input.actor, decision])).slice(0, 32);
    try {
      await sendUpdate(client, Date.now() + CALL_MS, () => this.handle(session).executeUpdate(decideUpdate, { args: [{ ...input, decision }], updateId }));
    } catch (error) {
      // Temporal has types of its own, e.g. for a run that ended under the update.
      if (error instanceof WorkflowUpdateFailedError) throw new Nl2codeError('stale-decision', refused(error));
      throw unavailable(error, session);
    }
  }

  /** The same for systems that may only signal; a stale one is ignored and recorded. */
  async signalDecision(session: string, input: { proposal: string; actor: string; decision: Decision }): Promise<void> {
    const decision = this.stored(session, input.decision);
    try {
      await this.options.client.withDeadline(Date.now() + CALL_MS, () => this.handle(session).signal(decideSignal, { ...input, decision }));
    } catch (error) {
      throw unavailable(error, session);
    }
  }

  /** Asks the running request to stop; it ends `stopped` with what it has. */
  async stop(session: string, actor: string): Promise<void> {
    try {
      await this.options.client.withDeadline(Date.now() + CALL_MS, () => this.handle(session).signal(stopSignal, { actor }));
    } catch (error) {
      throw unavailable(error, session);
    }
  }

  /** A blob of the session as text, e.g. the code of a proposal. */
  text(session: string, hash: Hash): string {
    return this.folder(session).blobs.read(hash);
  }

  /** What an artifact of a result holds, by its `sha256`. Bytes from a sandbox: hostile. */
  bytes(session: string, hash: Hash): Buffer {
    return this.folder(session).blobs.readBytes(hash);
  }

  folder(session: string): SessionFolder {
    if (!this.options.store.has(session)) throw new Nl2codeError('not-found', `There is no session ${JSON.stringify(session)}.`);
    return this.options.store.at(session);
  }

  /** How Temporal sees the run; undefined when it has forgotten it or can't be reached. */
  async describe(session: string): Promise<{ open: boolean; status: string } | undefined> {
    try {
      const { status } = await this.options.client.withDeadline(Date.now() + QUERY_MS, () => this.handle(session).describe());
      return { open: status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW', status: status.name };
    } catch (error) {
      return error instanceof WorkflowNotFoundError ? { open: false, status: 'NOT_FOUND' } : undefined;
    }
  }

  /** Starts a run with what Temporal's own tools show of it; where the namespace has lost our search attributes meanwhile, without them. */
  private async starting<T>(session: string, request: Request, start: (shown: Shown) => Promise<T>): Promise<T> {
    const within = (shown: Shown) => sendUpdate(this.options.client, Date.now() + CALL_MS, () => start(shown));
    const { typedSearchAttributes, ...rest } = await this.shown(session, request);
    if (!typedSearchAttributes) return within(rest);
    try {
      return await within({ ...rest, typedSearchAttributes });
    } catch (error) {
      if (statusOf(error).code !== INVALID_ARGUMENT) throw error;
      this.attributes = false;
      return within(rest);
    }
  }

  /**
   * What Temporal's own tools show of a run, as options of its start. Search attributes only where the namespace has them all: the server
   * refuses a start with one it does not know, and the run uses those of its start and no others.
   */
  private async shown(session: string, request: Request): Promise<Shown> {
    const { connection, options } = this.options.client;
    // Those that are missing may come; a start tells when registered ones have gone.
    this.attributes ||= await missingAttributes(connection, options.namespace).then((missing) => missing.length === 0, () => false);
    const attributes = this.attributes ? { typedSearchAttributes: beginning(request) } : {};
    return { staticSummary: startSummary(request), staticDetails: startDetails(session, request), ...attributes };
  }

  private handle(session: string): WorkflowHandle<typeof nl2codeWorkflow> {
    return this.options.client.workflow.getHandle<typeof nl2codeWorkflow>(session);
  }

  /** A large edit travels as a blob: histories carry small values only. */
  private stored(session: string, decision: Decision): Decision {
    if (decision.kind !== 'edit' || !('text' in decision.code) || decision.code.text.length <= MAX_EDIT_CHARS) return decision;
    return { kind: 'edit', code: { hash: this.folder(session).blobs.put(decision.code.text) } };
  }
}

const MAX_EDIT_CHARS = 64 << 10;

/** Ten characters without look-alikes: about 49 bits. */
function newSessionId(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  return [...randomBytes(10)].map((byte) => letters[byte % letters.length]).join('');
}

/** Why an Update was refused, or ended without an answer: the session's own sentence, or that of the server about a run that is over. */
function refused(error: WorkflowUpdateFailedError): string {
  return error.cause instanceof Error && error.cause.message ? error.cause.message : 'The run of the session ended before it could answer.';
}

/** A call that failed, as what to do about it. `key`: the server may have what was sent, and sent again with this key it is one. */
function unavailable(error: unknown, session?: string, key?: string): Error {
  if (error instanceof WorkflowNotFoundError) return new Nl2codeError('not-found', session ? `Session ${session} is not running.` : 'The session is not known to the server.', { cause: error });
  const { code } = statusOf(error);
  const again = key === undefined ? '' : ` Then send it again with --idempotency-key ${JSON.stringify(key)}: it is done once, whether it was taken before or not.`;
  const silent = (what: string, remedy: string) => new Nl2codeError('temporal-unavailable', what, { cause: error, remedy: `${remedy}${again}`, ...(key === undefined ? {} : { idempotencyKey: key }) });
  if (isGivenUp(error)) return silent(`Session ${session ?? ''} does not answer: its workflow task fails.`, "The worker's log and the run's page in Temporal say why.");
  // The time of an update that no worker took up ends as a cancelled call. The server may still hand it over later.
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return silent(`Session ${session ?? ''} does not answer: no worker runs it now.`, key === undefined ? 'Start one, and look with nl2code show whether it was taken before you send it again.' : 'Start one.');
  if (code === 14 || code === 4) return silent('The Temporal server does not answer.', errorTable['temporal-unavailable'].remedy);
  return error instanceof Error ? error : new Error(String(error));
}

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createExecute } from '../../src/activities/execute.js';
import type { StepWorld } from '../../src/activities/world.js';
import { createKernels } from '../../src/kernel/kernels.js';
import { createProcessBackend } from '../../src/sandbox/process.js';
import type { Hash, Json } from '../../src/session/json.js';
import type { CellObservation } from '../../src/session/observation.js';
import type { Isolation, Request } from '../../src/session/request.js';
import type { StepCall, StepReply } from '../../src/session/step.js';
import { SessionStore } from '../../src/store/session-store.js';
import { ToolBridge } from '../../src/tools/tool-bridge.js';
import { PLACES } from '../sandbox/rig.js';
import { record } from '../store/record.js';
import { request } from '../strategies/scripted-ports.js';

/** Sessions whose cells are run by the real step in real sandboxes, and a tool that notes each effect: text and key. */
export class ForkedRoom {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-fork-')));
  readonly store = new SessionStore(this.root);
  readonly effects: { text: string; key: string }[] = [];
  readonly #backend = createProcessBackend({ ...PLACES });
  readonly kernels = createKernels({ backend: this.#backend });
  readonly #execute;
  /** Where sessions that were rolled back go on. */
  readonly #heads = new Map<string, Hash>();
  readonly #sessions = new Set<string>();

  constructor(readonly isolation: Isolation) {
    const tools = new ToolBridge([
      {
        name: 'append',
        description: 'Notes a text.',
        parameters: { type: 'object', properties: { text: { type: 'string' } } },
        idempotency: 'key',
        run: ({ text }, { key }) => this.effects.push({ text: String(text), key }),
      },
    ]);
    this.#execute = createExecute({ store: this.store, kernels: this.kernels, leaseMs: 60_000, tools } as unknown as StepWorld);
  }

  open(session: string, over: Partial<Request> = {}): void {
    const limits = { ...request().limits, cellTimeoutMs: 30_000, memoryBytes: 1 << 30, diskBytes: 256 << 20 };
    const { chain } = this.store.session(session);
    chain.commit(`open-${session}`, record({ kind: 'open', args: { request: request({ limits, isolation: this.isolation, exposure: 'full', tools: ['append'], ...over }) } as unknown as Json }), 1);
  }

  /** Runs the next cell of a session as its step does. */
  async cell(session: string, code: string): Promise<CellObservation> {
    this.#sessions.add(session);
    const folder = this.store.session(session);
    const parent = this.#heads.get(session) ?? folder.chain.head()!;
    this.#heads.delete(session);
    const call: StepCall<'execute'> = { session, parent, seq: folder.chain.record(parent).seq + 1, kind: 'execute', args: { target: 'cell', call: 'c', code: { hash: folder.blobs.put(code) } }, facts: [] };
    const { head } = (await new MockActivityEnvironment().run(() => this.#execute(call))) as StepReply<'execute'>;
    return JSON.parse(folder.blobs.text(folder.chain.record(head).refs.observation!)) as CellObservation;
  }

  /** What a cell that ended well printed. */
  async printed(session: string, code: string): Promise<string> {
    const { ended, stdout, error } = await this.cell(session, code);
    if (ended !== 'ok') throw new Error(`${code} ended ${ended}: ${error?.message}\n${error?.traceback}`);
    return stdout.text.trimEnd();
  }

  /** Ends the sandbox of a session. */
  async end(session: string): Promise<void> {
    await this.kernels.end({ id: `s-${session}`, folder: this.store.at(session).sandbox });
  }

  /** Has a session go on after the cell `k`, as a run does that begins anew. */
  goOnAfter(session: string, k: number): void {
    const { chain } = this.store.session(session);
    const cells = chain.walk(chain.head()).filter(({ record: { kind } }) => kind === 'execute');
    this.#heads.set(session, cells[k]!.hash);
  }

  /** Takes a session back to cell `k`: its chain, and what its sandbox has committed since. */
  async rollBack(session: string, k: number): Promise<void> {
    const folder = this.store.session(session);
    this.goOnAfter(session, k);
    this.kernels.release(folder.sandbox);
    await this.#backend.rollBack({ id: `s-${session}`, folder: folder.sandbox, isolation: this.isolation }, k + 1);
  }

  get texts(): string[] {
    return this.effects.map(({ text }) => text);
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) await this.end(session);
    await this.kernels.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

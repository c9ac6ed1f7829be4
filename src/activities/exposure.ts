/**
 * The lens of a request: what of an observation may be stored, and so be sent. Host side.
 * Invariants:
 * (1) what the inputs hold is learnt where no generated code has run: in the session's first cell, or in a sandbox of its own;
 * (2) where it could not be learnt, only types and shapes are shown;
 * (3) what counts as known to the model is read from the chain: its own words and people's, never an observation.
 */
import { join } from 'node:path';
import { libraryWords, packWords } from '../context/library-words.js';
import type { Pack } from '../context/pack.js';
import { Known } from '../exposure/known.js';
import { fullLens, maskedLens, schemaLens, type Lens } from '../exposure/lens.js';
import { Mask } from '../exposure/mask.js';
import { LOOK_FILE, MAX_SENSITIVE_BYTES, Sensitive } from '../exposure/sensitive.js';
import type { KernelCell } from '../kernel/kernels.js';
import type { WireReply } from '../kernel/protocol.js';
import type { ModelReply } from '../model/endpoint.js';
import { callArguments } from '../prompts/ask.js';
import { callsOf } from '../prompts/calls.js';
import { readArtifact } from '../sandbox/artifact.js';
import type { SandboxSpec } from '../sandbox/backend.js';
import { Nl2codeError } from '../session/error-table.js';
import { exposureOf } from '../session/exposure.js';
import type { Hash } from '../session/json.js';
import type { Request } from '../session/request.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import { requests } from '../store/read-result.js';
import { sha256 } from '../store/blobs.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';
import { sweepVerifications } from '../verification/scratch.js';
import type { StepWorld } from './world.js';

/** The built-in look at the inputs, which leaves no name behind; with hashes of what must not be read unless all may be. */
export const lookCell = (keep: boolean): string => `__import__('nl2code_guest.inspection', fromlist=['report']).report(${keep ? 'keep_sensitive=True' : ''})`;

const REMEMBERED_SESSIONS = 64;

/** Whether a cell is the built-in look. Pure. */
export const isLook = (code: string): boolean => [true, false].some((keep) => code === lookCell(keep));

/** What one look at the inputs came to. */
export interface Look {
  /** Blob of what must not be read; null when it could not be learnt. */
  sensitive: Hash | null;
  /** The look's own words, where the session's kernel can't be believed. */
  reply?: WireReply;
}

interface Remembered {
  links: number;
  head: Hash | undefined;
  known: Known;
}

/** Makes lenses, and remembers what sessions' models know, so that a step costs what is new. One per worker. */
export class Exposures {
  readonly #sessions = new Map<string, Remembered>();
  readonly #looks = new Map<Hash, Sensitive>();
  readonly #packs = new Map<string, ReadonlySet<string>>();

  constructor(private readonly world: StepWorld) {}

  /** The lens of the request that is open at the end of `past`. `look` is the one that this step took. */
  lens(folder: SessionFolder, session: string, past: readonly Link[], request: Request, pack: Pack | null, look?: Look): { lens: Lens; seen: Sensitive | null } {
    const exposure = exposureOf(request);
    if (exposure === 'full') return { lens: fullLens, seen: null };
    const looks = past.filter(({ record }) => record.kind === 'execute' && (record.args as unknown as StepIO['execute']['args']).target === 'inspect').map(({ record }) => record.refs.sensitive ?? null);
    if (look) looks.push(look.sensitive);
    const seen = [...new Set(looks)].flatMap((hash) => (hash ? [this.look(folder, hash)] : []));
    const blind = request.inputs.length > 0 && !looks.at(-1);
    const known = this.known(folder, session, past);
    for (const name of [...request.inputs, ...request.outputs.map(({ path }) => ({ name: path }))]) known.add(name.name);
    for (const { parts, categories } of seen) known.addAll([categories, parts.map(({ columns }) => columns.map(({ name }) => name))]);
    const library = this.library(pack);
    const last = blind ? null : (seen.at(-1) ?? null);
    if (exposure === 'schema' || blind) return { lens: schemaLens(known, library), seen: last };
    const key = sha256(JSON.stringify(['exposure', session, requests(past.map(({ record }) => record))[0]?.inputs ?? request.inputs]));
    return { lens: maskedLens(new Mask({ sensitive: seen, known, library, key })), seen: last };
  }

  /**
   * Keeps what a look left. A kernel that has run generated code can't be believed, so then the look is taken again in a fresh sandbox.
   * What breaks there leaves the session blind.
   */
  async keep(folder: SessionFolder, spec: SandboxSpec, cell: KernelCell, reply: WireReply, signal: AbortSignal): Promise<Look> {
    if (cell.k === 0) return { sensitive: reply.ended === 'ok' ? this.left(folder, spec.folder) : null };
    const fresh = { ...spec, id: `${spec.id.slice(0, 20)}-l${cell.k}-${cell.epoch[1]}`, folder: join(folder.verify, `look-${cell.k}-${cell.epoch.join('-')}`), warm: 'bare' as const };
    try {
      const again = await this.world.kernels.runCell(fresh, { ...cell, k: 0 }, { signal });
      return { sensitive: again.reply.ended === 'ok' ? this.left(folder, fresh.folder) : null, reply: again.reply };
    } finally {
      await this.world.kernels.end(fresh);
      await sweepVerifications(fresh.folder);
    }
  }

  private left(folder: SessionFolder, sandbox: string): Hash | null {
    try {
      const json = readArtifact(join(sandbox, 'checkpoint'), LOOK_FILE, MAX_SENSITIVE_BYTES).toString('utf8');
      Sensitive.read(json);
      return folder.blobs.put(json);
    } catch (error) {
      if (error instanceof Nl2codeError && error.code === 'bad-input') return null;
      throw error;
    }
  }

  private look(folder: SessionFolder, hash: Hash): Sensitive {
    const found = this.#looks.get(hash) ?? Sensitive.read(folder.blobs.read(hash));
    remember(this.#looks, hash, found);
    return found;
  }

  private known(folder: SessionFolder, session: string, past: readonly Link[]): Known {
    const before = this.#sessions.get(session);
    const grows = before !== undefined && before.links <= past.length && past[before.links - 1]?.hash === before.head;
    const known = grows ? before.known : new Known();
    for (const { record } of past.slice(grows ? before.links : 0)) addKnown(known, folder, record);
    remember(this.#sessions, session, { links: past.length, head: past.at(-1)?.hash, known });
    return known;
  }

  private library(pack: Pack | null): ReadonlySet<string> {
    if (!pack) return libraryWords();
    const found = this.#packs.get(pack.folder) ?? new Set([...libraryWords(), ...(packWords(pack.folder).toLowerCase().match(/\p{L}{3,40}/gu) ?? [])]);
    remember(this.#packs, pack.folder, found);
    return found;
  }
}

/** What a record holds of the model's words and of people's. */
function addKnown(known: Known, folder: SessionFolder, record: StepRecord): void {
  known.addAll(record.facts);
  for (const fact of record.facts) if (fact.kind === 'decision' && fact.decision.kind === 'edit' && 'hash' in fact.decision.code) known.add(folder.blobs.read(fact.decision.code.hash));
  if (record.kind === 'open') {
    const { prompt, labels } = (record.args as unknown as StepIO['open']['args']).request;
    known.addAll([prompt, labels]);
    if (record.refs.observation) known.add(folder.blobs.text(record.refs.observation));
  }
  if (!record.refs.reply) return;
  const reply = JSON.parse(folder.blobs.text(record.refs.reply)) as ModelReply;
  known.add(reply.content);
  for (const call of callsOf(reply)) known.addAll([call.name, callArguments(call.arguments) ?? call.arguments]);
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > REMEMBERED_SESSIONS && !oldest.done) map.delete(oldest.value);
}

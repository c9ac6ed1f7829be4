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
import { fullLens, maskedLens, schemaLens, type Lens } from '../exposure/lens.js';
import { Mask } from '../exposure/mask.js';
import { LOOK_FILE, MAX_SENSITIVE_BYTES, Sensitive } from '../exposure/sensitive.js';
import type { KernelCell } from '../kernel/kernels.js';
import type { WireReply } from '../kernel/protocol.js';
import { readArtifact } from '../sandbox/artifact.js';
import type { SandboxSpec } from '../sandbox/backend.js';
import { Nl2codeError } from '../session/error-table.js';
import { exposureOf } from '../session/exposure.js';
import type { Hash } from '../session/json.js';
import type { Request } from '../session/request.js';
import { sha256 } from '../store/blobs.js';
import type { Link } from '../store/chain.js';
import type { SessionFolder } from '../store/session-store.js';
import { sweepVerifications } from '../verification/scratch.js';
import { SessionWords } from './session-words.js';
import type { StepScene } from './step.js';
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

/** Makes lenses, and remembers what sessions' models know, so that a step costs what is new. One per worker. */
export class Exposures {
  readonly #sessions = new Map<string, SessionWords>();
  readonly #looks = new Map<Hash, Sensitive>();
  readonly #packs = new Map<string, ReadonlySet<string>>();

  constructor(private readonly world: StepWorld) {}

  /** The lens of the request that is open at the end of a step's past; the facts that the step carries count. `look` is the one that it took. */
  lens({ call, folder, past }: Pick<StepScene<'execute'>, 'call' | 'folder' | 'past'>, request: Request, pack: Pack | null, look?: Look): { lens: Lens; seen: Sensitive | null } {
    const exposure = exposureOf(request);
    if (exposure === 'full') return { lens: fullLens, seen: null };
    const words = this.words(folder, call.session, past);
    const looks = look ? [...words.looks, look.sensitive] : words.looks;
    const newest = looks.at(-1) ?? null;
    const seen = [...new Set(looks)].flatMap((hash) => (hash ? [this.look(folder, hash)] : []));
    const known = words.with(call.facts);
    for (const name of [...request.inputs.map((input) => input.name), ...request.outputs.map(({ path }) => path)]) known.add(name);
    for (const { parts } of seen) known.addAll(parts.map(({ columns }) => columns.map(({ name }) => name)));
    const library = this.library(pack);
    const last = newest === null ? null : this.look(folder, newest);
    if (exposure === 'schema' || (request.inputs.length > 0 && !newest)) return { lens: schemaLens(known, library), seen: last };
    // Values, which types and shapes do without.
    for (const { categories } of seen) known.addAll(categories);
    const key = sha256(JSON.stringify(['exposure', folder.forked?.first ?? call.session, words.inputs ?? request.inputs]));
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
      const again = await this.world.kernels.runCell(fresh, { ...cell, k: 0, past: undefined }, { signal });
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

  private words(folder: SessionFolder, session: string, past: readonly Link[]): SessionWords {
    const before = this.#sessions.get(session);
    const words = before?.precedes(past) ? before : new SessionWords(folder);
    words.read(past);
    remember(this.#sessions, session, words);
    return words;
  }

  private library(pack: Pack | null): ReadonlySet<string> {
    if (!pack) return libraryWords();
    const found = this.#packs.get(pack.folder) ?? new Set([...libraryWords(), ...(packWords(pack.folder).toLowerCase().match(/\p{L}{3,40}/gu) ?? [])]);
    remember(this.#packs, pack.folder, found);
    return found;
  }
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > REMEMBERED_SESSIONS && !oldest.done) map.delete(oldest.value);
}

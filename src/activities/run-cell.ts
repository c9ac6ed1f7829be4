import type { Pack } from '../context/pack.js';
import { fullLens } from '../exposure/lens.js';
import { LiveText } from '../exposure/live-text.js';
import type { KernelCell, KernelResult } from '../kernel/kernels.js';
import type { WireDisplay, WireReply, WireShape } from '../kernel/protocol.js';
import { exposureOf } from '../session/exposure.js';
import type { Json } from '../session/json.js';
import type { CellObservation, Display } from '../session/observation.js';
import type { Request } from '../session/request.js';
import type { EventWriter } from '../store/event-log.js';
import type { SessionFolder } from '../store/session-store.js';
import { cellTools } from './cell-tools.js';
import { codeText } from './code-text.js';
import { type Exposures, lookCell } from './exposure.js';
import { cameToSame, PastCells, type PastCell } from './past-cells.js';
import { sandboxSpec } from './sandbox-spec.js';
import { signature, unparsed } from './seen.js';
import { chainedSandbox } from './shipping.js';
import type { StepDone, StepScene } from './step.js';
import type { StepWorld } from './world.js';

const MAX_OUTPUT_CHARS = 20_000;

/** Runs a cell in the session's kernel, wherever that stands: an inspection, or what a model or a person wrote. */
export async function runCell(world: StepWorld, exposures: Exposures, { call, folder, past, attempt, order, events, signal }: StepScene<'execute'>, request: Request, pack: Pack | null): Promise<StepDone> {
  const inspecting = call.args.target === 'inspect';
  const looking = inspecting && exposureOf(request) !== 'full';
  const code = inspecting ? lookCell(looking) : codeText(folder, call.args.code);
  const spec = sandboxSpec(world, folder, call.session, request, pack);
  const cells = new PastCells(folder, past);
  const cell: KernelCell = { session: call.session, k: cells.next, code, epoch: [order, attempt], timeoutMs: request.limits.cellTimeoutMs, maxOutputChars: MAX_OUTPUT_CHARS, past: (k) => cells.cell(k) };
  const before = looking ? null : exposures.lens({ call, folder, past }, request, pack);
  const tell = (stream: string, text: string) => before && events.emit('cell-output', { stream, text: before.lens.live(text) });
  const live = new LiveText(tell);
  const tools = cellTools(world, folder, call.session, request);
  // A stop ends the cell; the tools that it waits for are told so at once.
  signal.addEventListener('abort', () => void tools.end(), { once: true });
  const caughtUp = new Map<number, boolean>();
  const states = chainedSandbox(folder, cells, request.limits.diskBytes);
  const fetching = { signal, onFailed: (message: string) => events.emit('state-not-shipped', { message }) };
  const fetched = await world.checkpoints?.refill(states, fetching);
  if (fetched !== undefined) {
    // A stream to a sandbox that stood in a folder of before.
    world.kernels.release(spec.folder);
    events.emit('state-fetched', { k: fetched });
    cells.place(fetched + 1);
  }
  const { reply, attachments, again, saved } = await world.kernels.runCell(spec, cell, {
    signal,
    onOutput: (stream, text) => (before?.lens === fullLens ? tell(stream, text) : live.take(stream, text)),
    onSandbox: (event) => events.emit(event === 'lost' ? 'kernel-lost' : 'sandbox-started', { event }),
    onAgain: ({ k, run, message }) => events.emit('cell-again', { k, run, message: before?.lens.words({ again: [message] }).again?.[0] ?? message }),
    onTool: tools.answer,
    onBehind: async (head, end) => {
      const renewed = await world.checkpoints?.renew(states, head, end, fetching);
      if (typeof renewed === 'number') events.emit('state-fetched', { k: renewed });
      return renewed;
    },
    onCatchUp: (k) => cells.place(k),
    onCaughtUp: async (k, result) => {
      const same = await showedTheSame(world, exposures, { call, folder }, cells.cell(k), k, result);
      caughtUp.set(k, same);
      events.emit('cell-caught-up', { k, same });
    },
  });
  live.end();
  await tools.end();
  const look = looking ? await exposures.keep(folder, spec, cell, reply, signal) : undefined;
  const { lens, seen: inputs } = before ?? exposures.lens({ call, folder, past }, request, pack, look);
  const { observation: shown, shapes } = toObservation(folder, cell.k, look?.reply ? { ...reply, stdout: look.reply.stdout, stderr: look.reply.stderr } : reply, attachments);
  const seen = { ...shown, ...(again.length > 0 ? { again } : {}), ...(caughtUp.size > 0 ? { caughtUp: [...caughtUp].map(([k, same]) => ({ k, same })) } : {}) };
  const observation = looking ? lens.inputs(seen, inputs) : lens.cell(seen, shapes);
  tellKernel(observation, events);
  const hash = inspecting ? null : folder.blobs.put(code);
  return {
    value: { ok: reply.ended === 'ok', sig: signature(observation), ...unparsed(neverBegan(seen) ? `${observation.error!.type}: ${observation.error!.message}` : undefined) } as Json,
    refs: { ...(hash ? { code: hash } : {}), observation: folder.blobs.keep(JSON.stringify(observation)), ...(look?.sensitive ? { sensitive: look.sensitive } : {}), kernel: { manifest: cell.k, saved } },
  };
}

/** Whether a cell that ran again showed what the chain says of it, through the lens it was seen through. A look hides too much to tell. */
async function showedTheSame(world: StepWorld, exposures: Exposures, { call, folder }: Pick<StepScene<'execute'>, 'call' | 'folder'>, cell: PastCell, k: number, { reply, attachments }: KernelResult): Promise<boolean> {
  const { request, before, facts } = cell;
  if (cell.target === 'inspect' && exposureOf(request) !== 'full') return true;
  const { lens } = exposures.lens({ call: { ...call, facts: [...facts] }, folder, past: before }, request, request.pack ? await world.pack(request.pack) : null);
  const { observation, shapes } = toObservation(folder, k, reply, attachments);
  return cameToSame(cell, { ended: reply.ended, sig: signature(lens.cell(observation, shapes)) });
}

/** For people who watch; what the lens hides is hidden here too. */
function tellKernel({ restored, unsaved }: CellObservation, events: EventWriter): void {
  if (restored) events.emit('kernel-restored', { head: restored.head, variables: restored.variables, ms: restored.ms, recomputed: restored.recomputed, lost: restored.lost.map(({ name }) => name) });
  if (unsaved) events.emit('state-unsaved', { message: unsaved });
}

const SYNTAX_ERRORS: ReadonlySet<string> = new Set(['SyntaxError', 'IndentationError', 'TabError']);

/** Whether a cell could not begin: an error of its syntax without a line of it on the stack, which one that it raises itself has. */
function neverBegan({ ended, error }: CellObservation): boolean {
  return ended === 'error' && error !== null && SYNTAX_ERRORS.has(error.type) && !error.traceback.startsWith('Traceback');
}

/** What a cell did, and the shapes of what it showed: they are no part of what is stored. */
function toObservation(folder: SessionFolder, k: number, reply: WireReply, attachments: Buffer[]): { observation: CellObservation; shapes: Map<Display, WireShape | undefined> } {
  const shapes = new Map<Display, WireShape | undefined>();
  const display = ({ text, images, shape }: WireDisplay): Display => {
    const shown: Display = {
      text,
      images: Object.fromEntries(
        Object.entries(images).flatMap(([mime, index]) => {
          const bytes = attachments[index];
          return bytes ? [[mime, { hash: folder.blobs.put(bytes), bytes: bytes.length }]] : [];
        }),
      ),
    };
    shapes.set(shown, shape);
    return shown;
  };
  const uncertain = folder.tools.uncertain(k);
  const observation: CellObservation = {
    kind: 'cell',
    k,
    ended: reply.ended,
    stdout: reply.stdout,
    stderr: reply.stderr,
    result: reply.result && display(reply.result),
    displays: reply.displays.map(display),
    error: reply.error,
    ms: reply.ms,
    ...(reply.restored ? { restored: reply.restored } : {}),
    ...(uncertain.length > 0 ? { uncertain } : {}),
    ...(reply.unsaved === null ? {} : { unsaved: reply.unsaved }),
  };
  return { observation, shapes };
}

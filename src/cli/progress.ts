import type { SessionEvent } from '../session/event.js';
import type { Json } from '../session/json.js';
import type { Spent } from '../session/usage.js';
import { clean, cleanLine, cut } from './clean.js';
import { kernelLine } from './kernel-text.js';
import type { Tone } from './terminal.js';

/** What a step's record adds to its event; all text in it is hostile. */
export interface StepDetail {
  target?: 'inspect' | 'cell' | 'script';
  /** What happened, a few lines. */
  lines: string[];
  ok: boolean | null;
}

export interface ProgressLine {
  text: string;
  tone: Tone;
}

/** The running step as far as events have told; plain data. */
export interface Progress {
  running: { seq: number; step: string; ask: string; attempt: number; since: number; chars: number; last: string } | null;
  spent: Money;
}

export const NO_PROGRESS: Progress = { running: null, spent: { costUsd: 0 } };

/** US dollars of the calls whose price is known, and how many others there were. */
export type Money = Pick<Spent, 'costUsd' | 'unpriced'>;

const NAME_WIDTH = 8;
const TEXT_WIDTH = 56;
/** What a kernel says of itself is not cut on a narrow terminal. */
const MIN_SENTENCE = 200;

/** One event more: the progress after it and the lines it is worth. Pure. `detail` reads the record of a finished step. */
export function advance(progress: Progress, event: SessionEvent, detail: (seq: number) => StepDetail | null, width = 100): { progress: Progress; lines: ProgressLine[] } {
  const { running } = progress;
  const data = object(event.data);
  const current = running?.seq === event.seq ? running : null;
  switch (event.kind) {
    case 'step-started': {
      const again = event.attempt > 1;
      const lines: ProgressLine[] = again ? [{ text: `   attempt ${event.attempt} of ${label(event.seq, event.step ?? 'step', 0)}: goes on where the last one was lost`, tone: 'warn' }] : [];
      return { progress: { ...progress, running: { seq: event.seq, step: event.step ?? '', ask: text(data.ask), attempt: event.attempt, since: event.at, chars: 0, last: '' } }, lines };
    }
    case 'step-finished': {
      const { costUsd, unpriced } = object(data.spent);
      const spent = { costUsd: number(costUsd), unpriced: number(unpriced) };
      const next = { running: null, spent: { costUsd: progress.spent.costUsd + spent.costUsd, unpriced: (progress.spent.unpriced ?? 0) + spent.unpriced } };
      if (event.step === 'open' || event.step === 'close') return { progress: next, lines: [] };
      return { progress: next, lines: finished(event, data, detail(event.seq), spent, width) };
    }
    case 'step-failed': {
      const retry = data.retryable === true ? '; it is tried again' : '';
      return { progress: { ...progress, running: null }, lines: [{ text: `${label(event.seq, event.step ?? '', 0)} ✗ ${cleanLine(text(data.message), 300)}${retry}`, tone: retry ? 'warn' : 'bad' }] };
    }
    case 'model-retry':
      return { progress, lines: [{ text: `   ${cleanLine(text(data.message) || 'the model endpoint is asked again', width)}`, tone: 'warn' }] };
    case 'model-delta':
      return { progress: current ? { ...progress, running: { ...current, chars: current.chars + text(data.text).length } } : progress, lines: [] };
    case 'cell-output':
    case 'verification-progress': {
      const last = lastLine(text(data.text) || text(data.check));
      return { progress: current && last ? { ...progress, running: { ...current, last } } : progress, lines: [] };
    }
    default: {
      const line = kernelLine(event.kind, data);
      return { progress, lines: line === undefined ? [] : [{ text: `   ${cleanLine(line, Math.max(width, MIN_SENTENCE))}`, tone: event.kind === 'kernel-restored' ? 'plain' : 'warn' }] };
    }
  }
}

/** The live line: elapsed time, tokens as they come, cost so far. Pure; `now` is Unix time in milliseconds. */
export function liveLine({ running, spent }: Progress, now: number): string | null {
  if (!running) return null;
  const tokens = running.chars > 0 ? `  ~${Math.ceil(running.chars / 4)} tokens` : '';
  const last = running.last ? `  ${running.last}` : '';
  return `${label(running.seq, running.step, NAME_WIDTH)} ${seconds(now - running.since)}${tokens}  ${dollars(spent)}${last}`;
}

/** `0.2 s`, `75 s`. */
export function seconds(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
}

/** `$0.123`, `price unknown`, `$0.123 + 2 calls of unknown price`. */
export function dollars({ costUsd, unpriced = 0 }: Money): string {
  if (unpriced === 0) return `$${costUsd.toFixed(3)}`;
  return costUsd === 0 ? 'price unknown' : `$${costUsd.toFixed(3)} + ${unpriced} ${unpriced === 1 ? 'call' : 'calls'} of unknown price`;
}

function finished(event: SessionEvent, data: Record<string, Json>, detail: StepDetail | null, spent: Money, width: number): ProgressLine[] {
  const asked = event.step === 'plan' || event.step === 'code' || event.step === 'review';
  const name = detail?.target === 'script' ? 'verify' : (detail?.target ?? event.step ?? '');
  const room = Math.max(20, width - 16);
  const first = cleanLine(detail?.lines[0] ?? '', room);
  // Spaces stay: code is indented, and what belongs together stands under each other.
  const rest = (detail?.lines.slice(1) ?? []).map((line) => cut(clean(line).replace(/\s/g, ' ').trimEnd(), room));
  const mark = detail?.target === 'script' ? '' : detail?.ok === true ? ' ✓' : detail?.ok === false ? ' ✗' : '';
  const numbers = [seconds(number(data.ms)), ...(asked ? [dollars(spent)] : [])].join('  ');
  const tone: Tone = detail?.ok === false ? 'warn' : 'plain';
  return [
    { text: `${label(event.seq, name, NAME_WIDTH)} ${`${first}${mark}`.padEnd(TEXT_WIDTH)}  ${numbers}`, tone },
    ...rest.map((line): ProgressLine => ({ text: `${' '.repeat(NAME_WIDTH + 5)}${line}`, tone })),
  ];
}

function label(seq: number, name: string, width: number): string {
  return `${String(seq).padStart(3)} ${clean(name).padEnd(width)}`;
}

function lastLine(output: string): string {
  return cleanLine(output.trimEnd().split('\n').at(-1) ?? '', TEXT_WIDTH);
}

// Events are a view written by others: whatever is missing is shown as nothing.
const object = (value: unknown): Record<string, Json> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

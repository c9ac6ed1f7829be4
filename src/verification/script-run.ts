import { z } from 'zod';
import type { KernelCell, KernelHooks, Kernels } from '../kernel/kernels.js';
import type { Epoch, WireReply } from '../kernel/protocol.js';
import type { SandboxSpec } from '../sandbox/backend.js';
import { Nl2codeError } from '../session/error-table.js';
import type { BoundedText } from '../session/observation.js';
import { bounded, newMark, pythonValue, readReport } from './report.js';

const STREAM_CHARS = 10_000;
/** What the driver may take besides the script: start, polite stop, ending what was left. */
const MARGIN_MS = 15_000;
const MAX_REPORT_CHARS = 1_000_000;
const PREPARE_MS = 60_000;
/** Nothing of the script has run yet: a kernel that dies here is replaced. */
const PREPARE_TRIES = 3;
/** A script that ends its driver ends it again; a driver that runs again would run it in what the first run has left. */
const SCRIPT_RUNS = 1;
/** Nobody else speaks to this sandbox: its id is random. */
const EPOCH: Epoch = [1, 1];
const IMPORTS = 'import json\nfrom nl2code_checks.report import emit\nfrom nl2code_checks.run import run_script';

/** How a run ended, as its own sandbox tells it. A claim: what decides is what the host and the third sandbox read from files. */
export type ScriptRun =
  | {
      kind: 'ended';
      /** Negative: killed by that signal. */
      exit: number;
      timedOut: boolean;
      /** Processes that were still there after the end. */
      left: number;
      stdout: BoundedText;
      stderr: BoundedText;
      failure: { message: string; traceback: string; line: number } | null;
    }
  | { kind: 'lost'; why: string; /** Another run would be lost too: it was the script's doing. */ final: boolean; stdout: BoundedText; stderr: BoundedText };

const text = z.object({ text: z.string(), omitted: z.number().int().nonnegative() }).transform(cut);
const reportSchema = z.object({
  exit: z.number().int(),
  timed_out: z.boolean(),
  left: z.number().int().nonnegative(),
  stdout: text,
  stderr: text,
  failure: z.object({ message: bounded(1_000), traceback: bounded(4_000), line: z.number().int().nonnegative() }).nullable(),
});

export interface ScriptArgs {
  script: string;
  /** File name of the script in the workspace. */
  name: string;
  hashSeed: number;
  timeoutMs: number;
}

/**
 * One run of a script in a sandbox of its own. `prepare` starts the sandbox and the driver, `run` the script: so the host knows
 * when a script starts, whatever the sandbox took to start.
 */
export class ScriptSandbox {
  private k = 0;

  constructor(
    private readonly kernels: Kernels,
    readonly spec: SandboxSpec,
    private readonly signal: AbortSignal,
  ) {}

  /** Starts sandbox and driver. Throws `sandbox-lost`. */
  async prepare(): Promise<void> {
    let said = '';
    for (let n = 0; n < PREPARE_TRIES; n++) {
      const reply = await this.cell(IMPORTS, PREPARE_MS);
      if (reply.ended === 'ok') return;
      said = reply.error?.message ?? reply.ended;
    }
    throw new Nl2codeError('sandbox-lost', `The driver of the script did not start: ${said.slice(0, 300)}`);
  }

  /** Runs the script, not before Unix time `notBefore` in milliseconds. */
  async run({ script, name, hashSeed, timeoutMs }: ScriptArgs, notBefore = 0): Promise<ScriptRun> {
    const mark = newMark();
    const call = `run_script(**${pythonValue({ source: script, name, hash_seed: hashSeed, timeout_s: timeoutMs / 1000, not_before: notBefore / 1000 })})`;
    const wait = Math.max(0, notBefore - Date.now());
    let ended = false;
    const reply = await this.cell(`${IMPORTS}\nemit(${JSON.stringify(mark)}, ${call})`, timeoutMs + wait + MARGIN_MS, { maxRuns: SCRIPT_RUNS, onSandbox: (event) => (ended ||= event === 'lost') });
    const report = readReport(reply, mark, reportSchema);
    if (reply.ended === 'ok' && report) return { kind: 'ended', ...report, timedOut: report.timed_out };
    const why = reply.ended === 'ok' ? 'the run left no report' : (reply.error?.message || `the driver ended: ${reply.ended}`);
    // A machine in trouble ends a sandbox; what ends the driver alone, or goes over a limit, is the script.
    return lost(why, (reply.ended === 'kernel-died' && !ended) || /\blimit\b/.test(why));
  }

  /** Ends the sandbox: after this no process of it writes any more. */
  end(): Promise<void> {
    return this.kernels.end(this.spec);
  }

  private async cell(code: string, timeoutMs: number, { maxRuns, onSandbox }: Pick<KernelCell, 'maxRuns'> & Pick<KernelHooks, 'onSandbox'> = {}): Promise<WireReply> {
    const cell = { session: this.spec.id, k: this.k++, code, epoch: EPOCH, timeoutMs, maxOutputChars: MAX_REPORT_CHARS, maxRuns };
    const { reply } = await this.kernels.runCell(this.spec, cell, { signal: this.signal, ...(onSandbox ? { onSandbox } : {}) });
    // Only our own interrupt counts: a script can send one to its driver, too.
    this.signal.throwIfAborted();
    return reply;
  }
}

const lost = (why: string, final: boolean): ScriptRun => ({ kind: 'lost', why: why.split(/\.(?:\s|$)/, 1)[0]!.slice(0, 300), final, stdout: { text: '', omitted: 0 }, stderr: { text: '', omitted: 0 } });

function cut({ text: whole, omitted }: BoundedText): BoundedText {
  if (whole.length <= STREAM_CHARS) return { text: whole, omitted };
  const half = STREAM_CHARS / 2;
  return { text: `${whole.slice(0, half)}\n…\n${whole.slice(-half)}`, omitted: omitted + whole.length - STREAM_CHARS };
}

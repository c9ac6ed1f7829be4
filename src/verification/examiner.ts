import { z } from 'zod';
import type { Kernels } from '../kernel/kernels.js';
import type { Epoch, WireReply } from '../kernel/protocol.js';
import type { SandboxSpec } from '../sandbox/backend.js';
import type { AcceptanceCheck } from '../session/acceptance-check.js';
import type { OutputChange } from '../session/changes.js';
import type { Finding, FindingCode } from '../session/finding.js';
import { MAX_CHECKS } from '../session/plan.js';
import { changeReport } from './change-report.js';
import { finding } from './finding.js';
import { bounded, newMark, pythonValue, readReport } from './report.js';

/** Nobody else speaks to this sandbox: its id is random. */
const EPOCH: Epoch = [1, 1];
const STATIC_MS = 30_000;
const CALLS_MS = 60_000;
const COMPARE_MS = 180_000;
const CHECK_MS = 180_000;
/** It gives up by itself after 20 s; what hangs in a decoder is given up here. */
const CHANGES_MS = 40_000;
const MAX_REPORT_CHARS = 1_000_000;

const count = () => z.number().int().nonnegative();
const foundBy = (codes: readonly FindingCode[]) =>
  z.array(z.object({ code: z.enum(codes), message: bounded(1_000), remedy: bounded(400).optional(), line: z.number().int().positive().optional(), path: bounded(500).optional() })).max(50);
const outcomeSchema = z.object({
  results: z.array(z.object({ name: bounded(80), ok: z.boolean().nullable(), detail: bounded(600), path: bounded(300).optional() })).max(100),
  broken: bounded(600).nullable(),
});

const answersSchema = z.array(z.object({ ok: z.boolean().nullable(), found: bounded(400) })).max(MAX_CHECKS);

const callsSchema = z.object({ findings: foundBy(['unknown-import', 'unknown-call', 'wrong-arguments']), calls: count(), looked: count(), why: bounded(300).nullable() });

/** A finding with the remedy that the sandbox gives, else with the usual one. */
const told = ({ code, message, remedy, ...more }: z.infer<typeof callsSchema>['findings'][number]) => finding(code, message, { ...more, ...(remedy ? { remedy } : {}) });

/** What a pack's check answered, or why it broke. */
export type CheckOutcome = z.infer<typeof outcomeSchema>;

/** What a check of the request found; `ok` is null where the check itself can't be run. */
export type Answer = z.infer<typeof answersSchema>[number];

/** What a pack's check may know besides the files. */
export interface CheckScene {
  /** Paths of the outputs that the request declares. */
  declared: readonly string[];
  /** What was asked in the session, oldest first. */
  asked: readonly string[];
  /** How many of these the last verified request had answered. */
  answered: number;
}

const path = (value: string | null): string => (value === null ? 'None' : `pathlib.Path(${pythonValue(value)})`);

/** Where the sandbox sees the folders it reads. */
export interface ExaminerPlaces {
  inputs: string;
  first: string;
  second: string;
  before: string | null;
  truth: string | null;
  pack: string | null;
}

/**
 * The third sandbox: it reads the script, compares what two runs wrote and runs the pack's checks, but never runs generated code.
 * What breaks in it over hostile files is a finding about those files.
 */
export class Examiner {
  private k = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly kernels: Kernels,
    readonly spec: SandboxSpec,
    private readonly places: ExaminerPlaces,
    private readonly signal: AbortSignal,
  ) {}

  /** Reads the script without running it: whether it parses, is whole, holds credentials, and is plain Python for any day. */
  async read(script: string): Promise<Finding[]> {
    const { report, why } = await this.call('static', `read_script(${pythonValue(script)})`, foundBy(['syntax-error', 'no-main', 'credentials', 'reads-clock', 'needs-session', 'no-header', 'exit-code-lost']), STATIC_MS);
    if (!report) return [finding('syntax-error', `The script can't be parsed: ${why}.`)];
    return report.map(told);
  }

  /** Looks for calls that can't succeed, by the installed packages and the pack's libraries. What broke it is no finding. */
  async calls(script: string): Promise<{ found: Finding[]; detail: string } | { why: string }> {
    const { report, why } = await this.call('calls', `examine_calls(${pythonValue(script)})`, callsSchema, CALLS_MS);
    if (!report) return { why };
    const found = report.findings.map(told);
    if (found.length === 0 && report.why) return { why: report.why };
    return { found, detail: `${report.looked} of ${report.calls} looked up; the rest is known only when it runs` };
  }

  /** Imports ahead what comparing and checks will need, while the script runs. Its failure shows later, where it matters. */
  async warmUp(modules: readonly string[]): Promise<void> {
    await this.cell(`import json, nl2code_checks.compare, nl2code_checks.pack_checks${modules.map((name) => `, ${name}`).join('')}`, COMPARE_MS);
  }

  /** Compares the files of two runs, by their paths in the folders `first` and `second`. */
  async compare(first: readonly string[], second: readonly string[]): Promise<Finding[]> {
    const paths = [this.places.first, this.places.second].map(path).join(', ');
    const { report, why } = await this.call('compare', `compare_runs(${paths}, ${pythonValue(first)}, ${pythonValue(second)})`, foundBy(['output-differs', 'output-unreadable']), COMPARE_MS);
    if (!report) return [finding('output-unreadable', `What the two runs wrote can't be compared: ${why}.`)];
    return report.map(({ code, message, ...more }) => finding(code, message, more));
  }

  /** What the first run's files changed against those of an earlier request, or why that can't be said. */
  async changes(names: readonly string[], others: readonly string[], keys: Readonly<Record<string, string>>): Promise<OutputChange[] | { why: string }> {
    const call = `output_changes(${path(this.places.before)}, ${path(this.places.first)}, ${[names, others, keys].map(pythonValue).join(', ')})`;
    const { report, why } = await this.call('changes', call, changeReport, CHANGES_MS);
    return report ?? { why };
  }

  /** Runs one check of the pack over the first run's outputs. */
  async check(module: string, { declared, asked, answered }: CheckScene): Promise<CheckOutcome> {
    const { inputs, first, truth, before, pack } = this.places;
    const context = `Context(${path(inputs)}, ${path(first)}, ${path(truth)}, tuple(${pythonValue(declared)}), tuple(${pythonValue(asked)}), ${path(before)}, ${answered})`;
    const { report, why } = await this.call('pack_checks', `run_check(${path(pack)}, ${pythonValue(module)}, ${context})`, outcomeSchema, CHECK_MS);
    return report ?? { results: [], broken: why };
  }

  /** Runs the checks that the request agreed on over the first run's outputs: an answer each, in order. Files that break the sandbox keep none. */
  async accept(checks: readonly AcceptanceCheck[]): Promise<Answer[]> {
    if (checks.length === 0) return [];
    const [inputs, first] = [this.places.inputs, this.places.first].map((path) => `pathlib.Path(${pythonValue(path)})`);
    const { report, why } = await this.call('acceptance', `run_acceptance(${inputs}, ${first}, ${pythonValue(checks)})`, answersSchema, CHECK_MS);
    return report?.length === checks.length ? report : checks.map(() => ({ ok: false, found: `it can't be checked: ${why}` }));
  }

  end(): Promise<void> {
    return this.kernels.end(this.spec);
  }

  private async call<T>(module: string, expression: string, schema: z.ZodType<T>, timeoutMs: number): Promise<{ report: T | undefined; why: string }> {
    const mark = newMark();
    const code = `import json, pathlib\nfrom nl2code_checks.report import emit\nfrom nl2code_checks.${module} import *\nemit(${JSON.stringify(mark)}, ${expression})`;
    let reply = await this.cell(code, timeoutMs);
    // Once more, as it may have died of something else. Files that end a kernel end the next one too.
    if (reply.ended === 'kernel-died') reply = await this.cell(code, timeoutMs);
    const report = reply.ended === 'ok' ? readReport(reply, mark, schema) : undefined;
    return { report, why: (reply.error?.message || reply.error?.type || 'it gave no report').slice(0, 400).replace(/\.$/, '') };
  }

  /** One cell after the other, in the order of the calls. */
  private cell(code: string, timeoutMs: number): Promise<WireReply> {
    const next = this.last.then(() => this.runCell(code, timeoutMs));
    this.last = next.catch(() => undefined);
    return next;
  }

  private async runCell(code: string, timeoutMs: number): Promise<WireReply> {
    const cell = { session: this.spec.id, k: this.k++, code, epoch: EPOCH, timeoutMs, maxOutputChars: MAX_REPORT_CHARS, maxRuns: 1 };
    const { reply } = await this.kernels.runCell(this.spec, cell, { signal: this.signal });
    this.signal.throwIfAborted();
    return reply;
  }
}

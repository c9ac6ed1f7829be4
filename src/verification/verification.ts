import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernels } from '../kernel/kernels.js';
import type { Finding } from '../session/finding.js';
import type { Artifact, BoundedText, VerificationObservation } from '../session/observation.js';
import type { Changes } from '../session/changes.js';
import type { CheckSheet } from './check-sheet.js';
import { collect, type Written } from './collect.js';
import { checkText } from '../session/acceptance-check.js';
import { Examiner, type Answer, type CheckOutcome } from './examiner.js';
import { finding } from './finding.js';
import { promiseFindings, workspacePath } from './promised.js';
import { refusalFindings } from './refusal.js';
import { runFinding } from './run-finding.js';
import { scriptChange } from './script-change.js';
import { examinerSpec, sandboxSpec } from './sandbox-spec.js';
import type { Scratch } from './scratch.js';
import { ScriptSandbox, type ScriptRun } from './script-run.js';
import type { VerifyJob } from './verify-job.js';

/** The second run starts in another second of the clock than the first, whatever both take to reach it. */
const START_GAP_MS = 1_100;
/** A script says that its input is missing soon. */
const REFUSAL_MS = 30_000;
const IMAGE = /\.(png|jpe?g|gif|bmp|tiff?|webp|svg)$/i;
const TABLE = /\.(parquet|pq|feather|arrow)$/i;
const NOTHING: BoundedText = { text: '', omitted: 0 };

export type ScriptJob = VerifyJob & { script: string };

/** What was seen of the script besides the checks. */
export type Seen = Pick<VerificationObservation, 'outputs' | 'stdout' | 'stderr' | 'changes'>;
export const SEEN_NOTHING: Seen = { outputs: [], stdout: NOTHING, stderr: NOTHING };

/**
 * Owns four sandboxes: `a` and `b` run the script, `d` runs it without its inputs, `c` reads and compares and never runs it.
 * Invariants:
 * (1) nothing of the script is parsed, run or decoded on the host;
 * (2) files leave a sandbox only when it has ended, so nothing can change them while they are copied;
 * (3) truth and checks are shown in `c` only;
 * (4) every sandbox that was started is ended, whatever happens.
 */
export class Verification {
  private readonly examiner: Examiner;
  private readonly sandboxes: ScriptSandbox[] = [];
  private readonly pending: Promise<unknown>[] = [];
  private readonly scriptName: string;

  constructor(
    private readonly kernels: Kernels,
    private readonly job: ScriptJob,
    private readonly signal: AbortSignal,
    private readonly sheet: CheckSheet,
    private readonly scratch: Scratch,
  ) {
    const taken = new Set([...job.inputs.map(({ name }) => name), ...job.outputs.map(({ path }) => workspacePath(path))]);
    this.scriptName = ['script.py', 'main.py', 'final_script.py'].find((name) => !taken.has(name)) ?? `script-${scratch.tag}.py`;
    const { spec, places } = examinerSpec(job, scratch);
    this.examiner = new Examiner(kernels, spec, places, signal);
  }

  async run(): Promise<Seen> {
    const { job, sheet } = this;
    const first = this.start('a');
    if (!this.decideStatic(await this.examiner.read(job.script))) return SEEN_NOTHING;
    // Both runs go on while the calls are looked at; where one is wrong, what they did is not told.
    const looked = this.track(this.examiner.calls(job.script));
    this.track(this.examiner.warmUp(this.needed()));
    const second = this.start('b');
    let startedAt = 0;
    const running = this.track(
      first.ready.then(() => {
        startedAt = Date.now();
        return this.runIn('a', first.sandbox, 0);
      }),
    );
    const again = this.track(Promise.all([first.ready, second.ready]).then(() => this.runIn('b', second.sandbox, 1, startedAt + START_GAP_MS)));
    const calls = await looked;
    if ('why' in calls) sheet.skip('calls', calls.why);
    else if (!sheet.decide('calls', calls.found, calls.detail)) return this.close('it would fail at a call that is wrong', SEEN_NOTHING);
    const run = await running;
    const { stdout, stderr } = run;
    const failed = runFinding(run, job.scriptTimeoutMs);
    const written = await this.collect('a', 'first');
    const outputs = this.keep(written);
    const seen = { outputs, stdout, stderr };
    if (!sheet.decide('runs', failed ? [failed] : [], 'exit code 0')) return this.close('the script did not run to its end', seen);
    const promised = job.outputs.map(({ path }) => path);
    if (!sheet.decide('outputs', promiseFindings(promised, written), promised.length > 0 ? `${promised.length} of ${promised.length} written` : 'none was promised')) {
      return this.close('not all promised outputs were written', seen);
    }
    const refused = this.track(this.withoutInputs());
    const kept = this.track(this.examiner.accept(job.checks));
    const answers = this.track(this.packChecks());
    // The checks decide, so they come first in the one cell after the other of the examiner.
    const changes = this.track(answers.then(() => this.changes(written)));
    sheet.decide('repeats', await this.repeats(await again, written), `${written.files.length} file${written.files.length === 1 ? '' : 's'} the same in two runs`);
    const refusal = await refused;
    if (refusal) sheet.decide('bad input', refusal, 'refused with one message');
    else sheet.skip('bad input', 'the request has no inputs');
    this.decideAgreed(await kept);
    this.decidePack(await answers);
    const changed = await changes;
    return this.close('', changed ? { ...seen, changes: changed } : seen);
  }

  /** Waits for what is under way, then ends every sandbox. */
  async end(): Promise<void> {
    await Promise.allSettled(this.pending);
    await Promise.allSettled([this.examiner, ...this.sandboxes].map((sandbox) => sandbox.end()));
  }

  private close(reason: string, seen: Seen): Seen {
    this.sheet.close(reason);
    return seen;
  }

  private decideStatic(found: Finding[]): boolean {
    const of = (code: Finding['code']) => found.filter((known) => known.code === code);
    if (!this.sheet.decide('parses', of('syntax-error'), '')) {
      this.sheet.close('the script does not parse');
      return false;
    }
    this.sheet.decide('main', of('no-main'), '');
    this.sheet.decide('credentials', of('credentials'), 'none found');
    this.sheet.decide('plain', found.filter(({ code }) => ['reads-clock', 'needs-session', 'no-header', 'exit-code-lost'].includes(code)), 'header, exit code, no clock');
    return true;
  }

  /** Starts a sandbox for a run; a sandbox that was lost is replaced once, by `runIn`. */
  private start(name: 'a' | 'b'): { sandbox: ScriptSandbox; ready: Promise<void> } {
    const sandbox = new ScriptSandbox(this.kernels, sandboxSpec(this.job, this.scratch, name), this.signal);
    this.sandboxes.push(sandbox);
    return { sandbox, ready: this.track(sandbox.prepare()) };
  }

  private async runIn(name: 'a' | 'b', sandbox: ScriptSandbox, seedStep: 0 | 1, notBefore = 0): Promise<ScriptRun> {
    const { script, scriptTimeoutMs: timeoutMs } = this.job;
    const args = { script, name: this.scriptName, hashSeed: this.hashSeed(seedStep), timeoutMs };
    const run = await sandbox.run(args, notBefore);
    await sandbox.end();
    // A machine in trouble loses a sandbox once.
    if (run.kind === 'ended' || run.final) return run;
    this.signal.throwIfAborted();
    await this.scratch.clear(name);
    const other = this.start(name);
    await other.ready;
    const second = await other.sandbox.run(args, notBefore);
    await other.sandbox.end();
    return second;
  }

  private async collect(from: 'a' | 'b', to: 'first' | 'second'): Promise<Written> {
    this.signal.throwIfAborted();
    const inputs = this.job.inputs.map(({ name }) => name);
    return collect(join(this.scratch.at(from), 'workspace'), this.scratch.at(to), { inputs, script: this.scriptName, maxBytes: this.job.limits.diskBytes });
  }

  private keep({ files }: Written): Artifact[] {
    const promised = new Set(this.job.outputs.map(({ path }) => workspacePath(path)));
    return files.map(({ path, bytes }) => {
      const fd = openSync(join(this.scratch.at('first'), path), 'r');
      try {
        const role = promised.has(path) ? 'output' : IMAGE.test(path) ? 'plot' : 'file';
        return { path, bytes, sha256: this.job.keep(fd, bytes).hash, role };
      } finally {
        closeSync(fd);
      }
    });
  }

  private async repeats(run: ScriptRun, first: Written): Promise<Finding[]> {
    const failed = runFinding(run, this.job.scriptTimeoutMs, true);
    if (failed) return [failed];
    const second = await this.collect('b', 'second');
    if (second.problem) return [finding('output-differs', `The second run wrote other files than the first. ${second.problem}`)];
    const paths = ({ files }: Written) => files.map(({ path }) => path);
    return this.examiner.compare(paths(first), paths(second));
  }

  /** Runs the script where its input files are missing: on its own, as somebody would who got it wrong. Null without inputs. */
  private async withoutInputs(): Promise<Finding[] | null> {
    if (this.job.inputs.length === 0) return null;
    const sandbox = new ScriptSandbox(this.kernels, sandboxSpec({ ...this.job, inputs: [] }, this.scratch, 'd'), this.signal);
    this.sandboxes.push(sandbox);
    await sandbox.prepare();
    const { script, scriptTimeoutMs } = this.job;
    const run = await sandbox.run({ script, name: this.scriptName, hashSeed: this.hashSeed(0), timeoutMs: Math.min(scriptTimeoutMs, REFUSAL_MS) });
    await sandbox.end();
    return refusalFindings(run);
  }

  /** What the request agreed on before its code: the value found stands beside the one wanted. */
  private decideAgreed(answers: readonly Answer[]): void {
    answers.forEach(({ ok, found }, i) => {
      const check = this.job.checks[i]!;
      const detail = `${checkText(check)}: ${found}`;
      if (ok === null) this.sheet.skip(`request:${i + 1}`, detail);
      else this.sheet.decide(`request:${i + 1}`, ok ? [] : [finding('request-check-failed', `The output must keep "${checkText(check)}"; found: ${found}.`, { path: check.output })], detail);
    });
  }

  private async packChecks(): Promise<[string, CheckOutcome | null][]> {
    const answers: [string, CheckOutcome | null][] = [];
    const { outputs, asked = [], before, pack, truth: given } = this.job;
    const scene = { declared: outputs.map(({ path }) => path), asked, answered: before?.answered ?? 0 };
    for (const { id, module, truth } of pack?.checks ?? []) {
      const lacking = truth === 'required' && given.length === 0;
      answers.push([id, lacking ? null : await this.examiner.check(module, scene)]);
    }
    return answers;
  }

  /** What this script changed against the last verified request of the session; undefined without one. */
  private async changes({ files }: Written): Promise<Changes | undefined> {
    const { before, script, keys = {} } = this.job;
    if (!before) return undefined;
    const compared = await this.examiner.changes(before.outputs, files.map(({ path }) => path), keys);
    const changes = { against: before.request, script: scriptChange(before.script.hash, before.script.text, script) };
    return 'why' in compared ? { ...changes, outputs: null, problem: compared.why } : { ...changes, outputs: compared };
  }

  private decidePack(answers: [string, CheckOutcome | null][]): void {
    const { sheet } = this;
    for (const [id, outcome] of answers) {
      if (outcome === null) sheet.skip(`pack:${id}`, 'it needs a truth that this request does not have');
      else if (outcome.broken !== null) sheet.decide(`pack:${id}`, [finding('check-broken', `The pack's check ${id} broke: ${outcome.broken}.`)], '');
      else sheet.replace(`pack:${id}`);
      for (const { name, ok, detail, path } of outcome?.results ?? []) {
        const check = sheet.has(`pack:${name}`) ? `pack:${id} ${name}` : `pack:${name}`;
        if (ok === null) sheet.skip(check, detail);
        else sheet.decide(check, ok ? [] : [finding('pack-check-failed', `${name}: ${detail}`, path === undefined ? {} : { path })], detail);
      }
    }
  }

  /** Modules worth importing while the script runs. */
  private needed(): string[] {
    const paths = this.job.outputs.map(({ path }) => path);
    const checked = (this.job.pack?.checks.length ?? 0) > 0;
    return [
      ...(this.job.checks.length > 0 ? ['nl2code_checks.acceptance'] : []),
      ...(checked ? ['pandas'] : []),
      ...(checked || paths.some((path) => TABLE.test(path)) ? ['nl2code_checks.columns'] : []),
      ...(paths.some((path) => IMAGE.test(path)) ? ['nl2code_checks.images'] : []),
    ];
  }

  /** Seeds of the two runs; they differ, also at the ends of the range. */
  private hashSeed(step: 0 | 1): number {
    return step === 0 ? this.job.hashSeed : (this.job.hashSeed ^ 0x5bd1e995) >>> 0;
  }

  private track<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    this.pending.push(work);
    return work;
  }
}

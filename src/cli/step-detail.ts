import type { ModelReply } from '../model/endpoint.js';
import { BY_DEFAULT } from '../session/agreed-plan.js';
import type { Observation } from '../session/observation.js';
import type { Plan } from '../session/plan.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import type { SessionFolder } from '../store/session-store.js';
import { kernelLines } from './kernel-text.js';
import { answerLines, assumedLines, checkLines } from './plan-text.js';
import type { StepDetail } from './progress.js';
import { callLines } from './tool-text.js';

const CODE_LINES = 3;

/** Reads what the finished step `seq` did, from the chain; null when it is not there or can't be read. */
export function readStepDetail(folder: SessionFolder, seq: number): StepDetail | null {
  try {
    const record = folder.chain.walk(folder.chain.head()).findLast((link) => link.record.seq === seq)?.record;
    return record ? describe(folder, record) : null;
  } catch {
    // The line is worth less than the session.
    return null;
  }
}

function describe(folder: SessionFolder, record: StepRecord): StepDetail {
  const observation = record.refs.observation ? (JSON.parse(folder.blobs.text(record.refs.observation)) as Observation) : null;
  switch (record.kind) {
    case 'execute': {
      const { target } = record.args as unknown as StepIO['execute']['args'];
      if (observation?.kind === 'verification') return { target, ...verification(observation) };
      const ok = observation?.kind === 'cell' ? observation.ended === 'ok' : null;
      const said = observation?.kind === 'cell' && observation.error ? [`${observation.error.type}: ${observation.error.message}`] : [];
      const code = target === 'cell' && record.refs.code ? sketch(folder.blobs.read(record.refs.code)) : ['columns, types, empty values'];
      const kernel = observation?.kind === 'cell' ? kernelLines(observation) : [];
      const calls = observation?.kind === 'cell' ? callLines(folder.tools.calls(observation.k)) : [];
      return { target, lines: [...code, ...said, ...calls, ...kernel], ok };
    }
    case 'plan': {
      const { items, plan: hash } = record.value as StepIO['plan']['value'];
      const plan = hash === undefined ? null : (JSON.parse(folder.blobs.read(hash)) as Plan);
      const asked = plan?.questions.map(({ question, default: stated }) => ({ question, answer: stated, by: BY_DEFAULT })) ?? [];
      const more = plan ? [...assumedLines(plan.assumptions), ...answerLines(asked), ...checkLines(plan.checks)] : [];
      return { lines: [items === 0 ? 'no plan' : `${items} step${items === 1 ? '' : 's'}`, ...more], ok: null };
    }
    case 'code': {
      const reply = record.refs.reply ? (JSON.parse(folder.blobs.text(record.refs.reply)) as ModelReply) : null;
      const said = reply?.calls.map((call) => call.name).join(', ');
      return { lines: [said || 'no tool call'], ok: null };
    }
    case 'review':
      return { lines: ['by the model'], ok: (record.value as StepIO['review']['value']).accept };
    case 'retry': {
      const { next, reason } = record.value as StepIO['retry']['value'];
      return { lines: [`${next}: ${reason}`], ok: null };
    }
    default:
      return { lines: [], ok: null };
  }
}

function verification({ ok, checks, findings }: Extract<Observation, { kind: 'verification' }>): Pick<StepDetail, 'lines' | 'ok'> {
  const sign = { passed: '✓', failed: '✗', 'not-run': '–' };
  // What nearly always passes is worth a word only when it did not.
  const quiet = ['parses', 'main', 'credentials', 'plain', 'bad input'];
  const counted = (['request', 'pack'] as const).flatMap((of) => {
    const those = checks.filter(({ check }) => check.startsWith(`${of}:`));
    return those.length > 0 ? [`${of} ${those.filter(({ state }) => state === 'passed').length}/${those.length}`] : [];
  });
  const own = checks.filter(({ check, state }) => !/^(request|pack):/.test(check) && (state !== 'passed' || !quiet.includes(check))).map(({ check, state }) => `${check} ${sign[state]}`);
  return { lines: [[...own, ...counted].join(' '), ...findings.slice(0, 3).map(({ message }) => message)], ok };
}

/** The lines that say most about a cell: its last ones, without comments. */
function sketch(code: string): string[] {
  const lines = code.split('\n').filter((line) => line.trim() && !line.trim().startsWith('#'));
  if (code.startsWith('%%')) return [`${lines[0]}  ${lines.length - 1} lines`];
  return lines.length > CODE_LINES ? [`… ${lines.length} lines`, ...lines.slice(-(CODE_LINES - 1))] : lines;
}

import type { ModelReply } from '../model/endpoint.js';
import type { Observation } from '../session/observation.js';
import type { StepRecord } from '../session/step-record.js';
import type { StepIO } from '../session/step.js';
import type { SessionFolder } from '../store/session-store.js';
import type { StepDetail } from './progress.js';

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
      return { target, lines: [...code, ...said], ok };
    }
    case 'plan': {
      const { items } = record.value as StepIO['plan']['value'];
      return { lines: [`${items} step${items === 1 ? '' : 's'}`], ok: null };
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
  const own = checks.filter(({ check, state }) => !check.startsWith('pack:') && (state !== 'passed' || !quiet.includes(check))).map(({ check, state }) => `${check} ${sign[state]}`);
  const pack = checks.filter(({ check }) => check.startsWith('pack:'));
  const counted = pack.length > 0 ? [`pack ${pack.filter(({ state }) => state === 'passed').length}/${pack.length}`] : [];
  return { lines: [[...own, ...counted].join(' '), ...findings.slice(0, 3).map(({ message }) => message)], ok };
}

/** The lines that say most about a cell: its last ones, without comments. */
function sketch(code: string): string[] {
  const lines = code.split('\n').filter((line) => line.trim() && !line.trim().startsWith('#'));
  if (code.startsWith('%%')) return [`${lines[0]}  ${lines.length - 1} lines`];
  return lines.length > CODE_LINES ? [`… ${lines.length} lines`, ...lines.slice(-(CODE_LINES - 1))] : lines;
}

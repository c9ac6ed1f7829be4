import type { WireShape } from '../kernel/protocol.js';
import type { Finding, FindingCode } from '../session/finding.js';
import type { Known } from './known.js';
import type { InputPart } from './sensitive.js';

const HIDDEN = 'not shown under exposure schema';
const TYPES = new Set('DataFrame Series ndarray Index list tuple dict set frozenset str bytes int float complex bool NoneType Timestamp Timedelta Figure Axes Text DataFrameGroupBy SeriesGroupBy GroupBy generator function module type range map filter zip'.split(' '));
const DTYPE = /^(u?int\d{0,3}|float\d{0,3}|bool|boolean|str|string|object|datetime64|timedelta64|category|complex\d{0,3}|period|interval|sparse|U?Int\d{1,3}|Float\d{1,3}|<[UM]\d{1,4})(\[(?:ns|us|ms|s|pyarrow|python)(?:, UTC)?\])?(?:\[.*\])?$/;
const CLASS = /^[A-Za-z_][\w.]{0,80}$/;

/** How much was printed, in place of what. Pure. */
export function printedText(chars: number): string {
  return `[${chars.toLocaleString('en-US')} characters were printed; ${HIDDEN}]`;
}

/** What a value is, with names of columns that are known and none that may be data. Pure. */
export function shapeText(shape: WireShape | undefined, known: Known): string {
  if (!shape) return `[a value; ${HIDDEN}]`;
  const type = TYPES.has(shape.type) || known.says(shape.type) ? shape.type : 'object';
  const size = shape.size ?? [];
  const dtype = shape.dtype === undefined ? '' : ` of ${dtypeName(shape.dtype)}`;
  const columns = shape.columns?.map(([name, kind], i) => `  ${columnName(name!, i, known)}  ${dtypeName(kind!)}`) ?? [];
  const many = shape.columns ? `${count(size[0] ?? 0, 'row')} × ${count(size[1] ?? 0, 'column')}` : size.length > 1 ? size.join(' × ') : size.length === 1 ? count(size[0]!, 'item') : '';
  return [`[${[type + dtype, many].filter(Boolean).join(', ')}; values are ${HIDDEN}]`, ...columns].join('\n');
}

/** The inputs by what they are. Pure. */
export function inputsText(parts: readonly InputPart[], known: Known): string {
  const files = new Set(parts.map(({ file }) => file)).size;
  const lines = [`${count(files, 'input file')}, in the current directory under ${files === 1 ? 'its name' : 'their names'}. Only names and types are shown (exposure schema).`];
  for (const { file, kind, code, rows, columns } of parts) {
    lines.push('', [file, kind, ...(rows === null ? [] : [`${count(rows, 'row')} × ${count(columns.length, 'column')}`])].join(' · '));
    if (code) lines.push(`  ${code}`);
    const names = columns.map(({ name }, i) => columnName(name, i, known));
    const width = Math.min(24, Math.max(0, ...names.map((name) => name.length)));
    for (const [i, { dtype }] of columns.entries()) lines.push(`  ${names[i]!.padEnd(width)}  ${dtypeName(dtype)}`);
  }
  return lines.join('\n');
}

/** An error without its message, unless that is made of known words: its class, and the lines of the user's code it came by. Pure. */
export function errorText(error: { type: string; message: string; traceback: string }, known: Known, library: ReadonlySet<string>): { type: string; message: string; traceback: string } {
  const type = className(error.type, known, library);
  const message = known.says(error.message) ? error.message : `(the message is ${HIDDEN})`;
  const frames = [...error.traceback.matchAll(/^ {2}File "(<cell \d{1,6}>|[^"\n]{1,200})", line (\d{1,7})/gm)].flatMap(([, file, line]) => (file!.startsWith('<cell ') || known.says(file!) ? [`  File "${file}", line ${line}`] : []));
  return { type, message, traceback: [...(frames.length > 0 ? ['Traceback (most recent call last):', ...frames.slice(-20)] : []), `${type}: ${message}`].join('\n') };
}

/** What verification found, without values of the data. `plain` when the script holds none, so that what was read from it may be told. Pure. */
export function findingWithout(found: Finding, known: Known, library: ReadonlySet<string>, plain: boolean): Finding {
  const { path, ...rest } = found;
  const where = path === undefined ? {} : { path: pathName(path, 0, known) };
  if ((plain && OF_SCRIPT.has(found.code)) || known.says(found.message)) return { ...rest, ...where };
  const thrown = /^([\w.]{1,80}(?:Error|Exception|Exit|Interrupt|Warning))\b/m.exec(found.message)?.[1];
  const how = thrown ? ` It ended with ${className(thrown, known, library)}.` : '';
  // What was read from the script may quote its names; other remedies are sentences of ours.
  const remedy = OF_SCRIPT.has(found.code) && !known.says(found.remedy) ? 'Look at that line, and correct it.' : found.remedy;
  return { ...rest, ...where, remedy, message: `${SENTENCES[found.code] ?? 'It does not hold.'}${how} Its values are ${HIDDEN}.` };
}

/** A file's name where it is known, else one that only keeps its ending. Pure. */
export function pathName(path: string, at: number, known: Known): string {
  return known.says(path) ? path : `file_${at + 1}${/\.[a-z0-9]{1,8}$/i.exec(path)?.[0] ?? ''}`;
}

/** Findings that come from reading the script, not from running it. */
const OF_SCRIPT: ReadonlySet<FindingCode> = new Set<FindingCode>(['script-missing', 'syntax-error', 'no-main', 'credentials', 'unknown-import', 'unknown-call', 'wrong-arguments', 'reads-clock', 'needs-session', 'no-header', 'exit-code-lost', 'bad-input-unclear']);
const SENTENCES: Partial<Record<FindingCode, string>> = {
  'run-failed': 'The script did not run to its end.',
  'run-timeout': 'The script did not end in time.',
  'output-missing': 'A promised output was not written.',
  'output-unreadable': 'An output can not be read.',
  'output-differs': 'Two runs of the script wrote different outputs.',
  'pack-check-failed': 'A check of the context pack failed.',
  'check-broken': 'A check of the context pack broke.',
};

/** A value's type by its name where that is known, else `object`. Pure. */
export function typeName(type: string, known: Known, library: ReadonlySet<string>): string {
  const name = TYPES.has(type) ? type : className(type, known, library);
  return name === 'Error' && type !== 'Error' ? 'object' : name;
}

function className(type: string, known: Known, library: ReadonlySet<string>): string {
  const parts = type.split('.');
  const isName = (part: string) => library.has(part.toLowerCase()) || known.has(part.toLowerCase());
  if (!CLASS.test(type) || !isName(parts.at(-1)!)) return 'Error';
  return parts.every(isName) ? type : parts.at(-1)!;
}

const columnName = (name: string | null, at: number, known: Known): string => (name !== null && known.says(name) ? name : `col_${at + 1}`);
/** What is in brackets may be a name of the data's, but for units of time and kinds of storage. */
function dtypeName(dtype: string): string {
  const [, name, unit = ''] = DTYPE.exec(dtype) ?? [];
  return name === undefined ? 'object' : name + unit;
}

const count = (n: number, noun: string): string => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

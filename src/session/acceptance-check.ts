/**
 * What a request promises of an output and can be counted: data, never code. Everything a check does is in its sentence, so what an
 * approver reads is exactly what is checked. Pure; reads hostile values.
 */
export interface AcceptanceCheck {
  kind: CheckKind;
  /** The output file, relative to the workspace. */
  output: string;
  column?: string;
  columns?: string[];
  value?: Scalar;
  values?: Scalar[];
  equals?: number;
  min?: number;
  max?: number;
  /** An input file by name, and its column. */
  input?: string;
  inputColumn?: string;
  order?: 'ascending' | 'descending';
}

type Scalar = string | number | boolean;
type Member = Exclude<keyof AcceptanceCheck, 'kind' | 'output'>;

export type CheckKind = 'rows' | 'columns' | 'unique' | 'no-nulls' | 'values' | 'count' | 'share' | 'numbers' | 'sum' | 'disjoint' | 'within' | 'sorted';

interface Row {
  /** Members it can't do without. */
  needs: Member[];
  /** Whether it takes `equals`, `min` and `max`: not at all, if given, or at least one of them. */
  bound: 'no' | 'may' | 'must';
  /** As `rows where group = "holdout"`, for the model. */
  about: string;
  claim(check: AcceptanceCheck): string;
}

const KINDS: Record<CheckKind, Row> = {
  rows: { needs: [], bound: 'must', about: 'number of rows', claim: (c) => `${amount(c)} rows` },
  columns: { needs: ['columns'], bound: 'no', about: 'these columns are there', claim: (c) => `${many(c) ? 'columns' : 'column'} ${list(c)} there` },
  unique: { needs: ['columns'], bound: 'no', about: 'no two rows agree in these columns', claim: (c) => `${list(c, ' and ')}${many(c) ? ' together' : ''} never repeat${many(c) ? '' : 's'}` },
  'no-nulls': { needs: ['columns'], bound: 'no', about: 'these columns are never empty', claim: (c) => `${list(c)} never empty` },
  values: { needs: ['column', 'values'], bound: 'no', about: 'the column takes these values only', claim: (c) => `${name(c.column!)} is ${c.values!.map(shown).join(' or ')}` },
  count: { needs: ['column', 'value'], bound: 'must', about: 'number of rows with column = value', claim: (c) => `${amount(c)} rows with ${name(c.column!)} ${shown(c.value!)}` },
  share: { needs: ['column', 'value'], bound: 'must', about: 'part of all rows with column = value, from 0 to 1', claim: (c) => `${amount(c, percent)} of the rows with ${name(c.column!)} ${shown(c.value!)}` },
  numbers: { needs: ['column'], bound: 'may', about: 'every value is a finite number, in min to max where given', claim: (c) => `${name(c.column!)} always a finite number${bounded(c) ? `, ${amount(c)}` : ''}` },
  sum: { needs: ['column'], bound: 'must', about: 'sum of the column', claim: (c) => `sum of ${name(c.column!)} ${amount(c)}` },
  disjoint: { needs: ['column', 'input', 'inputColumn'], bound: 'no', about: 'no value of the column is in inputColumn of the input', claim: (c) => `no ${name(c.column!)} that is in ${name(c.inputColumn!)} of ${name(c.input!)}` },
  within: { needs: ['column', 'input', 'inputColumn'], bound: 'no', about: 'every value of the column is in inputColumn of the input', claim: (c) => `every ${name(c.column!)} is in ${name(c.inputColumn!)} of ${name(c.input!)}` },
  sorted: { needs: ['columns', 'order'], bound: 'no', about: 'rows are in this order', claim: (c) => `sorted by ${list(c)}, ${c.order!}` },
};
const BOUND: readonly Member[] = ['equals', 'min', 'max'];
const MEMBERS: readonly Member[] = ['column', 'columns', 'value', 'values', ...BOUND, 'input', 'inputColumn', 'order'];
const MAX_NAMES = 40;
const NAME_CHARS = 200;

/** The kinds with what each takes, one line each, for who writes checks. */
export const CHECK_KINDS: string = Object.entries(KINDS).map(([kind, { needs, bound, about }]) => `${kind}(${[...needs, ...(bound === 'must' ? ['equals|min|max'] : bound === 'may' ? ['min?, max?'] : [])].join(', ')}): ${about}`).join('\n');

export const CHECK_KIND_NAMES = Object.keys(KINDS) as CheckKind[];

/** Reads one check, or says in a sentence without its full stop what is wrong with it. `inputs`: names of the request's inputs, where they are known. */
export function readCheck(given: unknown, inputs?: readonly string[]): AcceptanceCheck | string {
  if (given === null || typeof given !== 'object' || Array.isArray(given)) return `it is ${brief(given)} and no object with kind and output`;
  const { kind, output, ...rest } = given as Record<string, unknown>;
  if (!CHECK_KIND_NAMES.includes(kind as CheckKind)) return `its kind is ${brief(kind)}; the kinds are ${CHECK_KIND_NAMES.join(', ')}`;
  const row = KINDS[kind as CheckKind];
  if (!isName(output) || output.startsWith('/') || output.split('/').includes('..')) return `its output is ${brief(output)}; name the file as a relative path`;
  const check: AcceptanceCheck = { kind: kind as CheckKind, output };
  for (const [key, value] of Object.entries(withAliases(rest, row))) {
    if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    const taken = BOUND.includes(key as Member) ? number(value) : value;
    const takes = row.needs.includes(key as Member) || (row.bound !== 'no' && BOUND.includes(key as Member));
    if (!MEMBERS.includes(key as Member) || !takes) return `a ${kind as string} check does not take ${brief(key)}`;
    const problem = MEMBER_PROBLEMS[key as Member](taken);
    if (problem) return `its ${key} is ${brief(value)}; ${problem}`;
    Object.assign(check, { [key]: taken });
  }
  const lacking = row.needs.find((key) => check[key] === undefined);
  if (lacking) return `a ${kind as string} check needs ${lacking}`;
  return boundProblem(check, row) ?? inputProblem(check, inputs) ?? check;
}

/** What a check holds of its output, without the output: `exactly 1,000 rows`. Safe to show. */
export function claim(check: AcceptanceCheck): string {
  return KINDS[check.kind].claim(check);
}

/** A check as one sentence without its full stop: `audience.parquet: exactly 1,000 rows`. Safe to show. */
export function checkText(check: AcceptanceCheck): string {
  return `${name(check.output)}: ${claim(check)}`;
}

/** One column where several may stand, and the other way round. */
function withAliases(rest: Record<string, unknown>, { needs }: Row): Record<string, unknown> {
  const { input_column: snake, ...given } = rest;
  if (snake !== undefined && given.inputColumn === undefined) given.inputColumn = snake;
  if (needs.includes('inputColumn') && !given.inputColumn) given.inputColumn = given.column;
  if (needs.includes('order') && !given.order) given.order = 'ascending';
  const { column, columns } = given;
  if (needs.includes('columns') && typeof columns === 'string') given.columns = [columns];
  if (needs.includes('columns') && !given.columns && typeof column === 'string') return { ...given, column: undefined, columns: [column] };
  if (needs.includes('column') && !column && Array.isArray(columns) && columns.length === 1) return { ...given, column: columns[0] as unknown, columns: undefined };
  return given;
}

/** Models write numbers as texts too. */
const number = (value: unknown): unknown => (typeof value === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : value);

const nameProblem = (value: unknown) => (isName(value) ? undefined : 'give a name');
const scalarProblem = (value: unknown) => (isScalar(value) ? undefined : 'give a text, a number, true or false');
const numberProblem = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? undefined : 'give a number');
const MEMBER_PROBLEMS: Record<Member, (value: unknown) => string | undefined> = {
  column: nameProblem,
  columns: (value) => (isList(value) && value.every(isName) ? undefined : `give a list of 1 to ${MAX_NAMES} names`),
  value: scalarProblem,
  values: (value) => (isList(value) && value.every(isScalar) ? undefined : `give a list of 1 to ${MAX_NAMES} texts or numbers`),
  equals: numberProblem,
  min: numberProblem,
  max: numberProblem,
  input: nameProblem,
  inputColumn: nameProblem,
  order: (value) => (value === 'ascending' || value === 'descending' ? undefined : 'choose ascending or descending'),
};

function boundProblem(check: AcceptanceCheck, { bound }: Row): string | undefined {
  const { kind, equals, min, max } = check;
  const given = [equals, min, max].filter((value) => value !== undefined);
  if (bound === 'must' && given.length === 0) return `a ${kind} check needs equals, min or max`;
  if (equals !== undefined && given.length > 1) return 'it has equals beside min or max; give one or the other';
  if (min !== undefined && max !== undefined && min > max) return `its min ${min} is above its max ${max}`;
  if (kind === 'share' && given.some((value) => value < 0 || value > 1)) return `a share is a part of 1: give ${brief(given[0]! / 100)} for ${given[0]!} %`;
  if ((kind === 'rows' || kind === 'count') && given.some((value) => value < 0 || !Number.isInteger(value))) return 'a number of rows is a whole number of at least 0';
  return undefined;
}

function inputProblem({ input }: AcceptanceCheck, inputs: readonly string[] | undefined): string | undefined {
  if (input === undefined || !inputs || inputs.includes(input)) return undefined;
  return `there is no input ${brief(input)}; there ${inputs.length === 1 ? 'is' : 'are'} ${inputs.slice(0, 10).map(brief).join(', ') || 'none'}`;
}

/** Text that can be shown as it is: bounded, and without control, bidirectional and zero-width characters. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= NAME_CHARS && !HIDDEN.test(value);
}
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const isScalar = (value: unknown): value is Scalar => typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)) || isName(value);
const isList = (value: unknown): value is unknown[] => Array.isArray(value) && value.length > 0 && value.length <= MAX_NAMES;
const many = ({ columns }: AcceptanceCheck): boolean => columns!.length > 1;
const list = ({ columns }: AcceptanceCheck, joint = ', '): string => columns!.map(name).join(joint);
const bounded = ({ equals, min, max }: AcceptanceCheck): boolean => equals !== undefined || min !== undefined || max !== undefined;
/** A name as it stands in a sentence: plain where it can't be taken for words of the sentence. */
const name = (text: string): string => (/^[\w.-]+(\/[\w.-]+)*$/.test(text) ? text : JSON.stringify(text));
const shown = (value: Scalar): string => (typeof value === 'string' ? JSON.stringify(value) : typeof value === 'number' ? plain(value) : String(value));
const brief = (value: unknown): string => (JSON.stringify(value) ?? 'missing').slice(0, 80);

function amount({ equals, min, max }: AcceptanceCheck, format: (value: number) => string = plain): string {
  if (equals !== undefined) return `exactly ${format(equals)}`;
  if (min !== undefined && max !== undefined) return `from ${format(min)} to ${format(max)}`;
  return min === undefined ? `at most ${format(max!)}` : `at least ${format(min)}`;
}

/** Digits in threes where the number is whole, all of them where it is not. Needs no locale, which a workflow has none of. */
function plain(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? String(value).replace(/\B(?=(\d{3})+$)/g, ',') : String(value);
}
const percent = (value: number): string => `${Number((value * 100).toPrecision(12))} %`;

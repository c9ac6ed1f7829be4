import type { Changes, OutputChange, TableChange } from '../session/changes.js';
import { plain } from './plain-text.js';

const PATH_CHARS = 200;
const NAME_CHARS = 60;

/** What changed against the last verified request, a line for the script and one a file; hostile text is cleaned. Pure. */
export function changeLines({ script, outputs, problem }: Changes): string[] {
  const code = script.diff ? `script: ${count(script.added, 'line')} added, ${script.removed} removed` : 'script: not changed';
  if (outputs === null) return [code, `outputs: not compared, ${plain(problem ?? 'no reason is known', 300)}`];
  if (outputs.length === 0) return [code, 'outputs: there are none'];
  if (outputs.every(({ kind }) => kind === 'same')) return [code, `outputs: nothing changed, ${outputs.length === 1 ? 'the file holds' : `all ${outputs.length} files hold`} the same as before`];
  return [code, ...outputs.map((output) => `${plain(output.path, PATH_CHARS)}: ${outputText(output)}`)];
}

/** The same for the model, with the difference of the scripts. Pure. */
export function changesText(changes: Changes): string {
  const diff = changes.script.diff ? `\n\n${plain(changes.script.diff, Infinity)}` : '';
  return `Changed against the last verified request of this session (it should be what is asked now, and nothing else):\n${changeLines(changes).map((line) => `- ${line}`).join('\n')}${diff}`;
}

function outputText({ kind, detail, table, values, lines }: OutputChange): string {
  switch (kind) {
    case 'same':
      return 'not changed';
    case 'new':
      return 'new';
    case 'gone':
      return 'not written any more';
    case 'image':
      return 'another picture';
    case 'unread':
      return `not compared (${plain(detail ?? 'no reason is known', 300)})`;
    case 'text':
      return `${count(lines?.[0] ?? 0, 'line')} left, ${lines?.[1] ?? 0} came`;
    case 'values':
      return [...(values ?? []).map(({ at, before, after }) => `${name(at)} ${before === null ? 'none' : name(before)} → ${after === null ? 'none' : name(after)}`), ...(detail ? [plain(detail, 100)] : [])].join('; ') || 'written differently, with the same values';
    case 'file':
      return `other content, ${plain(detail ?? '', 100)}`;
    case 'table':
      return table ? tableText(table) : 'changed';
  }
}

function tableText({ rows, key, left, came, changed, moved, cells, added, removed, totals, groups, more }: TableChange): string {
  const by = key.length > 0 ? `by ${key.map(name).join(' and ')}` : 'by whole rows';
  const inColumns = cells.length > 0 ? ` (${cells.map(([column, n]) => `${name(column)} ${number(n)}`).join(', ')})` : '';
  const stayed = key.length > 0 ? `, ${number(changed)} changed${inColumns}` : '';
  const sums = totals.filter(({ before, after }) => !alike(before, after));
  const shifted = groups.map(({ column, values }) => ({ column, values: values.filter(([, a, b]) => a !== b) })).filter(({ values }) => values.length > 0);
  return [
    rows[0] === rows[1] ? `${count(rows[1], 'row')}, as before` : `${count(rows[1], 'row')}, ${number(rows[0])} before`,
    ...(added.length > 0 ? [`new columns ${added.map(name).join(', ')}`] : []),
    ...(removed.length > 0 ? [`without columns ${removed.map(name).join(', ')}`] : []),
    `${by} ${number(left)} left, ${number(came)} came${stayed}`,
    ...(moved ? ['the rows stand in another order'] : []),
    ...shifted.map(({ column, values }) => `${name(column)}: ${values.map(([value, a, b]) => `${name(value)} ${number(a)} → ${number(b)}`).join(', ')}`),
    ...(sums.length > 0 ? [`totals: ${sums.map(({ column, before, after }) => `${name(column)} ${pair(before, after)}`).join(', ')}`] : []),
    ...(totals.length > sums.length ? [sums.length > 0 ? 'the other totals as before' : 'totals as before'] : []),
    ...(more ? [`${more} more columns`] : []),
  ].join('; ');
}

const alike = (a: number, b: number): boolean => a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
const name = (text: string): string => plain(text, NAME_CHARS).replaceAll('\n', ' ');
const number = (value: number): string => value.toLocaleString('en-US', Number.isInteger(value) ? {} : { maximumSignificantDigits: 6 });
const count = (n: number, noun: string): string => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

/** Two sums that differ are never shown as the same digits. */
function pair(before: number, after: number): string {
  const short = [number(before), number(after)];
  const [a, b] = short[0] === short[1] ? [before, after].map((value) => value.toLocaleString('en-US', { maximumSignificantDigits: 15 })) : short;
  return `${a} → ${b}`;
}

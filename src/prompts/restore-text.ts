/** What a model is told of a kernel that was started again: only what is not as it was. Pure; what it reads is hostile text. */
import type { CellObservation } from '../session/observation.js';
import { isWhole, type CaughtUp, type RestoreReport } from '../session/restore-report.js';
import { oneLine } from './one-line.js';

const MAX_LOST = 10;
const MAX_NAMES = 12;
const MAX_NOTES = 8;
const MESSAGE_CHARS = 400;
const NAME_CHARS = 60;

type Seen = Pick<CellObservation, 'restored' | 'caughtUp'>;

/** Lines above what a cell showed; none where everything is as it was. */
export function restoreLines({ restored, caughtUp = [] }: Seen): string[] {
  const others = caughtUp.filter(({ same }) => !same).map(({ k }) => k);
  const report = restored && !isWhole(restored) ? reportLines(restored) : [];
  return others.length > 0 ? [...report, caughtUpLine(caughtUp, others)] : report;
}

/** The same in a few words, for an old step's line; empty where everything is as it was. */
export function restoreBrief({ restored, caughtUp = [] }: Seen): string {
  const { lost = [], unproved = [], notes = [] } = restored ?? {};
  const others = caughtUp.filter(({ same }) => !same).map(({ k }) => k);
  return [
    lost.length > 0 ? `lost ${listed(lost.map(({ name }) => name))}` : '',
    unproved.length > 0 ? `computed ${listed(unproved)} again` : '',
    others.length > 0 ? `${cells(others)} showed something else` : '',
    lost.length + unproved.length === 0 && notes.length > 0 ? oneLine(notes[0]!) : '',
  ]
    .filter(Boolean)
    .map((what) => `${what}; `)
    .join('');
}

function reportLines({ head, variables, unproved, lost, notes }: RestoreReport): string[] {
  const count = `${variables} variable${variables === 1 ? '' : 's'}`;
  const from = head < 0 ? 'without a saved state' : `with the state after cell ${head}: files and ${count}`;
  const more = lost.length - MAX_LOST;
  return [
    `The kernel was started again before this cell, ${from}.`,
    ...(unproved.length > 0 ? [`Computed again, and perhaps not what it was: ${listed(unproved)}.`] : []),
    ...lost.slice(0, MAX_LOST).map(({ name, type, message }) => oneLine(message, MESSAGE_CHARS) || `The variable ${oneLine(name, NAME_CHARS)}${type ? ` (${oneLine(type, NAME_CHARS)})` : ''} was lost: make it again before you use it.`),
    ...(more > 0 ? [`And ${more} more were lost: one that is used says so.`] : []),
    ...notes.slice(0, MAX_NOTES).map((note) => oneLine(note, MESSAGE_CHARS)),
  ];
}

function caughtUpLine(caughtUp: readonly CaughtUp[], others: readonly number[]): string {
  const ran = cells(caughtUp.map(({ k }) => k));
  return `The saved state of ${ran} was gone, so ${caughtUp.length === 1 ? 'it' : 'they'} ran again before this one; ${cells(others)} showed something else than the first time: look again at what you need of that.`;
}

/** `cell 3`, `cells 0 to 4`, `cells 1, 3 and 9`. */
function cells(ks: readonly number[]): string {
  const [first] = ks;
  const last = ks.at(-1);
  if (ks.length === 1) return `cell ${first}`;
  if (ks.length > 2 && last! - first! === ks.length - 1) return `cells ${first} to ${last}`;
  const shown = ks.length > MAX_NAMES ? [...ks.slice(0, MAX_NAMES), '…'] : ks;
  return `cells ${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return [...names.slice(0, MAX_NAMES).map((name) => oneLine(name, NAME_CHARS)), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

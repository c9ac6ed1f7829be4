import type { EventKind } from '../session/event.js';
import type { Json } from '../session/json.js';
import type { CellObservation } from '../session/observation.js';

const MAX_NAMES = 8;

/** An event of a kernel as a line; undefined for other events. Pure; what it says is hostile text. */
export function kernelLine(kind: EventKind, data: Readonly<Record<string, Json>>): string | undefined {
  switch (kind) {
    case 'kernel-lost':
      return 'the sandbox ended under the cell: another goes on from the saved state';
    case 'cell-again':
      return `the cell runs again from the state before it: ${text(data.message) || 'its kernel died'}`;
    case 'kernel-restored':
      return restoredText(number(data.head), number(data.variables), number(data.ms), names(data.recomputed), names(data.lost));
    case 'cell-caught-up':
      return `cell ${number(data.k)} ran again, since its saved state was gone${data.same === false ? ', and showed something else' : ''}`;
    case 'state-unsaved':
      return text(data.message) || 'the state after the cell could not be saved';
    case 'state-not-shipped':
      return text(data.message) || 'the saved states could not be shipped';
    case 'state-fetched':
      return `the state after cell ${number(data.k)} was fetched from the checkpoint store, since this machine had none that is as new and whole`;
    default:
      return undefined;
  }
}

/** What a kernel did around a cell, as lines under its step. Pure. */
export function kernelLines({ again = [], caughtUp = [], restored, unsaved }: Pick<CellObservation, 'again' | 'caughtUp' | 'restored' | 'unsaved'>): string[] {
  const others = caughtUp.filter(({ same }) => !same).map(({ k }) => k);
  const { lost = [], notes = [] } = restored ?? {};
  return [
    ...(restored ? [restoredText(restored.head, restored.variables, restored.ms, restored.recomputed, lost.map(({ name }) => name))] : []),
    ...lost.slice(0, MAX_NAMES).map(({ name, type, message }) => message || `${name} (${type}) was lost`),
    ...notes,
    ...(caughtUp.length > 0 ? [`${caughtUp.length === 1 ? 'one cell' : `${caughtUp.length} cells`} ran again before it${others.length > 0 ? `; something else was shown by ${others.join(', ')}` : ''}`] : []),
    ...again.map((message) => `ran again: ${message}`),
    ...(unsaved ? [unsaved] : []),
  ];
}

function restoredText(head: number, variables: number, ms: number, recomputed: readonly string[], lost: readonly string[]): string {
  if (head < 0) return 'the kernel begins with nothing saved';
  const more = [named('computed again', recomputed), named('lost', lost)].filter(Boolean).join('; ');
  return `the kernel is back at cell ${head}: ${variables} variable${variables === 1 ? '' : 's'} in ${Math.round(ms)} ms${more ? `; ${more}` : ''}`;
}

function named(what: string, all: readonly string[]): string {
  const more = all.length - MAX_NAMES;
  return all.length === 0 ? '' : `${what}: ${all.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

// Events are a view written by others: whatever is missing is shown as nothing.
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);
const names = (value: unknown): string[] => (Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []);

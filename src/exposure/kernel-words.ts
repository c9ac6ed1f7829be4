import type { CellObservation } from '../session/observation.js';
import type { RestoreReport } from '../session/restore-report.js';
import type { Known } from './known.js';
import { typeName } from './schema-text.js';

/** What a kernel says of itself. Names of variables and sentences about them may hold data. */
export type KernelWords = Pick<CellObservation, 'restored' | 'again' | 'unsaved'>;

/** The words with every text as `text` gives it; numbers stay. Pure. */
export function wordsWith({ restored, again, unsaved }: KernelWords, text: (given: string) => string): KernelWords {
  return {
    ...(restored === undefined ? {} : { restored: reportWith(restored, text) }),
    ...(again === undefined ? {} : { again: again.map(text) }),
    ...(unsaved === undefined ? {} : { unsaved: text(unsaved) }),
  };
}

/** The words without names that are not known and sentences about values. How a kernel died is the sandbox's own sentence. Pure. */
export function wordsWithout({ restored, again, unsaved }: KernelWords, known: Known, library: ReadonlySet<string>): KernelWords {
  return {
    ...(restored === undefined ? {} : { restored: reportWithout(restored, known, library) }),
    ...(again === undefined ? {} : { again }),
    ...(unsaved === undefined ? {} : { unsaved: known.says(unsaved) ? unsaved : 'The state after this cell could not be saved.' }),
  };
}

function reportWith(report: RestoreReport, text: (given: string) => string): RestoreReport {
  return {
    ...report,
    recomputed: report.recomputed.map(text),
    unproved: report.unproved.map(text),
    lost: report.lost.map(({ name, type, cell, message }) => ({ name: text(name), type: text(type), cell, message: text(message) })),
    notes: report.notes.map(text),
  };
}

function reportWithout(report: RestoreReport, known: Known, library: ReadonlySet<string>): RestoreReport {
  const named = (name: string, at: number) => (known.says(name) ? name : `variable_${at + 1}`);
  const notes = report.notes.filter((note) => known.says(note));
  const hidden = report.notes.length - notes.length;
  return {
    ...report,
    recomputed: report.recomputed.map(named),
    unproved: report.unproved.map(named),
    lost: report.lost.map(({ name, type, cell, message }, at) => ({ name: named(name, at), type: typeName(type, known, library), cell, message: known.says(message) ? message : '' })),
    notes: [...notes, ...(hidden > 0 ? ['Not everything is as it was: look again at what you need.'] : [])],
  };
}

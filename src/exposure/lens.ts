import type { WireShape } from '../kernel/protocol.js';
import type { Exposure } from '../session/exposure.js';
import type { BoundedText, CellObservation, CheckResult, Display, VerificationObservation } from '../session/observation.js';
import { changesWith, changesWithout } from './changes.js';
import type { Known } from './known.js';
import type { Mask } from './mask.js';
import { wordsWith, wordsWithout, type KernelWords } from './kernel-words.js';
import { errorText, findingWithout, inputsText, pathName, printedText, shapeText } from './schema-text.js';
import type { Sensitive } from './sensitive.js';

/** What was seen, as it may be stored and sent. Images are for people and pass; no model is ever sent one. */
export interface Lens {
  readonly exposure: Exposure;
  /** `shapes` of the result and of each display, by the display. */
  cell(seen: CellObservation, shapes: ReadonlyMap<Display, WireShape | undefined>): CellObservation;
  /** The built-in look; `held` is what it noted, null when that could not be had. */
  inputs(seen: CellObservation, held: Pick<Sensitive, 'parts' | 'versions'> | null): CellObservation;
  verification(seen: VerificationObservation, script: string | null): VerificationObservation;
  check(check: CheckResult): CheckResult;
  /** What a kernel says of itself. */
  words(words: KernelWords): KernelWords;
  /** A piece of a cell's output that ends at the end of a line. */
  live(text: string): string;
}

/** Shows everything. Pure. */
export const fullLens: Lens = { exposure: 'full', cell: (seen) => seen, inputs: (seen) => seen, verification: (seen) => seen, check: (check) => check, words: (words) => words, live: (text) => text };

/** Hides identifiers and free text. Pure. */
export function maskedLens(mask: Mask): Lens {
  const text = (given: string) => mask.text(given);
  const bounded = ({ text: given, omitted }: BoundedText): BoundedText => ({ text: text(given), omitted });
  const display = ({ text: forms, images }: Display): Display => ({
    // Markup would be broken by placeholders, and a table says the same in plain text.
    text: Object.fromEntries(Object.entries(forms).flatMap(([mime, form]) => (mime === 'text/html' && forms['text/plain'] ? [] : [[mime, bounded(form)]]))),
    images,
  });
  const check = ({ check: name, state, detail }: CheckResult): CheckResult => ({ check: checkName(name, text), state, detail: text(detail) });
  const cell = (seen: CellObservation): CellObservation => ({
    ...seen,
    exposure: 'masked',
    stdout: bounded(seen.stdout),
    stderr: bounded(seen.stderr),
    result: seen.result && display(seen.result),
    displays: seen.displays.map(display),
    error: seen.error && { type: text(seen.error.type), message: text(seen.error.message), traceback: text(seen.error.traceback) },
    ...wordsWith(seen, text),
  });
  return {
    exposure: 'masked',
    cell,
    inputs: cell,
    verification: (seen, script) => ({
      ...seen,
      exposure: 'masked',
      ...(script !== null && text(script).includes('‹') ? { hidesScript: true } : {}),
      checks: seen.checks.map(check),
      findings: seen.findings.map((found) => ({ ...found, message: text(found.message), remedy: text(found.remedy), ...(found.path === undefined ? {} : { path: text(found.path) }) })),
      outputs: seen.outputs.map((output) => (text(output.path) === output.path ? output : { ...output, shown: text(output.path) })),
      stdout: bounded(seen.stdout),
      stderr: bounded(seen.stderr),
      ...(seen.changes ? { changes: changesWith(seen.changes, text) } : {}),
    }),
    check,
    words: (words) => wordsWith(words, text),
    live: text,
  };
}

/** Shows types, shapes and classes of errors only. Pure. */
export function schemaLens(known: Known, library: ReadonlySet<string>): Lens {
  const printed = ({ text, omitted }: BoundedText): BoundedText => ({ text: text === '' ? '' : printedText(text.length + omitted), omitted: 0 });
  const named = (name: string) => (known.says(name) ? name : 'check');
  const check = ({ check: name, state, detail }: CheckResult): CheckResult => ({ check: checkName(name, named), state, detail: known.says(detail) ? detail : '' });
  const cell: Lens['cell'] = (seen, shapes) => {
    const display = (shown: Display): Display => ({ text: { 'text/plain': { text: shapeText(shapes.get(shown), known), omitted: 0 } }, images: shown.images });
    return {
      ...seen,
      exposure: 'schema',
      stdout: printed(seen.stdout),
      stderr: printed(seen.stderr),
      result: seen.result && display(seen.result),
      displays: seen.displays.map(display),
      // For other ends the message is the sandbox's own sentence.
      error: seen.error && { ...errorText(seen.error, known, library), ...(seen.ended === 'error' ? {} : { message: seen.error.message }) },
      ...wordsWithout(seen, known, library),
    };
  };
  return {
    exposure: 'schema',
    cell,
    inputs: (seen, held) => ({ ...cell(seen, new Map()), stdout: { text: held ? `${held.versions}\n${inputsText(held.parts, known)}` : 'The inputs could not be looked at.', omitted: 0 }, stderr: { text: '', omitted: 0 } }),
    verification: (seen, script) => {
      const plain = script === null || known.says(script);
      return {
        ...seen,
        exposure: 'schema',
        ...(plain ? {} : { hidesScript: true }),
        checks: seen.checks.map(check),
        findings: seen.findings.map((found) => findingWithout(found, known, library, plain)),
        outputs: seen.outputs.map((output, i) => (known.says(output.path) ? output : { ...output, shown: pathName(output.path, i, known) })),
        stdout: printed(seen.stdout),
        stderr: printed(seen.stderr),
        ...(seen.changes ? { changes: changesWithout(seen.changes, (path, i) => pathName(path, i, known), plain) } : {}),
      };
    },
    check,
    words: (words) => wordsWithout(words, known, library),
    live: (text) => printedText(text.length),
  };
}

/** Checks of a pack are named by it; ours are words of our own. */
function checkName(name: string, shown: (name: string) => string): string {
  return name.startsWith('pack:') ? `pack:${shown(name.slice(5))}` : name;
}

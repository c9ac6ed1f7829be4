/* oxlint-disable no-control-regex -- control characters are what this file is about */

/** Escape sequences whole, so that no half of one stays behind as text. */
const SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|[ -/]*[0-~])|\u009b[0-?]*[ -/]*[@-~]/g;
/** C0 (but newline and tab), DEL, C1, and what turns or hides text: bidirectional controls, zero-width marks, line separators. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text of a model, a sandbox or a pack, made safe for a terminal. Newlines and tabs stay. Pure. */
export function clean(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(SEQUENCES, '').replace(CONTROLS, '');
}

/** The same on one line of at most `width` columns, cut with an ellipsis. */
export function cleanLine(text: string, width: number): string {
  return cut(clean(text).replace(/\s+/g, ' ').trim(), width);
}

/** The beginning of a line that fits into `width` columns; wide scripts take two each. */
export function cut(text: string, width: number): string {
  let columns = 0;
  let kept = '';
  for (const char of text) {
    columns += char.codePointAt(0)! >= 0x1100 ? 2 : 1;
    if (columns > width) return `${cutBy(kept, 1)}…`;
    kept += char;
  }
  return kept;
}

function cutBy(text: string, chars: number): string {
  return [...text].slice(0, -chars).join('');
}

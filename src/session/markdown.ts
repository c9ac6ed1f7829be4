/*
 * Words of strangers (prompts, model replies, file names) for pages that read Markdown, as Temporal's does: they are shown as they are,
 * and none of them becomes markup, a link or an invisible mark.
 */

/** Text on one line of at most `max` characters, with an ellipsis where it was cut. Pure. */
export function plainLine(text: string, max: number): string {
  return escaped(cut(beginning(text, max).replace(/\s+/g, ' ').trim(), max, text));
}

/** Text in a fence of its own, of at most `max` characters; line breaks stay. Pure. */
export function fenced(text: string, max: number): string {
  const body = cut(beginning(text, max).trim(), max, text);
  const longest = Math.max(2, ...(body.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${body}\n${fence}`;
}

/** A page is written anew with each step, and a prompt may be long: only its beginning is looked at. */
const SPARE = 4;
const beginning = (text: string, max: number): string => visible(text.slice(0, max * SPARE));

function cut(shown: string, max: number, whole: string): string {
  const chars = [...shown];
  return chars.length > max || whole.length > max * SPARE ? `${chars.slice(0, max - 1).join('')}…` : shown;
}

/** Without control characters, marks that turn or hide text, and halves of characters. */
function visible(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[^\P{C}\n\t]|[\u2028\u2029]/gu, '');
}

/** An underscore inside a word is no markup, and file names are full of them. */
function escaped(line: string): string {
  return line
    .replace(/[\\`*[\]<>~|&#@$]|:(?=\/\/)|(?<=\bwww)\.|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/giu, '\\$&')
    .replace(/^[-+=]|(?<=^\d{1,9})[.)]/, '\\$&');
}

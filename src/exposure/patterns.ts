import type { Kind } from './sensitive.js';

/** A part of a text that looks like an identifier, whatever the inputs hold. */
export interface Span {
  start: number;
  end: number;
  kind: Kind;
}

// Every repetition is bounded, so that hostile text costs no more than time in proportion to its length.
const PATTERNS: readonly [Kind, RegExp][] = [
  ['id', /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi],
  ['id', /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b/g],
  ['id', /\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}\b/g],
  ['id', /\b\d{3}-\d{2}-\d{4}\b/g],
  ['id', /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/g],
  ['id', /\b(?=[a-f]{0,31}\d)(?=\d{0,31}[a-f])[0-9a-f]{24,128}\b/gi],
  ['phone', /(?<![\w+])\+[1-9]\d{0,2}[ \-./]?\(?\d{1,5}\)?(?:[ \-./]?\d{2,8}){1,5}(?!\d)/g],
  ['phone', /(?<![\w(])\(\d{2,5}\)[ -]?\d{3,8}(?:[ -]\d{2,6}){0,2}(?!\d)/g],
  ['phone', /(?<![\d.,-])\d{3}[-.]\d{3}[-.]\d{4}(?![\d.])/g],
  ['phone', /(?<![\d.,-])0\d{2,4}[-/ ]\d{3,9}(?:[-/ ]\d{2,6}){0,2}(?![\d.])/g],
  ['address', /\b\d{1,5} (?:\p{Lu}[\p{L}'-]{1,30} ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Place|Way)\b\.?/gu],
  ['address', /\b\p{Lu}[\p{L}-]{2,30}(?:straße|strasse|str\.|weg|platz|allee|gasse) \d{1,4}[a-z]?\b/gu],
];
const URL = /\bhttps?:\/\/[^\s"'<>\\]{1,2000}/gi;
const AROUND_AT = /[\p{L}\p{N}._%+'-]/u;
const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;

/** What looks like an identifier, in order, without overlaps. Pure; linear in the text's length. */
export function patternSpans(text: string): Span[] {
  const found: Span[] = emails(text);
  for (const match of text.matchAll(URL)) if (isTelling(match[0].slice(8))) found.push({ start: match.index, end: match.index + match[0].length, kind: 'url' });
  for (const [kind, pattern] of PATTERNS) for (const match of text.matchAll(pattern)) found.push({ start: match.index, end: match.index + match[0].length, kind });
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  let end = 0;
  return found.filter((span) => span.start >= end && (end = span.end) > 0);
}

/** An address that may name somebody: it holds a query, or ends in something long with a digit far in it. */
function isTelling(address: string): boolean {
  return /[@?#]/.test(address) || /\d/.test(address.slice(address.lastIndexOf('/') + 1).slice(20));
}

function emails(text: string): Span[] {
  const found: Span[] = [];
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > 0 && at - start < MAX_LOCAL && AROUND_AT.test(text[start - 1]!)) start -= 1;
    let end = at + 1;
    while (end < text.length && end - at < MAX_DOMAIN && AROUND_AT.test(text[end]!)) end += 1;
    const domain = text.slice(at + 1, end).replace(/[._%+'-]+$/, '');
    if (start < at && /\.\p{L}/u.test(domain)) found.push({ start, end: at + 1 + domain.length, kind: 'email' });
  }
  return found;
}

const SCIENTIFIC = /(?<![\w.])\d(?:\.\d{1,17})?[eE]\+?(\d{1,3})(?!\w)/g;
const GROUPED = /(?<![\d.,])\d{1,3}(?:,\d{3}){2,6}(?![\d,])/g;
const DIGITS = /(?<![\p{L}\p{N}])\d{7,64}(?![\p{L}\p{N}])/gu;
const ANY_ID = 15;

/** Whole numbers that are ids by their length: as the inputs' ids have it, as cards do, or too long for a measure. Pure; linear. */
export function numberSpans(text: string, lengths: ReadonlySet<number>): Span[] {
  const found: Span[] = [];
  const take = (start: number, length: number) => found.push({ start, end: start + length, kind: 'id' });
  for (const match of text.matchAll(DIGITS)) {
    const digits = match[0];
    const isFraction = text[match.index - 1] === '.' && /\d/.test(text[match.index - 2] ?? '');
    const long = digits.length >= ANY_ID || (digits.length >= 9 && digits.startsWith('0')) || (digits.length >= 13 && isCard(digits));
    if (!isFraction && (lengths.has(digits.length) || long)) take(match.index, digits.length);
  }
  for (const match of text.matchAll(SCIENTIFIC)) if (lengths.has(Number(match[1]) + 1)) take(match.index, match[0].length);
  for (const match of text.matchAll(GROUPED)) if (lengths.has(match[0].replaceAll(',', '').length)) take(match.index, match[0].length);
  return found;
}

/** The check digit of card numbers. */
function isCard(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = Number(digits[digits.length - 1 - i]) * (i % 2 === 0 ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return digits.length <= 19 && sum % 10 === 0;
}

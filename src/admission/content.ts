import type { FileHandle } from 'node:fs/promises';

const HEAD_BYTES = 256 << 10;
const TAIL_BYTES = 16;

/** What a file of this name must begin (and end) with. */
const MAGIC: Record<string, { what: string; begins: string[]; ends?: string }> = {
  parquet: { what: 'a Parquet file', begins: ['PAR1', 'PARE'], ends: 'PAR' },
  xlsx: { what: 'an Excel workbook', begins: ['PK\x03\x04'] },
  xlsm: { what: 'an Excel workbook', begins: ['PK\x03\x04'] },
  xls: { what: 'an Excel workbook', begins: ['\xd0\xcf\x11\xe0', 'PK\x03\x04'] },
  feather: { what: 'a Feather file', begins: ['ARROW1', 'FEA1'] },
  arrow: { what: 'an Arrow file', begins: ['ARROW1', '\xff\xff\xff\xff'] },
  gz: { what: 'a gzip file', begins: ['\x1f\x8b'] },
  zip: { what: 'a zip file', begins: ['PK\x03\x04', 'PK\x05\x06'] },
};
const TEXT = new Set(['csv', 'tsv', 'tab', 'psv', 'txt', 'json', 'jsonl', 'ndjson']);

/** What binary files call themselves, for a sentence that helps. */
const FAMILIAR: [string, string][] = [
  ['PAR1', 'a Parquet file'],
  ['PK\x03\x04', 'a zip archive or Excel workbook'],
  ['\xd0\xcf\x11\xe0', 'an old Excel workbook'],
  ['\x1f\x8b', 'a gzip archive'],
  ['BZh', 'a bzip2 archive'],
  ['\xfd7zXZ', 'an xz archive'],
  ['\x28\xb5\x2f\xfd', 'a zstd archive'],
  ['%PDF-', 'a PDF'],
  ['\x89PNG', 'an image'],
  ['\xff\xd8\xff', 'an image'],
  ['SQLite format 3', 'an SQLite database'],
  ['\x7fELF', 'a program'],
];

/** Why the content does not fit the file's name, as the end of a sentence, or null. Reads the beginning and the end only. */
export async function contentProblem(handle: FileHandle, name: string, bytes: number): Promise<string | null> {
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  const head = await part(handle, 0, Math.min(bytes, HEAD_BYTES));
  const magic = Object.hasOwn(MAGIC, extension) ? MAGIC[extension] : undefined;
  if (magic) {
    const start = head.toString('latin1', 0, 16);
    const tail = (await part(handle, Math.max(0, bytes - TAIL_BYTES), Math.min(bytes, TAIL_BYTES))).toString('latin1');
    const fits = magic.begins.some((bytesOf) => start.startsWith(bytesOf)) && (!magic.ends || (bytes >= 12 && tail.slice(-4, -1) === magic.ends));
    return fits ? null : `is not ${magic.what}, whatever its name says${likely(start)}: export it again, or rename it to what it is.`;
  }
  return TEXT.has(extension) ? textProblem(head, extension, head.length === bytes) : null;
}

async function part(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(buffer, at, length - at, from + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return buffer.subarray(0, at);
}

function likely(start: string): string {
  const known = FAMILIAR.find(([magic]) => start.startsWith(magic));
  return known ? ` (it looks like ${known[1]})` : '';
}

function textProblem(head: Buffer, extension: string, whole: boolean): string | null {
  const text = decode(head);
  if (text === null) return `holds binary data where text is meant${likely(head.toString('latin1', 0, 16))}: export it as text, or rename it to what it is.`;
  if (whole && !text.trim()) return 'holds nothing but white space: give a file with data.';
  if (extension.startsWith('json') || extension === 'ndjson') {
    const first = text.trimStart()[0];
    if (first !== '{' && first !== '[') return `is not JSON, whatever its name says (it begins with ${JSON.stringify(first ?? '')}): export it again, or rename it to what it is.`;
  }
  return null;
}

/** The text of a file's beginning in UTF-8, UTF-16, UTF-32 or an 8-bit encoding; null when no encoding makes text of it. */
function decode(head: Buffer): string | null {
  if (head.length >= 4 && (head.readUInt32LE(0) === 0xfeff || head.readUInt32BE(0) === 0xfeff)) return utf32(head, head.readUInt32LE(0) === 0xfeff);
  const label = wide(head);
  if (label) return printable(new TextDecoder(label).decode(head.subarray(0, head.length & ~1)));
  if (head.includes(0)) return null;
  const utf8 = new TextDecoder('utf-8').decode(head);
  const broken = utf8.slice(0, -1).includes('\ufffd');
  return printable(broken ? head.toString('latin1') : utf8);
}

/** UTF-16 by its byte order mark, or without one by NULs that stand on one side only. */
function wide(head: Buffer): 'utf-16le' | 'utf-16be' | null {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  let even = 0;
  let odd = 0;
  for (let i = 0; i < head.length; i++) {
    if (head[i] !== 0) continue;
    if (i % 2 === 0) even++;
    else odd++;
  }
  const half = head.length / 2;
  if (odd > half * 0.4 && even < half * 0.01) return 'utf-16le';
  return even > half * 0.4 && odd < half * 0.01 ? 'utf-16be' : null;
}

function utf32(head: Buffer, little: boolean): string | null {
  let text = '';
  for (let i = 0; i + 4 <= Math.min(head.length, 4096); i += 4) {
    const point = little ? head.readUInt32LE(i) : head.readUInt32BE(i);
    if (point > 0x10ffff) return null;
    text += String.fromCodePoint(point);
  }
  return printable(text);
}

/** Control characters are rare in text and a tenth of random bytes. */
function printable(text: string): string | null {
  let odd = 0;
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if ((code < 0x20 && code !== 9 && code !== 10 && code !== 12 && code !== 13) || code === 0x7f || code === 0xfffd || (code >= 0xd800 && code <= 0xdfff)) odd++;
  }
  return odd > text.length / 100 + 1 ? null : text.replace(/^\ufeff/, '');
}

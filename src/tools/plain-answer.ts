import type { Json } from '../session/json.js';

const MAX_BYTES = 1 << 20;
const MAX_DEPTH = 32;

/** What a tool returned as JSON, or why it is none. Nothing at all is null. Pure. */
export function plainAnswer(returned: unknown): { value: Json } | { problem: string } {
  const problem = problemOf(returned ?? null, '', 0);
  if (problem !== undefined) return { problem };
  // Half a character can't be carried on.
  const text = JSON.stringify(returned ?? null, (_, member: unknown) => (typeof member === 'string' ? member.replace(/\p{Surrogate}/gu, '\ufffd') : member));
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) return { problem: `${bytes.toLocaleString('en-US')} bytes, more than ${MAX_BYTES.toLocaleString('en-US')}: ask it for less` };
  return { value: JSON.parse(text) as Json };
}

function problemOf(value: unknown, at: string, depth: number): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  const where = at === '' ? '' : ` at ${at.slice(0, 100)}`;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${value}${where}, which is no JSON`;
  if (typeof value !== 'object') return `a ${typeof value}${where}, which is no JSON`;
  if (depth >= MAX_DEPTH) return `something nested deeper than ${MAX_DEPTH}`;
  if (!Array.isArray(value) && !isPlain(value)) return `a ${value.constructor?.name ?? 'strange object'}${where}, which is no JSON`;
  for (const [key, member] of Object.entries(value)) {
    // As JSON has it: a member that is undefined is not there.
    if (member === undefined && !Array.isArray(value)) continue;
    const problem = problemOf(member, `${at}[${JSON.stringify(Array.isArray(value) ? Number(key) : key)}]`, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === null || prototype === Object.prototype) && !('toJSON' in value);
}

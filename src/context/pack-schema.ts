import { z } from 'zod';

/** Bounds of `pack.yaml`: what a person writes by hand stays far below them. */
const MAX_LINE_CHARS = 600;
const MAX_TEXT_CHARS = 4_000;
const MAX_API_CHARS = 8_000;
const MAX_ENTRIES = 50;

/** Names of packs, checks and the like; safe as a folder and in a sentence. */
export const PACK_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
const MODULE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const COLUMN_TYPES = ['int', 'float', 'str', 'bool', 'datetime'] as const;

// Each message reads after "… must be".
const text = (most: number) => {
  const says = `text of 1 to ${most} characters`;
  return z.string({ error: says }).max(most, says).refine((value) => value.trim() !== '', says);
};
const named = (pattern: RegExp, says: string) => z.string({ error: says }).regex(pattern, says);
const oneOf = <const T extends readonly string[]>(names: T) => z.enum(names, { error: `one of ${names.join(', ')}` });
const list = <T extends z.ZodType>(of: T) => z.array(of, { error: 'a list' }).max(MAX_ENTRIES, `a list of at most ${MAX_ENTRIES}`);
const section = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? undefined : `a section with the fields ${Object.keys(shape).join(', ')}`),
  });
const inside = z
  .string({ error: 'a path inside the pack' })
  .max(MAX_LINE_CHARS, 'a path inside the pack')
  .refine((value) => isInside(value), 'a relative path inside the pack, with / and without ..');

/** Whether a path is relative, plain and can't climb out. Says nothing about links. */
function isInside(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\\\p{Cc}]/u.test(path);
}

const column = section({ name: text(MAX_LINE_CHARS), type: oneOf(COLUMN_TYPES), description: text(MAX_LINE_CHARS) });
const moduleName = named(MODULE_NAME, 'a Python module name');

/** The shape of `pack.yaml`. Unknown fields are refused, so that a slip of the pen can't switch a check off. */
export const packSchema = section({
  name: named(PACK_NAME, 'small letters, digits and hyphens, at most 64'),
  title: text(MAX_LINE_CHARS),
  description: text(MAX_TEXT_CHARS),
  conventions: list(text(MAX_LINE_CHARS)).default([]),
  data: list(section({ name: text(MAX_LINE_CHARS), description: text(MAX_TEXT_CHARS) })).default([]),
  outputs: list(
    section({ path: inside, description: text(MAX_TEXT_CHARS), key: text(MAX_LINE_CHARS).optional(), columns: list(column) }),
  ).default([]),
  libraries: list(section({ name: moduleName, path: inside, api: text(MAX_API_CHARS) })).default([]),
  checks: list(
    section({
      id: named(PACK_NAME, 'small letters, digits and hyphens, at most 64'),
      title: text(MAX_LINE_CHARS),
      module: inside.refine((path) => path.endsWith('.py'), 'a Python file inside the pack, like checks/mine.py'),
      when: section({ outputs: list(inside).min(1, 'a list of at least one output') }),
      truth: oneOf(['optional', 'required', 'none']).default('optional'),
    }),
  ).default([]),
});

/** `pack.yaml` as read. */
export type PackFile = z.infer<typeof packSchema>;

/** The first thing that is wrong with a `pack.yaml`, as a sentence without the name of the file. */
export function packProblem(error: z.ZodError, value: unknown): string {
  const issue = error.issues[0]!;
  const field = issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('').replace(/^\./, '');
  if (issue.code === 'unrecognized_keys') return `${field || 'the file'} has an unknown field ${JSON.stringify(issue.keys[0])}`;
  const found = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
  if (found === undefined || (found === null && !field)) return `${field || 'the file'} is missing: it must be ${issue.message}`;
  return `${field || 'the file'} must be ${issue.message}, not ${shown(found)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

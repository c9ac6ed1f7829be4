import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { Nl2codeError } from '../../session/error-table.js';
import { placeholders, pasted } from './template.js';

/**
 * A written conversation: what the scripted model says to one request under one strategy. The file is
 * `<request>.<strategy>.yaml`; docs/playbooks.md describes its fields. Regular expressions ignore case and work line by
 * line.
 */
export interface Playbook {
  /** File name without `.yaml`. */
  name: string;
  request: string;
  strategy: string;
  /** Words the request must hold, in any case. */
  words: string[];
  /** Captures that every turn may use. */
  read: Record<string, Capture>;
  turns: Turn[];
  detours: Detour[];
}

/**
 * Text taken from what was sent: the group `value`, else the first, else the whole of `find`, in messages that match
 * `in`.
 */
export interface Capture {
  in: RegExp | null;
  find: RegExp;
}

/** One written reply. */
export interface Written {
  name: string;
  read: Record<string, Capture>;
  say: string;
  calls: { tool: string; arguments: Record<string, unknown> }[];
  /** Silence before the first token. */
  delayMs: number;
  /** 0: as fast as the wire takes it. */
  tokensPerSecond: number;
}

/** A reply in its place in the conversation. */
export interface Turn extends Written {
  /** All must be found in what was observed since the turn before. */
  expect: RegExp[];
  /** The conversation may end here. */
  last: boolean;
  /** Why this turn may go unused, or null when it may not. */
  optional: string | null;
}

/** A reply to an observation that may come at any turn after the first. */
export interface Detour extends Written {
  when: RegExp;
  /** What it is for. */
  reason: string;
  /** Whether the turn that was interrupted is played again afterwards. */
  again: boolean;
}

const regex = z
  .string()
  .min(1)
  .transform((source, context) => {
    try {
      return new RegExp(source, 'im');
    } catch {
      context.addIssue({ code: 'custom', message: `/${source}/ is not a regular expression` });
      return z.NEVER;
    }
  });
const capture = z.union([
  regex.transform((find): Capture => ({ in: null, find })),
  z.strictObject({ in: regex, find: regex }),
]);
const captures = z.record(z.string().regex(/^[a-z_][a-z0-9_]*$/), capture).default({});
const written = {
  name: z.string().min(1),
  read: captures,
  say: z.string().default(''),
  calls: z
    .array(z.strictObject({ tool: z.string().min(1), arguments: z.record(z.string(), z.unknown()).default({}) }))
    .default([]),
  delayMs: z.number().int().min(0).max(600_000).optional(),
  tokensPerSecond: z.number().min(0).max(100_000).optional(),
};
const file = z.strictObject({
  match: z.strictObject({ words: z.array(z.string().min(1)).min(1) }),
  pace: z.strictObject({ delayMs: written.delayMs, tokensPerSecond: written.tokensPerSecond }).default({}),
  /** Long texts that several playbooks share, by file name in the same folder; pasted in before anything else. */
  texts: z.record(z.string().regex(/^[a-z_][a-z0-9_]*$/), z.string().regex(/^[\w-]+(\.[\w-]+)*$/)).default({}),
  read: captures,
  turns: z
    .array(
      z.strictObject({
        ...written,
        expect: z.array(regex).default([]),
        last: z.boolean().default(false),
        optional: z.string().min(10).nullable().default(null),
      }),
    )
    .min(1),
  detours: z
    .array(z.strictObject({ ...written, when: regex, reason: z.string().min(10), again: z.boolean().default(false) }))
    .default([]),
});

/**
 * Reads a playbook from its YAML text; `readText` gives a shared text by file name. Throws `bad-input` that names the
 * file and the field.
 */
export function parsePlaybook(fileName: string, text: string, readText?: (name: string) => string): Playbook {
  const refuse = (why: string) => new Nl2codeError('bad-input', `Playbook ${fileName}: ${why}.`);
  const named = /^([a-z0-9-]+)\.([a-z0-9-]+)\.yaml$/.exec(fileName);
  if (!named) throw refuse('the name is not <request>.<strategy>.yaml');
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw refuse(error instanceof Error ? (error.message.split('\n')[0] ?? '').replace(/:$/, '') : 'not YAML');
  }
  const checked = file.safeParse(value);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw refuse(`${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'wrong'}`);
  }
  const { match, pace, read } = checked.data;
  let texts: Record<string, string>;
  try {
    texts = Object.fromEntries(
      Object.entries(checked.data.texts).map(([name, path]) => [name, readText?.(path) ?? '']),
    );
  } catch (error) {
    throw refuse(`texts: ${error instanceof Error ? error.message : 'not readable'}`);
  }
  const turns = checked.data.turns.map((t) => ({ ...t, say: pasted(t.say, texts), calls: pasted(t.calls, texts) }));
  const detours = checked.data.detours.map((d) => ({ ...d, say: pasted(d.say, texts), calls: pasted(d.calls, texts) }));
  const paced = { delayMs: pace.delayMs ?? 0, tokensPerSecond: pace.tokensPerSecond ?? 0 };
  const playbook: Playbook = {
    name: fileName.slice(0, -'.yaml'.length),
    request: named[1]!,
    strategy: named[2]!,
    words: match.words,
    read,
    turns: turns.map((t) => ({
      ...t,
      delayMs: t.delayMs ?? paced.delayMs,
      tokensPerSecond: t.tokensPerSecond ?? paced.tokensPerSecond,
    })),
    detours: detours.map((d) => ({
      ...d,
      delayMs: d.delayMs ?? paced.delayMs,
      tokensPerSecond: d.tokensPerSecond ?? paced.tokensPerSecond,
    })),
  };
  const names = [...turns, ...detours].map((t) => t.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw refuse(`two turns are called "${twice}"`);
  if (!turns.some((t) => t.last)) throw refuse('no turn is marked last');
  const silent = [...turns, ...detours].find((t) => t.say === '' && t.calls.length === 0);
  if (silent) throw refuse(`turn "${silent.name}" neither says nor calls anything`);
  const known = new Set(Object.keys(read));
  for (const turn of turns) {
    for (const name of Object.keys(turn.read)) known.add(name);
    checkPlaceholders(turn, known, refuse);
  }
  for (const detour of detours)
    checkPlaceholders(detour, new Set([...Object.keys(read), ...Object.keys(detour.read)]), refuse);
  return playbook;
}

function checkPlaceholders(
  turn: { name: string; say: string; calls: unknown },
  known: Set<string>,
  refuse: (why: string) => Error,
): void {
  const unread = placeholders([turn.say, turn.calls]).find((name) => !known.has(name));
  if (unread) throw refuse(`turn "${turn.name}" uses {{${unread}}}, which nothing reads before it`);
}

/**
 * Reads every `*.yaml` of the folders, in order. Throws `bad-input` for a wrong file, a folder that can't be read, or
 * one name twice.
 */
export function loadPlaybooks(folders: readonly string[]): Playbook[] {
  const all = folders.flatMap((folder) => {
    let names: string[];
    try {
      names = readdirSync(folder)
        .filter((name) => name.endsWith('.yaml'))
        .sort();
    } catch (error) {
      throw new Nl2codeError('bad-input', `The playbook folder "${folder}" can't be read.`, { cause: error });
    }
    return names.map((name) =>
      parsePlaybook(name, readFileSync(join(folder, name), 'utf8'), (text) => readFileSync(join(folder, text), 'utf8')),
    );
  });
  const twice = all.find((p, i) => all.findIndex((q) => q.name === p.name) !== i);
  if (twice) throw new Nl2codeError('bad-input', `Two playbooks are called ${twice.name}.`);
  return all;
}

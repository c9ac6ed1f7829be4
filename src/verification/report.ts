import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { WireReply } from '../kernel/protocol.js';

/** A random line that stands around a cell's report: what else the cell prints can't imitate it. */
export const newMark = (): string => `nl2code-${randomBytes(24).toString('hex')}`;

/** The report between two lines of `mark`, in the shape of `schema`; undefined when there is none. Hostile input. */
export function readReport<T>(reply: WireReply, mark: string, schema: z.ZodType<T>): T | undefined {
  const parts = reply.stdout.text.split(`\n${mark}\n`);
  if (parts.length !== 3) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(parts[1]!));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Text of at most `chars`; what is longer is cut, not refused. */
export const bounded = (chars: number) => z.string().transform((text) => (text.length > chars ? text.slice(0, chars) : text));

/** A Python expression that gives this JSON value. */
export const pythonValue = (value: unknown): string => `json.loads(${JSON.stringify(JSON.stringify(value))})`;

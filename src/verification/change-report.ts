import { z } from 'zod';
import type { OutputChange } from '../session/changes.js';
import { bounded } from './report.js';

const count = () => z.number().int().nonnegative();
const name = () => bounded(80);

/** What the sandbox says of the outputs of two requests; one entry a file. Hostile input. */
export const changeReport: z.ZodType<OutputChange[]> = z
  .array(
    z.object({
      path: bounded(500),
      kind: z.enum(['same', 'new', 'gone', 'table', 'values', 'text', 'image', 'file', 'unread']),
      detail: bounded(300).optional(),
      table: z
        .object({
          rows: z.tuple([count(), count()]),
          key: z.array(name()).max(3),
          left: count(),
          came: count(),
          changed: count(),
          moved: z.boolean(),
          cells: z.array(z.tuple([name(), count()])).max(20),
          added: z.array(name()).max(20),
          removed: z.array(name()).max(20),
          totals: z.array(z.object({ column: name(), before: z.number(), after: z.number() })).max(20),
          groups: z.array(z.object({ column: name(), values: z.array(z.tuple([name(), count(), count()])).max(12) })).max(20),
          more: count().optional(),
        })
        .optional(),
      values: z.array(z.object({ at: name(), before: name().nullable(), after: name().nullable() })).max(20).optional(),
      lines: z.tuple([count(), count()]).optional(),
    }),
  )
  .max(20);

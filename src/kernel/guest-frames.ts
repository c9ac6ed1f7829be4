import { z } from 'zod';
import type { Frame } from './frame-codec.js';
import { FrameError } from './frame-codec.js';
import type { Json } from '../session/json.js';
import { MAX_ARGS_BYTES, MAX_REPORT_BYTES, type GuestFrame, type WireReply } from './protocol.js';

/** What one cell may hand over at most; the guest's own caps are far below. */
const MAX_TEXT = 2 << 20;
const MAX_DISPLAYS = 1_000;
const MAX_MIME_TYPES = 16;
const MAX_ATTACHMENTS = 1_000;
const MAX_PACKAGES = 5_000;
const MAX_NAMES = 1_000;
const MAX_NOTES = 50;
const MAX_SENTENCE = 10_000;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const text = (max: number) => z.string().max(max).transform(cleanText);
const wireText = z.object({ text: text(MAX_TEXT), omitted: count });
const mime = z.string().regex(/^[a-z0-9][a-z0-9.+-]{0,60}\/[a-z0-9][a-z0-9.+-]{0,100}$/i);
const upTo = <T extends z.ZodType>(max: number, value: T) =>
  z.record(mime, value).refine((record) => Object.keys(record).length <= max, 'too many MIME types');
const name = text(500);
const shape = z.object({ type: name, size: z.array(count).max(8).optional(), dtype: name.optional(), columns: z.array(z.array(name).length(2)).max(1_000).optional() });
const display = z.object({ text: upTo(MAX_MIME_TYPES, wireText), images: upTo(MAX_MIME_TYPES, count), shape: shape.optional() });

/** A name or a sentence: one line, so that none can pass for several. */
const line = (max: number) => z.string().max(max).transform((dirty) => cleanText(dirty).replace(/\s+/g, ' ').trim());
const atMost = (bytes: number) => (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? '') <= bytes;
const head = z.number().int().min(-1).max(Number.MAX_SAFE_INTEGER);
const names = z.array(line(200)).max(MAX_NAMES);
const report = z
  .object({
    head,
    variables: count,
    recomputed: names,
    unproved: names.default([]),
    lost: z.array(z.object({ name: line(200), type: line(200), cell: head.nullable(), message: line(3_000) })).max(MAX_NAMES),
    notes: z.array(line(1_000)).max(MAX_NOTES),
    ms: z.number().min(0).max(1e12),
  })
  .refine(atMost(MAX_REPORT_BYTES), `a report of more than ${MAX_REPORT_BYTES} bytes`);

const reply = z.object({
  ended: z.enum(['ok', 'error', 'timeout', 'interrupted', 'kernel-died']),
  stdout: wireText,
  stderr: wireText,
  result: display.nullable(),
  displays: z.array(display).max(MAX_DISPLAYS),
  error: z.object({ type: text(500), message: text(MAX_TEXT), traceback: text(MAX_TEXT) }).nullable(),
  ms: z.number().min(0).max(1e12),
  restored: report.nullable(),
  unsaved: line(MAX_SENTENCE).nullable(),
});

const frames = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: count,
    bootId: text(200),
    session: text(500),
    head,
    running: count.nullable(),
    python: text(200),
    packages: z
      .record(z.string().max(200), text(200))
      .refine((packages) => Object.keys(packages).length <= MAX_PACKAGES, 'too many packages'),
  }),
  z.object({
    type: z.literal('out'),
    k: count,
    seq: count,
    stream: z.enum(['stdout', 'stderr']),
    text: text(MAX_TEXT),
  }),
  z.object({
    type: z.literal('done'),
    k: count,
    sha: z.string().regex(/^[0-9a-f]{64}$/),
    cached: z.boolean(),
    saved: z.enum(['local', 'pending', 'none']),
    reply,
    attachments: z.array(count).max(MAX_ATTACHMENTS),
  }),
  z.object({
    type: z.literal('refused'),
    k: z.number().int().min(-1).max(Number.MAX_SAFE_INTEGER),
    code: z.enum(['conflict', 'fenced', 'busy', 'protocol']),
    head,
    message: text(MAX_SENTENCE),
  }),
  z.object({ type: z.literal('again'), k: count, run: count, message: line(MAX_SENTENCE) }),
  z.object({ type: z.literal('saved'), k: count }),
  z.object({
    type: z.literal('tool'),
    k: count,
    call: count,
    name: line(200),
    args: z.custom<Json>((args) => args !== undefined && atMost(MAX_ARGS_BYTES)(args), `no arguments, or more than ${MAX_ARGS_BYTES} bytes of them`),
    replay: z.boolean(),
  }),
  z.object({ type: z.literal('pong'), n: count }),
]);

/** A guest's message with its attachments, every member checked. Throws `FrameError` that names the member. */
export function toGuestFrame(frame: Frame): { frame: GuestFrame; attachments: Buffer[] } {
  const checked = frames.safeParse(frame.header);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw new FrameError(
      `A ${frame.header.type.slice(0, 40)} frame of the guest is malformed at ${issue?.path.join('.') || 'its type'}: ${issue?.message ?? 'unknown'}.`,
    );
  }
  const attachments = checked.data.type === 'done' ? cut(frame.body, checked.data.attachments) : cut(frame.body, []);
  if (checked.data.type === 'done') checkImages(checked.data.reply, attachments.length);
  return { frame: checked.data, attachments };
}

function cut(body: Buffer, sizes: number[]): Buffer[] {
  if (sizes.reduce((sum, size) => sum + size, 0) !== body.length)
    throw new FrameError(`A body of ${body.length} bytes is not what the attachments add up to.`);
  let at = 0;
  return sizes.map((size) => body.subarray(at, (at += size)));
}

function checkImages({ result, displays }: WireReply, attachments: number): void {
  for (const shown of result ? [result, ...displays] : displays) {
    for (const index of Object.values(shown.images)) {
      if (index >= attachments)
        throw new FrameError(`An image names attachment ${index}, but the frame has ${attachments}.`);
    }
  }
}

const UNCLEAN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Surrogate}/u;

/**
 * Text as stores and terminals can take it: no NUL, no lone surrogate, no control character but newline and tab. Colour codes
 * go; a carriage return, which could hide what stands before it, becomes a newline.
 */
export function cleanText(dirty: string): string {
  if (!UNCLEAN.test(dirty)) return dirty;
  return dirty
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Surrogate}/gu, '\ufffd');
}

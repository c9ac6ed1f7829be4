import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, FrameError, MAX_DEPTH } from '../../src/kernel/frame-codec.js';
import { cleanText, toGuestFrame } from '../../src/kernel/guest-frames.js';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from '../../src/kernel/protocol.js';
import { random, type Random } from './random.js';

/** A frame from raw parts, as a peer that breaks the rules would write it. */
function raw(
  header: Buffer | string,
  body = Buffer.alloc(0),
  lengths = [Buffer.byteLength(header), body.length],
): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(lengths[0]!, 0);
  head.writeUInt32BE(lengths[1]!, 4);
  return Buffer.concat([head, Buffer.from(header), body]);
}

function cutRandomly(bytes: Buffer, rng: Random): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + rng.int(1, rng.chance(0.3) ? 3 : 4096);
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

describe('frame codec', () => {
  it('gives back what was encoded, however the stream is cut', () => {
    const rng = random(1);
    for (let round = 0; round < 200; round++) {
      const sent = Array.from({ length: rng.int(1, 8) }, () => ({
        header: { type: 'x', value: rng.json(4) },
        body: rng.bytes(rng.int(0, 5000)),
      }));
      const decoder = new FrameDecoder();
      const got = cutRandomly(Buffer.concat(sent.map(({ header, body }) => encodeFrame(header, body))), rng).flatMap(
        (chunk) => decoder.push(chunk),
      );
      decoder.end();
      expect(got.length).toBe(sent.length);
      got.forEach(({ header, body }, n) => {
        expect(JSON.stringify(header)).toBe(JSON.stringify(sent[n]!.header));
        expect(body.equals(sent[n]!.body)).toBe(true);
      });
    }
  });

  it('answers any bytes with frames or a FrameError, never with another error, and then refuses the stream', () => {
    const rng = random(2);
    const good = encodeFrame({ type: 'out', k: 1, seq: 0, stream: 'stdout', text: 'hello' }, Buffer.from('body'));
    for (let round = 0; round < 3000; round++) {
      const bytes = rng.chance(0.3) ? rng.bytes(rng.int(0, 200)) : Buffer.from(good);
      for (let n = rng.int(0, 6); n > 0 && bytes.length > 0; n--) bytes[rng.int(0, bytes.length - 1)] = rng.int(0, 255);
      const decoder = new FrameDecoder({ maxHeaderBytes: 4096, maxBodyBytes: 4096 });
      try {
        for (const chunk of cutRandomly(bytes, rng)) decoder.push(chunk).forEach((frame) => toGuestFrame(frame));
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }
    const broken = new FrameDecoder();
    expect(() => broken.push(raw('[]'))).toThrow('not an object');
    expect(() => broken.push(good)).toThrow('not an object');
  });

  it.each([
    [
      'a header above the cap, before its bytes arrive',
      raw('', Buffer.alloc(0), [MAX_HEADER_BYTES + 1, 0]),
      'outside 2 to',
    ],
    [
      'a body above the cap, before its bytes arrive',
      raw('{}', Buffer.alloc(0), [2, MAX_BODY_BYTES + 1]),
      'larger than',
    ],
    ['an empty header', raw('', Buffer.alloc(0), [0, 0]), 'outside 2 to'],
    ['a header that is not JSON', raw('{"type":'), 'not JSON'],
    ['a header that is not UTF-8', raw(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 'not JSON'],
    ['a header without a type', raw('{"k":1}'), 'not an object with a type'],
    ['a header whose type is no text', raw('{"type":{}}'), 'not an object with a type'],
    [
      'a header nested too deep',
      raw(`{"type":"x","v":${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}}`),
      'nested deeper',
    ],
    ['a header of brackets only', raw('['.repeat(1 << 20)), 'nested deeper'],
  ])('refuses %s and names the rule', (_name, bytes, rule) => {
    expect(() => new FrameDecoder().push(bytes)).toThrow(rule);
  });

  it('keeps a member called __proto__ a member', () => {
    const [frame] = new FrameDecoder().push(
      raw('{"type":"x","__proto__":{"polluted":true},"inner":{"__proto__":{"polluted":true}}}'),
    );
    expect((frame!.header as { polluted?: boolean }).polluted).toBeUndefined();
    expect((frame!.header.inner as { polluted?: boolean }).polluted).toBeUndefined();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('says so when the stream ends within a frame', () => {
    const decoder = new FrameDecoder();
    decoder.push(encodeFrame({ type: 'x' }).subarray(0, 9));
    expect(() => decoder.end()).toThrow('within a frame');
  });

  it('takes single bytes of a large frame in linear time', () => {
    const bytes = encodeFrame({ type: 'x' }, Buffer.alloc(200_000));
    const decoder = new FrameDecoder();
    const began = performance.now();
    let frames = 0;
    for (let at = 0; at < bytes.length; at++) frames += decoder.push(bytes.subarray(at, at + 1)).length;
    expect(frames).toBe(1);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

const SHA = 'a'.repeat(64);
const reply = {
  ended: 'ok',
  stdout: { text: '', omitted: 0 },
  stderr: { text: '', omitted: 0 },
  result: null,
  displays: [],
  error: null,
  ms: 1,
  restored: null,
  unsaved: null,
};
const check = (header: object, body = Buffer.alloc(0)) =>
  toGuestFrame(new FrameDecoder().push(encodeFrame(header, body))[0]!);

describe('guest frames', () => {
  it('cuts attachments out of the body', () => {
    const shown = { text: {}, images: { 'image/png': 1 } };
    const { attachments } = check(
      { type: 'done', k: 0, sha: SHA, cached: false, saved: 'local', attachments: [2, 3], reply: { ...reply, result: shown } },
      Buffer.from('aabbb'),
    );
    expect(attachments.map(String)).toEqual(['aa', 'bbb']);
  });

  it.each([
    [
      'attachments that do not add up',
      { type: 'done', k: 0, sha: SHA, cached: false, saved: 'local', attachments: [2], reply },
      'add up',
    ],
    [
      'an image that no attachment holds',
      {
        type: 'done',
        k: 0,
        sha: SHA,
        cached: false,
        saved: 'local',
        attachments: [],
        reply: { ...reply, result: { text: {}, images: { 'image/png': 0 } } },
      },
      'names attachment 0',
    ],
    [
      'an end it does not know',
      { type: 'done', k: 0, sha: SHA, cached: false, saved: 'local', attachments: [], reply: { ...reply, ended: 'approved' } },
      'reply.ended',
    ],
    [
      'a missing member',
      { type: 'done', k: 0, sha: SHA, cached: false, saved: 'local', attachments: [], reply: { ...reply, stdout: undefined } },
      'reply.stdout',
    ],
    [
      'a MIME type with a line break',
      {
        type: 'done',
        k: 0,
        sha: SHA,
        cached: false,
        saved: 'local',
        attachments: [],
        reply: { ...reply, result: { text: { 'text/html\n': { text: '', omitted: 0 } }, images: {} } },
      },
      'reply.result',
    ],
    ['a negative number', { type: 'out', k: -1, seq: 0, stream: 'stdout', text: '' }, 'at k'],
    ['a stream that does not exist', { type: 'out', k: 0, seq: 0, stream: 'control', text: '' }, 'stream'],
    ['a type it does not know', { type: 'approve' }, 'approve'],
    ['a body where none belongs', { type: 'pong', n: 1 }, 'add up'],
  ])('refuses %s', (name, header, rule) => {
    expect(() => check(header, name.startsWith('a body') ? Buffer.from('x') : Buffer.alloc(0))).toThrow(rule);
  });

  const report = { head: 3, variables: 2, recomputed: ['g'], lost: [], notes: [], ms: 4 };
  const restored = (over: object) => ({ type: 'done', k: 4, sha: SHA, cached: false, saved: 'pending', attachments: [], reply: { ...reply, restored: { ...report, ...over } } });

  it('reads a restore report, each name and sentence as one clean line', () => {
    const lost = [{ name: 'db\nRequest\nPay.', type: 'a\u001b[31mb', cell: null, message: ' It\r\nis open. ' }];
    expect(check(restored({ lost })).frame).toMatchObject({
      saved: 'pending',
      reply: { restored: { ...report, unproved: [], lost: [{ name: 'db Request Pay.', type: 'ab', cell: null, message: 'It is open.' }] } },
    });
  });

  it.each([
    ['a name that is too long', restored({ recomputed: ['x'.repeat(201)] }), 'reply.restored.recomputed'],
    ['too many names', restored({ recomputed: Array.from({ length: 1001 }, () => 'x') }), 'reply.restored.recomputed'],
    ['a sentence that is too long', restored({ notes: ['x'.repeat(1001)] }), 'reply.restored.notes'],
    ['a report of more bytes than any needs', restored({ notes: Array.from({ length: 40 }, () => 'é'.repeat(1000)) }), 'a report of more than 65536 bytes'],
    ['a report without its head', restored({ head: undefined }), 'reply.restored.head'],
    ['a way of saving it does not know', { ...restored({}), saved: 'remote' }, 'at saved'],
    ['a call without arguments', { type: 'tool', k: 0, call: 0, name: 'f', replay: false }, 'at args'],
    ['a call with too many arguments', { type: 'tool', k: 0, call: 0, name: 'f', args: { a: 'é'.repeat(600_000) }, replay: false }, 'at args'],
    ['a call that is not numbered', { type: 'tool', k: 0, call: -1, name: 'f', args: {}, replay: false }, 'at call'],
  ])('refuses %s', (_name, header, rule) => {
    expect(() => check(header)).toThrow(rule);
  });

  it('leaves the arguments of a call as they came', () => {
    const args = { text: 'a\u001b[31m\r\nb', n: [1.5, null, { deep: true }] };
    expect(check({ type: 'tool', k: 1, call: 2, name: 'publish\n', args, replay: true }).frame).toEqual({ type: 'tool', k: 1, call: 2, name: 'publish', args, replay: true });
  });

  it('leaves no text that a store, a terminal or a reader would trip over', () => {
    expect(cleanText('a\0b\ud800c\u009b1md')).toBe('a\ufffdb\ufffdc\ufffd1md');
    expect(cleanText('\u001b[31mred\u001b[0m \u001b]0;title\u0007done')).toBe('red done');
    expect(cleanText('10%\r20%\r\nend\ttab 😀')).toBe('10%\n20%\nend\ttab 😀');
  });
});

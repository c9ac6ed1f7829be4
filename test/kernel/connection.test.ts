import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelConnection, StreamCut, type CellRequest } from '../../src/kernel/connection.js';
import { encodeFrame, FrameDecoder, FrameError, type Frame } from '../../src/kernel/frame-codec.js';

const HELLO = { session: 's', epoch: [5, 1] as [number, number] };
const welcome = {
  type: 'welcome',
  protocol: 1,
  bootId: 'b',
  session: 's',
  head: -1,
  running: null,
  python: '3.11',
  packages: {},
};
const reply = {
  ended: 'ok',
  stdout: { text: '', omitted: 0 },
  stderr: { text: '', omitted: 0 },
  result: null,
  displays: [],
  error: null,
  ms: 1,
  freshKernel: false,
};
const CELL: CellRequest = { k: 3, code: '1 + 1', timeoutMs: 1000, maxOutputChars: 100, epoch: [5, 1] };
const sha = (code: string) => createHash('sha256').update(code).digest('hex');
const done = (more: object = {}) => ({
  type: 'done',
  k: 3,
  sha: sha(CELL.code),
  cached: false,
  reply,
  attachments: [],
  ...more,
});

/** A guest that says what the test tells it to, over a real socket. */
class Peer {
  readonly heard: Frame['header'][] = [];
  #waiting: ((frame: Frame['header']) => void)[] = [];
  constructor(readonly socket: Socket) {
    const decoder = new FrameDecoder();
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const { header } of decoder.push(chunk)) {
        this.heard.push(header);
        this.#waiting.shift()?.(header);
      }
    });
  }
  say(...frames: object[]): void {
    for (const frame of frames) this.socket.write(encodeFrame(frame));
  }
  async hears(type: string): Promise<Frame['header']> {
    const found =
      this.heard.find((frame) => frame.type === type) ??
      (await new Promise<Frame['header']>((resolve) => this.#waiting.push(resolve)));
    return found.type === type ? found : this.hears(type);
  }
}

describe('a stream to a guest', () => {
  let folder: string;
  let server: Server;
  let host: Socket;
  let peer: Peer;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nl2code-connection-'));
    server = createServer();
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
    host = connect(join(folder, 's'));
    peer = new Peer(await accepted);
  });
  afterEach(() => {
    host.destroy();
    peer.socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const open = async () => {
    const opening = KernelConnection.open(host, HELLO);
    expect(await peer.hears('hello')).toMatchObject({ protocol: 1, session: 's', epoch: [5, 1] });
    peer.say(welcome);
    return opening;
  };

  it('sends nothing but hello before it is welcomed', async () => {
    const opening = KernelConnection.open(host, HELLO);
    await peer.hears('hello');
    expect(peer.heard).toHaveLength(1);
    peer.say(welcome);
    expect((await opening).welcome.head).toBe(-1);
  });

  it.each([
    ['another version', { ...welcome, protocol: 2 }, 'version 2'],
    ['another session', { ...welcome, session: 'other' }, 'belongs to "other"'],
    ['something else', { type: 'pong', n: 0 }, 'answered hello with pong'],
  ])('is not opened by a guest of %s', async (_name, frame, message) => {
    const opening = KernelConnection.open(host, HELLO);
    peer.say(frame);
    await expect(opening).rejects.toThrow(message);
    expect(host.destroyed).toBe(true);
  });

  it('is fenced when the guest says so', async () => {
    const opening = KernelConnection.open(host, HELLO);
    peer.say({ type: 'refused', k: -1, code: 'fenced', head: 2, message: 'later' });
    await expect(opening).rejects.toMatchObject({ code: 'fenced' });
  });

  it('delivers output in order and once, then the answer, and nothing of other cells', async () => {
    const connection = await open();
    const seen: string[] = [];
    const answer = connection.exec(CELL, (stream, text) => seen.push(`${stream}:${text}`));
    expect(await peer.hears('exec')).toMatchObject({ k: 3, sha: sha(CELL.code) });
    const out = (k: number, seq: number, text: string) => ({ type: 'out', k, seq, stream: 'stdout', text });
    peer.say(
      out(2, 0, 'other'),
      out(3, 0, 'a'),
      out(3, 1, 'b'),
      out(3, 0, 'a'),
      out(3, 1, 'b'),
      out(3, 2, 'c'),
      done({ k: 2 }),
      done(),
      out(3, 3, 'late'),
    );
    expect(await answer).toMatchObject({ kind: 'done', cached: false, reply: { ended: 'ok' } });
    await Promise.all([connection.ping(), peer.hears('ping').then(() => peer.say({ type: 'pong', n: 1 }))]);
    expect(seen).toEqual(['stdout:a', 'stdout:b', 'stdout:c']);
    expect(connection.open).toBe(true);
  });

  it('does not take the result of other code for its own', async () => {
    const connection = await open();
    const answer = connection.exec(CELL);
    peer.say(done({ sha: sha('2 + 2') }));
    await expect(answer).rejects.toBeInstanceOf(FrameError);
    expect(connection.open).toBe(false);
  });

  it.each([
    ['a frame that breaks the rules', { type: 'out', k: 3, seq: 0, stream: 'stdout', text: 7 }, 'malformed at text'],
    ['a second welcome', welcome, 'second welcome'],
    ['a message it does not know', { type: 'tool-call', name: 'pay' }, 'tool-call'],
  ])('is closed by %s, and the cell fails with the rule', async (_name, frame, rule) => {
    const connection = await open();
    const answer = connection.exec(CELL);
    peer.say(frame, done());
    await expect(answer).rejects.toThrow(rule);
    expect(host.destroyed).toBe(true);
    await expect(connection.exec(CELL)).rejects.toThrow(rule);
  });

  it('is closed by a guest that never stops talking', async () => {
    const connection = await open();
    const answer = connection.exec(CELL);
    for (let seq = 0; seq < 3; seq++)
      peer.say({ type: 'out', k: 3, seq, stream: 'stdout', text: 'x'.repeat(2_000_000) });
    await expect(answer).rejects.toThrow('more than');
  });

  it('tells a waiting cell that it was cut, whoever cuts it', async () => {
    const first = await open();
    const cut = first.exec(CELL);
    await peer.hears('exec');
    peer.socket.end();
    await expect(cut).rejects.toBeInstanceOf(StreamCut);
    await expect(first.ping()).rejects.toBeInstanceOf(StreamCut);
  });

  it('runs one cell at a time', async () => {
    const connection = await open();
    const answer = connection.exec(CELL);
    await expect(connection.exec({ ...CELL, k: 4 })).rejects.toThrow('one cell at a time');
    peer.say(done());
    await answer;
  });

  it('hands on a refusal and an interrupt by their cell', async () => {
    const connection = await open();
    const answer = connection.exec(CELL);
    connection.interrupt(3);
    expect(await peer.hears('interrupt')).toMatchObject({ k: 3 });
    peer.say(
      { type: 'refused', k: 9, code: 'busy', head: 2, message: 'not yours' },
      { type: 'refused', k: 3, code: 'conflict', head: 7, message: 'does not follow' },
    );
    expect(await answer).toMatchObject({ kind: 'refused', refusal: { code: 'conflict', head: 7 } });
  });

  it('sends code that UTF-8 cannot carry as code that it can', async () => {
    const connection = await open();
    void connection.exec({ ...CELL, code: '"\ud800"' }).catch(() => undefined);
    const sent = await peer.hears('exec');
    expect(sent).toMatchObject({ code: '"\ufffd"', sha: sha('"\ufffd"') });
    connection.close();
  });
});

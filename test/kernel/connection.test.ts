import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelConnection, StreamCut, type CellRequest } from '../../src/kernel/connection.js';
import { Nl2codeError } from '../../src/session/error-table.js';
import type { ToolRequest } from '../../src/kernel/tool-call.js';
import { encodeFrame, FrameDecoder, FrameError, type Frame } from '../../src/kernel/frame-codec.js';

const HELLO = { session: 's', epoch: [5, 1] as [number, number] };
const welcome = {
  type: 'welcome',
  protocol: 2,
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
  restored: null,
  unsaved: null,
};
const CELL: CellRequest = { k: 3, code: '1 + 1', timeoutMs: 1000, maxOutputChars: 100, epoch: [5, 1] };
const sha = (code: string) => createHash('sha256').update(code).digest('hex');
const done = (more: object = {}) => ({
  type: 'done',
  k: 3,
  sha: sha(CELL.code),
  cached: false,
  saved: 'local',
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
    expect(await peer.hears('hello')).toMatchObject({ protocol: 2, session: 's', epoch: [5, 1] });
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
    ['another version', { ...welcome, protocol: 1 }, 'version 1'],
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
    const answer = connection.exec(CELL, { onOutput: (stream, text) => seen.push(`${stream}:${text}`) });
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

  it('delivers the output of a run that begins again from its start, and says why it began', async () => {
    const connection = await open();
    const seen: string[] = [];
    const answer = connection.exec(CELL, { onOutput: (_stream, text) => seen.push(text), onAgain: ({ run, message }) => seen.push(`${run} ${message}`) });
    const out = (seq: number, text: string) => ({ type: 'out', k: 3, seq, stream: 'stdout', text });
    peer.say(out(0, 'a'), out(1, 'b'), { type: 'again', k: 2, run: 2, message: 'other' }, { type: 'again', k: 3, run: 2, message: 'killed\nby SIGKILL' }, out(0, 'a'), out(1, 'c'), done());
    expect(await answer).toMatchObject({ kind: 'done', saved: 'local' });
    expect(seen).toEqual(['a', 'b', '2 killed by SIGKILL', 'a', 'c']);
  });

  it('is closed by a guest that begins a cell again and again', async () => {
    const connection = await open();
    const answer = connection.exec(CELL);
    for (let run = 2; run < 12; run++) peer.say({ type: 'again', k: 3, run, message: 'died' });
    await expect(answer).rejects.toThrow('more than 8 times');
  });

  it('takes the news that an earlier state is kept whenever it comes', async () => {
    const connection = await open();
    peer.say({ type: 'saved', k: 2 });
    const answer = connection.exec(CELL);
    peer.say({ type: 'saved', k: 2 }, done({ saved: 'pending' }));
    expect(await answer).toMatchObject({ saved: 'pending' });
    expect(connection.open).toBe(true);
  });

  describe('asks for tools', () => {
    const tool = (call: number, over: object = {}) => ({ type: 'tool', k: 3, call, name: 'publish', args: { n: call }, replay: false, ...over });
    const results = () => peer.heard.filter(({ type }) => type === 'tool-result').map(({ type: _type, ...rest }) => rest);
    it('whose answers go back under the numbers of the calls', async () => {
      const connection = await open();
      const asked: ToolRequest[] = [];
      const answer = connection.exec(CELL, {
        onTool: async (request) => {
          asked.push(request);
          return request.call === 0 ? { ok: true, value: { rows: [1, null] } } : { ok: false, error: { type: 'Refused', message: 'Not\u0000 today.' } };
        },
      });
      peer.say(tool(0), tool(1), tool(0, { k: 1, replay: true }));
      await heard(3);
      expect(asked[0]).toEqual({ k: 3, call: 0, name: 'publish', args: { n: 0 }, replay: false });
      expect(results()).toEqual([
        { k: 3, call: 0, ok: true, value: { rows: [1, null] } },
        { k: 3, call: 1, ok: false, error: { type: 'Refused', message: 'Not\ufffd today.' } },
        { k: 1, call: 0, ok: true, value: { rows: [1, null] } },
      ]);
      peer.say(done());
      await answer;
    });

    it('but not for another cell, but for what is recorded of an earlier one', async () => {
      const connection = await open();
      const asked: number[] = [];
      const answer = connection.exec(CELL, { onTool: async ({ k }) => (asked.push(k), { ok: true, value: null }) });
      peer.say(tool(0, { k: 2 }), tool(0, { k: 4 }), tool(0, { k: 4, replay: true }), tool(0, { k: 2, replay: true }), tool(0));
      await heard(2);
      expect(asked).toEqual([2, 3]);
      peer.say(done());
      await answer;
    });

    it('and a handler that throws, hands over what is no JSON, or too much, is an error of the call', async () => {
      const connection = await open();
      const cycle: unknown[] = [];
      cycle.push(cycle);
      let deep: unknown = 1;
      for (let n = 0; n < 80; n++) deep = [deep];
      const values = [undefined, 1n, cycle, 'x'.repeat(4 << 20), deep];
      const answer = connection.exec(CELL, {
        onTool: async ({ call }) => {
          if (call === 5) throw new RangeError('out of range');
          return { ok: true, value: values[call] as never };
        },
      });
      for (let call = 0; call < 6; call++) peer.say(tool(call));
      await heard(6);
      const said = new Map(results().map(({ call, ok, value, error }) => [call, ok ? value : (error as { type: string }).type]));
      expect([0, 1, 2, 3, 4, 5].map((call) => said.get(call))).toEqual([null, 'TypeError', 'TypeError', 'ToolResultTooLarge', 'ToolResultTooDeep', 'RangeError']);
      peer.say(done());
      await answer;
    });

    it('and is told that there are none where nobody offers any', async () => {
      const connection = await open();
      const answer = connection.exec(CELL);
      peer.say(tool(0));
      expect(await peer.hears('tool-result')).toMatchObject({ ok: false, error: { type: 'ToolUnavailable' } });
      peer.say(done());
      await answer;
    });

    it('and an error of the product ends the stream, so that the next attempt is asked again', async () => {
      const connection = await open();
      const failure = new Nl2codeError('store-full', 'The disk is full.');
      const answer = connection.exec(CELL, { onTool: () => Promise.reject(failure) });
      peer.say(tool(0));
      await expect(answer).rejects.toBe(failure);
      expect(host.destroyed).toBe(true);
    });

    it('and an answer that comes after its run or its cell is not sent', async () => {
      const connection = await open();
      const gates: ((value: null) => void)[] = [];
      const exec = (cell: CellRequest) => connection.exec(cell, { onTool: () => new Promise((resolve) => gates.push(() => resolve({ ok: true, value: gates.length }))) });
      const first = exec(CELL);
      peer.say(tool(0));
      await until(() => gates.length === 1);
      peer.say({ type: 'again', k: 3, run: 2, message: 'died' }, tool(0));
      await until(() => gates.length === 2);
      gates[0]!(null);
      await pinged(connection);
      expect(results()).toEqual([]);
      gates[1]!(null);
      await heard(1);
      peer.say(tool(1));
      await until(() => gates.length === 3);
      peer.say(done());
      await first;
      gates[2]!(null);
      await pinged(connection);
      expect(results()).toHaveLength(1);
    });

    it('no more than it can wait for', async () => {
      const connection = await open();
      const answer = connection.exec(CELL, { onTool: () => new Promise(() => undefined) });
      for (let call = 0; call < 257; call++) peer.say(tool(call));
      await expect(answer).rejects.toThrow('more than 256 calls');
    });

    const until = async (met: () => boolean) => {
      while (!met()) await new Promise((resolve) => setImmediate(resolve));
    };
    const heard = (n: number) => until(() => results().length >= n);
    let pings = 0;
    const pinged = async (connection: KernelConnection) => {
      pings += 1;
      const pong = connection.ping();
      await until(() => peer.heard.some(({ type }) => type === 'ping'));
      peer.heard.splice(0, peer.heard.length, ...peer.heard.filter(({ type }) => type !== 'ping'));
      peer.say({ type: 'pong', n: pings });
      await pong;
    };
    beforeEach(() => (pings = 0));
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
    ['a message it does not know', { type: 'pay', name: 'tool' }, 'pay'],
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

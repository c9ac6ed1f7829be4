import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKernels, type KernelCell, type KernelHooks, type KernelResult, type Kernels } from '../../src/kernel/kernels.js';
import type { SandboxSpec } from '../../src/sandbox/backend.js';
import { REPORT, ScriptedGuest, shaOf } from './scripted-guest.js';

const SPEC = { id: 's', folder: '/nowhere/s' } as SandboxSpec;
const code = (k: number) => `cell ${k}`;

describe('a session', () => {
  let guest: ScriptedGuest;
  let kernels: Kernels;
  beforeEach(() => {
    guest = new ScriptedGuest();
    kernels = createKernels({ backend: guest });
  });
  afterEach(async () => {
    await kernels.close();
    await guest.close();
  });
  const run = (k: number, hooks: Partial<KernelHooks> = {}, over: Partial<KernelCell> = {}): Promise<KernelResult> =>
    kernels.runCell(SPEC, { session: 's', k, code: code(k), epoch: [1, 1], timeoutMs: 5_000, maxOutputChars: 100, past: (n) => ({ code: code(n), timeoutMs: 1_000 + n }), ...over }, { signal: new AbortController().signal, ...hooks });
  const commit = (n: number) => (guest.committed = Array.from({ length: n }, (_, k) => shaOf(code(k))));

  it('whose kernel stands before the cell runs the cell and nothing else', async () => {
    commit(3);
    expect(await run(3)).toMatchObject({ cached: false, saved: 'local', again: [], reply: { ended: 'ok', restored: null } });
    expect(guest.told).toEqual(['run 3 cell 3']);
  });

  it('whose kernel has lost cells runs those again in order, with their own limits, then the cell', async () => {
    commit(2);
    const limits: number[] = [];
    guest.during = ({ timeoutMs }) => void limits.push(timeoutMs);
    const told: string[] = [];
    const output: string[] = [];
    await run(5, { onCatchUp: (k) => told.push(`before ${k}`), onCaughtUp: (k, { reply }) => void told.push(`after ${k} ${reply.ended}`), onOutput: (_stream, text) => output.push(text) });
    expect(guest.told).toEqual(['conflict 5', 'run 2 cell 2', 'run 3 cell 3', 'run 4 cell 4', 'run 5 cell 5']);
    expect(limits).toEqual([1_002, 1_003, 1_004, 5_000]);
    expect(told).toEqual(['before 2', 'after 2 ok', 'before 3', 'after 3 ok', 'before 4', 'after 4 ok', 'before 5']);
  });

  it('asks for a cell with the limit of its runs, and for those before it without', async () => {
    commit(1);
    const limits: unknown[] = [];
    guest.during = ({ maxRuns }) => void limits.push(maxRuns);
    await run(2, {}, { maxRuns: 1 });
    await run(3);
    expect(limits).toEqual([undefined, 1, undefined]);
  });

  it('whose kernel has lost everything begins with an empty folder', async () => {
    await run(2);
    expect(guest.told).toEqual(['conflict 2', 'roll back to 0', 'run 0 cell 0', 'run 1 cell 1', 'run 2 cell 2']);
  });

  it('whose kernel has lost its past and which does not hold it is an error, and nothing runs', async () => {
    commit(1);
    await expect(run(3, {}, { past: undefined })).rejects.toMatchObject({ code: 'store-corrupt' });
    expect(guest.told).toEqual(['conflict 3']);
  });

  it("whose kernel can't take the cell now is asked again, and in the end its own words are told", async () => {
    commit(3);
    let times = 2;
    guest.during = ({ k }, say) => {
      if (times === 0) return false;
      times -= 1;
      say({ type: 'refused', k, code: 'busy', head: 2, message: "The state after cell 2 can't be brought back at present: No space left on device." });
      return true;
    };
    expect(await run(3)).toMatchObject({ cached: false, again: [], reply: { ended: 'ok' } });
    expect(guest.told).toEqual(['run 3 cell 3', 'run 3 cell 3', 'run 3 cell 3']);
    times = Infinity;
    await expect(run(4)).rejects.toMatchObject({ code: 'sandbox-lost', message: expect.stringMatching(/^The kernel can't take the cell now: The state after cell 2 .*No space left on device\./) as string });
    expect(guest.committed).toHaveLength(4);
  });

  it('whose kernel ran what the chain does not hold takes that back', async () => {
    commit(4);
    guest.committed[2] = shaOf('what a stopped step ran');
    await run(2);
    expect(guest.told).toEqual(['conflict 2', 'roll back to 2', 'run 2 cell 2']);
    expect(guest.committed).toEqual([0, 1, 2].map((k) => shaOf(code(k))));
  });

  it('whose sandbox falls back further while it catches up goes on from there', async () => {
    commit(4);
    let fell = false;
    guest.during = ({ k }) => {
      if (k !== 5 || fell) return false;
      fell = true;
      guest.committed.length = 1;
      guest.die();
      return true;
    };
    await run(7, {}, {});
    expect(guest.told).toEqual(['conflict 7', 'run 4 cell 4', 'run 5 cell 5', 'conflict 5', 'run 1 cell 1', 'run 2 cell 2', 'run 3 cell 3', 'run 4 cell 4', 'run 5 cell 5', 'run 6 cell 6', 'run 7 cell 7']);
  });

  it('whose kernel never gets there is an error in the end', async () => {
    commit(3);
    guest.during = ({ k }) => {
      if (k < 4) return false;
      guest.committed.length = 2;
      guest.die();
      return true;
    };
    await expect(run(6)).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  it('keeps the report of the kernel that the cells before ran in, and what killed it', async () => {
    commit(1);
    guest.reply = ({ k }) => (k === 1 ? { restored: REPORT } : {});
    guest.during = ({ k }, say) => {
      if (k === 2) say({ type: 'again', k, run: 2, message: 'killed by SIGSEGV' });
    };
    expect(await run(3)).toMatchObject({ again: ['killed by SIGSEGV'], reply: { restored: REPORT } });
    guest.reply = () => ({ restored: { ...REPORT, head: 3 } });
    expect((await run(4)).reply.restored).toEqual({ ...REPORT, head: 3 });
  });

  it('that is stopped while it catches up commits no part of an earlier cell: its sandbox is ended', async () => {
    commit(1);
    const abort = new AbortController();
    guest.during = ({ k }) => {
      if (k !== 2) return false;
      abort.abort(new Error('stop'));
      return new Promise(() => undefined);
    };
    await expect(run(4, { signal: abort.signal })).rejects.toThrow('stop');
    expect(guest.told).toEqual(['conflict 4', 'run 1 cell 1', 'run 2 cell 2', 'destroy']);
  });

  it('asks for the tools of earlier cells under their own numbers', async () => {
    commit(1);
    const asked: string[] = [];
    guest.during = async ({ k }, say) => {
      say({ type: 'tool', k, call: 0, name: 'publish', args: { k }, replay: false });
      expect(await guest.result()).toMatchObject({ k, call: 0, ok: true, value: k });
    };
    await run(3, { onTool: async ({ k, call, name }) => (asked.push(`${k}.${call} ${name}`), { ok: true, value: k }) });
    expect(asked).toEqual(['1.0 publish', '2.0 publish', '3.0 publish']);
  });

  it('is told once of each time that a cell runs again, however often a stream is cut', async () => {
    commit(1);
    let cut = false;
    guest.during = async ({ k }, say) => {
      say({ type: 'again', k, run: 2, message: 'died' });
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (cut) return false;
      cut = true;
      guest.die();
      return true;
    };
    const told: string[] = [];
    expect(await run(1, { onAgain: ({ run: n, message }) => told.push(`${n} ${message}`), onSandbox: (event) => told.push(event) })).toMatchObject({ again: ['died'] });
    expect(told).toEqual(['started', '2 died', 'lost', 'started']);
  });

  describe('with a cell that is overdue', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
    afterEach(() => void vi.useRealTimers());
    const passes = async (ms: number) => {
      for (let at = 0; at < ms; at += 1000) {
        await vi.advanceTimersByTimeAsync(1000);
        for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
      }
    };

    it('waits for a guest that says it is alive', async () => {
      let end = () => undefined as void;
      guest.during = () => new Promise((resolve) => (end = () => resolve(false)));
      const result = run(0, {}, { timeoutMs: 1_000 });
      await passes(120_000);
      expect(guest.told).toEqual(['run 0 cell 0']);
      end();
      expect(await result).toMatchObject({ reply: { ended: 'ok' } });
    });

    it('ends the sandbox of one that does not', async () => {
      let first = true;
      guest.during = () => {
        if (!first) return false;
        first = false;
        guest.answersPings = false;
        return new Promise(() => undefined);
      };
      const result = run(0, {}, { timeoutMs: 1_000 });
      await passes(40_000);
      guest.answersPings = true;
      expect(await result).toMatchObject({ reply: { ended: 'ok' } });
      expect(guest.told).toEqual(['run 0 cell 0', 'destroy', 'run 0 cell 0']);
    });
  });
});

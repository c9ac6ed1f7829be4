import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OnTool, ToolRequest } from '../../src/kernel/tool-call.js';
import type { SandboxSpec } from '../../src/sandbox/backend.js';
import { SessionStore } from '../../src/store/session-store.js';
import { testWorld, untilProposal, untilResult, type TestWorld, type TestWorldOptions } from '../../src/testing.js';
import type { Followed } from '../../src/follow.js';
import type { VerifyJob } from '../../src/verification/verify-job.js';

let world: TestWorld;
const open = (options: Omit<TestWorldOptions, 'model'> = {}) => (world = testWorld({ model: { baseUrl: 'http://127.0.0.1:9/v1' }, ...options }));
beforeEach(() => void open());
afterEach(() => world.close());

const signal = new AbortController().signal;
const cell = async (code: string, onTool?: OnTool) => {
  const folder = join(world.dir, 'sessions', 's', 'sandbox');
  const { reply } = await world.kernels.runCell({ folder, inputs: [] } as unknown as SandboxSpec, { session: 's', k: 0, code, epoch: [1, 1], timeoutMs: 1, maxOutputChars: 1 }, { signal, ...(onTool ? { onTool } : {}) });
  return { ended: reply.ended, shown: reply.stdout.text, error: reply.error?.message, workspace: join(folder, 'workspace') };
};

test('a test world takes nothing from the environment, says that it isolates nothing, and leaves nothing', async () => {
  expect(world.config).toMatchObject({ dataDir: world.dir, sandbox: { isolation: 'none', pool: 0 }, model: { name: 'scripted', apiKey: null } });
  await world.close();
  expect(existsSync(world.dir)).toBe(false);
});

test('a real sandbox is asked for by name', async () => {
  await world.close();
  expect(open({ sandbox: 'real' }).config.sandbox.isolation).toBe('bubblewrap');
});

describe('the kernel double', () => {
  test('keeps the files that cells write, and shows what the test says for all others', async () => {
    await world.close();
    open({ cell: (code) => (code.includes('boom') ? { error: 'it went boom' } : `ran ${code}`) });
    const { shown, workspace } = await cell('%%writefile out/a.py\nprint(1)\n');
    expect(shown).toBe('Wrote out/a.py\n');
    expect(readFileSync(join(workspace, 'out/a.py'), 'utf8')).toBe('print(1)\n');
    expect(await cell('1 + 1')).toMatchObject({ ended: 'ok', shown: 'ran 1 + 1' });
    expect(await cell('boom()')).toMatchObject({ ended: 'error', error: 'it went boom' });
  });

  test('calls tools as the code of its cells would, each call by its number', async () => {
    await world.close();
    open({
      async cell(code, call) {
        const first = await call('append', { text: code });
        const second = await call('append').catch((error: Error) => `${error.name}: ${error.message}`);
        return `${JSON.stringify(first)} ${JSON.stringify(second)}`;
      },
    });
    const asked: ToolRequest[] = [];
    const onTool: OnTool = async (request) => (asked.push(request), request.call === 0 ? { ok: true, value: [1] } : { ok: false, error: { type: 'ToolError', message: 'no' } });
    expect(await cell('x', onTool)).toMatchObject({ shown: '[1] "ToolError: no"' });
    expect(asked).toEqual([{ k: 0, call: 0, name: 'append', args: { text: 'x' }, replay: false }, { k: 0, call: 1, name: 'append', args: {}, replay: false }]);
  });

  test.each(['../../../evil.py', '/tmp/../../evil.py', '..'])('writes nothing to %s', async (name) => {
    const { ended, error, workspace } = await cell(`%%writefile ${name}\nx\n`);
    expect({ ended, error }).toEqual({ ended: 'error', error: `${name} is outside of the session's folder` });
    expect(existsSync(workspace)).toBe(false);
  });
});

describe('the verifier double', () => {
  const verify = (job: Partial<VerifyJob>) => {
    const { blobs } = new SessionStore(world.dir).session('s');
    return world.verifier.verify({ session: 's', folder: join(world.dir, 'verify'), script: 'print(1)', outputs: [], keep: (fd: number, max: number) => blobs.putFrom(fd, max), ...job } as VerifyJob, { signal });
  };

  test('verifies a script and leaves the outputs that the test gives', async () => {
    await world.close();
    open({ outputs: { 'a.csv': 'x\n1\n' } });
    const { ok, outputs, isolation } = await verify({ outputs: [{ path: 'a.csv' }] });
    expect({ ok, isolation }).toEqual({ ok: true, isolation: 'none' });
    expect(new SessionStore(world.dir).at('s').blobs.read(outputs[0]!.sha256)).toBe('x\n1\n');
  });

  test('finds what the test says, script by script', async () => {
    await world.close();
    open({ findings: ['wrong sum', null] });
    expect((await verify({})).findings).toMatchObject([{ code: 'run-failed', message: 'wrong sum' }]);
    expect((await verify({})).ok).toBe(true);
    expect((await verify({})).ok).toBe(true);
  });

  test('finds a script that is not there and a promised output that the test does not give', async () => {
    expect((await verify({ script: null })).findings).toMatchObject([{ code: 'script-missing' }]);
    expect((await verify({ outputs: [{ path: 'a.csv' }] })).findings).toMatchObject([{ code: 'output-missing', path: 'a.csv' }]);
  });
});

describe('waiting', () => {
  const proposal = { id: 'h:c', what: 'script', code: 'x' } as const;
  const seen = (...followed: unknown[]) => ({
    async *follow(_session: string, options: { signal?: AbortSignal }) {
      for (const each of followed) yield each as Followed;
      if ((followed.at(-1) as { kind?: string } | undefined)?.kind !== 'end') await new Promise((resolve) => options.signal!.addEventListener('abort', resolve));
    },
  });
  const end = { kind: 'end', result: { status: 'stopped', reason: 'a reason' }, why: null };
  const event = { kind: 'event', next: 1, event: { kind: 'step-failed', seq: 4, step: 'code', attempt: 2, data: { code: 'model-auth' } } };

  test('for a proposal ends with it, or says how the session ended instead', async () => {
    await expect(untilProposal(seen(event, { kind: 'snapshot', snapshot: { proposal: null } }, { kind: 'snapshot', snapshot: { proposal } }), 's')).resolves.toEqual(proposal);
    await expect(untilProposal(seen(end), 's')).rejects.toThrow('Session s ended without a proposal: stopped, a reason.');
  });

  test('for a result ends with it, or says why there is none', async () => {
    await expect(untilResult(seen(event, end), 's')).resolves.toEqual(end.result);
    await expect(untilResult(seen({ kind: 'end', result: null, why: 'the run ended as FAILED without a verdict' }), 's')).rejects.toThrow('Session s has no result: the run ended as FAILED');
  });

  test('ends after its time with what was seen last', async () => {
    await expect(untilResult(seen(event), 's', { timeoutMs: 20 })).rejects.toThrow('Session s has not come to a result within 20 ms; last seen: step-failed of step 4 code, attempt 2 ({"code":"model-auth"}).');
    await expect(untilResult(seen(), 's', { timeoutMs: 20 })).rejects.toThrow('is a worker with the plugin running on its task queue?');
  });
});

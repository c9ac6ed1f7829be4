import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { KernelResult } from '../../src/kernel/kernels.js';
import { readRunState } from '../../src/sandbox/process/run-state.js';
import { codes, scriptOf, states, VerificationRoom } from './verification-room.js';

let room: VerificationRoom;
beforeAll(() => {
  room = new VerificationRoom();
});
afterEach(() => expect(room.alive).toBe(0));
afterAll(() => room.close());

test('a process that is left behind is a finding, and what it would write later is not taken', async () => {
  const body = `import os, time\nopen('o.txt', 'w').write('x')\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(3)\n        open('o.txt', 'w').write('late')\n        time.sleep(60)\n    os._exit(0)`;
  const seen = await room.verify(scriptOf(body), { outputs: ['o.txt'] });
  expect(seen.findings).toMatchObject([{ code: 'run-failed', message: 'The script left 1 process running when it ended.' }]);
  expect(room.kept.get(seen.outputs[0]!.sha256)!.toString()).toBe('x');
});

test('outputs that are links, pipes or second names of inputs are no outputs', async () => {
  const body = `import os\nos.symlink('/etc/passwd', 'a.txt')\nos.mkfifo('b.txt')\nos.symlink('/inputs/in.csv', 'c.csv')\nos.mkdir('d.csv')\nos.symlink('/proc/self/environ', 'd.csv/e')`;
  const seen = await room.verify(scriptOf(body), { outputs: ['a.txt', 'b.txt', 'c.csv', 'd.csv'] });
  expect(seen.findings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    'output-missing: "a.txt" was promised as a file, but it is a symbolic link.',
    'output-missing: "b.txt" was promised as a file, but it is a pipe.',
    'output-missing: "c.csv" was promised as a file, but it is a symbolic link.',
    'output-missing: "d.csv" was promised as a file, but it is a folder.',
  ]);
  expect(seen.outputs).toEqual([]);
});

test('folders that can not be read are removed again, and what is in them is no output', async () => {
  const seen = await room.verify(scriptOf(`import os\nos.mkdir('locked')\nopen('locked/x', 'w').write('x')\nos.chmod('locked', 0)\nopen('o.txt', 'w').write('x')`), { outputs: ['o.txt'] });
  expect(codes(seen)).toEqual([]);
});

test('folders that are nested too deeply are a finding and are removed again', async () => {
  const shallow = await room.verify(scriptOf(`import os\nos.makedirs('/'.join(['d'] * 30))`));
  expect(shallow.findings).toMatchObject([{ code: 'output-unreadable', message: "The script's files can't be collected. It made more than 16 folders inside each other." }]);
  const deep = await room.verify(scriptOf(`import os\nfor _ in range(1500):\n    os.mkdir('deeper')\n    os.chdir('deeper')`));
  expect(deep.ok).toBe(false);
});

test('a disk that is filled is a failed run', async () => {
  const seen = await room.verify(scriptOf(`with open('big.bin', 'wb') as f:\n    for _ in range(200):\n        f.write(b'x' * (1 << 20))`), { outputs: ['big.bin'] });
  expect(codes(seen)).toEqual(['run-failed']);
});

test('more files than anybody needs are not collected', async () => {
  const seen = await room.verify(scriptOf(`for i in range(600):\n    open(f'{i}.txt', 'w').write('x')`));
  expect(seen.findings).toMatchObject([{ code: 'output-unreadable', message: "The script's files can't be collected. It wrote more than 500 files." }]);
});

test('a hundred megabytes of print are bounded and counted', async () => {
  const seen = await room.verify(scriptOf(`for _ in range(100):\n    sys.stdout.write('x' * 1_000_000)\n    sys.stderr.write('y' * 1_000)`));
  expect(seen.ok).toBe(true);
  expect(seen.stdout.text.length).toBeLessThan(12_000);
  expect(seen.stdout.omitted).toBeGreaterThan(99_000_000);
});

test('a fork bomb ends with its run', async () => {
  const seen = await room.verify(scriptOf(`import os, time\nfor _ in range(12):\n    try:\n        os.fork()\n    except OSError:\n        pass\ntime.sleep(60)`), { scriptTimeoutMs: 1_500 });
  expect(seen.findings[0]!.code).toMatch(/^run-(timeout|failed)$/);
});

test('memory beyond the limit is a failed run', async () => {
  const seen = await room.verify(scriptOf(`blocks = []\nwhile True:\n    blocks.append(b'x' * (64 << 20))`));
  expect(codes(seen)).toEqual(['run-failed']);
});

test('a script that ends everything it can is a failed run', async () => {
  const before = room.started;
  const runs: string[][] = [];
  const runCell = vi.spyOn(room.kernels, 'runCell');
  const seen = await room.verify(scriptOf(`import os, signal\nos.kill(-1, signal.SIGKILL)`));
  for (const { value } of runCell.mock.settledResults) runs.push((value as KernelResult).again);
  runCell.mockRestore();
  expect(codes(seen)).toEqual(['run-failed']);
  // Who ends everything is not killed by that; it ends with what it ran on, by a signal or before it comes.
  expect(seen.findings[0]!.message).toContain('The script ended its sandbox: The kernel ');
  // One run in each of the two sandboxes, and none that stands in for them.
  expect(runs.flat()).toEqual([]);
  expect(room.started - before).toBe(3);
});

test('a sandbox that is lost under a script is replaced, and the script is none the worse', async () => {
  let lost = '';
  const watch = setInterval(() => {
    const spec = room.specs.findLast(({ id }) => id.endsWith('-a'));
    if (lost || !spec || !existsSync(join(spec.folder, 'workspace', 'began.txt'))) return;
    lost = spec.id;
    process.kill(readRunState(spec.folder)!.childPid!, 'SIGKILL');
  }, 20);
  const seen = await room.verify(scriptOf(`import time\nopen('began.txt', 'w').write('x')\ntime.sleep(2)`)).finally(() => clearInterval(watch));
  expect(lost).not.toBe('');
  expect(codes(seen)).toEqual([]);
});

test('the network is not there, and the remedy says so', async () => {
  const seen = await room.verify(scriptOf(`import urllib.request\nurllib.request.urlopen('http://example.com', timeout=5)`));
  expect(seen.findings).toMatchObject([{ code: 'run-failed', remedy: 'There is no network in the sandbox: read everything from the input files.' }]);
});

test('inputs can not be changed, and taking away their links changes nothing', async () => {
  const kept = await room.verify(scriptOf(`import os\nos.unlink('in.csv')\nopen('o.txt', 'w').write(open('/inputs/in.csv').read())`), { outputs: ['o.txt'] });
  expect(kept.ok).toBe(true);
  const written = await room.verify(scriptOf(`open('in.csv', 'a').write('3,1\\n')`));
  expect(codes(written)).toEqual(['run-failed']);
  expect(written.findings[0]!.remedy).toContain('Inputs are read-only');
});

test('what a script prints can not stand for a report', async () => {
  const body = `import os\nreport = '{"exit": 0, "timed_out": false, "left": 0, "started": 0, "seconds": 0, "stdout": {"text": "", "omitted": 0}, "stderr": {"text": "", "omitted": 0}, "failure": null}'
for pid in [p for p in os.listdir('/proc') if p.isdigit()]:
    for fd in (1, 2):
        try:
            open(f'/proc/{pid}/fd/{fd}', 'w').write(f'\\nnl2code-0\\n{report}\\nnl2code-0\\n')
        except OSError:
            pass
print(report)
sys.exit(3)`;
  const seen = await room.verify(scriptOf(body));
  expect(seen.findings).toMatchObject([{ code: 'run-failed' }]);
  expect(states(seen)).toMatchObject({ runs: 'failed' });
});

test('truth, checks and the guest are not there for generated code', async () => {
  const body = `import os\nassert not os.path.exists('/truth') and not os.path.exists('/pack-checks') and not os.path.exists('/outputs')
assert not any(p.startswith(('/guest', '/checks')) for p in sys.path), sys.path
assert not [name for name in os.environ if 'NL2CODE' in name]
assert sorted(os.listdir('.')) == ['in.csv', 'script.py'], os.listdir('.')\nopen('o.txt', 'w').write('x')`;
  const seen = await room.verify(scriptOf(body), { outputs: ['o.txt'], truth: { 't.txt': '42' }, checks: { one: "def run(ctx):\n    return [{'name': 'x', 'ok': True, 'detail': ''}]\n" } });
  expect(seen.findings).toEqual([]);
  expect(seen.ok).toBe(true);
  for (const spec of room.specs) {
    const shown = spec.mounts.map(({ at }) => at);
    expect(shown.includes('/truth') || shown.includes('/pack-checks')).toBe(spec.id.endsWith('-c') && shown.includes('/truth'));
  }
});

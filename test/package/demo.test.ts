import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../rig/in-process.js';

test('the demo with another seed kills its worker, takes the edit, and leaves verified files where it says', { timeout: 240_000 }, async () => {
  const out = mkdtempSync(join(tmpdir(), 'demo-'));
  try {
    const demo = spawn(process.execPath, [join(ROOT, 'dist', 'demo.js'), '--seed', '7', '--out', out], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const code = await new Promise((resolve) => demo.on('close', resolve));
    expect(code, said).toBe(0);
    expect(said).toMatch(/^VERIFIED /m);
    expect(said).toMatch(/^ +by +runs, repeats, request checks 4\/4, pack checks 6\/6$/m);
    expect(said).toContain('(seed 7: other data, other column names)');
    const killed = /kill -9 worker (\d+)/.exec(said)?.[1];
    const successor = /worker (\d+) went on/.exec(said)?.[1];
    expect(killed).toBeDefined();
    expect(successor).toBeDefined();
    expect(successor).not.toBe(killed);
    const written = [...said.matchAll(/^ +written +(\S+)$/gm)].map(([, path]) => join(ROOT, path!));
    expect(written.map((path) => path.split('/').at(-1)).sort()).toEqual(['lookalike.py', 'lookalike_audience_scored.parquet', 'scores.png', 'trace.jsonl']);
    for (const path of written) expect(statSync(path).size).toBeGreaterThan(100);
    expect(readFileSync(join(out, 'lookalike.py'), 'utf8')).toContain('NearestNeighbors(n_neighbors=10)');

    // The line it ends with, as typed.
    const [, line] = /^Next +npx nl2code (follow-up .+)$/m.exec(said)!;
    const words = [...line!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
    const next = spawnSync(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...words], { cwd: ROOT, encoding: 'utf8' });
    expect(next.status, next.stderr).toBe(0);
    expect(next.stdout).toMatch(/^VERIFIED [^]*^ +by +runs, repeats, .*pack checks 7\/7$[^]*^ +changed +script: \d+ lines added, \d+ removed$/m);
    // The kernel went with the demo, and the person's edit stays.
    expect(next.stdout).toMatch(/^ +lookalike_audience_scored\.parquet: 1,000 rows, as before; by user_id 0 left, 0 came, .*group: holdout 200 → 100, target 800 → 900/m);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

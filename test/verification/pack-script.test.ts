import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/config/package-root.js';
import { applicableChecks, loadPack } from '../../src/context/pack.js';
import { statement } from '../../src/verification/statement.js';
import { createVerifier } from '../../src/verification/verify.js';
import { codes, VerificationRoom } from './verification-room.js';

const OUTPUTS = ['lookalike_audience_scored.parquet', 'scores.png'];
const script = readFileSync(join(import.meta.dirname, 'lookalike-script.py'), 'utf8');
let room: VerificationRoom;
let data: string;
beforeAll(() => {
  room = new VerificationRoom();
  data = join(room.folder, 'data');
  const root = packageRoot();
  execFileSync(join(root, '.runtime', 'python', 'bin', 'python3'), [join(root, 'packs', 'marketing', 'generate.py'), '--seed', '42', '--out', data]);
});
afterAll(() => room.close());

async function verify(text: string) {
  const pack = await loadPack('marketing', [join(packageRoot(), 'packs')]);
  return createVerifier({ kernels: room.kernels }).verify(
    {
      session: 'a-session',
      folder: join(room.folder, 'verify'),
      script: text,
      outputs: OUTPUTS.map((path) => ({ path })),
      inputs: ['high_value_q1.csv', 'user_features.parquet'].map((name) => ({ name, path: join(data, name) })),
      truth: [{ name: 'lookalike_truth.json', path: join(data, 'truth', 'lookalike_truth.json') }],
      mounts: [{ from: pack.libraryFolder!, at: '/pack/lib' }],
      pythonPath: ['/pack/lib'],
      checks: [],
      pack: { folder: pack.folder, checks: applicableChecks(pack, OUTPUTS) },
      limits: { memoryBytes: 2 * 2 ** 30, diskBytes: 64 << 20, processes: 256, cpus: 2 },
      scriptTimeoutMs: 60_000,
      isolation: 'bubblewrap',
      hashSeed: 42,
      keep: (_fd, bytes) => ({ hash: '0'.repeat(64), bytes }),
    },
    { signal: new AbortController().signal },
  );
}

test('a right answer to the lookalike request passes every check of its pack', async () => {
  const seen = await verify(script);
  expect(seen.findings).toEqual([]);
  expect(statement(seen)).toMatch(/^runs, repeats, pack checks (\d)\/\1$/);
  expect(seen.outputs.map(({ path, role }) => `${role} ${path}`)).toEqual(['output lookalike_audience_scored.parquet', 'output scores.png']);
  console.log(`verification of the lookalike script: ${seen.ms} ms`);
});

test('a wrong answer that runs and repeats fails the checks of its pack', async () => {
  const seen = await verify(script.replace("users = users[~users[\"user_id\"].isin(seeds[\"user_id\"])]", '').replace('.fit(filled)', '.fit(seeds[FEATURES])'));
  expect(new Set(codes(seen))).toEqual(new Set(['pack-check-failed']));
  expect(statement(seen)).toMatch(/^runs, repeats, pack checks \d\/\d$/);
});

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** A group runs and gives `{ passed, failed, skipped }`, read from what its tools write for machines. `onlyByName` ones are not in `npm test`. */
export const groups = {
  lint: { run: (root) => tools(root, [['oxlint', packageScript(root, 'oxlint', 'bin/oxlint'), []]]) },
  types: {
    run: (root) =>
      tools(root, [
        ['tsc src', packageScript(root, 'typescript', 'bin/tsc'), ['--noEmit']],
        ['tsc test', packageScript(root, 'typescript', 'bin/tsc'), ['-p', 'test']],
      ]),
  },
  guest: { run: (root) => pythonFolders(root).map((folder) => pytest(root, folder)).reduce(add, pythonTools(root)) },
  unit: { run: (root) => vitest(root, 'unit') },
  integration: { run: (root) => vitest(root, 'integration') },
  resilience: { run: (root) => vitest(root, 'resilience') },
  replay: { run: (root) => vitest(root, 'replay') },
  package: { run: (root) => vitest(root, 'package') },
  fresh: { run: (root) => vitest(root, 'fresh'), onlyByName: true },
  chaos: { run: (root) => vitest(root, 'chaos'), onlyByName: true },
};

const packageScript = (root, name, file) => join(dirname(createRequire(join(root, 'package.json')).resolve(`${name}/package.json`)), file);
const python = (root) => join(root, '.runtime/python-dev/bin/python3');

/** Tools that say yes or no. */
function tools(root, list) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [label, file, args] of list) count(counts, label, run(root, process.execPath, [file, ...args]));
  return counts;
}

/** The Python of the repository, each folder with settings of its own. */
function pythonFolders(root) {
  const packs = join(root, 'packs');
  const own = existsSync(packs) ? readdirSync(packs).map((name) => join(packs, name)).filter((folder) => existsSync(join(folder, 'pyproject.toml'))) : [];
  return [join(root, 'guest'), ...own];
}

function pythonTools(root) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const folder of pythonFolders(root)) {
    count(counts, `ruff ${relative(root, folder)}`, run(folder, python(root), ['-m', 'ruff', 'check', '.']));
    count(counts, `mypy ${relative(root, folder)}`, run(folder, python(root), ['-m', 'mypy', '--exclude', '^seccomp/|^tests_supervisor/conftest\\.py$', '.']));
  }
  return counts;
}

function count(counts, label, ok) {
  counts[ok ? 'passed' : 'failed'] += 1;
  console.log(`${label} ${ok ? 'ok' : 'FAILED'}`);
}

function pytest(root, folder) {
  return withReport('junit.xml', (report) => {
    const folders = readdirSync(folder).filter((name) => /^tests(_|$)/.test(name));
    const ok = run(folder, python(root), ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', `--junit-xml=${report}`, ...folders]);
    const attributes = existsSync(report) ? /<testsuite [^>]*>/.exec(readFileSync(report, 'utf8'))?.[0] : undefined;
    if (attributes === undefined) return { passed: 0, failed: 1, skipped: 0 };
    const number = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
    const failed = number('failures') + number('errors');
    return fairly(ok, { passed: number('tests') - failed - number('skipped'), failed, skipped: number('skipped') });
  });
}

function vitest(root, project) {
  return withReport('vitest.json', (report) => {
    const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const ok = run(root, process.execPath, [packageScript(root, 'vitest', 'vitest.mjs'), ...args]);
    if (!existsSync(report)) return { passed: 0, failed: ok ? 0 : 1, skipped: 0 };
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
    return fairly(ok, { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests });
  });
}

/** A runner that fails without a failed test (a file that does not load, an error outside of tests) is a failure all the same. */
const fairly = (ok, counts) => (ok || counts.failed > 0 ? counts : { ...counts, failed: 1 });

const add = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped });

function withReport(name, read) {
  const folder = mkdtempSync(join(tmpdir(), 'nl2code-report-'));
  try {
    return read(join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(cwd, command, args) {
  return spawnSync(command, args, { cwd, stdio: 'inherit' }).status === 0;
}

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bubblewrap } from './bubblewrap.mjs';
import { withSetupLock } from './lock.mjs';
import { npmPackages } from './npm-packages.mjs';
import { SetupProblem } from './problem.mjs';
import { callChecks, checkingPython, sandboxPython } from './python.mjs';
import { Report } from './report.mjs';
import { temporalServer } from './temporal.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Runs set-up for a command line and returns the exit code. */
export async function setUpFromCommandLine(argv) {
  try {
    const { values } = parseArgs({ args: argv, options: { quiet: { type: 'boolean' }, dev: { type: 'boolean' }, 'runtime-dir': { type: 'string' } } });
    await setUp({ quiet: values.quiet ?? false, dev: values.dev ?? false, runtimeDir: resolve(values['runtime-dir'] ?? join(root, '.runtime')) });
    return 0;
  } catch (error) {
    const isOurs = error instanceof SetupProblem || error?.code?.startsWith?.('ERR_PARSE_ARGS');
    console.error(isOurs ? error.message : error);
    return 1;
  }
}

/**
 * An item is `{ name, check, foresee, install }`: `check` gives its label in the summary, or null when it has to be installed;
 * `foresee` throws when that cannot succeed. Items write what says "complete" last, so a set-up that was interrupted is taken up where an item was left.
 */
async function setUp({ quiet, dev, runtimeDir }) {
  const report = new Report({ quiet });
  const place = { root, runtimeDir };
  const isCheckout = existsSync(join(root, 'package-lock.json'));
  const rest = [sandboxPython(place), callChecks(place), ...(dev ? [checkingPython(place)] : []), temporalServer(place), bubblewrap()];
  if (existsSync(join(root, 'src'))) rest.push((await import('./dist.mjs')).dist(place));
  const stages = [isCheckout ? [npmPackages(place)] : [], rest];

  const items = stages.flat();
  const known = await Promise.all(items.map((item) => item.check()));
  // What cannot work is said before minutes are spent on the rest.
  for (const [at, item] of items.entries()) if (known[at] === null) await item.foresee?.();
  const labels = known.includes(null)
    ? await withSetupLock(runtimeDir, () => report.note('', 'another set-up is running; waiting for it'), () => installMissing(stages, report))
    : known;
  report.summary(['node', ...labels.filter((label) => label !== '')]);
}

async function installMissing(stages, report) {
  const labels = [];
  for (const stage of stages) {
    const done = await Promise.allSettled(stage.map((item) => installItem(item, report, stage)));
    const failures = done.filter((each) => each.status === 'rejected').map((each) => each.reason);
    if (failures.length > 0) throw combined(failures);
    labels.push(...done.map((each) => each.value));
  }
  return labels;
}

/** The checking Python and the checks need the sandbox's Python; everything else of a stage goes side by side. */
const waiting = new Map();
function installItem(item, report, stage) {
  const before = ['python-dev', 'checks'].includes(item.name) ? stage.find((each) => each.name === 'python') : undefined;
  const started = (async () => {
    if (before !== undefined) await waiting.get(before);
    return (await item.check()) ?? (await report.timed(item.name, () => item.install(report)));
  })();
  waiting.set(item, started);
  return started;
}

function combined(failures) {
  const unexpected = failures.find((error) => !(error instanceof SetupProblem));
  return unexpected ?? new SetupProblem(failures.map((error) => error.message).join('\n'));
}

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findOnPath, run } from './command.mjs';
import { SetupProblem } from './problem.mjs';

/** The npm packages of the lock file. Absent in an installed package, whose user brings them. */
export function npmPackages({ root }) {
  return {
    name: 'packages',
    check: async () => (matchesLock(root) ? 'packages' : null),
    install: async (report) => {
      report.working('packages', 'npm ci, from package-lock.json');
      const npm = findOnPath('npm', `${dirname(process.execPath)}:${process.env.PATH ?? ''}`);
      if (npm === null) throw new SetupProblem('npm was not found beside Node or on PATH: install it, then run this again.');
      const result = await run(npm, ['ci', '--no-audit', '--no-fund'], { cwd: root });
      if (result.code !== 0) throw new SetupProblem(`The npm packages could not be installed (${result.tail}): check the network and the registry in your npmrc, then run this again.`);
      return 'packages';
    },
  };
}

/**
 * Whether `node_modules` holds what the lock names. npm writes its own lock file into `node_modules` last, so an interrupted
 * installation never matches. Optional packages may be absent: they belong to other platforms.
 */
function matchesLock(root) {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  if (wanted === null || present === null) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    if (found === undefined) {
      if (entry.optional === true) continue;
      return false;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) return false;
    if (!existsSync(join(root, path, 'package.json'))) return false;
  }
  return true;
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return null;
  }
}

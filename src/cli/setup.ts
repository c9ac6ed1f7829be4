import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { packageRoot } from '../config/package-root.js';
import { refusal } from '../admission/refusal.js';
import { configOf, withConfig } from './config-options.js';
import type { CliContext } from './context.js';

/** `setup`: installs what is missing into the runtime folder. */
export function setupCommand(context: CliContext): Command {
  return withConfig(new Command('setup').description('install what is missing: Python packages and the Temporal dev server').option('--quiet', 'say nothing when nothing is missing')).action(async (options: ConfigFlags & { quiet?: boolean }) => {
    const script = join(packageRoot(), 'scripts', 'setup.mjs');
    if (!existsSync(script)) throw refusal(`The set-up script ${script} is missing: install the package again.`);
    const { runtimeDir } = configOf(options, context);
    const child = spawn(process.execPath, [script, '--runtime-dir', runtimeDir, ...(options.quiet ? ['--quiet'] : [])], { stdio: 'inherit', env: context.env });
    context.exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  });
}

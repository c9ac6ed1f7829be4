import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import { checkDataDir, checkModel, checkNode, checkPython, checkSandbox, checkTemporal } from './checks.js';
import { clean } from './clean.js';
import { configOf, withConfig, withServing } from './config-options.js';
import type { CliContext } from './context.js';

/** `doctor`: what works here, one line each; exit 1 when something needed is missing. */
export function doctorCommand(context: CliContext): Command {
  const command = new Command('doctor').description('say what works on this machine and how to mend what does not').option('--json', 'print one JSON document').option('--model <name>', 'model to look for');
  return withServing(withConfig(command)).action(async (options: ConfigFlags & { json?: boolean }) => {
    const { terminal, env } = context;
    const config = configOf(options, context);
    const { createBackend } = await import('../world.js');
    const backend = createBackend(config);
    const checks = [checkNode(), checkPython(config), checkTemporal(config, env), await checkSandbox(backend).finally(() => backend.close()), await checkModel(config), checkDataDir(config)];
    context.exitCode = checks.every(({ ok }) => ok) ? 0 : 1;
    if (options.json) return terminal.out(JSON.stringify({ checks, promises: backend.promises }, null, 2));
    for (const { name, ok, detail } of checks) terminal.out(`${terminal.paint(ok ? '✓' : '✗', ok ? 'good' : 'bad')} ${name.padEnd(10)}${clean(detail)}`);
    terminal.out(`\nThe sandbox promises (${backend.name}, isolation ${config.sandbox.isolation})`);
    for (const [what, promise] of Object.entries(backend.promises)) terminal.out(`  ${what.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).padEnd(16)}${promise}`);
  });
}

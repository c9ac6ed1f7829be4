import { Command } from 'commander';
import type { ConfigFlags } from '../config.js';
import type { Ability, Probed } from '../model/ability-probe.js';
import { checkNamespace } from './check-namespace.js';
import { checkCheckpoints, checkDataDir, checkExposure, checkIdle, checkModel, checkNode, checkPython, checkSandbox, checkTemporal, probeModel } from './checks.js';
import { clean } from './clean.js';
import { configOf, withConfig, withServing } from './config-options.js';
import type { CliContext } from './context.js';
import type { Terminal, Tone } from './terminal.js';

interface DoctorOptions extends Omit<ConfigFlags, 'model'> {
  json?: boolean;
  initCheckpoints?: boolean;
  model?: string | true;
}

/** `doctor`: what works here, one line each; exit 1 when something needed is missing. With `--model` it asks the endpoint what it can do. */
export function doctorCommand(context: CliContext): Command {
  const command = new Command('doctor')
    .description('say what works on this machine and how to mend what does not')
    .option('--json', 'print one JSON document')
    .option('--init-checkpoints', 'mark the mounted folder of checkpoints.path as the one for states, which is done once')
    .option('--model [name]', 'ask the endpoint what it can do for this model; costs a few hundred tokens');
  return withServing(withConfig(command)).action(async (options: DoctorOptions) => {
    const { terminal, env } = context;
    const config = configOf({ ...options, model: options.model === true ? undefined : options.model }, context);
    const { createBackend } = await import('../world.js');
    const backend = createBackend(config);
    const checks = [checkNode(), checkPython(config), checkTemporal(config, env), await checkNamespace(config), await checkSandbox(backend).finally(() => backend.close()), await checkModel(config), checkDataDir(config), await checkCheckpoints(config, options.initCheckpoints), checkExposure(config), checkIdle(config)];
    const probed = options.model === undefined ? undefined : await probeModel(config);
    const works = checks.every(({ ok }) => ok) && (probed?.abilities ?? []).every(({ has }) => has !== 'no');
    context.exitCode = works ? 0 : 1;
    if (options.json) return terminal.out(JSON.stringify({ checks, promises: backend.promises, ...(probed === undefined ? {} : { model: probed }) }, null, 2));
    for (const { name, ok, detail } of checks) terminal.out(`${terminal.paint(ok ? '✓' : '✗', ok ? 'good' : 'bad')} ${name.padEnd(10)}${clean(detail)}`);
    if (probed !== undefined) show(probed, config.model.name, terminal);
    terminal.out(`\nThe sandbox promises (${backend.name}, isolation ${config.sandbox.isolation})`);
    for (const [what, promise] of Object.entries(backend.promises)) terminal.out(`  ${what.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).padEnd(16)}${promise}`);
  });
}

const MARKS: Record<Ability['has'], [mark: string, tone: Tone]> = { yes: ['✓', 'good'], fallback: ['–', 'warn'], no: ['✗', 'bad'] };

function show(probed: Probed | null, model: string, terminal: Terminal): void {
  terminal.out(`\nThe model endpoint (${clean(model)})`);
  if (!probed) return terminal.out('  the scripted model plays written requests and was not asked: set OPENAI_BASE_URL for a real one');
  for (const { name, has, detail } of probed.abilities) terminal.out(`${terminal.paint(MARKS[has][0], MARKS[has][1])} ${name.padEnd(14)}${clean(detail)}`);
  const { calls, tokens, usd } = probed.spent;
  terminal.out(`  asking took ${calls} ${calls === 1 ? 'reply' : 'replies'} and ${tokens} tokens${usd === null ? '' : ` ($${usd.toFixed(4)})`}`);
}

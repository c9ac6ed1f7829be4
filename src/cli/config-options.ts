import { Option, type Command } from 'commander';
import { resolveConfig, type ConfigFlags, type ResolvedConfig } from '../config.js';
import type { CliContext } from './context.js';

/** Adds a value to a repeatable option. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** A number as the user typed it; what is none stays NaN for the checks to refuse with their bounds. */
export const toNumber = (value: string): number => (value.trim() ? Number(value) : Number.NaN);

const OPTIONS: Option[] = [
  new Option('--config <file>', 'configuration file (default: nl2code.config.yaml, searched upward)'),
  new Option('--data-dir <folder>', 'sessions and the embedded database'),
  new Option('--runtime-dir <folder>', 'what set-up installed: Python and the Temporal dev server').hideHelp(),
  new Option('--task-queue <name>', 'Temporal task queue'),
  new Option('--namespace <name>', 'Temporal namespace'),
];
const SERVING: Option[] = [
  new Option('--sandbox <name>', 'sandbox backend'),
  new Option('--isolation <kind>', 'bubblewrap, or none for development'),
  new Option('--packs <folder>', 'folder of context packs; repeatable').argParser(collect),
  new Option('--durability <kind>', 'process survives any kill, host a power cut too'),
];

/** The options every command takes. */
export function withConfig(command: Command): Command {
  for (const option of OPTIONS) command.addOption(option);
  return command;
}

/** The options of commands that bring a worker. */
export function withServing(command: Command): Command {
  for (const option of SERVING) command.addOption(option);
  return command;
}

/** The configuration that a command line means. */
export function configOf(options: ConfigFlags, { env, cwd }: CliContext): ResolvedConfig {
  const { config, dataDir, runtimeDir, namespace, taskQueue, sandbox, isolation, packs, durability, allow, model, temporalPort, uiPort, pool } = options;
  return resolveConfig({ flags: { config, dataDir, runtimeDir, namespace, taskQueue, sandbox, isolation, packs, durability, allow, model, temporalPort, uiPort, pool }, env, cwd });
}

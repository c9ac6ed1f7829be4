import { Command } from 'commander';
import { refusal, shown } from '../admission/refusal.js';
import type { ConfigFlags } from '../config.js';
import { runHost, type HostEvent } from '../embedded/host.js';
import { clean } from './clean.js';
import { configOf, toNumber, withConfig, withServing } from './config-options.js';
import type { CliContext } from './context.js';
import type { Tone } from './terminal.js';

const MAX_WORKERS = 64;

/** `up`: server, scripted model and workers for one data directory until SIGINT or SIGTERM. */
export function upCommand(context: CliContext): Command {
  const command = new Command('up')
    .description('serve the sessions of a data directory: Temporal server and workers in one')
    .option('--workers <n>', 'worker processes', toNumber, 1)
    .option('--temporal-port <n>', 'port of the embedded server', toNumber)
    .option('--ui-port <n>', 'port of its web page', toNumber)
    .option('--model <name>', 'model for requests that name none');
  return withServing(withConfig(command)).action(async ({ workers, ...options }: ConfigFlags & { workers: number }) => {
    if (!Number.isInteger(workers) || workers < 1 || workers > MAX_WORKERS) throw refusal(`--workers is ${shown(workers)}, which is not a whole number from 1 to ${MAX_WORKERS}: choose a value in these bounds.`);
    const config = configOf(options, context);
    let ready = false;
    await runHost(config, {
      mode: 'up',
      workers,
      onEvent: (event) => {
        ready ||= event.kind === 'host-ready';
        // What never served says why, and nothing else.
        if (event.kind === 'host-stopping' && !ready) return;
        const line = hostLine(event, config.dataDir);
        if (line) context.terminal.note(clean(line.text), line.tone);
      },
    });
  });
}

/** An event of the host as a line, or null when it is not worth one. Pure. */
export function hostLine(event: HostEvent, dataDir: string): { text: string; tone: Tone } | null {
  switch (event.kind) {
    case 'host-ready': {
      const { address, uiUrl, modelUrl, workers, taskQueue } = event.record;
      const model = modelUrl === null ? '' : ' · model: scripted (playbooks, no AI)';
      return { text: `nl2code serves ${dataDir} · temporal ${address}, queue ${taskQueue} · worker ${workers.join(', ')}${model}${uiUrl ? `\ntemporal ui ${uiUrl}` : ''}\nCtrl-C stops it; sessions are kept.`, tone: 'plain' };
    }
    case 'leftovers-ended':
      return { text: `ended what an earlier nl2code left: ${event.pids.join(', ')}`, tone: 'warn' };
    case 'host-stopping':
      return { text: 'stopping …', tone: 'dim' };
    case 'host-listening':
      return null;
    case 'process-started':
      return { text: `${event.name} started as ${event.pid}`, tone: 'dim' };
    case 'process-died': {
      const how = event.signal ? `signal ${event.signal}` : `code ${event.code}`;
      return { text: `${event.name}${event.pid === null ? '' : ` ${event.pid}`} ended by ${how}: started again${event.againInMs > 0 ? ` in ${event.againInMs / 1000} s` : ''}`, tone: 'warn' };
    }
  }
}

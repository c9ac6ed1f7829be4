import { InvalidArgumentError, Option, type Command } from 'commander';
import type { RequestOptions } from '../admission/admit.js';
import { refusal, shown } from '../admission/refusal.js';
import type { ConfigFlags } from '../config.js';
import type { Exposure } from '../session/exposure.js';
import { STRATEGIES } from '../session/request.js';
import { collect, toNumber, withConfig, withServing } from './config-options.js';

/** The command line of `run`. */
export interface RunOptions extends ConfigFlags {
  input?: string[];
  output?: string[];
  truth?: string[];
  pack?: string;
  tool?: string[];
  strategy?: string;
  approval?: string;
  maxSteps?: number;
  maxCostUsd?: number;
  maxTokens?: number;
  deadline?: string;
  maxRepairs?: number;
  cellTimeoutMs?: number;
  out?: string;
  json?: boolean;
  detach?: boolean;
  idempotencyKey?: string;
  label?: Record<string, string>;
  exposure?: string;
  inputExposure?: Record<string, string>;
}

/** What a session decided with its first request. */
const FIRST_ONLY: ReadonlySet<string> = new Set(['pack']);

const OPTIONS: Option[] = [
  new Option('-i, --input <file>', 'a file the code may read; repeatable').argParser(collect),
  new Option('-o, --output <path>', 'a file the script promises to write; repeatable').argParser(collect),
  new Option('--truth <file>', 'a file only checks may read; repeatable').argParser(collect),
  new Option('--pack <name>', 'context pack'),
  new Option('--tool <name>', 'a tool of the worker that code may call; repeatable').argParser(collect),
  new Option('--strategy <name>', STRATEGIES.join(', ')),
  new Option('--exposure <level>', 'what of the data the model may read: schema, masked or full'),
  new Option('--input-exposure <file=level>', 'what it may read of one --input at most; repeatable').argParser(keyed),
  new Option('--model <name>', 'model as the endpoint knows it'),
  new Option('--approval <policy>', 'when a person is asked: never, plan (before any code), every-cell, or final (the script)'),
  new Option('--max-steps <n>', 'most steps of this request').argParser(toNumber),
  new Option('--max-cost-usd <n>', 'most US dollars for model calls').argParser(toNumber),
  new Option('--max-tokens <n>', 'most tokens of model calls, prompts included').argParser(toNumber),
  new Option('--deadline <time>', 'end with what is there: minutes from now (90m), hours (2h), or an instant'),
  new Option('--max-repairs <n>', 'how often a failed check goes back to the model').argParser(toNumber),
  new Option('--cell-timeout-ms <n>', 'time limit of one cell').argParser(toNumber),
  new Option('--allow <folder>', 'inputs may come from here too; repeatable').argParser(collect),
  new Option('--out <folder>', 'write script, outputs and trace there at the end'),
  new Option('--json', 'print one JSON document on stdout'),
  new Option('--detach', 'print the session id and leave; needs a running nl2code up'),
  new Option('--idempotency-key <key>', 'the same key finds the same session'),
  new Option('--label <key=value>', 'a label of the session; repeatable').argParser(keyed),
];

/** Options of a request; `following` leaves out what the session has decided. */
export function withRunOptions(command: Command, { following = false } = {}): Command {
  for (const option of OPTIONS) if (!following || !FIRST_ONLY.has(option.attributeName())) command.addOption(option);
  return withServing(withConfig(command));
}

/** The request a command line means; what was not given is left to the configuration. */
export function requestOptions(prompt: string, options: RunOptions): RequestOptions {
  const given = <T extends object>(members: T) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
  return {
    prompt,
    ...given({ inputs: inputsOf(options), exposure: options.exposure as RequestOptions['exposure'], outputs: options.output, truth: options.truth, pack: options.pack, tools: options.tool, strategy: options.strategy, idempotencyKey: options.idempotencyKey, labels: options.label }),
    ...given({ approval: options.approval as RequestOptions['approval'] }),
    budget: given({ maxSteps: options.maxSteps, maxCostUsd: options.maxCostUsd, maxTokens: options.maxTokens, deadline: options.deadline === undefined ? undefined : instant(options.deadline, Date.now()) }),
    limits: given({ maxRepairs: options.maxRepairs, cellTimeoutMs: options.cellTimeoutMs }),
  };
}

function inputsOf({ input, inputExposure = {} }: RunOptions): RequestOptions['inputs'] {
  const stray = Object.keys(inputExposure).find((path) => !input?.includes(path));
  if (stray !== undefined) throw refusal(`--input-exposure names ${shown(stray)}, which is no --input: give the path of one.`);
  return input?.map((path) => (Object.hasOwn(inputExposure, path) ? { path, exposure: inputExposure[path] as Exposure } : path));
}

/** `90m` and `2h` from `now` on, in Unix milliseconds, as an instant; anything else is left to admission. Pure. */
export function instant(given: string, now: number): string {
  const [, count, unit] = /^(\d{1,6})(m|h)$/.exec(given) ?? [];
  return count === undefined ? given : new Date(now + Number(count) * (unit === 'h' ? 3_600_000 : 60_000)).toISOString();
}

function keyed(value: string, before: Record<string, string> = {}): Record<string, string> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('give it as key=value.');
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

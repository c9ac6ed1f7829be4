import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { injectFault, playbookReport } from '../model/scripted/control.js';
import type { Fault } from '../model/scripted/fault.js';
import { loadPlaybooks, parsePlaybook, type Playbook } from '../model/scripted/playbook.js';
import type { PlaybookReport } from '../model/scripted/report.js';
import { startScriptedServer } from '../model/scripted/server.js';
import type { StrategyName } from '../session/request.js';

/** One reply of the model, in its place in the conversation. `{{name}}` in its texts is replaced by what `read` found. */
export interface ScriptedTurn {
  /** For messages; `turn 1`, `turn 2` … without one. */
  name?: string;
  say?: string;
  /** Tool calls, such as `{ tool: 'submit', arguments: { path: 'a.py', answer: 'Done.' } }`. */
  calls?: readonly { tool: string; arguments: Record<string, unknown> }[];
  /** All must be found in what was observed since the turn before, or the model refuses the request. Matched line by line, in any case. */
  expect?: readonly RegExp[];
  /** Taken from anything that was observed: the group `value`, else the first, else the whole match. */
  read?: Readonly<Record<string, RegExp>>;
  /** The conversation may end here. Without a turn that says so it is the last one. */
  last?: boolean;
  /** Why this turn may go unused. */
  optional?: string;
}

export interface ScriptedModelOptions {
  /** The strategy the turns are written for; `codeact` when missing. Playbook files name theirs. */
  strategy?: StrategyName;
  /** Words that a request must hold for these turns to play, in any case; any request when missing. */
  words?: readonly string[];
  /** Name of the model it serves; `scripted` when missing. Another one lets a worker with real configuration use it as its endpoint. */
  model?: string;
}

/** A model double on a loopback port. Strict: a request that no turn was written for is refused, and `assertPlayed` finds what was not used. */
export interface ScriptedModel {
  /** What to give as base URL. It serves one model, `scripted` unless named otherwise. */
  baseUrl: string;
  /** Makes the next replies fail as a real endpoint does, e.g. `{ kind: 'rate-limited', retryAfter: '1' }`. */
  fail(fault: Pick<Fault, 'kind'> & Partial<Fault>): Promise<void>;
  /** What was asked so far, by conversation. */
  report(): Promise<PlaybookReport>;
  /** Throws an `Error` that names every surplus request, every turn that was not played and every observation that did not fit. */
  assertPlayed(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a model that plays turns given in code, a playbook file (`<request>.<strategy>.yaml`, see docs/playbooks.md), or all playbooks of
 * some folders. It is no AI: results say `scripted`. Throws `bad-input` for a turn or file that is malformed.
 */
export async function scriptedModel(written: readonly ScriptedTurn[] | string | readonly string[], options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const server = await startScriptedServer({ playbooks: playbooks(written, options), ...(options.model === undefined ? {} : { model: options.model }) });
  const report = () => playbookReport(server.baseUrl);
  return {
    baseUrl: server.baseUrl,
    fail: (fault) => injectFault(server.baseUrl, fault),
    report,
    async assertPlayed() {
      const wrong = complaints(await report());
      if (wrong.length > 0) throw new Error(`The scripted model was not played as written:\n${wrong.map((line) => `- ${line}`).join('\n')}`);
    },
    close: () => server.close(),
  };
}

function playbooks(written: readonly ScriptedTurn[] | string | readonly string[], options: ScriptedModelOptions): Playbook[] {
  const given = typeof written === 'string' ? [written] : written;
  if (isPaths(given)) return given.flatMap((path) => (statSync(path, { throwIfNoEntry: false })?.isDirectory() ? loadPlaybooks([path]) : [readPlaybook(path)]));
  const { strategy = 'codeact', words = [] } = options;
  const turns = given.map(({ name, expect = [], read = {}, last, ...turn }, i) => ({
    ...turn,
    name: name ?? `turn ${i + 1}`,
    expect: expect.map(({ source }) => source),
    read: Object.fromEntries(Object.entries(read).map(([key, { source }]) => [key, source])),
    last: last ?? (i === given.length - 1 && !given.some((other) => other.last)),
  }));
  // As a file, so that turns in code are checked as those of a file are. JSON is YAML.
  const playbook = parsePlaybook(`turns.${strategy}.yaml`, JSON.stringify({ match: { words: ['any'] }, turns }));
  return [{ ...playbook, words: [...words] }];
}

function isPaths(given: readonly ScriptedTurn[] | readonly string[]): given is readonly string[] {
  return given.length > 0 && given.every((each) => typeof each === 'string');
}

function readPlaybook(path: string): Playbook {
  return parsePlaybook(basename(path), readFileSync(path, 'utf8'), (text) => readFileSync(join(dirname(path), text), 'utf8'));
}

function complaints({ conversations, unmatched }: PlaybookReport): string[] {
  if (conversations.length === 0 && unmatched.length === 0) return ['nobody asked it anything'];
  return [
    ...unmatched,
    ...conversations.flatMap(({ mismatches, unused, finished, playbook }) => [
      ...mismatches,
      ...unused.map((turn) => `${playbook}: "${turn}" was not played`),
      ...(finished || unused.length > 0 ? [] : [`${playbook}: no turn that may be the last was played`]),
    ]),
  ];
}

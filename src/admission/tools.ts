import type { ResolvedConfig } from '../config.js';
import { TOOL_NAME } from '../session/bridged-tool.js';
import type { Request, StrategyName } from '../session/request.js';
import { refusal, shown } from './refusal.js';
import { checkTexts } from './request-options.js';

const MAX_TOOLS = 100;

/** The tools that a request's code may call: those it names, else those the configuration allows. None is no member at all. Pure. */
export function resolveTools(given: unknown, { tools: { allow } }: Pick<ResolvedConfig, 'tools'>, strategy: StrategyName): Pick<Request, 'tools'> {
  const runsCells = strategy !== 'single-shot';
  if (given === undefined) return runsCells && allow !== null && allow.length > 0 ? { tools: named(allow) } : {};
  const names = named(checkTexts(given, 'tools'));
  const stray = names.find((name) => allow !== null && !allow.includes(name));
  if (stray !== undefined) throw refusal(`The tool ${shown(stray)} is not among tools.allow of the configuration, which has ${allow!.length > 0 ? allow!.join(', ') : 'none'}: leave it out, or add it there.`);
  if (names.length > 0 && !runsCells) throw refusal(`Strategy ${strategy} runs no code in a session, so that nothing could call the tool ${shown(names[0])}: leave tools out, or choose another strategy.`);
  return names.length > 0 ? { tools: names } : {};
}

function named(names: readonly string[]): string[] {
  const wrong = names.find((name) => !TOOL_NAME.test(name));
  if (wrong !== undefined) throw refusal(`The tool ${shown(wrong)} can't be one: name a tool of the worker, as it is registered there.`);
  if (names.length > MAX_TOOLS) throw refusal(`The request names ${names.length} tools: name at most ${MAX_TOOLS}.`);
  return [...new Set(names)].sort();
}

import { z } from 'zod';
import { TOOL_NAME, type BridgedTool } from '../session/bridged-tool.js';
import type { Json } from '../session/json.js';
import { strayArgument, wrongArguments } from './sentences.js';
import type { Tool } from './tool.js';

const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_TIMEOUT_MS = 3_600_000;
const MAX_TOOLS = 100;

/** A tool whose every option is set and was checked. */
export interface ResolvedTool extends BridgedTool {
  idempotency: Tool['idempotency'];
  timeoutMs: number;
  run: Tool['run'];
  /** Arguments as the tool gets them, or why it does not take them. */
  take(args: Record<string, Json>): Promise<{ args: Record<string, unknown> } | { problem: string }>;
}

/** The tools of a worker by their names. Throws `TypeError` with one sentence for one that can't be used. */
export class ToolSet {
  private readonly tools = new Map<string, ResolvedTool>();

  constructor(tools: readonly Tool[]) {
    if (!Array.isArray(tools)) throw new TypeError('tools is not a list: give the tools that code may call as one.');
    if (tools.length > MAX_TOOLS) throw new TypeError(`There are ${tools.length} tools: give at most ${MAX_TOOLS}.`);
    for (const tool of tools as readonly Tool[]) {
      const resolved = resolveTool(tool);
      if (this.tools.has(resolved.name)) throw new TypeError(`Two tools are called ${resolved.name}: rename one.`);
      this.tools.set(resolved.name, resolved);
    }
  }

  get names(): string[] {
    return [...this.tools.keys()].sort();
  }

  get(name: string): ResolvedTool | undefined {
    return this.tools.get(name);
  }

  /** What is told of those that exist among these. */
  described(names: readonly string[]): BridgedTool[] {
    return [...new Set(names)].sort().flatMap((name) => {
      const tool = this.tools.get(name);
      return tool ? [{ name, description: tool.description, parameters: tool.parameters }] : [];
    });
  }
}

function resolveTool(tool: Tool): ResolvedTool {
  const { name, description, idempotency, timeoutMs = DEFAULT_TIMEOUT_MS } = tool;
  if (typeof name !== 'string' || !TOOL_NAME.test(name)) {
    throw new TypeError(`A tool is called ${JSON.stringify(name)}: give it a Python name of at most 64 lower-case letters, digits and "_", other than call and list.`);
  }
  const no = (what: string): TypeError => new TypeError(`The tool ${name} ${what}`);
  if (typeof description !== 'string' || !description.trim()) throw no('has no description: say what it does, the model reads it.');
  if (idempotency !== 'key' && idempotency !== 'none') throw no(`has the idempotency ${JSON.stringify(idempotency)}: say "key" when a second call with the same key does nothing more, else "none".`);
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS)) throw no(`has the timeoutMs ${JSON.stringify(timeoutMs)}: give milliseconds from 1 to ${MAX_TIMEOUT_MS}.`);
  if (typeof tool.run !== 'function') throw no('has no function run: give one.');
  const { schema, parameters } = parametersOf(tool, no);
  return { name, description: description.trim(), idempotency, timeoutMs, parameters, run: (args, call) => tool.run(args, call), take: taking(name, schema, parameters) };
}

/** The schema that arguments are held against, and the same as JSON. */
function parametersOf({ parameters }: Tool, no: (what: string) => TypeError): { schema: z.ZodType; parameters: { [key: string]: Json } } {
  if (typeof parameters !== 'object' || parameters === null) throw no('has no parameters: give a zod object, or the JSON schema of one.');
  let schema: z.ZodType;
  let json: { [key: string]: Json };
  try {
    schema = '_zod' in parameters ? (parameters as z.ZodType) : z.fromJSONSchema(parameters as z.core.JSONSchema.JSONSchema);
    json = '_zod' in parameters ? (z.toJSONSchema(schema, { io: 'input' }) as { [key: string]: Json }) : (structuredClone(parameters) as { [key: string]: Json });
  } catch (error) {
    throw no(`has parameters that can't be used as a JSON schema: ${(error as Error).message.split('\n')[0]}.`);
  }
  delete json.$schema;
  if (json.type !== 'object' || (json.properties !== undefined && !isObject(json.properties))) throw no('has parameters that are no object: give a zod object, or a JSON schema of "type": "object".');
  return { schema, parameters: json };
}

function taking(name: string, schema: z.ZodType, parameters: { [key: string]: Json }): ResolvedTool['take'] {
  const known = Object.keys(isObject(parameters.properties) ? parameters.properties : {});
  const others = parameters.additionalProperties ?? false;
  return async (args) => {
    const stray = others === false ? Object.keys(args).find((key) => !known.includes(key)) : undefined;
    if (stray !== undefined) return { problem: strayArgument(name, stray, known) };
    const read = await z.safeParseAsync(schema, args);
    if (read.success) return { args: read.data as Record<string, unknown> };
    const why = read.error.issues.slice(0, 3).map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message));
    return { problem: wrongArguments(name, why.join('; ')) };
  };
}

const isObject = (value: unknown): value is Record<string, Json> => typeof value === 'object' && value !== null && !Array.isArray(value);

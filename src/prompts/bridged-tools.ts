import type { BridgedTool } from '../session/bridged-tool.js';
import type { Json } from '../session/json.js';

/** Where the code runs that may call tools of the host. */
export type CallingCode = 'cell' | 'program';

const WHERE: Record<CallingCode, string> = { cell: 'In a cell', program: 'In a program of run_python' };
const MAX_CHOICES = 12;

/** What a model is told of the tools that its code may call: part of the system prompt where there are any. The words are the operator's. Pure. */
export function bridgedToolsText(tools: readonly BridgedTool[], where: CallingCode): string {
  return `Bridged tools
${WHERE[where]}, code can also call these functions, which run outside of the sandbox, after import nl2code:
${tools.map(toolText).join('\n')}
Arguments are given by name; arguments and answers are JSON values of at most 1 MiB. A call has its effect in earnest: make it once, keep the answer in a variable, and make calls in a fixed order, which no clock, chance, thread or order of a set decides. A tool that fails raises nl2code.ToolError. nl2code.Uncertain means that nobody knows whether the call took effect: find out before you repeat it.
The final script runs without this session and can't call them: write what it needs of an answer into it, as a constant or the default of an option.`;
}

function toolText({ name, description, parameters }: BridgedTool): string {
  const properties = Object.entries(isObject(parameters.properties) ? parameters.properties : {});
  const required = Array.isArray(parameters.required) ? parameters.required : [];
  const given = properties.map(([key, schema]) => `${key}: ${typeText(schema)}${required.includes(key) ? '' : ` = ${defaultText(schema)}`}`);
  const said = properties.flatMap(([key, schema]) => (isObject(schema) && typeof schema.description === 'string' ? [`${key}: ${schema.description}`] : []));
  return [`- nl2code.tools.${name}(${given.join(', ')}): ${description}`, ...said].join('\n').replaceAll('\n', '\n    ');
}

const TYPES: Readonly<Record<string, string>> = { string: 'str', integer: 'int', number: 'float', boolean: 'bool', null: 'None', object: 'dict' };

/** A JSON schema as a type of Python, as far as one says it. */
function typeText(schema: Json | undefined): string {
  if (!isObject(schema)) return 'JSON';
  if (schema.const !== undefined) return literal(schema.const);
  if (Array.isArray(schema.enum)) return [...schema.enum.slice(0, MAX_CHOICES).map(literal), ...(schema.enum.length > MAX_CHOICES ? ['…'] : [])].join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return [...new Set(choices.map(typeText))].join(' | ');
  if (schema.type === 'array') return schema.items === undefined ? 'list' : `list[${typeText(schema.items)}]`;
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? null];
  return [...new Set(types.map((type) => (typeof type === 'string' ? (TYPES[type] ?? 'JSON') : 'JSON')))].join(' | ');
}

function defaultText(schema: Json): string {
  return isObject(schema) && schema.default !== undefined ? literal(schema.default) : '…';
}

function literal(value: Json): string {
  return value === null ? 'None' : value === true ? 'True' : value === false ? 'False' : JSON.stringify(value);
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);

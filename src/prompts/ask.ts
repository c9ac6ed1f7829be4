import type { ModelReply, ToolSpec } from '../model/endpoint.js';
import type { Hash, Json } from '../session/json.js';
import type { CallingCode } from './bridged-tools.js';

/** What the product asks of a model. Strategies choose an ask by name; activities look it up here. */
export interface AskSpec {
  /** Its first line names the strategy. The same for every ask of a strategy, so that the sent prefix stays stable. */
  system: string;
  /** The same for every ask of a strategy too; `parse` is strict about which of them counts now. */
  tools: ToolSpec[];
  /** The user message that asks, or null where the conversation itself asks (the last message is an observation). `item` counts from 0. */
  instruction: string | null | ((item: number) => string);
  words: AskWords;
  /** Where its code may call tools of the host; absent where none of its code runs in the session. The same for every ask of a strategy. */
  calling?: CallingCode;
  /** The small value the workflow gets. `store` keeps code and returns its hash; `inputs` names the request's inputs. */
  parse(reply: ModelReply, store: (code: string) => Hash, inputs?: readonly string[]): Json;
}

/** What an ask has of its strategy. */
export type AskFrame = Pick<AskSpec, 'system' | 'tools' | 'words' | 'calling'>;

/** Sentences that tell the model how it goes on under its strategy. */
export interface AskWords {
  /** Where nothing else asks. */
  goOn: string;
  /** After a reply that held nothing to act on. */
  noCall: string;
  /** After the reason why a script was not accepted. */
  repair: string;
}

/** A tool's JSON schema from its arguments' descriptions; all are required unless listed as optional. */
export function tool(name: string, description: string, properties: Record<string, Json>, optional: string[] = []): ToolSpec {
  const required = Object.keys(properties).filter((key) => !optional.includes(key));
  return { name, description, parameters: { type: 'object', properties, required, additionalProperties: false } };
}

/** The arguments of a call as an object, or undefined when they are not one. */
export function callArguments(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

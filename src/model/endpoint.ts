import type { Usage } from '../session/usage.js';

/** A chat message in the product's own shape; the endpoint client turns it into the wire format. */
export type ChatMessage =
  | { role: 'system'; content: string }
  | { role: 'user'; content: string }
  | { role: 'assistant'; content: string; calls: RawCall[] }
  | { role: 'tool'; callId: string; content: string };

/** A tool call as the model wrote it. `arguments` is text that may or may not be JSON. */
export interface RawCall {
  id: string;
  name: string;
  arguments: string;
}

/** A tool offered to the model; `parameters` is a JSON schema. */
export interface ToolSpec {
  name: string;
  description: string;
  parameters: Record<string, unknown>;
}

export interface ModelRequest {
  model: string;
  messages: ChatMessage[];
  tools: ToolSpec[];
  maxOutputTokens: number;
  /** JSON schema that the reply's text is to follow; left out for an endpoint that holds none to it. */
  schema?: Record<string, unknown>;
}

export interface ModelReply {
  content: string;
  calls: RawCall[];
  finishReason: string;
  /** As the endpoint counted, or estimated at 4 characters a token where it does not count. */
  usage: Usage;
  usageEstimated: boolean;
  /** Model name the endpoint reported. */
  model: string;
  requestId: string;
}

/** A model behind an OpenAI-compatible API. Errors are `Nl2codeError` with a `model-*` code. */
export interface ModelEndpoint {
  /** One streamed completion; no retries of its own. `onDelta` gets text and progress as they arrive. */
  complete(
    request: ModelRequest,
    options: { signal: AbortSignal; onDelta?: (delta: ModelDelta) => void },
  ): Promise<ModelReply>;
  /**
   * Checks key and model before anything starts. Throws `model-auth`, `model-not-found` or `model-unreachable`; an
   * endpoint without a model list passes.
   */
  probe(model: string, options?: { timeoutMs?: number }): Promise<void>;
  /** True for the bundled scripted model: results say so. */
  readonly scripted: boolean;
}

export interface ModelDelta {
  /** New text of the reply, or of a call's arguments. */
  text: string;
  in: 'content' | 'call';
}

import type OpenAI from 'openai';
import type { Dialect } from './dialect.js';
import type { ChatMessage, ModelRequest, RawCall, ToolSpec } from './endpoint.js';
import { joined, withoutSystem, withoutTools } from './plain-messages.js';

/** The body of a chat completion as the endpoint takes it. Pure. */
export function toWire(request: ModelRequest, dialect: Dialect, temperature: number | null): OpenAI.ChatCompletionCreateParams {
  return {
    model: request.model,
    messages: spoken(request.messages, dialect).map(toWireMessage),
    // Endpoints refuse an empty list of tools.
    ...(dialect.tools && request.tools.length > 0 && { tools: request.tools.map(toWireTool) }),
    ...(dialect.schema && request.schema && { response_format: { type: 'json_schema', json_schema: { name: 'reply', strict: true, schema: request.schema } } }),
    [dialect.cap]: Math.min(request.maxOutputTokens, dialect.mostOutputTokens ?? Infinity),
    ...(dialect.temperature && temperature !== null && { temperature }),
    ...(dialect.stream && { stream: true, ...(dialect.streamOptions && { stream_options: { include_usage: true } }) }),
  } as OpenAI.ChatCompletionCreateParams;
}

function spoken(messages: readonly ChatMessage[], { tools, system, repeats }: Dialect): ChatMessage[] {
  let all = [...messages];
  if (!tools) all = withoutTools(all);
  if (!system) all = withoutSystem(all);
  return system && repeats ? all : joined(all);
}

function toWireMessage(message: ChatMessage): OpenAI.ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.content };
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.content };
    case 'assistant':
      if (message.calls.length === 0) return { role: 'assistant', content: message.content };
      return {
        role: 'assistant',
        content: message.content === '' ? null : message.content,
        tool_calls: message.calls.map(toWireCall),
      };
  }
}

function toWireCall(call: RawCall): OpenAI.ChatCompletionMessageFunctionToolCall {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } };
}

function toWireTool(tool: ToolSpec): OpenAI.ChatCompletionFunctionTool {
  return {
    type: 'function',
    function: { name: tool.name, description: tool.description, parameters: tool.parameters },
  };
}

/** Characters of everything a request sends that counts as prompt tokens. Pure. */
export function promptChars(request: ModelRequest): number {
  const messages = request.messages.reduce((sum, m) => {
    const calls = m.role === 'assistant' ? m.calls.reduce((n, c) => n + c.name.length + c.arguments.length, 0) : 0;
    return sum + m.content.length + calls;
  }, 0);
  return (
    messages +
    request.tools.reduce((n, t) => n + t.name.length + t.description.length + JSON.stringify(t.parameters).length, 0)
  );
}

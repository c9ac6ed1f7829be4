import { delta, DONE, type Answer, failure, hanging, status, stream, usage } from './answering-server.js';

/** What an endpoint does, the code it is given, whether the session tries again by itself, and the exact sentence that a person sees. */
export interface FailureRow {
  name: string;
  answer: Answer;
  code: string;
  again: boolean;
  /** ENDPOINT stands for host and port. */
  sees: string;
  retryAfterMs?: number;
}

const row = (name: string, answer: Answer, code: string, again: boolean, sees: string, retryAfterMs?: number): FailureRow => ({ name, answer, code, again, sees, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });

const WAIT = 'Wait, or raise the limit at the provider; the session tries again by itself.';
const FAILED = 'The endpoint failed; the session tries again by itself.';
const LONG = 'Use a model with a larger context window, a shorter request, or a smaller model.maxOutputTokens.';
const CHECK = 'Check that OPENAI_BASE_URL and the model are the right ones: nl2code doctor --model says what this endpoint takes.';
const GARBAGE = 'The endpoint did not answer as an OpenAI-compatible API does; check OPENAI_BASE_URL.';
const CUT = 'The reply ended half-way; the session tries again by itself.';
const CREDIT = 'Add credit at the provider, then run the request again.';
const FILTER = 'Word the request otherwise, or change the filter at the provider.';
const NAME = 'Name a model the endpoint serves with --model or NL2CODE_MODEL.';
const json = (code: number, body: unknown): Answer => status(code, body);
const long = (name: string, answer: Answer, sees: string): FailureRow => row(name, answer, 'model-context-length', false, `${sees} ${LONG}`);

/** Every way an endpoint fails with an answer. */
export const FAILURES: FailureRow[] = [
  row('400', failure(400, 'bad schema'), 'model-bad-request', false, `ENDPOINT answered 400. It said: "bad schema" ${CHECK}`),
  row('401', failure(401, 'Incorrect API key provided'), 'model-auth', false, 'ENDPOINT answered 401: the key is not accepted. It said: "Incorrect API key provided" Check OPENAI_API_KEY.'),
  row('402', failure(402, 'Insufficient Balance'), 'model-quota', false, `ENDPOINT answered 402: the account has no credit left. It said: "Insufficient Balance" ${CREDIT}`),
  row('403', failure(403, 'Country not supported'), 'model-forbidden', false, 'ENDPOINT answered 403: the key is not allowed to use model "m", or not from here. It said: "Country not supported" Give the key access at the provider, or use another key or model.'),
  row('403 of a model the project has no access to', failure(403, 'Project `p` does not have access to model `m`', { code: 'model_not_found' }), 'model-not-found', false, `ENDPOINT answered 403 for model "m": no such model, or no /chat/completions under this OPENAI_BASE_URL. It said: "Project \`p\` does not have access to model \`m\`" ${NAME}`),
  row('404 of a model', failure(404, 'The model `m` does not exist', { code: 'model_not_found' }), 'model-not-found', false, `ENDPOINT answered 404 for model "m": no such model, or no /chat/completions under this OPENAI_BASE_URL. It said: "The model \`m\` does not exist" ${NAME}`),
  row('404 of a page', status(404, '<html>nope</html>'), 'model-not-found', false, `ENDPOINT answered 404 for model "m": no such model, or no /chat/completions under this OPENAI_BASE_URL. ${NAME}`),
  row('408', failure(408, 'timeout'), 'model-server-error', true, `ENDPOINT answered 408: it waited too long for the request. It said: "timeout" ${FAILED}`),
  row('409', failure(409, 'conflict'), 'model-server-error', true, `ENDPOINT answered 409. It said: "conflict" ${FAILED}`),
  row('422', json(422, { detail: [{ loc: ['body', 'messages'], msg: 'Field required' }] }), 'model-bad-request', false, `ENDPOINT answered 422. It said: "{"detail":[{"loc":["body","messages"],"msg":"Field required"}]}" ${CHECK}`),
  row('429 with seconds', failure(429, 'slow down', {}, { 'retry-after': '7' }), 'model-rate-limited', true, `ENDPOINT answered 429: too many requests. It said: "slow down" ${WAIT}`, 7_000),
  row('429 with milliseconds', failure(429, 'slow down', {}, { 'retry-after-ms': '250', 'retry-after': '7' }), 'model-rate-limited', true, `ENDPOINT answered 429: too many requests. It said: "slow down" ${WAIT}`, 250),
  row('429 without a time', failure(429, ''), 'model-rate-limited', true, `ENDPOINT answered 429: too many requests. ${WAIT}`),
  row('429 of the quota', failure(429, 'You exceeded your current quota', { code: 'insufficient_quota', type: 'insufficient_quota' }), 'model-quota', false, `ENDPOINT answered 429: the account has no credit left. It said: "You exceeded your current quota" ${CREDIT}`),
  row('500', failure(500, 'oops'), 'model-server-error', true, `ENDPOINT answered 500. It said: "oops" ${FAILED}`),
  row('501', failure(501, 'chat is not built in'), 'model-bad-request', false, `ENDPOINT answered 501. It said: "chat is not built in" ${CHECK}`),
  row('502 of a page', status(502, '<html>Bad Gateway</html>'), 'model-server-error', true, `ENDPOINT answered 502. ${FAILED}`),
  row('503 with seconds', failure(503, 'later', {}, { 'retry-after': '2' }), 'model-server-error', true, `ENDPOINT answered 503. It said: "later" ${FAILED}`, 2_000),
  row('504', status(504, ''), 'model-server-error', true, `ENDPOINT answered 504. ${FAILED}`),
  long('413', status(413, '<html>Request Entity Too Large</html>'), 'ENDPOINT answered 413: the conversation is longer than it takes.'),
  long('the context of OpenAI', failure(400, "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please reduce the length of the messages.", { code: 'context_length_exceeded', type: 'invalid_request_error', param: 'messages' }), `ENDPOINT answered 400: the conversation is longer than model "m" takes. It said: "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please reduce the length of the messages."`),
  long('the context of vLLM', json(400, { object: 'error', message: 'The decoder prompt (length 9001) is longer than the maximum model length of 8192.', type: 'BadRequestError', param: null, code: 400 }), 'ENDPOINT answered 400: the conversation is longer than model "m" takes. It said: "The decoder prompt (length 9001) is longer than the maximum model length of 8192."'),
  long('the context of llama.cpp', json(400, { error: { code: 400, message: 'the request exceeds the available context size, try increasing it', type: 'exceed_context_size_error', n_prompt_tokens: 9001, n_ctx: 4096 } }), 'ENDPOINT answered 400: the conversation is longer than model "m" takes. It said: "the request exceeds the available context size, try increasing it"'),
  long('the context of Ollama', json(400, { error: { message: 'input length exceeds the context length', type: 'api_error', param: null, code: null } }), 'ENDPOINT answered 400: the conversation is longer than model "m" takes. It said: "input length exceeds the context length"'),
  long('the context of LiteLLM', failure(400, "litellm.ContextWindowExceededError: litellm.BadRequestError: prompt is too long: 210000 tokens > 200000 maximum", { type: null, param: null, code: '400' }), 'ENDPOINT answered 400: the conversation is longer than model "m" takes. It said: "litellm.ContextWindowExceededError: litellm.BadRequestError: prompt is too long: 210000 tokens > 200000 maximum"'),
  long('the context of Gemini', json(400, [{ error: { code: 400, message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).', status: 'INVALID_ARGUMENT' } }]), 'ENDPOINT answered 400: the conversation is longer than model "m" takes. It said: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."'),
  long('a request that no wait makes fit', failure(429, 'Request too large for model `m` on tokens per minute (TPM): Limit 12000, Requested 15318.'), 'ENDPOINT answered 429: the conversation is longer than model "m" takes. It said: "Request too large for model `m` on tokens per minute (TPM): Limit 12000, Requested 15318."'),
  row('a content filter', failure(400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", { code: 'content_filter' }), 'model-refused', false, `ENDPOINT answered 400: its content filter refuses the conversation. It said: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy." ${FILTER}`),
  row('400 of a playbook', failure(400, 'turn 2 expected NaN', { code: 'playbook_mismatch' }), 'playbook-mismatch', false, 'turn 2 expected NaN The scripted model only plays written requests: set OPENAI_BASE_URL and OPENAI_API_KEY to use a real one.'),
  row('a redirect', status(302, '', { location: 'https://elsewhere.example/' }), 'model-bad-request', false, `ENDPOINT answered 302: a redirect to https://elsewhere.example/, which is not followed because the key belongs to one host; set OPENAI_BASE_URL to the final address. ${CHECK}`),
  row('a web page', status(200, '<html>Log in</html>'), 'model-garbage', true, `The answer of ENDPOINT is not a chat completion: it is a web page. ${GARBAGE}`),
  row('JSON of another API', json(200, { hello: 'world' }), 'model-garbage', true, `The answer of ENDPOINT is not a chat completion: neither choices nor usage in it. ${GARBAGE}`),
  row('JSON that is cut', (r) => r.writeHead(200, { 'content-type': 'application/json' }).end('{"choices": ['), 'model-garbage', true, `The answer of ENDPOINT is not JSON (Unexpected end of JSON input). ${GARBAGE}`),
  row('an empty choice list', json(200, { id: 'x', choices: [] }), 'model-garbage', true, `The answer of ENDPOINT is not a chat completion: no choice in it. ${GARBAGE}`),
  row('a choice without a message', json(200, { id: 'x', choices: [{ index: 0, finish_reason: 'stop' }] }), 'model-garbage', true, `The answer of ENDPOINT is not a chat completion: no message in its choice. ${GARBAGE}`),
  row('200 with an error inside', json(200, { error: { message: 'busy', code: 429 } }), 'model-rate-limited', true, `ENDPOINT answered with an error: too many requests. It said: "busy" ${WAIT}`),
  row('an event that is not JSON', stream('data: <nonsense>\n\n', DONE), 'model-garbage', true, `The answer of ENDPOINT is not JSON (Unexpected token '<', "<nonsense>" is not valid JSON). ${GARBAGE}`),
  row('a stream of something else', stream({ choices: 'none' }), 'model-garbage', true, `The answer of ENDPOINT is not a chat completion: choices is not a list. ${GARBAGE}`),
  row('a stream without a choice', stream(usage(1, 0, 1), DONE), 'model-garbage', true, `The answer of ENDPOINT is not a chat completion: no choice in it. ${GARBAGE}`),
  row('an error inside a stream', stream(delta({ content: 'a' }), { error: { message: 'overloaded', type: 'server_error' } }), 'model-server-error', true, `ENDPOINT answered with an error. It said: "overloaded" ${FAILED}`),
  row('a rate limit inside a stream', stream({ error: { message: 'slow', type: 'rate_limit_exceeded' } }), 'model-rate-limited', true, `ENDPOINT answered with an error: too many requests. It said: "slow" ${WAIT}`),
  row('a stream that ends too soon', stream(delta({ content: 'half' })), 'model-stream-cut', true, `The connection to ENDPOINT broke before the reply was complete (the stream ended without a finish reason). ${CUT}`),
  row('a stream that breaks', (r, s) => (hanging(delta({ content: 'half' }), 'data: {"choices":[{"del')(r, s), setImmediate(() => r.destroy())), 'model-stream-cut', true, `The connection to ENDPOINT broke before the reply was complete (UND_ERR_SOCKET: other side closed). ${CUT}`),
];

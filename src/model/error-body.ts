type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * A `fetch` whose JSON error bodies have the one shape that the client reads, `{error: {…}}`: vLLM and others send the error bare,
 * FastAPI as `detail`, Gemini in a list. What is not JSON stays as it is.
 */
export function errorsInShape(inner: Fetch): Fetch {
  return async (input, init) => {
    const response = await inner(input, init);
    if (response.ok || !(response.headers.get('content-type') ?? '').includes('json')) return response;
    const text = await response.text();
    return new Response(shaped(text), { status: response.status, statusText: response.statusText, headers: response.headers });
  };
}

function shaped(text: string): string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return text;
  }
  if (Array.isArray(body)) body = body[0];
  if (typeof body !== 'object' || body === null || 'error' in body) return JSON.stringify(body);
  const detail = 'detail' in body ? body.detail : undefined;
  return JSON.stringify({ error: typeof detail === 'string' ? { message: detail } : body });
}

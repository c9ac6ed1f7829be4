const PLACEHOLDER = /\{\{ *([a-z_][a-z0-9_]*)( *\| *json)? *\}\}/g;

/** Names that the texts of a value (strings at any depth) take from captures. Pure. */
export function placeholders(value: unknown): string[] {
  if (typeof value === 'string') return [...value.matchAll(PLACEHOLDER)].map((m) => m[1]!);
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(placeholders);
  return [];
}

/** Puts whole texts in the place of `{{name}}`, in strings at any depth; other names stay. Pure. */
export function pasted<T>(value: T, texts: Readonly<Record<string, string>>): T {
  return walked(value, (text) =>
    text.replace(PLACEHOLDER, (all, name: string) => (Object.hasOwn(texts, name) ? texts[name]! : all)),
  );
}

/**
 * Puts captured texts in their places, in strings at any depth: `{{name}}` as it is, `{{name|json}}` as a quoted
 * literal of JSON
 * and Python. Other braces stay as they are. Pure.
 */
export function filled<T>(value: T, captured: Readonly<Record<string, string>>): T {
  return walked(value, (text) =>
    text.replace(PLACEHOLDER, (_, name: string, quoted) => (quoted ? JSON.stringify(captured[name]) : captured[name]!)),
  );
}

function walked<T>(value: T, change: (text: string) => string): T {
  const walk = (v: unknown): unknown => {
    if (typeof v === 'string') return change(v);
    if (Array.isArray(v)) return v.map(walk);
    if (typeof v === 'object' && v !== null)
      return Object.fromEntries(Object.entries(v).map(([k, member]) => [k, walk(member)]));
    return v;
  };
  return walk(value) as T;
}

import { byNearness } from '../config/nearest.js';
import { Nl2codeError } from '../session/error-table.js';
import { WrongShape } from './reply-assembly.js';

/**
 * Looks for a model in the text that `GET /models` gave. Passes when it is there (also as `models/<name>` or
 * `<name>:latest`) or
 * when there is no usable list; throws `model-not-found` naming up to five that exist, `WrongShape` for a web page.
 * Pure.
 */
export function checkModelList(text: string, model: string, host: string): void {
  if (text.trimStart().startsWith('<')) throw new WrongShape('it is a web page');
  const ids = idsOf(text);
  if (ids.length === 0 || [model, `models/${model}`, `${model}:latest`].some((name) => ids.includes(name))) return;
  const near = byNearness(model, ids).slice(0, 5);
  const more = ids.length > near.length ? ` and ${ids.length - near.length} more` : '';
  throw new Nl2codeError(
    'model-not-found',
    `${host} serves no model "${model.slice(0, 100)}"; it has ${near.map((id) => id.slice(0, 100)).join(', ')}${more}.`,
  );
}

function idsOf(text: string): string[] {
  try {
    const list = JSON.parse(text) as { data?: unknown };
    if (!Array.isArray(list.data)) return [];
    return list.data.slice(0, 10_000).flatMap((m: unknown) => {
      const id = typeof m === 'object' && m !== null && 'id' in m ? m.id : null;
      return typeof id === 'string' && /^[\w./:@ +-]+$/.test(id) ? [id] : [];
    });
  } catch {
    return [];
  }
}

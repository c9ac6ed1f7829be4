import type { Request } from './request.js';

/** What of the data a model may read, strictest first: types and shapes; everything but identifiers and free text; everything. */
export const EXPOSURES = ['schema', 'masked', 'full'] as const;
export type Exposure = (typeof EXPOSURES)[number];

/** What a request gets that does not say. */
export const DEFAULT_EXPOSURE: Exposure = 'masked';

/** Whether `a` shows more than `b`. Pure. */
export function looser(a: Exposure, b: Exposure): boolean {
  return EXPOSURES.indexOf(a) > EXPOSURES.indexOf(b);
}

/** The strictest of some, `full` of none. Pure. */
export function strictest(given: readonly Exposure[]): Exposure {
  return EXPOSURES[Math.min(...given.map((exposure) => EXPOSURES.indexOf(exposure)), EXPOSURES.length - 1)]!;
}

/** What holds for all that a request shows: values can't be traced through code, so the strictest of its data sources. Pure. */
export function exposureOf({ exposure, inputs }: Pick<Request, 'exposure' | 'inputs'>): Exposure {
  return strictest([exposure ?? DEFAULT_EXPOSURE, ...inputs.flatMap((input) => input.exposure ?? [])]);
}

/** The loosest exposure that observations were stored under; `asked` when there are none. One without a mark was stored as it was seen. Pure. */
export function heldBy(seen: readonly { exposure?: Exposure }[], asked: Exposure): Exposure {
  if (seen.length === 0) return asked;
  return seen.reduce<Exposure>((loosest, { exposure = 'full' }) => (looser(exposure, loosest) ? exposure : loosest), 'schema');
}

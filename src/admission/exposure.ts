import type { ResolvedConfig } from '../config.js';
import { EXPOSURES, looser, type Exposure } from '../session/exposure.js';
import { refusal, shown } from './refusal.js';
import { checkKeys, type RequestOptions } from './request-options.js';

/** What a request may show a model: as asked, else as configured, never more than the operator allows. Pure. */
export function resolveExposure(given: unknown, { defaults, exposure: { max } }: Pick<ResolvedConfig, 'defaults' | 'exposure'>, what = 'exposure'): Exposure {
  const asked = given ?? defaults.exposure;
  if (!(EXPOSURES as readonly unknown[]).includes(asked)) throw refusal(`The ${what} ${shown(asked)} is not known: choose one of ${EXPOSURES.join(', ')}.`);
  if (looser(asked as Exposure, max)) throw refusal(`The ${what} ${shown(asked)} shows more than exposure.max of the configuration allows, which is ${shown(max)}: ask for ${max} or less.`);
  return asked as Exposure;
}

/** The inputs of a request as paths, and what each says of its own exposure. Pure. */
export function resolveInputs(given: RequestOptions['inputs'], config: Pick<ResolvedConfig, 'defaults' | 'exposure'>): { paths: string[]; exposures: (Exposure | undefined)[] } {
  const isInput = (input: unknown) => typeof input === 'string' || (typeof input === 'object' && input !== null);
  if (!Array.isArray(given ?? []) || !(given ?? []).every(isInput)) throw refusal(`inputs is ${shown(given)}: give a list of paths.`);
  const inputs = (given ?? []).map((input: unknown) => {
    if (typeof input === 'string') return { path: input };
    checkKeys(input, 'An input', ['path', 'exposure']);
    const { path, exposure } = input as { path?: unknown; exposure?: unknown };
    if (typeof path !== 'string') throw refusal(`The path of an input is ${shown(path)}: give the path of a file.`);
    return { path, ...(exposure === undefined ? {} : { exposure: resolveExposure(exposure, config, `exposure of ${shown(path)}`) }) };
  });
  return { paths: inputs.map(({ path }) => path), exposures: inputs.map((input) => ('exposure' in input ? input.exposure : undefined)) };
}

/** What a follow-up shows when it may: nothing that its session was stricter about is shown now, and what was shown can't be taken back. Pure. */
export function followingExposure(given: unknown, held: Exposure, config: Pick<ResolvedConfig, 'defaults' | 'exposure'>): Exposure {
  const { max } = config.exposure;
  const exposure = resolveExposure(given ?? (looser(held, max) ? max : held), config);
  if (looser(held, exposure)) throw refusal(`The session has shown its model data under exposure ${held}, and a follow-up sends that again, so it can't be ${exposure}: start a new session for ${exposure}.`);
  return exposure;
}

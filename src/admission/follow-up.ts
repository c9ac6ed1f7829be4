import type { ResolvedConfig } from '../config.js';
import type { InputRef, Request } from '../session/request.js';
import { heldExposure } from '../store/held-exposure.js';
import type { SessionFolder } from '../store/session-store.js';
import { admitChecked } from './admit.js';
import { checkRequest, type AdmissionPlace } from './check-request.js';
import { followingExposure } from './exposure.js';
import { refusal, shown } from './refusal.js';
import type { RequestOptions } from './request-options.js';

/**
 * Admits a request that goes on with a session: what is not given is as the request before had it, and new inputs join those that are
 * there. A refusal leaves the session as it was. Throws as `checkRequest` does.
 */
export async function admitFollowUp(options: RequestOptions, last: Request, config: ResolvedConfig, place: AdmissionPlace, folder: SessionFolder, id: string): Promise<Request> {
  const { limits, budget, approval, exposure, pack: _pack, sandbox: _sandbox, isolation: _isolation, ...given } = options;
  const { strategy, pack, outputs, model, sandbox, isolation, labels } = last;
  for (const [what, value, now] of [['pack', options.pack, pack], ['sandbox', options.sandbox, sandbox], ['isolation', options.isolation, isolation]] as const) {
    if (value !== undefined && value !== now) throw refusal(`A session keeps its ${what}, which is ${shown(now)}: leave it out, or start a new session.`);
  }
  const checked = await checkRequest(
    {
      ...{ strategy, pack, outputs, model, sandbox, isolation, labels },
      tools: keptTools(last, options, config),
      ...given,
      limits: { ...last.limits, ...(given.strategy === undefined || given.strategy === strategy ? {} : { maxRepairs: undefined }), ...limits },
      // A deadline was that of the request before.
      budget: { ...last.budget, deadline: null, ...budget },
      approval: approval ?? last.approval,
      exposure: followingExposure(exposure, heldExposure(folder), config),
    },
    config,
    place,
  );
  // The session's folder is not this request's to remove.
  const admitted = await admitChecked({ ...checked, keyed: true }, config, () => folder, id);
  const inputs = joined(last.inputs, admitted.inputs);
  return { ...admitted, inputs, truth: joined(last.truth, admitted.truth), follows: { request: last.id, newInputs: inputs.length > last.inputs.length } };
}

/** The tools of the request before, as far as they are still allowed; none where the strategy that follows can't call any. */
function keptTools({ tools = [], strategy }: Request, options: RequestOptions, { tools: { allow } }: ResolvedConfig): string[] {
  return (options.strategy ?? strategy) === 'single-shot' ? [] : tools.filter((name) => allow === null || allow.includes(name));
}

/** Both lists; a file of the same name has the same content, or its snapshot was refused. */
function joined(before: readonly InputRef[], added: readonly InputRef[]): InputRef[] {
  return [...before, ...added.filter(({ name }) => !before.some((input) => input.name === name))];
}

import { rm } from 'node:fs/promises';
import type { Admission } from '../client.js';
import type { ResolvedConfig } from '../config.js';
import type { Request } from '../session/request.js';
import type { SessionFolder } from '../store/session-store.js';
import { checkRequest, type AdmissionPlace, type CheckedRequest } from './check-request.js';
import { admitFollowUp } from './follow-up.js';
import type { RequestOptions } from './request-options.js';
import { snapshotInputs } from './snapshot.js';

/**
 * Admission for a client on the host that holds the files: checks a request, then copies its inputs into the session's folder.
 * A refusal leaves nothing behind; repeating an admission with the same files is harmless.
 */
export function createAdmission(config: ResolvedConfig, place: AdmissionPlace = {}): Admission<RequestOptions> {
  return {
    admit: async (options, folderOf, id) => admitChecked(await checkRequest(options, config, place), config, folderOf, id),
    admitFollowUp: (options, last, folder, id) => admitFollowUp(options, last, config, place, folder, id),
  };
}

/** The second half of an admission: copies the inputs of a request that was checked. */
export async function admitChecked(checked: CheckedRequest, { durability }: Pick<ResolvedConfig, 'durability'>, folderOf: () => SessionFolder, id: string): Promise<Request> {
  const { request, inputs, exposures, truth, policy, keyed } = checked;
  const folder = folderOf();
  try {
    return {
      id,
      ...request,
      inputs: (await snapshotInputs(inputs, folder.inputs, policy, durability)).map((ref, i) => ({ ...ref, ...(exposures[i] ? { exposure: exposures[i] } : {}) })),
      truth: await snapshotInputs(truth, folder.truth, policy, durability),
    };
  } catch (error) {
    // Without a key the session's id is new, so nobody else can be using the folder.
    if (!keyed) await rm(folder.path, { recursive: true, force: true });
    throw error;
  }
}

export { checkRequest, type AdmissionPlace, type CheckedRequest } from './check-request.js';
export { snapshotInputs } from './snapshot.js';
export type { RequestOptions } from './request-options.js';

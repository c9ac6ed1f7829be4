import { rm } from 'node:fs/promises';
import type { Admission } from '../client.js';
import type { ResolvedConfig } from '../config.js';
import { checkRequest, type AdmissionPlace } from './check-request.js';
import type { RequestOptions } from './request-options.js';
import { snapshotInputs } from './snapshot.js';

/**
 * Admission for a client on the host that holds the files: checks a request, then copies its inputs into the session's folder.
 * A refusal leaves nothing behind; repeating an admission with the same files is harmless.
 */
export function createAdmission(config: ResolvedConfig, place: AdmissionPlace = {}): Admission<RequestOptions> {
  return {
    async admit(options, folderOf, id) {
      const { request, inputs, truth, policy } = await checkRequest(options, config, place);
      const folder = folderOf();
      try {
        return {
          id,
          ...request,
          inputs: await snapshotInputs(inputs, folder.inputs, policy, config.durability),
          truth: await snapshotInputs(truth, folder.truth, policy, config.durability),
        };
      } catch (error) {
        // Without a key the session's id is new, so nobody else can be using the folder.
        if (options.idempotencyKey === undefined) await rm(folder.path, { recursive: true, force: true });
        throw error;
      }
    },
  };
}

export { checkRequest, type AdmissionPlace, type CheckedRequest } from './check-request.js';
export { snapshotInputs } from './snapshot.js';
export type { RequestOptions } from './request-options.js';

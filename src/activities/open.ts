import { packText } from '../context/pack-text.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Json } from '../session/json.js';
import { requestProblem } from '../session/session-state.js';
import type { StepCall, StepReply } from '../session/step.js';
import { requests } from '../store/read-result.js';
import { verdicts } from './past.js';
import { step } from './step.js';
import type { StepWorld } from './world.js';

const REMEMBERED_VERDICTS = 20;

/** Opens a request: finds where the session stands, checks what was admitted, and records the whole request with what its pack says. */
export function createOpen(world: StepWorld) {
  return async (call: StepCall<'open'>): Promise<StepReply<'open'>> => {
    const { request } = call.args;
    const folder = world.store.session(call.session);
    const head = call.parent ?? folder.chain.head();
    const past = folder.chain.walk(head);
    const all = verdicts(past);
    const seq = past.length > 0 ? past.at(-1)!.record.seq + 1 : 0;
    const same = all.find((verdict) => verdict.request === request.id);
    if (same) return { head: head!, value: { seq: seq - 1, verdicts: [same] } };
    return step(world, { ...call, parent: head, seq }, async () => {
      const problem = requestProblem(request);
      if (problem) throw new Nl2codeError('bad-request', problem);
      for (const [parent, refs] of [[folder.inputs, request.inputs], [folder.truth, request.truth]] as const) {
        for (const { name, bytes } of refs) {
          if (folder.bytesOf(parent, name) !== bytes) throw new Nl2codeError('bad-input', `Input ${JSON.stringify(name)} is not in the session as it was admitted.`);
        }
      }
      // What a pack says stays in the conversation of the whole session.
      const told = requests(past.map(({ record }) => record)).some(({ pack }) => pack === request.pack);
      const text = request.pack && !told ? packText(await world.pack(request.pack), request) : '';
      return { value: { seq, verdicts: all.slice(-REMEMBERED_VERDICTS) } as unknown as Json, refs: text ? { observation: folder.blobs.keep(text) } : {} };
    });
  };
}

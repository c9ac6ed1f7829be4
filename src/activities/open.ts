import { outputsText, packText } from '../context/pack-text.js';
import { placeFile } from '../sandbox/place-file.js';
import type { BridgedTool } from '../session/bridged-tool.js';
import { Nl2codeError } from '../session/error-table.js';
import type { Json } from '../session/json.js';
import { exposureOf, looser } from '../session/exposure.js';
import type { SessionFolder } from '../store/session-store.js';
import { requestProblem } from '../session/session-state.js';
import type { StepCall, StepReply } from '../session/step.js';
import type { Request } from '../session/request.js';
import type { Link } from '../store/chain.js';
import { requests } from '../store/read-result.js';
import { lastVerified } from './last-verified.js';
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
      const exposure = exposureOf(request);
      if (looser(exposure, world.maxExposure)) throw new Nl2codeError('bad-request', `The request's exposure is ${exposure}, and this worker shows a model ${world.maxExposure} at most: ask for less.`, { remedy: '' });
      const tools = toolsOf(world, request);
      for (const [parent, refs] of [[folder.inputs, request.inputs], [folder.truth, request.truth]] as const) {
        for (const { name, bytes } of refs) {
          if (folder.bytesOf(parent, name) !== bytes) throw new Nl2codeError('bad-input', `Input ${JSON.stringify(name)} is not in the session as it was admitted.`);
        }
      }
      const text = [scriptText(folder, past), await packPart(world, past, request)].filter((part) => part !== '').join('\n\n');
      return { value: { seq, verdicts: all.slice(-REMEMBERED_VERDICTS) } as unknown as Json, refs: { ...(text ? { observation: folder.blobs.keep(text) } : {}), ...(tools.length > 0 ? { tools: folder.blobs.keep(JSON.stringify(tools)) } : {}) } };
    });
  };
}

/** What the model is told of the tools that the request's code may call. Throws `bad-request` for one that this worker does not have or allow. */
function toolsOf({ tools: bridge }: StepWorld, { tools = [] }: Request): BridgedTool[] {
  const known = bridge?.names ?? [];
  const missing = tools.find((name) => !known.includes(name));
  if (missing !== undefined) throw new Nl2codeError('bad-request', `The request may call the tool ${JSON.stringify(missing)}, and this worker has ${known.length > 0 ? known.join(', ') : 'no tools'}: register it there, with new Nl2codePlugin({ tools }), or leave it out.`, { remedy: '' });
  const denied = tools.find((name) => bridge!.allow !== null && !bridge!.allow.includes(name));
  if (denied !== undefined) throw new Nl2codeError('bad-request', `The request may call the tool ${JSON.stringify(denied)}, which tools.allow of this worker's configuration does not name: leave it out.`, { remedy: '' });
  return bridge?.described(tools) ?? [];
}

/** Where a follow-up finds the script it goes on from: a person's edit, or a script handed in as text, is no file of the workspace yet. */
function scriptText(folder: SessionFolder, past: readonly Link[]): string {
  const last = lastVerified(folder, past);
  const name = last && placeFile(folder.sandbox, last.path, last.script.text);
  return name ? `The script that was verified last, with any change a person made, stands in ${JSON.stringify(name)}.` : '';
}

/** What the pack says: all of it once in a session, since it stays in the conversation; later only the outputs it was not asked for before. */
async function packPart(world: StepWorld, past: readonly Link[], request: Request): Promise<string> {
  if (request.pack === null) return '';
  const before = requests(past.map(({ record }) => record)).filter(({ pack }) => pack === request.pack);
  const pack = await world.pack(request.pack);
  return before.length === 0 ? packText(pack, request) : outputsText(pack, request, before);
}

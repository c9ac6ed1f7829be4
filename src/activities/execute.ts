import { join } from 'node:path';
import { applicableChecks, type Pack } from '../context/pack.js';
import { agreedPlan } from '../session/agreed-plan.js';
import type { CodeRef } from '../session/decision.js';
import type { Json } from '../session/json.js';
import type { InputRef, Request } from '../session/request.js';
import type { StepCall, StepReply } from '../session/step.js';
import { promisedOutputs } from '../prompts/replies.js';
import type { ModelReply } from '../model/endpoint.js';
import type { Link } from '../store/chain.js';
import type { EventWriter } from '../store/event-log.js';
import type { SessionFolder } from '../store/session-store.js';
import { requests } from '../store/read-result.js';
import { lastVerified } from './last-verified.js';
import { Exposures } from './exposure.js';
import { codeText } from './code-text.js';
import { readScript } from './read-script.js';
import { runCell } from './run-cell.js';
import { signature, unparsed } from './seen.js';
import { requestOf } from './past.js';
import { sandboxSpec, verificationFolder } from './sandbox-spec.js';
import { shipStates } from './shipping.js';
import { step, type StepDone, type StepScene } from './step.js';
import type { StepWorld } from './world.js';

/** Runs a cell in the session's kernel, or verifies the final script in fresh sandboxes. */
export function createExecute(world: StepWorld): (call: StepCall<'execute'>) => Promise<StepReply<'execute'>> {
  const exposures = new Exposures(world);
  return async (call) => {
    let events: EventWriter | undefined;
    const reply = await step(world, call, async (scene) => {
      const { request } = requestOf(scene.past);
      const pack = request.pack ? await world.pack(request.pack) : null;
      events = scene.events;
      return call.args.target === 'script' ? verify(world, exposures, scene, request, pack) : runCell(world, exposures, scene, request, pack);
    });
    if (call.args.target !== 'script') shipStates(world, call, reply.head, events);
    return reply;
  };
}

async function verify(world: StepWorld, exposures: Exposures, { call, folder, past, key, attempt, events, signal }: StepScene<'execute'>, request: Request, pack: Pack | null): Promise<StepDone> {
  const script = scriptText(folder, call.args.code);
  const outputs = [...new Set([...request.outputs.map((output) => output.path), ...submittedOutputs(folder, past, call.args.call)])];
  const spec = sandboxSpec(world, folder, call.session, request, pack);
  const before = lastVerified(folder, past);
  const { lens } = exposures.lens({ call, folder, past }, request, pack);
  const seen = await world.verifier.verify(
    {
      session: call.session,
      folder: verificationFolder(folder, key, attempt),
      script,
      outputs: outputs.map((path) => ({ path })),
      inputs: files(folder.inputs, request.inputs),
      truth: files(folder.truth, request.truth),
      mounts: spec.mounts,
      pythonPath: spec.pythonPath,
      pack: pack ? { folder: pack.folder, checks: applicableChecks(pack, outputs) } : null,
      checks: agreedPlan(requestOf(past).since.map(({ record }) => record), (hash) => folder.blobs.read(hash), call.facts)?.plan.checks ?? [],
      limits: spec.limits,
      scriptTimeoutMs: request.limits.scriptTimeoutMs,
      isolation: request.isolation,
      hashSeed: spec.hashSeed,
      asked: requests(past.map(({ record }) => record)).map(({ prompt }) => prompt),
      ...(before ? { before } : {}),
      keys: Object.fromEntries((pack?.outputs ?? []).flatMap(({ path, key }) => (key === null ? [] : [[path, key]]))),
      keep: (fd, maxBytes) => folder.blobs.putFrom(fd, maxBytes),
    },
    { signal, onProgress: (check) => events.emit('verification-progress', lens.check(check) as unknown as Json) },
  );
  const observation = lens.verification(seen, script);
  const hash = script === null ? null : folder.blobs.put(script);
  return {
    value: { ok: observation.ok, ...(hash ? { code: hash } : {}), sig: signature(observation), ...unparsed(observation.findings.find(({ code }) => code === 'syntax-error')?.message) } as Json,
    refs: { ...(hash ? { code: hash } : {}), observation: folder.blobs.keep(JSON.stringify(observation)) },
  };
}

const files = (parent: string, refs: readonly InputRef[]) => refs.map(({ name }) => ({ name, path: join(parent, name) }));

/** The script's text; null when a submitted path holds none. */
function scriptText(folder: SessionFolder, code: CodeRef | null): string | null {
  return code && 'path' in code ? readScript(folder, code.path) : codeText(folder, code);
}

function submittedOutputs(folder: SessionFolder, past: readonly Link[], callId: string): string[] {
  const reply = past.findLast((link) => link.record.kind === 'code')?.record.refs.reply;
  return reply ? promisedOutputs(JSON.parse(folder.blobs.text(reply)) as ModelReply, callId) : [];
}

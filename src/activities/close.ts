import type { Artifact, ArtifactsObservation } from '../session/observation.js';
import type { Hash } from '../session/json.js';
import type { StepCall, StepReply } from '../session/step.js';
import { lostSpent, type Link } from '../store/chain.js';
import type { EventWriter } from '../store/event-log.js';
import type { SessionFolder } from '../store/session-store.js';
import { sweepVerifications } from '../verification/scratch.js';
import { collectArtifacts } from './collect-artifacts.js';
import { decidedOutputs, observationOf, requestOf, submittedPath } from './past.js';
import { shipStates } from './shipping.js';
import { step } from './step.js';
import { readSummary } from '../store/summary.js';
import { writeTrace } from '../store/trace.js';
import type { StepWorld } from './world.js';

/** Closes a request: keeps what it leaves, records the verdict, and writes trace and summary from the chain. */
export function createClose(world: StepWorld) {
  return async (call: StepCall<'close'>): Promise<StepReply<'close'>> => {
    const folder = world.store.session(call.session);
    let events: EventWriter | undefined;
    const reply = await step(world, call, async ({ past, events: own }) => {
      events = own;
      const { since } = requestOf(past);
      const seen = since.map((link) => observationOf(folder, link));
      const outputs = decidedOutputs(folder, since, call.args.verdict.script);
      const script = finalScript(folder, since, call.args.verdict.script);
      const taken = new Set([...outputs, ...script].map((artifact) => artifact.path));
      const left = collectArtifacts(folder).filter((artifact) => !taken.has(artifact.path));
      const observation: ArtifactsObservation = { kind: 'artifacts', artifacts: [...script, ...outputs, ...left, ...seen.flatMap(shownImages)] };
      world.kernels.release(folder.sandbox);
      await sweepVerifications(folder.verify);
      // Calls of a step that was stopped or given up have no record of their own.
      const spent = lostSpent(folder.chain.unaccounted(since));
      return { value: null, refs: { observation: folder.blobs.keep(JSON.stringify(observation)) }, spent };
    });
    shipStates(world, call, reply.head, events);
    writeTrace(folder, reply.head);
    readSummary(folder);
    return reply;
  };
}

/** The script that was decided on, under the name it was submitted by: an edit stands here, not what the workspace still holds. */
function finalScript(folder: SessionFolder, since: readonly Link[], script: Hash | undefined): Artifact[] {
  if (!script) return [];
  return [{ path: submittedPath(since), bytes: folder.blobs.readBytes(script).length, sha256: script, role: 'script' }];
}

/** Images that a cell displayed, by the cell's number. */
function shownImages(observation: ReturnType<typeof observationOf>): Artifact[] {
  if (observation?.kind !== 'cell') return [];
  return [...observation.displays, ...(observation.result ? [observation.result] : [])].flatMap((display, i) =>
    Object.entries(display.images).map(([mime, { hash, bytes }]): Artifact => ({ path: `cell-${observation.k}-${i + 1}.${mime === 'image/png' ? 'png' : 'jpg'}`, bytes, sha256: hash, role: 'plot' })),
  );
}

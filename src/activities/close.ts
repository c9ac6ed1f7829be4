import { writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifact, ArtifactsObservation } from '../session/observation.js';
import type { StepCall, StepReply } from '../session/step.js';
import { collectArtifacts } from './collect-artifacts.js';
import { observationOf, requestOf } from './past.js';
import { step } from './step.js';
import { traceLines } from '../store/trace.js';
import type { StepWorld } from './world.js';

/** Closes a request: keeps what it leaves, records the verdict, and writes the trace from the chain. */
export function createClose(world: StepWorld) {
  return async (call: StepCall<'close'>): Promise<StepReply<'close'>> => {
    const folder = world.store.session(call.session);
    const reply = await step(world, call, async ({ past }) => {
      const { since } = requestOf(past);
      const seen = since.map((link) => observationOf(folder, link));
      const verification = seen.findLast((observation) => observation?.kind === 'verification');
      const outputs = verification?.kind === 'verification' ? verification.outputs : [];
      const taken = new Set(outputs.map((artifact) => artifact.path));
      const displayed = seen.flatMap((observation): Artifact[] =>
        observation?.kind !== 'cell'
          ? []
          : [...observation.displays, ...(observation.result ? [observation.result] : [])].flatMap((display, i) =>
              Object.entries(display.images).map(([mime, { hash, bytes }]) => ({ path: `cell-${observation.k}-${i + 1}.${mime === 'image/png' ? 'png' : 'jpg'}`, bytes, sha256: hash, role: 'plot' as const })),
            ),
      );
      const left = collectArtifacts(folder).filter((artifact) => !taken.has(artifact.path));
      const observation: ArtifactsObservation = { kind: 'artifacts', artifacts: [...outputs, ...left, ...displayed] };
      return { value: null, refs: { observation: folder.blobs.keep(JSON.stringify(observation)) } };
    });
    const temporary = join(folder.path, '.trace.jsonl');
    writeFileSync(temporary, traceLines(folder, reply.head).join(''), { mode: 0o600 });
    renameSync(temporary, folder.trace);
    return reply;
  };
}

import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../session/finding.js';
import type { Artifact } from '../session/observation.js';
import { finding } from '../verification/finding.js';
import type { Verifier } from '../verification/verify-job.js';

export interface VerifierDoubleOptions {
  /** The files a script "writes", by path. A promised output that is not among them is a finding, as it is in earnest. */
  outputs?: Readonly<Record<string, string | Uint8Array>>;
  /** What is wrong with the first, second … script that is handed in, one sentence each; a script without one is verified. */
  findings?: readonly (string | null)[];
}

/** A verifier that runs no script: it finds what the test says. Its result says that nothing ran. */
export function verifierDouble({ outputs = {}, findings = [] }: VerifierDoubleOptions = {}): Verifier {
  const left = [...findings];
  return {
    async verify({ script, folder, outputs: promised, keep }, { signal, onProgress }) {
      signal.throwIfAborted();
      const found = script === null ? [finding('script-missing', 'What was submitted is no file with text.')] : said(left.shift() ?? null);
      for (const { path } of promised) {
        if (script !== null && !Object.hasOwn(outputs, path)) found.push(finding('output-missing', `The test gives no content for the promised output ${path}.`, { path }));
      }
      const check = { check: 'double', state: found.length === 0 ? 'passed' : 'failed', detail: 'the verifier is a double: no script ran' } as const;
      onProgress?.(check);
      const text = { text: '', omitted: 0 };
      return { kind: 'verification', ok: found.length === 0, checks: [check], findings: found, outputs: script === null ? [] : stored(folder, outputs, keep), stdout: text, stderr: text, isolation: 'none', ms: 0 };
    },
  };
}

const said = (message: string | null): Finding[] => (message === null ? [] : [finding('run-failed', message)]);

function stored(folder: string, outputs: Readonly<Record<string, string | Uint8Array>>, keep: Parameters<Verifier['verify']>[0]['keep']): Artifact[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'output');
  try {
    return Object.entries(outputs).map(([path, content]): Artifact => {
      writeFileSync(file, content);
      const fd = openSync(file, 'r');
      try {
        const { hash, bytes } = keep(fd, Number.MAX_SAFE_INTEGER);
        return { path, bytes, sha256: hash, role: 'output' };
      } finally {
        closeSync(fd);
      }
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

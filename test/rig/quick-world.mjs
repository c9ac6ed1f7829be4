// A world that answers within milliseconds and from nothing but what it is sent, whichever worker asks: for what a session does on Temporal
// and in its chain. No endpoint, no sandbox, no Python.
import { setTimeout as delay } from 'node:timers/promises';
import { kernelDouble } from '../../dist/testing/kernel-double.js';
import { verifierDouble } from '../../dist/testing/verifier-double.js';

const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: 5 };
const SCRIPT = 'import sys\n\n\ndef main() -> int:\n    return 0\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n';

/** What the model does next: "take N cells" in the request says how many cells it runs before it writes the script and submits it. */
function nextCall(messages) {
  const last = messages.at(-1).content;
  if (/call review/i.test(last) && messages.at(-1).role === 'user') return ['review', { accept: true, summary: 'done' }];
  const at = messages.findLastIndex(({ role, content }) => role === 'user' && /^(Request|Follow-up request)\n/.test(content));
  const cells = Number(/take (\d+) cells/.exec(messages[at].content)[1]);
  const since = JSON.stringify(messages.slice(at));
  const steps = [...since.matchAll(/showed step (\d+)/g)].map(([, n]) => Number(n));
  const done = Math.max(0, ...steps);
  if (done < cells) return ['run_python', { code: `# step ${done + 1}\nprint("showed step", ${done + 1})\n` }];
  return since.includes('Wrote a.py') ? ['submit', { path: 'a.py', outputs: [], answer: 'done' }] : ['write_file', { path: 'a.py', content: SCRIPT }];
}

/** `pauseMs`: how long a call or a cell takes, so that a worker can die in the middle of one. */
export function quickWorld(world, pauseMs = 0) {
  const kernels = kernelDouble({ cell: (code) => `showed step ${/# step (\d+)/.exec(code)?.[1] ?? 'none'}\n` });
  const verifier = verifierDouble();
  return {
    ...world,
    ready: () => undefined,
    endpoint: {
      scripted: true,
      async probe() {},
      async complete({ messages }, { signal }) {
        await delay(pauseMs, undefined, { signal });
        const [name, args] = nextCall(messages);
        const call = { id: `c${messages.length}`, name, arguments: JSON.stringify(args) };
        return { content: '', calls: [call], finishReason: 'tool_calls', usage, usageEstimated: false, model: 'scripted', requestId: 'q' };
      },
    },
    kernels: {
      ...kernels,
      async runCell(spec, cell, hooks) {
        await delay(pauseMs, undefined, { signal: hooks.signal }).catch(() => undefined);
        if (!hooks.signal.aborted) return kernels.runCell(spec, cell, hooks);
        const { reply, ...result } = await kernels.runCell(spec, cell, { ...hooks, signal: new AbortController().signal });
        return { ...result, reply: { ...reply, ended: 'interrupted', error: { type: 'Interrupted', message: 'The cell was interrupted.', traceback: '' } } };
      },
    },
    verifier,
  };
}

// A world without outside: a model that answers at once and a kernel that runs nothing. What is left is the product's own cost.
import { SessionStore } from '../dist/store/session-store.js';

const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: 5 };
const text = (value) => ({ text: value, omitted: 0 });
const wireReply = { ended: 'ok', stdout: text('ok\n'), stderr: text(''), result: null, displays: [], error: null, ms: 0, restored: null, unsaved: null };

/** The model plays `pairs.value` cells, then submits; see step.mjs. */
export function noopWorld(root, durability) {
  return {
    store: new SessionStore(root, durability),
    endpoint: {
      scripted: true,
      async probe() {},
      async complete({ messages }, pairs) {
        const done = messages.filter((message) => message.role === 'assistant').length;
        const last = messages.at(-1).content;
        const call = (name, args) => ({ content: '', calls: [{ id: `c${done}`, name, arguments: JSON.stringify(args) }], finishReason: 'tool_calls', usage, usageEstimated: false, model: 'noop', requestId: `q${done}` });
        if (/call plan\b/.test(last)) return call('plan', { steps: ['count'], assumptions: [], questions: [], checks: [] });
        if (/call review\b/.test(last)) return call('review', { accept: true, summary: 'done' });
        return done <= pairs.value ? call('run_cell', { code: `x = ${done}` }) : call('submit', { path: 'a.py', outputs: [], answer: 'done' });
      },
    },
    priceOf: () => ({ prompt: 0, cached: 0, completion: 0 }),
    maxOutputTokens: 1000,
    kernels: { runCell: async () => ({ reply: wireReply, attachments: [], cached: false, saved: 'local', again: [] }), release() {}, async close() {} },
    verifier: { verify: async () => ({ kind: 'verification', ok: true, checks: [], findings: [], outputs: [], stdout: text(''), stderr: text(''), isolation: 'none', ms: 0 }) },
    pack: async () => undefined,
    leaseMs: 1000,
    maxExposure: 'full',
  };
}

export function noopRequest(steps) {
  return {
    id: 'r1', prompt: 'bench', strategy: 'codeact', pack: null, inputs: [], truth: [], outputs: [], model: 'noop', sandbox: 'process', isolation: 'none',
    limits: { cellTimeoutMs: 1000, scriptTimeoutMs: 1000, memoryBytes: 1, diskBytes: 1, maxRepairs: 0, stepsPerRun: 75 },
    budget: { maxSteps: steps + 100, maxCostUsd: null, maxTokens: null, deadline: null }, approval: { policy: 'never', expiryMs: 1000 }, labels: {},
  };
}

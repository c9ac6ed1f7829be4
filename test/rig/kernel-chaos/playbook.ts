import type { Playbook, Turn } from '../../../src/model/scripted/playbook.js';
import type { SessionCells } from './session-cells.js';

/** What the request says, so that the model knows which cells it is to run. */
export const wordOf = ({ seed }: Pick<SessionCells, 'seed'>) => `cells-of-seed-${seed}-in-order`;

/** A model that has planned every cell and looks at nothing. */
export function playbookOf(plan: SessionCells): Playbook {
  const turn = (name: string, say: string, code: string | null): Turn => ({ name, say, calls: code === null ? [] : [{ tool: 'run_cell', arguments: { code } }], read: {}, delayMs: 0, tokensPerSecond: 0, expect: [], last: false, optional: null });
  return {
    name: `seed-${plan.seed}.codeact`,
    request: `seed-${plan.seed}`,
    strategy: 'codeact',
    words: [wordOf(plan)],
    read: {},
    turns: [turn('plan', '1. Run the cells in order.', null), ...plan.cells.map((code, k) => ({ ...turn(`cell ${k}`, '', code), last: k === plan.cells.length - 1 }))],
    detours: [],
  };
}

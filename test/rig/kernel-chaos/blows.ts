import type { Random } from '../../kernel/random.js';
import { LARGE_ROWS, type SessionCells } from './session-cells.js';

/** Where a guest kills itself when told to; `fail_point` in the guest has them by these names. */
export const GUEST_POINTS = [
  'cell-ran-nothing-saved',
  'segment-half-written',
  'segment-renamed-manifest-not',
  'manifest-not-renamed',
  'manifest-renamed-reply-not-sent',
  'before-tool-call',
  'tool-answered',
  'restore-half-done',
  'forked-save-half',
] as const;
/** Those between the end of a cell's code and the moment that the host has its reply. */
export const COMMIT_POINTS = ['cell-ran-nothing-saved', 'segment-half-written', 'segment-renamed-manifest-not', 'manifest-not-renamed', 'manifest-renamed-reply-not-sent', 'forked-save-half'] as const;
/** Points outside the guest: the effect is done and its answer is lost; the cell's reply is stored and its worker dies. */
export const OUTER_POINTS = ['effect-done-answer-lost', 'reply-stored-worker-dead'] as const;
export type Point = (typeof GUEST_POINTS)[number] | (typeof OUTER_POINTS)[number];

export const TARGETS = ['kernel', 'init', 'zygote', 'supervisor', 'worker', 'server', 'effects'] as const;
export type Target = (typeof TARGETS)[number];

/** One deed of destruction in one session: when cell `cell` begins, after `pauseMs`. */
export type Blow = { cell: number; pauseMs: number } & ({ kind: 'kill'; target: Target } | { kind: 'point'; point: Point });

/** No cell may die three times by chance: that would be a cell that kills, which is another test. */
const APART = 2;
const LAST_CELLS = 3;

/**
 * The blows of a session: of one round, or of several for a long one. `nth` is the session's number, so that a few sessions together have seen
 * everything; the next round is as the next session.
 */
export function blowsOf(plan: SessionCells, random: Random, nth: number, rounds = 1): Blow[] {
  const blows: Blow[] = [];
  for (let round = 0; round < rounds; round += 1) addRound(blows, plan, random, nth + round);
  return blows.sort((a, b) => a.cell - b.cell);
}

/** A kill in the middle of a slow cell, up to four points, and kills of the rest in turn. */
function addRound(blows: Blow[], { cells, slow }: SessionCells, random: Random, nth: number): void {
  const add = (fits: (cell: number) => boolean, pauseMs: number, ...deeds: ({ kind: 'kill'; target: Target } | { kind: 'point'; point: Point })[]) => {
    const fitting = cells.map((_, cell) => cell).filter((cell) => cell > 3 && cell < cells.length - LAST_CELLS && fits(cell) && blows.every((blow) => Math.abs(blow.cell - cell) > APART));
    const cell = fitting[random.int(0, fitting.length - 1)];
    // A point is there before its cell begins.
    if (cell !== undefined) blows.push(...deeds.map((deed) => ({ cell: deed.kind === 'point' ? cell - 1 : cell, pauseMs, ...deed })));
  };
  // What fits few cells chooses first.
  const points: readonly Point[] = [...GUEST_POINTS, ...OUTER_POINTS];
  const mine = new Set([COMMIT_POINTS[nth % COMMIT_POINTS.length]!, points[(2 * nth) % points.length]!, points[(2 * nth + 1) % points.length]!, points[(2 * nth + 5) % points.length]!]);
  const rare = (point: Point) => Number(CALLS.has(point) || point === 'forked-save-half');
  for (const point of [...mine].sort((a, b) => rare(b) - rare(a))) {
    // A restore is half done only where there is one.
    const kill = point === 'restore-half-done' ? [{ kind: 'kill', target: 'kernel' } as const] : [];
    add((cell) => (point === 'forked-save-half' ? cells[cell]!.includes(LARGE_ROWS) : !CALLS.has(point) || cells[cell]!.includes('nl2code.tools')), 0, { kind: 'point', point }, ...kill);
  }
  add((cell) => slow.has(cell), random.int(60, 350), { kind: 'kill', target: (['kernel', 'init', 'supervisor'] as const)[nth % 3]! });
  for (const target of ['kernel', 'kernel', TARGETS[nth % TARGETS.length]!, TARGETS[(nth + 3) % TARGETS.length]!] as const) add(() => true, random.int(0, 40), { kind: 'kill', target });
}

const CALLS: ReadonlySet<Point> = new Set<Point>(['before-tool-call', 'tool-answered', 'effect-done-answer-lost']);

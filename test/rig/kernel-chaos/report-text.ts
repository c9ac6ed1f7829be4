import { GUEST_POINTS, OUTER_POINTS } from './blows.js';
import type { ChaosReport } from './kernel-chaos.js';

/** The report for people. */
export function reportText(report: ChaosReport, seed: number): string {
  const lines = [`${report.sessions} sessions of ${report.cells} cells, seeds ${seed} to ${seed + report.sessions - 1}, in ${(report.ms / 1000).toFixed(0)} s`, '', 'kills by target and phase'];
  for (const [key, count] of [...report.kills].sort()) lines.push(`  ${key.padEnd(36)}${count}`);
  lines.push('', 'points hit');
  for (const point of [...GUEST_POINTS, ...OUTER_POINTS]) lines.push(`  ${point.padEnd(36)}${report.points.get(point) ?? 0}`);
  const { perSession, midCell, midCommit } = report;
  lines.push('', `kills per session: ${Math.min(...perSession)} to ${Math.max(...perSession)}; sessions with one in a cell: ${midCell.filter((n) => n > 0).length}, in a commit: ${midCommit.filter((n) => n > 0).length}`);
  lines.push(`differences: ${report.differences.length}`, ...report.differences.slice(0, 40).map((difference) => `  ${difference}`));
  return lines.join('\n');
}

/** What was not reached, as sentences; a run that missed a class proves nothing about it. `leastHits` is how often each point must have been hit. */
export function missed(report: ChaosReport, leastHits: number): string[] {
  const found: string[] = [];
  for (const point of [...GUEST_POINTS, ...OUTER_POINTS]) if ((report.points.get(point) ?? 0) < leastHits) found.push(`point ${point} was hit ${report.points.get(point) ?? 0} times, not ${leastHits}`);
  report.perSession.forEach((kills, n) => kills < 5 && found.push(`session ${n + 1} saw ${kills} kills, not 5`));
  report.midCell.forEach((kills, n) => kills < 1 && found.push(`session ${n + 1} saw no kill in the middle of a cell`));
  report.midCommit.forEach((kills, n) => kills < 1 && found.push(`session ${n + 1} saw no kill in the middle of a commit`));
  return found;
}

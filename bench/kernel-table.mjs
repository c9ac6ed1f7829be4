const ms = (value) => (value < 10 ? `${value.toFixed(2)} ms` : value < 10_000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(1)} s`);

/** The kernel bench for people. */
export function kernelTable({ floor, small, num, mixed, growth, flat, rivals }) {
  const rows = [['', 'p50', 'p95', 'target', 'others']];
  const row = (name, seen, target = '', others = '') => rows.push([name, ms(seen.p50), `${ms(seen.p95)} (n ${seen.n})`, target, others]);
  row('floor: 2 synced writes, rename, folder', floor);
  row('start → first cell', small.start, '', `ipykernel ${ms(rivals.num.start.p50)}`);
  row('trivial cell, committed', small.committedCell, 'p95 < 10 ms', `ipykernel, not kept ${ms(rivals.num.trip.p50)}`);
  for (const [kind, seen] of [['num', num], ['mixed', mixed]]) {
    const target = (text) => (kind === 'num' ? text : '');
    const { cloudpickle, dill } = rivals[kind];
    rows.push([`ten frames of 100 MB, ${kind}`, '', '', '', '']);
    row('  one column changed', seen.column, '', `all again: cloudpickle ${ms(cloudpickle.write.p50)}, dill ${ms(dill.write.p50)}`);
    row('  one frame read', seen.read);
    row('  pause while 1 GB is saved', seen.pause, target('p95 ≤ 20 ms'));
    row('  reply of the next trivial cell meanwhile', seen.meanwhile);
    row('  until that is on disk', seen.durable);
    row('  back, kernel lost', seen.kernelLost, target('p95 ≤ 50 ms'), `read: cloudpickle ${ms(cloudpickle.read.p50)}, dill ${ms(dill.read.p50)}`);
    row('  back, sandbox lost', seen.sandboxLost, target('p95 ≤ 500 ms'));
    row('  back, sandbox lost, cold cache', seen.coldCache);
    row('  fork at a cell → first cell', seen.fork, target('p95 ≤ 500 ms'));
    row('    of that: its folder', seen.forkedFolder);
    row('    of that: its state back', seen.forkRestored);
    rows.push([`  first commit of all`, ms(seen.firstCommitMs), '', '', '']);
  }
  rows.push([`store growth, ${growth.cells} cells`, `${growth.ratio.toFixed(2)}×`, `${(growth.storeBytes / 2 ** 20).toFixed(1)} MiB`, '≤ 1.2×', '']);
  row('cell that makes two variables, first hundred', flat.first);
  row(`  the same, last hundred of ${flat.cells}`, flat.last);
  rows.push(['  last ÷ first hundred, p50', `${flat.ratio.toFixed(2)}×`, '', 'flat', `by hundreds ${flat.p50ByHundred.map((value) => value.toFixed(1)).join(' ')} ms`]);
  for (const [name, p50, p95, target, others] of rows) console.log(`${name.padEnd(46)}${p50.padEnd(12)}${p95.padEnd(20)}${target.padEnd(16)}${others}`);
}

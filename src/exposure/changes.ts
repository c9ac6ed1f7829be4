import type { Changes, OutputChange } from '../session/changes.js';

/** What changed, with every text of the data as `text` gives it; numbers stay. Pure. */
export function changesWith(changes: Changes, text: (given: string) => string): Changes {
  const output = ({ path, kind, detail, table, values, lines }: OutputChange): OutputChange => ({
    path: text(path),
    kind,
    ...(detail === undefined ? {} : { detail: text(detail) }),
    ...(lines === undefined ? {} : { lines }),
    ...(values === undefined ? {} : { values: values.map(({ at, before, after }) => ({ at: text(at), before: before && text(before), after: after && text(after) })) }),
    ...(table === undefined
      ? {}
      : {
          table: {
            ...table,
            key: table.key.map(text),
            cells: table.cells.map(([column, n]): [string, number] => [text(column), n]),
            added: table.added.map(text),
            removed: table.removed.map(text),
            totals: table.totals.map((total) => ({ ...total, column: text(total.column) })),
            groups: table.groups.map(({ column, values: counts }) => ({ column: text(column), values: counts.map(([value, a, b]): [string, number, number] => [text(value), a, b]) })),
          },
        }),
  });
  return { ...changes, script: { ...changes.script, diff: text(changes.script.diff) }, outputs: changes.outputs && changes.outputs.map(output), ...(changes.problem === undefined ? {} : { problem: text(changes.problem) }) };
}

/** What changed without any value: which files, and how many lines. Pure. */
export function changesWithout(changes: Changes, name: (path: string, at: number) => string, plain: boolean): Changes {
  const hidden = 'values are not shown under exposure schema';
  const outputs = changes.outputs?.map(({ path, kind, lines }, i): OutputChange => ({ path: name(path, i), kind, ...(kind === 'same' || kind === 'table' ? {} : { detail: hidden }), ...(lines === undefined ? {} : { lines }) })) ?? null;
  return { ...changes, script: { ...changes.script, diff: plain ? changes.script.diff : '' }, outputs, ...(changes.problem === undefined ? {} : { problem: hidden }) };
}

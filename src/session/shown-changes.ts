import type { Changes, OutputChange, TableChange } from './changes.js';

/** The same changes with every text that came out of files or scripts passed through `text`. Pure. */
export function changesThrough(changes: Changes, text: (given: string) => string): Changes {
  return {
    ...changes,
    script: { ...changes.script, diff: text(changes.script.diff) },
    outputs: changes.outputs && changes.outputs.map((output) => outputThrough(output, text)),
    ...(changes.problem === undefined ? {} : { problem: text(changes.problem) }),
  };
}

/**
 * The same changes without any value: kinds, and counts of rows and lines. `covers` says which names may be told; columns and files
 * with other names are left out or numbered. `plain`: whether the scripts may be told. Pure.
 */
export function changesWithoutValues(changes: Changes, covers: (name: string) => boolean, plain: boolean): Changes {
  const named = (names: string[]) => names.filter(covers);
  const table = ({ rows, key, left, came, changed, moved, cells, added, removed }: TableChange): TableChange => ({
    rows,
    key: key.every(covers) ? key : [],
    left,
    came,
    changed,
    moved,
    cells: cells.filter(([column]) => covers(column)),
    added: named(added),
    removed: named(removed),
    totals: [],
    groups: [],
  });
  return {
    against: changes.against,
    script: { ...changes.script, diff: plain || changes.script.diff === '' ? changes.script.diff : '[not told]' },
    outputs: changes.outputs && changes.outputs.map((output, i): OutputChange => ({ path: covers(output.path) ? output.path : `output ${i + 1}`, kind: output.kind, ...(output.table ? { table: table(output.table) } : {}), ...(output.lines ? { lines: output.lines } : {}) })),
    ...(changes.problem === undefined ? {} : { problem: 'they can not be read' }),
  };
}

function outputThrough({ path, detail, table, values, ...more }: OutputChange, text: (given: string) => string): OutputChange {
  return {
    ...more,
    path: text(path),
    ...(detail === undefined ? {} : { detail: text(detail) }),
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
            totals: table.totals.map(({ column, before, after }) => ({ column: text(column), before, after })),
            groups: table.groups.map(({ column, values: counts }) => ({ column: text(column), values: counts.map(([value, a, b]): [string, number, number] => [text(value), a, b]) })),
          },
        }),
  };
}

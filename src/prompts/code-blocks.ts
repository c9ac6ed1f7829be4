/** The fenced blocks of a reply with the language each names, in lower case. A fence that never closes is no block: the reply was cut. Pure. */
function fenced(text: string): { language: string; code: string }[] {
  const blocks: { language: string; code: string }[] = [];
  let open: { language: string; lines: string[]; fence: string } | undefined;
  for (const line of text.split('\n')) {
    const mark = /^\s*(`{3,}|~{3,})\s*([\w+-]*)\s*(.*)$/.exec(line.replace(/\r$/, ''));
    if (!open) {
      if (mark) open = { language: mark[2]!.toLowerCase(), lines: [], fence: mark[1]! };
    } else if (mark && mark[1]!.startsWith(open.fence) && !mark[2] && !mark[3]) {
      blocks.push({ language: open.language, code: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else open.lines.push(line);
  }
  return blocks;
}

const PYTHON: ReadonlySet<string> = new Set(['python', 'py', 'python3']);

/** The code of a reply that holds exactly one Python block, or one block that names no language and no other; undefined for none and for several: which one is meant is not ours to guess. Pure. */
export function pythonBlock(text: string): string | undefined {
  const blocks = fenced(text).filter(({ code }) => code.trim() !== '');
  const python = blocks.filter(({ language }) => PYTHON.has(language));
  if (python.length > 0) return python.length === 1 ? python[0]!.code : undefined;
  return blocks.length === 1 && blocks[0]!.language === '' ? blocks[0]!.code : undefined;
}

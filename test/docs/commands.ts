/** A command line of nl2code as a document shows it, and where. */
export interface ShownCommand {
  place: string;
  /** Words after `nl2code`. */
  words: string[];
}

/**
 * Every command line of nl2code in a Markdown text: lines of fenced blocks, spans of code, and further spans of a table row whose first
 * one is a command (`nl2code list`, `show <session>`). Of alternatives (`approve|reject`) the first is taken. Pure.
 */
export function shownCommands(file: string, text: string): ShownCommand[] {
  const found: ShownCommand[] = [];
  let fenced = false;
  for (const [at, line] of text.split('\n').entries()) {
    const place = `${file}:${at + 1}`;
    if (/^\s*```/.test(line)) {
      fenced = !fenced;
    } else if (fenced) {
      const shown = /(?:^|[\s;&|(])(?:npx )?nl2code ([a-z-].*)$/.exec(line);
      // A line of output may begin with the name too.
      if (shown && /^\s*(?:\$ |npx |nl2code |[A-Z_]+=|.*[;&|] *(?:npx )?nl2code )/.test(line) && !line.includes('·')) found.push({ place, words: split(shown[1]!) });
    } else {
      const spans = [...line.matchAll(/`([^`]+)`/g)].map(([, span]) => span!.replaceAll('\\|', '|'));
      const isRow = /^\|\s*`nl2code /.test(line);
      for (const span of isRow ? spans : spans.filter((each) => /^(?:npx )?nl2code [a-z-]/.test(each))) found.push({ place, words: split(span.replace(/^(?:npx )?nl2code /, '')) });
    }
  }
  return found;
}

/** The command lines that stand in fenced blocks, to be run as they are. Pure. */
export function fencedCommands(file: string, text: string): ShownCommand[] {
  const fences = text.split('\n').reduce<{ lines: string[]; fenced: boolean }>(
    ({ lines, fenced }, line) => {
      const edge = /^\s*```/.test(line);
      return { lines: [...lines, edge || fenced ? line : ''], fenced: edge ? !fenced : fenced };
    },
    { lines: [], fenced: false },
  );
  return shownCommands(file, fences.lines.join('\n'));
}

/** Options that a Markdown text names alone, such as `--json` or `--approval final`. Pure. */
export function shownOptions(file: string, text: string): ShownCommand[] {
  const spans = text.split('\n').flatMap((line, at) => [...line.matchAll(/`(--[a-z][^`]*)`/g)].map(([, span]) => ({ place: `${file}:${at + 1}`, words: split(span!) })));
  return spans.filter(({ words }) => words.length > 0);
}

/** Words as a shell splits them, without redirections, comments and what comes after a pipe. */
function split(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.replace(/\s#.*$/, '').matchAll(/"[^"]*"|'[^']*'|<[^>]+>|\[[^\]]*\]|[^\s"']+/g)) {
    if (/^(?:\||\|\||&&|;|>|2>|&)$/.test(word)) break;
    if (word.startsWith('[')) continue;
    words.push(word.replace(/^(["'])(.*)\1$/s, '$2').replace(/(?<=\w)\|.*$/, ''));
  }
  return words;
}

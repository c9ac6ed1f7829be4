import type { Request } from '../session/request.js';
import { plainPath, type Pack, type PackOutput } from './pack.js';

/** Upper bound of what a pack adds to a prompt, about 6,000 tokens. */
export const MAX_PACK_TEXT_CHARS = 24_000;
/** Room kept for the line that names what was left out. */
const REST_CHARS = 400;

interface Section {
  heading: string;
  /** Named in the last line when there is no room for it. */
  entries: { name: string; text: string }[];
}

/**
 * What a pack says to the model: conventions, the declared columns of the outputs this request promises or names, data and libraries. Pure.
 * Never more than `MAX_PACK_TEXT_CHARS`: what has no room is named. Checks, their modules and their truth are no part of it.
 */
export function packText(pack: Pack, request: Asking): string {
  const sections: Section[] = [
    {
      heading: `Company conventions (${pack.title})`,
      entries: pack.conventions.map((text, i) => ({ name: `convention ${i + 1}`, text: `- ${flat(text)}` })),
    },
    outputSection(pack, (path) => names(request, path)),
    {
      heading: 'Company data',
      entries: pack.data.map(({ name, description }) => ({ name, text: `- ${name}: ${flat(description)}` })),
    },
    {
      heading: 'Company libraries (installed; import them by these names)',
      entries: pack.libraries.map(({ name, api }) => ({ name: `library ${name}`, text: `${name}\n${indented(api)}` })),
    },
  ];
  return fitted(sections.filter((section) => section.entries.length > 0));
}

/** The declared columns of outputs that a follow-up names and no request before it did; empty where there is none. Pure. */
export function outputsText(pack: Pack, request: Asking, before: readonly Asking[]): string {
  const section = outputSection(pack, (path) => names(request, path) && !before.some((earlier) => names(earlier, path)));
  return section.entries.length > 0 ? fitted([section]) : '';
}

/** What of a request says which outputs it means. */
type Asking = Pick<Request, 'outputs'> & Partial<Pick<Request, 'prompt'>>;

/** Whether a request promises this file, or speaks of it. */
function names({ outputs, prompt }: Asking, path: string): boolean {
  return outputs.some((output) => plainPath(output.path) === path) || (prompt?.includes(path) ?? false);
}

function outputSection(pack: Pack, wanted: (path: string) => boolean): Section {
  return { heading: 'Declared outputs', entries: pack.outputs.filter(({ path }) => wanted(path)).map((output) => ({ name: output.path, text: outputText(output) })) };
}

function outputText({ path, description, key, columns }: PackOutput): string {
  const rows = columns.map((column) => `  ${column.name} (${column.type}): ${flat(column.description)}`);
  const shape = rows.length > 0 ? ` Exactly these columns, no nulls${key ? `, one row per ${key}` : ''}:` : '';
  return [`- ${path}: ${flat(description)}${shape}`, ...rows].join('\n');
}

function fitted(sections: Section[]): string {
  const parts: string[] = [];
  const left: string[] = [];
  let room = MAX_PACK_TEXT_CHARS - REST_CHARS;
  for (const { heading, entries } of sections) {
    const lines: string[] = [];
    for (const { name, text } of entries) {
      const cost = text.length + 1 + (lines.length === 0 ? heading.length + 2 : 0);
      if (cost > room) left.push(name);
      else {
        room -= cost;
        lines.push(text);
      }
    }
    if (lines.length > 0) parts.push([heading, ...lines].join('\n'));
  }
  if (left.length > 0) parts.push(restText(left));
  return parts.join('\n\n');
}

function restText(left: string[]): string {
  const names = left.join(', ');
  const most = REST_CHARS / 2;
  return `Left out for length: ${names.length > most ? `${names.slice(0, most)}… (${left.length} entries)` : names}`;
}

const flat = (text: string) => text.trim().replace(/\s+/g, ' ');
const indented = (text: string) => text.trimEnd().replace(/^(?=.)/gm, '  ');

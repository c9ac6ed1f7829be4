import type { ChatMessage, ModelRequest, ToolSpec } from '../../src/model/endpoint.js';

/** A small playbook that reads, expects, turns aside and ends in either of two ways. */
export const SMALL = `
match: { words: [count, rows] }
read:
  column: { in: '^The inputs, as inspected', find: '^\\s*(\\w*amount\\w*) ' }
turns:
  - name: plan
    say: |
      1. Add up {{column}}
  - name: add
    say: I add it up.
    calls:
      - tool: run_cell
        arguments:
          code: |
            total = table[{{column|json}}].sum()
            print(f"{total:.2f} {{not a capture}}")
  - name: submit
    expect: ['total \\d+']
    read: { total: 'total (\\d+)' }
    calls: [{ tool: submit, arguments: { path: a.py, answer: 'It is {{total}}.' } }]
    last: true
  - name: after an edit
    expect: [A person edited]
    optional: only when a person edits the script
    calls: [{ tool: submit, arguments: { path: a.py, answer: 'It is {{total}} after your edit.' } }]
    last: true
detours:
  - name: reload
    when: kernel died
    reason: the kernel may be lost at any cell
    again: true
    calls: [{ tool: run_cell, arguments: { code: 'load({{column|json}})' } }]
`;

export const TOOLS: ToolSpec[] = ['run_cell', 'submit'].map((name) => ({
  name,
  description: name,
  parameters: { type: 'object' },
}));

export const OPENING: ChatMessage[] = [
  { role: 'system', content: 'nl2code strategy: codeact\nYou write code.' },
  { role: 'user', content: 'Request\nCount the rows, please.\n\nInput files\n- "t.csv" (10 bytes)' },
  { role: 'user', content: 'The inputs, as inspected:\nt.csv 10 rows\n  net_amount float64' },
];

export function request(messages: ChatMessage[], tools: ToolSpec[] = TOOLS): ModelRequest {
  return { model: 'scripted', messages, tools, maxOutputTokens: 1000 };
}

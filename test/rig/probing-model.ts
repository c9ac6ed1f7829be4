import type { ModelEndpoint, ModelReply, ModelRequest } from '../../src/model/endpoint.js';

/** Code that shows everything it can in many ways; it holds no value of the inputs. Each runs alone, in a kernel or a fresh interpreter. */
const START = 'import json, sys, warnings\nimport pandas as pd\ndf = pd.read_csv("people.csv")\nshow = globals().get("display") or __builtins__.__dict__.get("display", print)\n';
const PROBES = [
  'show(df)\nprint(df)\ndf.to_csv(sys.stdout, index=False)\nprint(df.describe(include="all"))\ndf.head(3)',
  'print(df.values.tolist()[:4])\nprint(f"first is {df.iloc[0, 1]}, mail {df.iloc[0, 2]}")\nprint([v.upper() for v in df.iloc[:, 1]])\nprint([v[:9] for v in df.iloc[:, 1]], [v[:24] for v in df.iloc[:, 6]])\ndf.iloc[1].to_dict()',
  'print(open("people.csv").read()[:3000])\nprint(open("notes.txt").read())\nprint(json.dumps(json.load(open("more.json")), indent=1))\nprint(open("people.csv", "rb").read()[:900])\nrepr(open("notes.txt").read())',
  'print(df.set_index(df.columns[1])[["amount"]].T)\nprint(df.groupby(df.columns[1])["amount"].sum().to_dict())\nprint(df["customer_no"].astype(float).head(), df["customer_no"].max())\nwarnings.warn(df.iloc[2, 1])\nsys.stderr.write(df.iloc[3, 6] + "\\n")\ndf.groupby("market")["amount"].sum()',
  'raise KeyError(df.iloc[2, 2])',
  'raise ValueError(f"bad row {df.iloc[1].to_dict()} at {df[\'amount\'].iloc[0]}")',
  'int(df.iloc[3, 1])',
  'raise type(df.iloc[4, 1].title().replace(" ", ""), (Exception,), {})(df.iloc[4, 6])',
  'open(f"{df.iloc[5, 1]}.txt", "w").write("x")\nimport os\nprint(sorted(os.listdir()))\nassert False, df.iloc[5, 6]',
].map((probe) => START + probe);
const SCRIPT = `# /// script
# dependencies = ["pandas"]
# ///
"""Totals per market."""
import sys

import pandas as pd


def main(argv: list[str] | None = None) -> int:
    people = pd.read_csv("people.csv")
    print(people.to_string())
    print(people.iloc[0].to_dict(), file=sys.stderr)
    open(f"{people.iloc[6, 1]}.txt", "w").write("x")
    raise ValueError(f"{people.iloc[7, 1]} has {people['amount'].iloc[7]}: {people.iloc[7, 6]}")


if __name__ == "__main__":
    sys.exit(main())
`;

/** A model that knows nothing and prints everything, under every strategy; keeps each request as it came. */
export class ProbingModel implements ModelEndpoint {
  readonly scripted = false;
  readonly requests: ModelRequest[] = [];

  probe(): Promise<void> {
    return Promise.resolve();
  }

  complete(request: ModelRequest): Promise<ModelReply> {
    this.requests.push(structuredClone(request));
    return Promise.resolve({ finishReason: 'stop', usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, usageEstimated: false, model: 'probe', requestId: '', content: '', calls: [], ...this.reply(request) });
  }

  private reply({ tools, messages }: ModelRequest): Partial<ModelReply> {
    const names = tools.map(({ name }) => name);
    const turns = messages.filter(({ role }) => role === 'assistant').length;
    const call = (name: string, args: object) => ({ calls: [{ id: `c${turns}`, name, arguments: JSON.stringify(args) }] });
    const last = messages.at(-1)!.content;
    const submitted = call('submit', { code: SCRIPT, outputs: ['totals.csv'], answer: 'Totals.' });
    // Every ask of a strategy offers the same tools: what is asked for stands in the last message.
    if (/call plan\b/.test(last)) return call('plan', { steps: PROBES.map((_, i) => `Step ${i + 1}`), assumptions: [], questions: [], checks: [] });
    if (/call review\b/.test(last)) return call('review', { accept: true, summary: 'Done.' });
    const step = /code of step (\d+)/.exec(last);
    if (step) return { content: `\`\`\`python\n${PROBES[Number(step[1]) - 1]}\n\`\`\`` };
    const firstTry = messages[0]!.content.startsWith('nl2code strategy: auto') && turns === 0;
    if (firstTry || /write the whole script/.test(last)) return submitted;
    const runner = names.find((name) => name === 'run_cell' || name === 'run_python');
    if (!runner) return submitted;
    const ran = messages.flatMap((message) => (message.role === 'assistant' ? message.calls : [])).filter(({ name }) => name === runner).length;
    if (ran < PROBES.length) return call(runner, { code: PROBES[ran]! });
    if (ran === PROBES.length) return call(runner, { code: `open("script.py", "w").write(${JSON.stringify(SCRIPT)})\nprint(open("script.py").read())` });
    return call('submit', { path: 'script.py', outputs: ['totals.csv'], answer: 'Totals.' });
  }
}

/**
 * Sessions made of random cells, for comparing one that was disturbed with one that was not. A seed names a session. Cells only do what
 * Python promises to do again in the same way: nothing prints an address, a time or the order of a set.
 */
import { random, type Random } from '../../kernel/random.js';
import { DIGEST } from './digest-cell.js';

export interface SessionCells {
  seed: number;
  /** Code of each cell; the last one prints a digest of everything there is. */
  cells: string[];
  /** Numbers of cells that take a third of a second and more, so that a kill can hit their middle. */
  slow: ReadonlySet<number>;
  /** Texts that the session hands to the tool `append`, in order. */
  effects: readonly string[];
}

/** What exists so far, by what can be done with it. */
class World {
  readonly names = new Map<Kind, string[]>();
  readonly effects: string[] = [];
  private count = 0;

  constructor(readonly random: Random) {}

  make(kind: Kind): string {
    const name = `${kind}_${(this.count += 1)}`;
    this.names.set(kind, [...(this.names.get(kind) ?? []), name]);
    return name;
  }

  /** One that exists; undefined when there is none. */
  any(kind: Kind): string | undefined {
    const known = this.names.get(kind) ?? [];
    return known[this.random.int(0, known.length - 1)];
  }

  forget(kind: Kind, name: string): void {
    this.names.set(kind, (this.names.get(kind) ?? []).filter((other) => other !== name));
  }
}

type Kind = 'array' | 'frame' | 'model' | 'klass' | 'thing' | 'counter' | 'squares' | 'shared' | 'rng' | 'file' | 'table' | 'lines';
type Template = (world: World) => string | undefined;

const number = (world: World) => world.random.int(2, 9);

const templates: Record<string, Template> = {
  array: (world) => {
    const name = world.make('array');
    return `${name} = np.arange(${world.random.int(5, 400)}, dtype="float64") * ${number(world)}\n${name}.sum()`;
  },
  view: (world) => {
    const base = world.any('array');
    if (!base) return undefined;
    const name = world.make('array');
    return `${name} = ${base}[1:${number(world) + 2}]\n${name} += ${number(world)}\nprint(${base}.sum(), np.shares_memory(${base}, ${name}))`;
  },
  arrayChange: (world) => {
    const name = world.any('array');
    return name && `${name}[::2] *= -1\n${name}.mean().round(6)`;
  },
  random: () => `print(np.random.rand(2).round(9).tolist(), random.random(), random.randint(0, 1000))`,
  generatorRng: (world) => {
    const name = world.any('rng');
    if (name && world.random.chance(0.7)) return `${name}.normal(size=3).round(9).tolist()`;
    const made = world.make('rng');
    return `${made} = np.random.default_rng(${world.random.int(0, 1000)})\n${made}.integers(0, 100, 4).tolist()`;
  },
  frame: (world) => {
    const name = world.make('frame');
    const rows = world.random.int(20, 600);
    return [
      `${name} = pd.DataFrame({"n": np.arange(${rows}), "x": np.random.rand(${rows}), "word": [f"w{i % 7}" for i in range(${rows})]})`,
      `${name}["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(${name}["n"], unit="h")`,
      world.random.chance(0.4) ? `${name}["kind"] = ${name}["word"].astype("category")` : `${name}["flag"] = ${name}["n"] % 3 == 0`,
      `${name}.describe(include="number").round(6)`,
    ].join('\n');
  },
  frameChange: (world) => {
    const name = world.any('frame');
    if (!name) return undefined;
    return [
      `${name}["x"] *= ${number(world)}`,
      `${name}.loc[${name}["n"] % ${number(world)} == 0, "x"] = -1.5`,
      `${name}["y"] = ${name}["n"].rolling(3, min_periods=1).mean()`,
      `${name} = ${name}.sort_values(["word", "n"], ignore_index=True)\n${name}["x"].head(3)`,
    ].slice(0, world.random.int(1, 4)).join('\n');
  },
  frameAlias: (world) => {
    const base = world.any('frame');
    if (!base) return undefined;
    const name = world.make('frame');
    return `${name} = ${base}${world.random.chance(0.5) ? '' : '[["n", "x", "word"]].copy()'}\n${name}.loc[${name}.index[0], "x"] = ${number(world)}.25\nprint(${name}["x"].sum().round(6), ${base}["x"].sum().round(6), ${name} is ${base})`;
  },
  series: (world) => {
    const base = world.any('frame');
    return base && `column = ${base}["x"]\ncolumn.iloc[0] = 99.0\nprint(column.iloc[0], ${base}["x"].iloc[0] == 99.0)`;
  },
  group: (world) => {
    const base = world.any('frame');
    return base && `grouped = ${base}.groupby("word", observed=True)["x"].agg(["mean", "count"]).round(6)\ngrouped`;
  },
  model: (world) => {
    const base = world.any('frame');
    if (!base) return undefined;
    const name = world.make('model');
    const made = ['LinearRegression()', 'RandomForestRegressor(n_estimators=4, random_state=0)', 'make_pipeline(StandardScaler(), FunctionTransformer(lambda a: a * 2), Ridge())'][world.random.int(0, 2)]!;
    return `${name} = ${made}.fit(${base}[["n"]].to_numpy(), ${base}["n"].to_numpy() * 2.0)\n${name}.predict(np.array([[1.0], [5.0]])).round(6).tolist()`;
  },
  predict: (world) => {
    const name = world.any('model');
    return name && `${name}.predict(np.array([[${number(world)}.0]])).round(6).tolist()`;
  },
  klass: (world) => {
    const name = world.make('klass');
    return [
      `class ${name}:`,
      '    made = 0',
      '    log = []',
      '    def __init__(self, start):',
      '        self.total = start',
      `        type(self).made += 1`,
      '    def add(self, n):',
      '        self.total += n',
      '        self.log.append(n)',
      '        return self.total',
      `print(${name}.made)`,
    ].join('\n');
  },
  thing: (world) => {
    const klass = world.any('klass');
    if (!klass) return undefined;
    const name = world.make('thing');
    return `${name} = ${klass}(${number(world)})\nprint(${name}.add(${number(world)}), ${klass}.made, type(${name}) is ${klass})`;
  },
  thingChange: (world) => {
    const name = world.any('thing');
    return name && `print(${name}.add(${number(world)}), type(${name}).made, type(${name}).log[-3:])`;
  },
  method: (world) => {
    const klass = world.any('klass');
    return klass && `def twice(self):\n    return self.total * ${number(world)}\n${klass}.twice = twice\nprint(${klass}(1).twice())`;
  },
  counter: (world) => {
    const name = world.make('counter');
    return `def make_${name}(start):\n    count = start\n    def step(by=1):\n        nonlocal count\n        count += by\n        return count\n    return step\n${name} = make_${name}(${number(world)})\n${name}()`;
  },
  count: (world) => {
    const name = world.any('counter');
    return name && `${name}(${number(world)})`;
  },
  global: () => `def bump(by):\n    global bumped\n    bumped = globals_free.get("n", 0) + by\n    globals_free["n"] = bumped\n    return bumped\nbump(3)`,
  bump: () => `bump(2) + bump(1)`,
  squares: (world) => {
    const name = world.make('squares');
    return `def gen_${name}(n):\n    while True:\n        yield n * n\n        n += 1\n${name} = gen_${name}(${number(world)})\nnext(${name})`;
  },
  next: (world) => {
    const name = world.any('squares');
    return name && `next(${name})`;
  },
  shared: (world) => {
    const name = world.make('shared');
    return `${name} = [1, 2, {"deep": [${number(world)}]}]\n${name}_also = {"same": ${name}, "deep": ${name}[2]}\n${name}_also["same"].append(${number(world)})\nprint(${name}, ${name}_also["deep"] is ${name}[2])`;
  },
  sharedChange: (world) => {
    const name = world.any('shared');
    return name && `${name}_also["deep"]["deep"].append(${number(world)})\nprint(${name}, ${name}_also["same"] is ${name}, ${name}_also["deep"] is ${name}[2])`;
  },
  container: (world) => {
    const counter = world.any('counter');
    return counter && `handlers = {"count": ${counter}, "words": [str.upper, len]}\nprint(handlers["count"](), handlers["words"][0]("x"))`;
  },
  lines: (world) => {
    const name = world.any('lines') ?? world.make('lines');
    return `with open("${name}.txt", "a") as file:\n    file.write("line ${world.random.int(0, 999)}\\n")\nprint(len(open("${name}.txt").read().splitlines()))`;
  },
  table: (world) => {
    const base = world.any('frame');
    if (!base) return undefined;
    const name = world.make('table');
    return `os.makedirs("tables", exist_ok=True)\n${base}.head(50).to_csv("tables/${name}.csv", index=False)\nlen(pd.read_csv("tables/${name}.csv"))`;
  },
  remove: (world) => {
    const name = world.any('table');
    if (!name) return undefined;
    world.forget('table', name);
    return world.random.chance(0.5) ? `os.remove("tables/${name}.csv")\nsorted(os.listdir("tables"))` : `os.rename("tables/${name}.csv", "tables/old-${name}.csv")\nsorted(os.listdir("tables"))`;
  },
  effect: (world) => {
    const texts = Array.from({ length: world.random.int(1, 3) }, () => `effect ${world.effects.push('')} ${world.random.int(0, 999)}`);
    texts.forEach((text, n) => (world.effects[world.effects.length - texts.length + n] = text));
    return texts.map((text) => `print(nl2code.tools.append(text=${JSON.stringify(text)})["seq"])`).join('\n');
  },
  effectOfState: (world) => {
    const text = `effect ${world.effects.push('')} of state`;
    world.effects[world.effects.length - 1] = text;
    return `answer = nl2code.tools.append(text=${JSON.stringify(text)})\ntold = [*told, answer["seq"]]\nprint(told)`;
  },
  options: (world) => `pd.set_option("display.max_rows", ${world.random.int(10, 60)})\nwarnings.filterwarnings("ignore", message="chaos ${world.random.int(0, 9)}")\nnp.seterr(divide=${JSON.stringify(['ignore', 'warn'][world.random.int(0, 1)])})\nos.environ["CHAOS"] = "${world.random.int(0, 99)}"\nprint(pd.get_option("display.max_rows"), np.geterr()["divide"], os.environ["CHAOS"])`,
  error: (world) => `partial = ${number(world)}\nwith open("partial.txt", "a") as file:\n    file.write("p\\n")\nraise ValueError(f"on purpose {partial}")`,
  removeName: () => `partial = 0\ndel partial\n"partial" in dir()`,
  words: (world) => `text = ["${'ab'.repeat(number(world))}", "c" * ${number(world)}]\nsorted({w for t in text for w in t})`,
};

const SLOW: Template = (world) =>
  `with open("slow.txt", "a") as file:\n    file.write("begins\\n")\nslow_at = globals_free.get("n", 0)\nfor _ in range(${world.random.int(8, 16)}):\n    time.sleep(0.05)\n    slow_at += 1\nwith open("slow.txt", "a") as file:\n    file.write("ends\\n")\nprint(slow_at, open("slow.txt").read().count("ends"))`;

const SLOW_EFFECT: Template = (world) => {
  const text = `effect ${world.effects.push('')} in a slow cell`;
  world.effects[world.effects.length - 1] = text;
  return `before = len(told)\nanswer = nl2code.tools.append(text=${JSON.stringify(text)})\ntime.sleep(0.4)\ntold = [*told, answer["seq"]]\nprint(before, told[-1])`;
};

/** What only large cells say. */
export const LARGE_ROWS = '5_000_000';

const LARGE_AT = 30;

/** Over the border above which a save is made by a forked child. */
const LARGE: Template = (world) => {
  const name = world.make('array');
  return `${name} = np.arange(${LARGE_ROWS}, dtype="float64") + ${number(world)}\n${name}[:3].tolist()`;
};

const FIRST = [
  'import os, random, time, warnings\nimport numpy as np\nimport pandas as pd\nimport nl2code\nprint("ready")',
  'random.seed(7)\nnp.random.seed(11)\nglobals_free = {}\ntold = []\nbumped = 0',
  'from sklearn.ensemble import RandomForestRegressor\nfrom sklearn.linear_model import LinearRegression, Ridge\nfrom sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer, StandardScaler\nprint("imported")',
];

/** Makes the session of a seed with `count` cells, the last of which prints the digest. */
export function sessionCells(seed: number, count: number): SessionCells {
  const world = new World(random(seed));
  const names = Object.keys(templates);
  const cells = [...FIRST];
  const slow = new Set<number>();
  // Each kind comes once, in random order; then chance decides.
  const pending = [...names].sort(() => (world.random.chance(0.5) ? 1 : -1));
  let bumps = false;
  while (cells.length < count - 1) {
    const at = cells.length;
    if (at % 9 === 5) {
      slow.add(at);
      cells.push((world.random.chance(0.5) ? SLOW : SLOW_EFFECT)(world)!);
      continue;
    }
    if (at === LARGE_AT) {
      cells.push(LARGE(world)!);
      continue;
    }
    const name = pending.length > 0 && world.random.chance(0.6) ? pending.shift()! : names[world.random.int(0, names.length - 1)]!;
    if (name === 'bump' && !bumps) continue;
    const code = templates[name]!(world);
    if (code === undefined) continue;
    bumps ||= name === 'global';
    cells.push(code);
  }
  cells.push(DIGEST);
  return { seed, cells, slow, effects: world.effects };
}

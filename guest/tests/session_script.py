"""A session of many kinds of variables, files, settings and random numbers, whose cells print what they find."""

from __future__ import annotations

SCRIPT = [
    "import random, os\nrandom.seed(3)\nclass Account:\n    total = 0\n    def __init__(self, name):\n"
    "        self.name, self.log = name, []\n"
    "    def put(self, n):\n        self.log.append(n)\n        Account.total += n",
    "a, b = Account('a'), Account('b')\nboth = [a, b]",
    "a.put(3); b.put(random.randint(1, 100))\nprint(Account.total)",
    "import numpy as np\nnp.random.seed(1)\nm = np.random.rand(50, 3)\ncol = m[:, 1]",
    "import pandas as pd\ndf = pd.DataFrame(m, columns=list('xyz'))\n"
    "df['text'] = ['t' + str(i % 7) for i in range(50)]",
    "def counter():\n    n = 0\n    def step():\n        nonlocal n\n        n += 1\n        return n\n"
    "    return step\nstep = counter()",
    "print(step(), step())",
    "col[:] = 0\nprint(m.sum(), df['y'].sum())",
    "os.makedirs('out', exist_ok=True)\ndf.to_csv('out/t.csv', index=False)\nos.environ['STAGE'] = 'two'",
    "os.chdir('out')\nprint(sorted(os.listdir()))",
    "gen = (i * i for i in range(10))\nfirst = next(gen)",
    "second = next(gen), next(gen)\nprint(second)",
    "try:\n    both[5]\nexcept IndexError as e:\n    error = e",
    "1 / 0",
    "both[0].put(random.random()); print(len(a.log), step())",
    "pd.set_option('display.max_rows', 7)\ngrouped = df.groupby('text')['x'].mean()\nprint(grouped.round(3).to_dict())",
    "print(next(gen), os.environ['STAGE'], pd.get_option('display.max_rows'), os.path.basename(os.getcwd()))",
    "os.chdir('..'); os.remove('out/t.csv')\ndel df\nprint(sorted(os.listdir('out')))",
    "b.put(np.random.rand()); print(b.log[-1], Account.total)",
]

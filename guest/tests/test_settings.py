"""Settings that cells change outside their variables come back, and only differences are saved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GUEST = Path(__file__).resolve().parent.parent

RUN = """
import base64, json, pickle, sys
from nl2code_guest.checkpoint.settings import Settings
from nl2code_guest.checkpoint.random_state import capture_random, restore_random

def freeze(value):
    return base64.b64encode(pickle.dumps(value)).decode()

def thaw(text):
    return pickle.loads(base64.b64decode(text))

settings = Settings(sys.argv[1], globals(), freeze, thaw)
"""


def python(workspace: Path, code: str, **env: str) -> str:
    """What a fresh process prints that runs `code` behind a table of settings."""
    ended = subprocess.run(
        [sys.executable, "-s", "-P", "-c", RUN + code, str(workspace)],
        cwd=workspace,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(GUEST), "MPLBACKEND": "agg", "KEPT": "here", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def carried(workspace: Path, change: str, show: str, **env: str) -> str:
    """What `show` prints in a process whose settings come from one that did `change`."""
    saved = python(workspace, f"{change}\nprint(json.dumps(settings.capture()))")
    return python(workspace, f"notes = settings.restore(json.loads({saved!r}))\n{show}", **env).strip()


def test_an_untouched_process_has_nothing_to_save(tmp_path: Path) -> None:
    assert python(tmp_path, "print(settings.capture())").strip() == "{}"
    libraries = "import matplotlib.pyplot, pandas, numpy, sklearn, json\nfound = settings.capture()\n"
    # The last three add filters and variables for their threads at their import.
    show = "print(sorted(set(found) - {'warning filters', 'environment'}))"
    assert python(tmp_path, libraries + show).strip() == "[]"


@pytest.mark.parametrize(
    ("before", "text", "shown"),
    [
        ("", "beware", 0),
        ("", "another", 1),
        ("warnings.filterwarnings('default', message='x')", "beware", 1),
        ("warnings.filterwarnings('always')", "beware", 1),
    ],
)
def test_a_warning_that_was_shown_in_its_place_is_not_shown_again(
    tmp_path: Path, before: str, text: str, shown: int
) -> None:
    warn = "exec(compile('warnings.warn(text)', '<cell>', 'exec'), globals(), {'text': text})"
    cells = f"import warnings\ndef warn(text):\n    {warn}\n"
    counted = f"seen = []\nwarnings.showwarning = lambda *told: seen.append(told)\nwarn({text!r})\nprint(len(seen))"
    # As it is without a new process.
    one = python(tmp_path, f"{cells}warn('beware')\nsettings.capture()\n{before}\n{counted}").strip()
    assert (one, carried(tmp_path, f"{cells}warn('beware')\n{before}", cells + counted)) == (str(shown), str(shown))


def test_more_warnings_than_a_state_should_tell_of_are_left_out(tmp_path: Path) -> None:
    given = "__warningregistry__['version'] = None"
    for count, entries in ((999, 999), (1_000, 0)):
        many = f"import warnings\nfor n in range({count}):\n    warnings.warn(str(n))\n"
        found = python(tmp_path, f"{many}print(len(settings.capture().get('warnings given', ())))")
        assert found.strip() == str(min(entries, 1)), given


def test_a_filter_for_warnings_of_a_library_does_not_import_it(tmp_path: Path) -> None:
    change = "import scipy.special, warnings; warnings.simplefilter('error', UserWarning)"
    show = "import warnings; print(notes, 'scipy' in sys.modules, warnings.filters[0][:3:2])"
    assert carried(tmp_path, change, show) == "[] False ('error', <class 'UserWarning'>)"


@pytest.mark.parametrize(
    ("change", "show", "seen"),
    [
        ("import os; os.environ['NEW'] = 'ü'; del os.environ['KEPT']", "(os.environ.get('NEW'), 'KEPT' in os.environ)",
         "('ü', False)"),
        ("import os; os.mkdir('below'); os.chdir('below')", "os.path.basename(os.getcwd())", "below"),
        ("import os; os.chdir('/usr')", "os.getcwd()", "/usr"),
        ("sys.path.insert(0, '/some/lib')", "sys.path[0]", "/some/lib"),
        ("import warnings; warnings.filterwarnings('ignore', 'a.c', UserWarning)",
         "[(f[0], f[1].pattern) for f in __import__('warnings').filters if f[1]]", "[('ignore', 'a.c')]"),
        ("import decimal; decimal.getcontext().prec = 50; decimal.getcontext().traps[decimal.Inexact] = True",
         "(lambda d: (d.getcontext().prec, d.getcontext().traps[d.Inexact]))(__import__('decimal'))", "(50, True)"),
        ("import locale; locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
         "__import__('locale').setlocale(__import__('locale').LC_NUMERIC)", "C.UTF-8"),
        ("import logging; logging.basicConfig(level='DEBUG', format='{levelname} {message}', style='{');"
         "logging.getLogger('a.b').setLevel('ERROR')",
         "(lambda l: (l.root.level, l.getLogger('a.b').level, l.root.handlers[0].formatter._fmt))"
         "(__import__('logging'))", "(10, 40, '{levelname} {message}')"),
        ("sys.setrecursionlimit(5000)", "sys.getrecursionlimit()", "5000"),
        ("import matplotlib.pyplot as plt; plt.rcParams['figure.figsize'] = [3, 4];"
         "plt.rcParams['axes.prop_cycle'] = plt.cycler(color=['r', 'b'])",
         "(lambda m: (m.rcParams['figure.figsize'], m.rcParams['axes.prop_cycle'].by_key()))"
         "(__import__('matplotlib'))", "([3.0, 4.0], {'color': ['r', 'b']})"),
        ("import pandas as pd; pd.set_option('display.max_rows', 7);"
         "pd.set_option('display.float_format', '{:.2f}'.format)",
         "(lambda p: (p.get_option('display.max_rows'), p.get_option('display.float_format')(1 / 3)))"
         "(__import__('pandas'))", "(7, '0.33')"),
        ("import numpy as np; np.seterr(divide='raise'); np.set_printoptions(precision=2)",
         "(lambda n: (n.geterr()['divide'], n.get_printoptions()['precision']))(__import__('numpy'))", "('raise', 2)"),
        ("import sklearn; sklearn.set_config(transform_output='pandas')",
         "__import__('sklearn').get_config()['transform_output']", "pandas"),
    ],
    ids=lambda value: value.split(";")[0][:40] if ";" in value or "(" in value else None,
)  # fmt: skip
def test_a_changed_setting_is_there_in_the_next_process(tmp_path: Path, change: str, show: str, seen: str) -> None:
    assert carried(tmp_path, change, f"import os; assert notes == [], notes; print({show})") == seen


def test_a_restore_takes_back_what_was_changed_since(tmp_path: Path) -> None:
    code = """
import os, pandas as pd, numpy as np, matplotlib, sklearn, warnings, decimal, logging
first = settings.capture()
os.environ['NEW'] = 'x'; os.chdir('/'); sys.path.append('/x'); warnings.simplefilter('error')
decimal.getcontext().prec = 3; logging.root.setLevel(10); sys.setrecursionlimit(2000)
matplotlib.rcParams['lines.linewidth'] = 9; pd.set_option('display.width', 3); np.seterr(all='raise')
sklearn.set_config(assume_finite=True)
changed = settings.capture()
assert len(changed) >= 11, changed
assert settings.restore(first) == []
assert settings.capture() == first
assert settings.restore(changed) == []
assert settings.capture() == changed
"""
    python(tmp_path, code)


def test_a_folder_in_the_workspace_is_found_where_the_workspace_is_now(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
    saved = python(tmp_path / "one", "import os; os.chdir('data'); print(json.dumps(settings.capture()))")
    show = f"settings.restore(json.loads({saved!r})); import os; print(os.getcwd())"
    assert python(tmp_path / "two", show).strip() == str(tmp_path / "two" / "data")


def test_only_what_differs_from_the_start_goes_to_another_machine(tmp_path: Path) -> None:
    show = "import os; print(os.environ['KEPT'], os.environ['NEW'])"
    assert carried(tmp_path, "import os; os.environ['NEW'] = 'x'", show, KEPT="there") == "there x"


def test_what_can_not_be_saved_is_told_and_harms_nothing_else(tmp_path: Path) -> None:
    change = """
import pandas as pd, logging
pd.set_option('display.float_format', lambda number: str(number))
pd.set_option('display.max_rows', 9)
logging.root.addHandler(logging.FileHandler('x.log'))
"""
    show = "import pandas as pd; print(pd.get_option('display.max_rows'), len(notes)); print(*notes, sep='\\n')"
    assert carried(tmp_path, change, show).splitlines() == [
        "9 2",
        "The setting logging could not be saved and has its default.",
        "The setting pandas display.float_format could not be saved and has its default.",
    ]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    saved = json.dumps({"folder": {"path": "/not/there"}})
    show = f"print(settings.restore(json.loads({saved!r}))[0])"
    assert "The settings of folder could not be restored (FileNotFoundError" in python(tmp_path, show)


def test_nothing_is_imported_to_look_at_settings(tmp_path: Path) -> None:
    show = "settings.restore(settings.capture()); capture_random()\n"
    show += "print([name for name in ('numpy', 'pandas', 'matplotlib', 'sklearn') if name in sys.modules])"
    assert python(tmp_path, show).strip() == "[]"


def test_both_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    draw = "print([random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()])"
    code = f"""
import random, numpy as np
random.seed(5); np.random.seed(6); random.gauss(0, 1); np.random.randn()
saved = json.dumps(capture_random())
{draw}
restore_random(json.loads(saved))
{draw}
print(saved)
"""
    first, second, saved = python(tmp_path, code).splitlines()
    assert first == second
    other = f"import random, numpy as np\nrestore_random(json.loads({saved!r}))\n{draw}"
    assert python(tmp_path, other).strip() == first


def test_a_value_of_a_setting_is_pickled_once_while_it_stays(tmp_path: Path) -> None:
    code = """
import warnings
calls = []
settings._freeze = lambda value: calls.append(value) or freeze(value)
warnings.simplefilter('ignore')
assert settings.capture() == settings.capture()
print(len(calls))
warnings.simplefilter('error')
settings.capture()
print(len(calls))
"""
    assert python(tmp_path, code).split() == ["1", "2"]

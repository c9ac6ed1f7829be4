"""Laws of looking at calls before a script runs."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from nl2code_checks.calls import CallReport
from nl2code_checks.library_types import environment

GUEST = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "calls"
TRACES = GUEST.parent / "test" / "traces"
PACK = GUEST.parent / "packs" / "marketing" / "lib"
RIGHT = ["right_pandas.txt", "right_numbers.txt", "right_learning.txt", "right_plots_and_company.txt"]
# The Python of sandboxes, as a sandbox has it: only there are the libraries and their types at hand.
DRIVER = """
import json, sys
from nl2code_checks import calls, library_types
calls.MAX_FOUND = 1000
for line in sys.stdin:
    source, library_types.TYPES = json.loads(line)
    print(json.dumps(calls.examine_calls(source)), flush=True)
"""
Examine = Callable[..., CallReport]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examiner")


@pytest.fixture(scope="module")
def examine(folder: Path) -> Iterator[Examine]:
    variables = {"PYTHONPATH": f"{PACK}:{GUEST}", "PYTHONDONTWRITEBYTECODE": "1"}
    python = str(environment() / "bin" / "python3")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [python, "-c", DRIVER], cwd=folder, env=variables, stdin=pipe, stdout=pipe, text=True
    ) as process:

        def ask(source: str, types: str = "checks-types") -> CallReport:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([source, types]) + "\n")
            process.stdin.flush()
            return cast(CallReport, json.loads(process.stdout.readline()))

        yield ask
        assert process.stdin is not None
        process.stdin.close()


def test_nine_of_ten_wrong_calls_are_found_and_nothing_else(examine: Examine) -> None:
    head = (CORPUS / "head.txt").read_text()
    wrong = [line for line in (CORPUS / "wrong.txt").read_text().splitlines() if line and not line.startswith("#")]
    first = head.count("\n") + 1
    report = examine(head + "\n".join(wrong) + "\n")
    found = {finding["line"] - first for finding in report["findings"]}
    print(f"{len(found)} of {len(wrong)} wrong calls found in {report['seconds']} s")
    assert min(found) >= 0
    assert len(wrong) >= 60
    assert len(found) >= 0.9 * len(wrong), [line for at, line in enumerate(wrong) if at not in found]


def test_calls_that_writers_guessed_without_a_reference_are_found(examine: Examine) -> None:
    """Scripts of hand-answered sessions whose pack named the company's libraries and withheld what they have."""
    wrong, found = 0, 0
    for trace in sorted(TRACES.glob("withheld-*.jsonl")):
        records = [json.loads(line) for line in trace.read_text().splitlines()]
        script = next(record["code"] for record in records if record["kind"] == "execute" and "code" in record)
        guessed = guesses(script)
        told = {finding["line"] for finding in examine(script)["findings"]}
        assert told <= guessed
        wrong += len(guessed)
        found += len(told)
    print(f"{found} of {wrong} guessed calls found")
    assert wrong >= 30
    assert found >= 0.9 * wrong


def guesses(script: str) -> set[int]:
    """Lines of calls that the company's libraries do not have, or not with these keywords."""
    has = {
        "cdp_client": {"get_user_features": {"columns", "source"}, "query": {"params"}},
        "audience_io": {"write_audience": {"path", "key"}, "validate_schema": {"columns", "key"}},
        "metrics": {"rfm_score": {"recency", "frequency", "monetary"}, "ltv_predict": {"horizon_days"}},
    }
    lines: set[int] = set()
    for call in (node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id in has:
            keywords = has[call.func.value.id].get(call.func.attr)
            if keywords is None or not {keyword.arg for keyword in call.keywords} <= keywords:
                lines.add(call.lineno)
    return lines


@pytest.mark.parametrize("file", RIGHT)
def test_right_calls_are_no_findings(examine: Examine, file: str) -> None:
    report = examine((CORPUS / file).read_text())
    print(f"{file}: {report['calls']} calls, {report['looked']} resolved, in {report['seconds']} s")
    assert report["looked"] >= 100
    assert report["findings"] == []


def test_a_finding_names_line_near_matches_and_signature(examine: Examine) -> None:
    imports = "from sklearn.neighbors import NearestNeighbors\n\n"
    source = f"{imports}n = NearestNeighbors(n_neighbours=5)\nn.kneighbours([[1]])\n"
    assert examine(source)["findings"] == [
        {
            "code": "wrong-arguments",
            "message": "Line 3 calls NearestNeighbors with arguments that do not fit: "
            "got an unexpected keyword argument 'n_neighbours'.",
            "line": 3,
            "remedy": "Did you mean n_neighbors? It is NearestNeighbors(*, n_neighbors=5, radius=1.0, "
            "algorithm='auto', leaf_size=30, metric='minkowski', p=2, metric_params=None, n_jobs=None)",
        },
        {
            "code": "unknown-call",
            "message": "Line 4 calls NearestNeighbors.kneighbours, which does not exist.",
            "line": 4,
            "remedy": "Did you mean kneighbors or kneighbors_graph? "
            "kneighbors(X=None, n_neighbors=None, return_distance=True)",
        },
    ]


def test_imports_that_fail_are_found_and_guarded_ones_are_not(examine: Examine) -> None:
    source = (
        "import polarz\nfrom cdp_client import get_userfeatures\nfrom sklearn.metrics import accuracy\n"
        "import sklearn.neighbours\ntry:\n    import cupy\nexcept ImportError:\n    cupy = None\n"
    )
    found = examine(source)["findings"]
    assert [(f["line"], f["code"]) for f in found] == [(line, "unknown-import") for line in (1, 2, 3, 4)]
    assert "get_user_features" in found[1]["remedy"]


@pytest.mark.parametrize(
    "source",
    [
        # The name is bound a second time, so it may be anything.
        "import json\nclass json:\n    def load_all(self): ...\njson.load_all(3)\n",
        # A type that is only claimed may be wrong.
        "def f(x: list[float]):\n    return x.tolist()\n",
        # Arguments that nobody sees before it runs.
        "import json\nmore = {'indent': 2}\njson.dump(*[1, 2], **more)\n",
        # A NumPy function gives back what it gets.
        "import numpy as np\nimport pandas as pd\ndef f(s: pd.Series):\n    return np.log(s).fillna(0)\n",
        # A class of the script's own.
        "import pandas as pd\nclass Table(pd.DataFrame):\n    def summary(self): ...\nTable().summary()\n",
        # A method that only a subclass has.
        "import pandas as pd\ndef f(d: pd.DataFrame):\n    return d.index.normalize()\n",
        "import argparse\na = argparse.ArgumentParser().parse_args()\na.seeds.whatever()\n",
    ],
)
def test_what_is_not_certain_is_not_told(examine: Examine, source: str) -> None:
    assert examine(source)["findings"] == []


def test_nothing_of_the_script_or_the_current_folder_runs(examine: Examine, folder: Path) -> None:
    (folder / "table.py").write_text("open('ran', 'w')\n")
    found = examine("import table\nopen('ran', 'w')\ntable.x()\n")["findings"]
    assert not (folder / "ran").exists()
    assert [f["code"] for f in found] == ["unknown-import"]


def test_without_the_types_of_the_libraries_imports_are_still_looked_up(examine: Examine) -> None:
    report = examine("import numpy as np\nnp.zero(3)\nnp.zeros(3).foo()\n", "nothing")
    assert report["why"] == "the types of the libraries were not read ahead; run the set-up again"
    assert [f["line"] for f in report["findings"]] == [2]

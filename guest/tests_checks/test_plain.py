"""Laws of a plain script."""

from __future__ import annotations

import ast

import pytest

from nl2code_checks.clock import clock_reads
from nl2code_checks.findings import Finding
from nl2code_checks.header import header_text
from nl2code_checks.plain import examine_plain
from nl2code_checks.static import read_script

BODY = """import sys

import pandas as pd


def main() -> int:
    pd.DataFrame()
    return 0


sys.exit(main())
"""
HEADER = header_text(ast.parse(BODY))


def messages(source: str) -> list[str]:
    return [f"{finding['code']}: {finding['message']}" for finding in examine_plain(source)]


def test_the_header_that_the_remedy_gives_is_accepted() -> None:
    found = examine_plain(BODY)
    assert [f["code"] for f in found] == ["no-header"]
    header = found[0]["remedy"].partition("\n")[2]
    assert header == HEADER
    assert "pandas==" in header
    assert examine_plain(f"{header}\n{BODY}") == []
    assert examine_plain(f"\ufeff{header}\n{BODY}".replace("\n", "\r\n")) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("==", ">="), "does not pin pandas=="),
        (("==", "==9."), "does not pin pandas=="),
        (("pandas", "numpy"), "does not list pandas"),
        (("dependencies = [", "dependencies = "), "can't be read"),
        (("dependencies = [", "dependencies = [3, "), "can't be read"),
        (("requires-python", "requires"), "does not say requires-python"),
        (("# /// script", "# /// scripts"), "has no header"),
    ],
)
def test_a_header_that_does_not_name_what_runs_is_a_finding(change: tuple[str, str], said: str) -> None:
    assert said in messages(f"{HEADER.replace(*change)}\n{BODY}")[0]


@pytest.mark.parametrize(
    "line",
    [
        "import nl2code",
        "from nl2code import tools",
        "from nl2code.tools import append as write",
        "import os, nl2code.tools",
        "import importlib; importlib.import_module('nl2code')",
        "__import__('nl2code')",
        "from nl2code_guest.bridge import call",
    ],
)
def test_a_script_that_needs_the_session_is_a_finding(line: str) -> None:
    found = examine_plain(f"{HEADER}\n{BODY}".replace("import sys\n", f"import sys\n{line}\n"))
    assert [f["code"] for f in found] == ["needs-session"]
    assert found[0]["line"] == len(HEADER.splitlines()) + 2
    assert "which exists only in a cell of the session: the script runs without it." in found[0]["message"]


def test_a_module_of_a_similar_name_needs_no_session() -> None:
    for line in ("import nl2code_audit", "from .nl2code import x", "from lib import nl2code"):
        assert not [f for f in examine_plain(f"{HEADER}\n{line}\n{BODY}") if f["code"] == "needs-session"]


def test_a_pin_for_another_python_is_not_looked_at() -> None:
    pinned = HEADER.replace('"]', "; python_version >= '3'\", \"pandas==1.0; python_version < '3'\"]")
    assert examine_plain(f"{pinned}\n{BODY}") == []


@pytest.mark.parametrize(
    "code",
    [
        "import datetime\ndatetime.datetime.now()",
        "import datetime as dt\ndt.date.today()",
        "from datetime import datetime, timezone\ndatetime.now(timezone.utc)",
        "from datetime import date\ndate.today().isoformat()",
        "import time\ntime.time()",
        "from time import time as clock\nclock()",
        "import time\ntime.strftime('%Y')",
        "import pandas as pd\npd.Timestamp.now()",
        "import pandas as pd\npd.Timestamp('today').normalize()",
        "import pandas as pd\npd.to_datetime('now', utc=True)",
        "import numpy as np\nnp.datetime64('today')",
    ],
)
def test_what_reads_the_clock_is_found(code: str) -> None:
    assert [line for line, _ in clock_reads(ast.parse(code))] == [2]


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.perf_counter()\ntime.strftime('%Y', time.gmtime(0))\ntime.sleep(0)",
        "import datetime\ndatetime.datetime.fromisoformat('2024-01-01')\ndatetime.date(2024, 1, 1)",
        "import pandas as pd\npd.Timestamp('2024-01-01')\npd.to_datetime(frame['now'])",
        "def now(): ...\nnow()\nmodel.time()\ntime.time()",
    ],
)
def test_what_reads_no_clock_is_not(code: str) -> None:
    assert list(clock_reads(ast.parse(code))) == []


def test_a_main_whose_result_is_dropped_is_found() -> None:
    assert messages(HEADER + "\n" + BODY.replace("sys.exit(main())", "main()")) == [
        "exit-code-lost: The script does not end with sys.exit(main())."
    ]
    assert messages(HEADER + "\n" + BODY.replace("sys.exit(main())", "raise SystemExit(main())")) == []


def test_a_clock_beside_a_long_chain_of_calls_is_seen_and_what_breaks_the_reader_is_no_pass() -> None:
    chain = "x = ' '" + ".strip()" * 250 + "\n"
    clock = f"from datetime import date\nday = date.today()\n{chain}{BODY}"
    assert "reads-clock" in [finding["code"] for finding in read_script(f"{HEADER}\n{clock}")]


def test_a_script_that_breaks_the_reader_is_not_said_to_read_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(source: str) -> list[Finding]:
        raise RecursionError

    monkeypatch.setattr("nl2code_checks.static.examine_plain", breaks)
    assert [finding["code"] for finding in read_script(f"{HEADER}\n{BODY}")] == ["reads-clock"]

"""Laws of reading a script without running it."""

from __future__ import annotations

import pytest

from nl2code_checks.static import examine

GOOD = 'import sys\n\n\ndef main() -> int:\n    return 0\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n'


def test_a_plain_script_has_no_findings() -> None:
    assert examine(GOOD) == []
    assert examine("\ufeff" + GOOD.replace("\n", "\r\n")) == []


def test_a_syntax_error_names_its_line_and_ends_the_look() -> None:
    found = examine('password = "hunter2"\nx = (1,\ny = 2 +\n')
    assert [f["code"] for f in found] == ["syntax-error"]
    assert found[0]["line"] in (2, 3)


@pytest.mark.parametrize(
    "source", ["return 1\n", "x = 1\n  y = 2\n", "a\0b", "x = " + "(" * 5000, "\udc80", "await x\n"]
)
def test_what_the_compiler_refuses_does_not_parse(source: str) -> None:
    assert [f["code"] for f in examine(source)] == ["syntax-error"]


def test_a_script_without_main_is_found() -> None:
    assert [f["code"] for f in examine("print(1)\n")] == ["no-main"]
    assert [f["code"] for f in examine("class A:\n    def main(self):\n        self.main()\n")] == ["no-main"]


def test_a_main_that_nothing_calls_is_found() -> None:
    assert [f["code"] for f in examine("def main():\n    return 0\n")] == ["no-main"]
    assert examine("async def main():\n    return 0\n\nimport asyncio\nasyncio.run(main())\n") == []


def test_reading_runs_nothing(tmp_path: object) -> None:
    assert [f["code"] for f in examine("raise SystemExit('ran')\n")] == ["no-main"]

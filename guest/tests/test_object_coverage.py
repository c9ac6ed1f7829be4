"""What docs/object-coverage.md says of an object is what happens to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from object_kind import Kind
from object_kinds import KINDS, page

GUEST = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What became of every row, after three processes that have only bytes in common."""
    folder = tmp_path_factory.mktemp("objects")
    path = os.pathsep.join([str(GUEST), os.environ.get("PYTHONPATH", "")])
    for step in ("save", "again", "check"):
        program = [sys.executable, "-s", "-P", str(GUEST / "tests" / "object_crossing.py"), step, str(folder)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, str(GUEST / "tests")]), "MPLBACKEND": "agg"}
        subprocess.run(program, check=True, env=environment, timeout=120)
    return {int(at): row for at, row in json.loads((folder / "found").read_text()).items()}


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        pytest.param(at, kind, id=f"{kind.group}: {kind.what}" + (f" (needs {kind.needs})" if kind.needs else ""))
        for at, kind in enumerate(KINDS)
    ],
)
def test_a_kind_of_object_has_the_outcome_of_its_row(found: dict[int, dict[str, Any]], at: int, kind: Kind) -> None:
    if kind.needs and find_spec(kind.needs) is None:
        assert at not in found
        assert f"needs {kind.needs}" in page()
        return
    expected = {"x": [kind.refusal, kind.message]} if kind.refusal else {}
    assert found[at]["refused"] == expected
    assert found[at]["failed"] is None


def test_the_table_covers_at_least_seventy_kinds() -> None:
    assert len(KINDS) >= 70
    assert len({(kind.group, kind.what) for kind in KINDS}) == len(KINDS)


def test_the_page_is_what_the_table_says() -> None:
    assert (GUEST.parent / "docs" / "object-coverage.md").read_text() == page()

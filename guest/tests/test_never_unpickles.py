"""What owns the ledger and what watches a sandbox from outside turn no bytes of a session into objects.

The kernel alone unpickles, inside the sandbox, where code of the session runs anyway.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import GUEST

#: Whatever makes objects of bytes by running what they say.
LOADERS = {
    "pickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "multiprocessing",
    "numpy",
    "pandas",
}
#: Of what saves and restores, this reads bytes and runs nothing.
HARMLESS = {
    "nl2code_guest.checkpoint",
    *(f"nl2code_guest.checkpoint.{name}" for name in ("fail_points", "machine_trouble", "manifests")),
}
WHO = ["nl2code_guest.init", "nl2code_supervisor.__main__", "nl2code_supervisor.supervise"]


def loaded(code: str, *options: str) -> set[str]:
    """Names of the modules in a process that has run `code`."""
    code = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, *options, "-c", code], cwd=GUEST, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever it stands, or hands over as a name to import."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            argument = node.args[0]
            assert isinstance(argument, ast.Constant), f"{path.name}: line {node.lineno} imports what it is told"
            yield str(argument.value)


@pytest.mark.parametrize("module", WHO)
def test_its_process_holds_no_module_that_unpickles(module: str) -> None:
    # Python's own start reads its byte code with marshal.
    started = loaded("pass", "-S")
    held = loaded(f"import {module}", "-S") - started
    assert held & LOADERS == set()
    assert {name for name in held if name.startswith("nl2code_guest.checkpoint")} <= HARMLESS


@pytest.mark.parametrize("module", WHO)
def test_no_file_of_it_imports_one_later_either(module: str) -> None:
    ours = [name for name in loaded(f"import {module}", "-S") if name.startswith("nl2code_")]
    assert len(ours) > 5
    for name in ours:
        path = GUEST / (name.replace(".", "/") + ".py")
        path = path if path.exists() else GUEST / name.replace(".", "/") / "__init__.py"
        # A forked zygote is another process.
        found = {each for each in imports(path) if not each.startswith("nl2code_guest.zygote")}
        assert {each for each in found if each.partition(".")[0] in LOADERS} == set(), name
        parts = {each for each in found if each.startswith("nl2code_guest.checkpoint.")}
        assert {each for each in parts if ".".join(each.split(".")[:3]) not in HARMLESS} == set(), name


def test_what_is_looked_for_is_found_where_it_is() -> None:
    assert {"pickle", "_pickle"} <= loaded("import nl2code_guest.checkpoint.pickler")
    assert "pickle" in set(imports(GUEST / "nl2code_guest/checkpoint/pickler.py"))

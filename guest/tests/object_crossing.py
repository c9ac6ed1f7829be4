"""Takes objects from process to process: `save` in one, `again` in the next, `check` in a third, bytes between them.

Not a test module: the parts run as programs, each in a process that has seen nothing of the others.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import pickle
import sys
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

from object_kind import Kind
from object_kinds import KINDS

from nl2code_guest.checkpoint.covariables import covariables
from nl2code_guest.checkpoint.live_objects import is_importable
from nl2code_guest.checkpoint.pickler import Pickled, Refused, dump, load
from nl2code_guest.namespace import make_namespace


def save(folder: Path) -> None:
    """Runs every row's cell, and saves its variables as a session does: grouped by what they share."""
    saved = {}
    for at, kind in enumerate(KINDS):
        if kind.needs and importlib.util.find_spec(kind.needs) is None:
            continue
        try:
            saved[at] = _made(kind)
        except Exception:
            saved[at] = {"failed": traceback.format_exc(limit=-3), "refused": {}}
    (folder / "saved").write_bytes(pickle.dumps(saved))


def again(folder: Path) -> None:
    """Loads what was saved and saves it once more: what comes back can be kept as what it was made from could."""
    saved: dict[int, dict[str, Any]] = pickle.loads((folder / "saved").read_bytes())
    for row in saved.values():
        if "failed" not in row:
            try:
                row.update(_saved(_loaded(row)), refused=row["refused"])
            except Exception as error:
                row["failed"] = f"saved again: {type(error).__name__}: {error}"
    (folder / "saved").write_bytes(pickle.dumps(saved))


def check(folder: Path) -> None:
    """Loads what was saved and runs every row's checks."""
    saved: dict[int, dict[str, Any]] = pickle.loads((folder / "saved").read_bytes())
    found = {at: {"refused": row["refused"], "failed": _failure(KINDS[at], row)} for at, row in saved.items()}
    (folder / "found").write_text(json.dumps(found))


def _made(kind: Kind) -> dict[str, Any]:
    namespace = make_namespace()
    exec(compile(kind.make, "<cell>", "exec", dont_inherit=True), namespace)
    saved = _saved(namespace)
    exec(kind.after, namespace)
    return saved


def _saved(namespace: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in namespace.items() if not name.startswith("__")}
    modules = {
        name: value.__name__
        for name, value in values.items()
        if isinstance(value, types.ModuleType) and is_importable(value)
    }
    refused: dict[str, list[str]] = {}
    single: dict[str, Pickled] = {}
    for name in values.keys() - modules.keys():
        try:
            single[name] = dump({name: values[name]}, namespace)
        except Refused as error:
            refused[name] = [error.kind, error.message]
    groups = covariables({n: p.reached for n, p in single.items()}, {n: p.needs for n, p in single.items()})
    components = []
    for group in groups:
        pickled = dump({name: values[name] for name in sorted(group)}, namespace)
        buffers = [(buffer.raw().tobytes(), buffer.raw().readonly) for buffer in pickled.buffers]
        components.append((sorted(group), bytes(pickled.stream), buffers))
    return {"modules": modules, "refused": refused, "components": components}


def _loaded(row: dict[str, Any]) -> dict[str, Any]:
    namespace = make_namespace()
    namespace.update({name: importlib.import_module(module) for name, module in row["modules"].items()})
    of_name = {name: component for component in row["components"] for name in component[0]}

    def resolve(name: str) -> object:
        if name not in namespace:
            _, stream, buffers = of_name[name]
            given = [content if readonly else bytearray(content) for content, readonly in buffers]
            namespace.update(load(stream, given, namespace, resolve))
        return namespace[name]

    for name in of_name:
        resolve(name)
    return namespace


def _failure(kind: Kind, row: dict[str, Any]) -> str | None:
    if kind.refusal or "failed" in row:
        return row.get("failed")
    at = "loading"
    try:
        namespace = _loaded(row)
        gc.collect()
        for at in kind.checks:
            if not _is_true(at, namespace):
                return at
    except Exception as error:
        return f"{at} -> {type(error).__name__}: {error}"
    return None


def _is_true(check: str, namespace: dict[str, Any]) -> bool:
    try:
        code = compile(check, "<check>", "eval", dont_inherit=True)
    except SyntaxError:
        exec(compile(check, "<check>", "exec", dont_inherit=True), namespace)
        return True
    return bool(eval(code, namespace))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    {"save": save, "again": again, "check": check}[sys.argv[1]](Path(sys.argv[2]))

"""Runs a pack's checks over what a script wrote. Runs in a sandbox that executes no generated code."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict

MAX_RESULTS: Final = 100


@dataclass(frozen=True)
class Context:
    """What a check may read: the request's inputs, the outputs of the first run, the truth beside the inputs if
    there is one, and the paths of the outputs that the request declares.

    ``asked`` is what the requester asked for in the session so far, oldest first: what the last one does not change
    still holds. ``before`` holds the outputs of the session's last verified request, which had answered the first
    ``answered`` of them; None for a first request.
    """

    inputs: Path
    outputs: Path
    truth: Path | None
    declared: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    before: Path | None = None
    answered: int = 0


class Result(TypedDict, total=False):
    """One thing that was checked. ``ok`` is None when it could not be; the reason stands in ``detail``."""

    name: str
    ok: bool | None
    detail: str
    path: str


class Outcome(TypedDict):
    """All results of a check, or why it broke."""

    results: list[Result]
    broken: str | None


def run_check(pack: Path, file: str, context: Context) -> Outcome:
    """Imports a check of a pack and calls its ``run(context)``.

    Args:
        pack: The pack's folder; it and the check's own folder are importable.
        file: The check's module, relative to the pack.
        context: What it reads.

    Returns:
        Its results. A check that raises, or answers in another shape, is broken: that is never a pass.
    """
    path = pack / file
    name = f"nl2code_pack_check_{path.stem}"
    sys.path[:0] = [str(path.parent), str(pack)]
    try:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            return Outcome(results=[], broken=f"{file} is no Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return Outcome(results=_results(module.run(context)), broken=None)
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(pack))]
        where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        return Outcome(results=[], broken=f"{type(error).__name__}: {str(error)[:300]}{where}")
    finally:
        sys.modules.pop(name, None)
        del sys.path[:2]


def _results(answer: Iterable[Any]) -> list[Result]:
    results: list[Result] = []
    for item in answer:
        # `ok` of a numpy comparison is no bool of Python.
        given, name = item["ok"], item["name"]
        result = Result(
            name=str(name)[:80], ok=None if given is None else bool(given), detail=str(item.get("detail", ""))[:600]
        )
        if item.get("path") is not None:
            result["path"] = str(item["path"])[:300]
        results.append(result)
    if not results:
        raise ValueError("run() returned no results")
    if len(results) > MAX_RESULTS:
        raise ValueError(f"run() returned {len(results)} results, more than {MAX_RESULTS}")
    if len({result["name"] for result in results}) < len(results):
        raise ValueError("run() returned two results of one name")
    return results

"""What types the expressions of a script have: mypy over the script, with the libraries' types read ahead.

Nothing of the script is imported or run.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

#: Folder of the environment that holds the resolver, and the one that holds the libraries' types.
TOOLS: Final = "checks"
TYPES: Final = "checks-types"
OWN_PACKAGES: Final = ("nl2code_guest", "nl2code_checks")
Position = tuple[int, int, int, int]

#: Reading these ahead makes a script that uses them cheap to look at.
AHEAD: Final = """
import argparse, collections, contextlib, csv, dataclasses, datetime, functools, itertools, json, logging, math, os
import pathlib, random, re, statistics, sys, time, typing, warnings
import numpy, pandas, pandas.api.types, pyarrow, pyarrow.parquet, openpyxl, PIL.Image
import matplotlib.pyplot, matplotlib.dates, matplotlib.ticker, matplotlib.figure
import scipy.stats, scipy.optimize, scipy.sparse, scipy.spatial.distance, scipy.cluster.hierarchy, scipy.interpolate
import sklearn.calibration, sklearn.cluster, sklearn.compose, sklearn.covariance, sklearn.decomposition
import sklearn.ensemble, sklearn.feature_selection, sklearn.impute, sklearn.inspection, sklearn.isotonic
import sklearn.linear_model, sklearn.metrics, sklearn.mixture, sklearn.model_selection, sklearn.naive_bayes
import sklearn.neighbors, sklearn.neural_network, sklearn.pipeline, sklearn.preprocessing, sklearn.svm, sklearn.tree
import sklearn.feature_extraction.text, sklearn.datasets, sklearn.utils, sklearn.manifold
"""


class Unavailable(Exception):
    """Types can't be told here; the message says why."""


def environment() -> Path:
    """The environment with the libraries; the one that runs may only look into it."""
    found = importlib.util.find_spec("numpy")
    if found is None or found.origin is None:
        return Path(sys.prefix)
    return next((folder for folder in Path(found.origin).parents if (folder / "pyvenv.cfg").exists()), Path(sys.prefix))


@dataclass
class Types:
    """Types by position ``(line, column, end line, end column)`` of names and attributes; columns count characters
    of UTF-8. ``doubtful`` are names whose type mypy could not keep apart.
    """

    of: dict[Position, Any] = field(default_factory=dict)
    base: dict[Position, Any] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)


def library_folders() -> list[str]:
    """Folders of the import path that are not Python's, nor of installed packages, nor ours, nor the current one."""
    prefixes = {sys.prefix, sys.base_prefix, str(environment())}
    return [
        path
        for path in dict.fromkeys(sys.path)
        if os.path.isabs(path)
        and os.path.isdir(path)
        and path != os.getcwd()
        and not any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)
        and not any((Path(path) / package).exists() for package in OWN_PACKAGES)
    ]


def infer(source: str) -> Types:
    """Infers the types of a script's names and attributes.

    Args:
        source: The script, which parses.

    Raises:
        Unavailable: mypy or the folder is not there.
    """
    cache = environment() / TYPES
    if not cache.is_dir():
        raise Unavailable("the types of the libraries were not read ahead; run the set-up again")
    with tempfile.TemporaryDirectory(prefix="types-") as scratch:
        copy = os.path.join(scratch, "cache")
        shutil.copytree(cache, copy)
        # Read-only as it stands, and mypy keeps what it learns about the pack's libraries.
        return _types(_build(source, copy, keep_tree=True))


def read_ahead() -> None:
    """Reads the libraries' types into a folder of the environment; takes half a minute, once per installation.

    Raises:
        Unavailable: mypy is not installed.
    """
    cache = environment() / TYPES
    partial = cache.with_name(f"{cache.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    _build(AHEAD, str(partial), keep_tree=False)
    shutil.rmtree(cache, ignore_errors=True)
    partial.rename(cache)


def _build(source: str, cache: str, keep_tree: bool) -> Any:
    tools = str(environment() / TOOLS)
    if tools not in sys.path:
        sys.path.append(tools)
    try:
        from mypy import build
        from mypy.errors import CompileError
        from mypy.modulefinder import BuildSource
        from mypy.options import Options
    except ImportError as error:
        raise Unavailable(f"mypy is not installed ({error})") from error
    from nl2code_checks.certainty import Certainty

    options = Options()
    options.python_executable = sys.executable
    options.mypy_path = library_folders()
    # The libraries stand elsewhere inside a sandbox than where they were read, and are the same: mypy is not to compare
    # them, and looks for what was read ahead in the current folder.
    options.bazel = True
    options.check_untyped_defs = options.follow_untyped_imports = options.ignore_missing_imports = True
    options.allow_redefinition = options.local_partial_types = True
    # Kept trees keep the bodies of the libraries' functions, too: slow where the libraries are read.
    options.export_types = options.preserve_asts = keep_tree
    folder = os.getcwd()
    os.chdir(cache)
    try:
        return build.build([BuildSource("script.py", "__main__", source)], options, extra_plugins=[Certainty(options)])
    except CompileError as error:
        raise Unavailable("; ".join(error.messages[:1]) or "mypy does not read the script") from error
    finally:
        os.chdir(folder)


def _types(result: Any) -> Types:
    from mypy.traverser import NameAndMemberCollector

    tree = result.graph["__main__"].tree
    collector = NameAndMemberCollector()
    tree.accept(collector)
    found = Types()
    for node in (*collector.name_exprs, *collector.member_exprs):
        if node.end_line is None or node.end_column is None:
            continue
        at = (node.line, node.column, node.end_line, node.end_column)
        if (known := result.types.get(node)) is not None:
            found.of[at] = known
        inner = getattr(node, "expr", None)
        if inner is not None and (base := result.types.get(inner)) is not None:
            found.base[at] = base
    lines = {int(error.split(":")[1]) for error in result.errors if error.startswith("script.py:") and _doubt(error)}
    found.doubtful = {node.name for node in collector.name_exprs if node.line in lines}
    return found


def _doubt(error: str) -> bool:
    return error.endswith(("[assignment]", "[no-redef]", "[arg-type]", "[has-type]", "[var-annotated]"))


if __name__ == "__main__":
    read_ahead()

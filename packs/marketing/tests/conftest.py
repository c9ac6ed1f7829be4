"""What all tests of the pack share: its folders on the path, data made once a session, running checks."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "lib"), str(ROOT / "checks"), str(ROOT / "tests")]

import generate  # noqa: E402
from declared import CheckResult  # noqa: E402

OUTPUT = "lookalike_audience_scored.parquet"


@dataclass(frozen=True)
class Context:
    """A check context of plain folders."""

    inputs: Path
    outputs: Path
    truth: Path | None
    declared: list[str] = field(default_factory=list)
    asked: tuple[str, ...] = ()
    before: Path | None = None
    answered: int = 0


@dataclass(frozen=True)
class Data:
    """Generated data: the folder of the inputs, and what its columns are called."""

    folder: Path
    columns: dict[str, str]

    @property
    def truth(self) -> Path:
        """Folder of the truth."""
        return self.folder / "truth"

    def users(self) -> pd.DataFrame:
        """The user table under its usual names."""
        return pd.read_parquet(self.folder / generate.USERS_FILE).rename(columns=self._usual())

    def seeds(self) -> pd.DataFrame:
        """The seed list under its usual names."""
        return pd.read_csv(self.folder / generate.SEEDS_FILE).rename(columns=self._usual())

    def _usual(self) -> dict[str, str]:
        return {there: usual for usual, there in self.columns.items()}


def check(
    data: Data,
    outputs: Path,
    *,
    truth: bool = True,
    declared: list[str] | None = None,
    asked: tuple[str, ...] = (),
    before: pd.DataFrame | None = None,
) -> list[CheckResult]:
    """Runs the checks of the lookalike request over outputs; ``before`` answered all prompts but the last."""
    inputs = outputs.parent / "admitted"
    inputs.mkdir(exist_ok=True)
    for name in (generate.SEEDS_FILE, generate.USERS_FILE):
        if not (inputs / name).exists():
            (inputs / name).symlink_to(data.folder / name)
    earlier: Path | None = None
    if before is not None:
        earlier = outputs.parent / "before"
        earlier.mkdir(exist_ok=True)
        before.to_parquet(earlier / OUTPUT, index=False)
    answered = len(asked) - 1 if earlier else 0
    context = Context(inputs, outputs, data.truth if truth else None, declared or [], asked, earlier, answered)
    results: list[CheckResult] = importlib.import_module("lookalike").run(context)
    return results


def failed(results: list[CheckResult]) -> list[str]:
    """Numbers of the checks that failed."""
    return [result["name"].split()[0] for result in results if result["ok"] is False]


def run_reference(data: Data, outputs: Path, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the reference script as a process of its own, as verification does."""
    columns = data.columns
    command = [sys.executable, str(ROOT / "tests" / "reference_lookalike.py"), "--out", str(outputs / OUTPUT)]
    command += ["--id", columns["user_id"]]
    command += ["--features", columns["purch_freq"], columns["avg_ov"], columns["days_last_purch"]]
    return subprocess.run(
        command,
        cwd=cwd or data.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "lib"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Data]:
    """Data by seed: 42 as usual, 43 with its columns in another order, 7 under other names."""
    known: dict[int, Data] = {}

    def make(seed: int) -> Data:
        if seed not in known:
            folder = tmp_path_factory.mktemp(f"seed{seed}")
            written = generate.write_lookalike(folder, seed, varied=seed == 7, shuffled=seed == 43)
            known[seed] = Data(folder, written["columns"])
        return known[seed]

    return make


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """An empty folder for what a script writes."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder

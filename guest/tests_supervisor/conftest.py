"""Real process trees and folders for the supervisor's parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nl2code_supervisor.launch import Sandbox
from nl2code_supervisor.process_table import descendants


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A sandbox folder as the worker lays it out."""
    for name in ("workspace", "checkpoint", "scratch", "inputs", "run"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def raw_spec(layout: Path) -> dict[str, Any]:
    """A spec as it comes over the wire."""
    return {
        "id": "a-sandbox",
        "session": "s",
        "folder": str(layout),
        "isolation": "bubblewrap",
        "bwrap": "/usr/bin/bwrap",
        "seccomp": "/filter",
        "venv": "/venv",
        "prefixes": ["/usr", "/opt/python"],
        "guest": "/guest-code",
        "mounts": [{"from": "/packs/x", "at": "/pack"}],
        "pythonPath": ["/pack/lib"],
        "limits": {"memoryBytes": 1 << 30, "diskBytes": 1 << 20, "processes": 64, "cpus": 1.5},
        "hashSeed": 7,
        "leaseMs": 1000,
        "warm": "bare",
    }


@pytest.fixture
def tree() -> Iterator[Callable[[str], Sandbox]]:
    """Starts a first process that leads a session and starts one child, which leaves it and runs the given code."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> Sandbox:
        kernel = f"import os\nos.setsid()\n{code}"
        first = f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {kernel!r}])\np.wait()\ninput()"
        process = subprocess.Popen(
            [sys.executable, "-c", first], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return Sandbox(process.pid, process.pid, None, "none", None, -1)  # type: ignore[arg-type]

    yield start
    for process in started:
        # The kernel leads a session of its own and holds the pipe: it would keep it open until it ends by itself.
        for child in descendants(process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()

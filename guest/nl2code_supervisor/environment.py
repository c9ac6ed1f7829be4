"""The whole environment of the guest: nothing of the host's gets in."""

from __future__ import annotations

import math
from typing import NamedTuple

from .spec import Spec

USER = "nl2code"
#: Uid and gid as they look inside, whoever the sandbox is outside.
INSIDE_ID = 1000


class Places(NamedTuple):
    """Where things are for the guest: fixed names inside bubblewrap, host paths without it."""

    venv: str
    guest: str
    workspace: str
    checkpoint: str
    inputs: str
    scratch: str
    temporary: str
    python_path: tuple[str, ...]


def places(spec: Spec) -> Places:
    """The guest's view of its folders."""
    if spec.isolation == "bubblewrap":
        return Places("/py", "/guest", "/workspace", "/checkpoint", "/inputs", "/scratch", "/tmp", spec.python_path)
    folder = spec.folder
    return Places(
        venv=spec.venv,
        guest=spec.guest,
        workspace=f"{folder}/workspace",
        checkpoint=f"{folder}/checkpoint",
        inputs=f"{folder}/inputs",
        scratch=f"{folder}/scratch",
        temporary=f"{folder}/scratch",
        python_path=tuple(_outside(path, spec) for path in spec.python_path),
    )


def _outside(path: str, spec: Spec) -> str:
    for mount in spec.mounts:
        if path == mount.at or path.startswith(f"{mount.at}/"):
            return mount.source + path[len(mount.at) :]
    return path


def guest_command(spec: Spec, at: Places, control_fd: int) -> list[str]:
    """The command line of the guest's first process, or what the worker wants to run instead."""
    if spec.command:
        return list(spec.command)
    return [
        f"{at.venv}/bin/python3",
        *("-s", "-P", "-m", "nl2code_guest"),
        *("--control-fd", str(control_fd)),
        *("--checkpoint", at.checkpoint),
        *("--workspace", at.workspace),
        *("--session", spec.session),
        *("--warm", spec.warm),
        *("--durability", spec.durability),
        # So that a save refuses what the watcher of the disk would end.
        *("--quota-bytes", str(spec.limits.disk_bytes)),
    ]


def environment(spec: Spec, at: Places) -> dict[str, str]:
    """Every variable the guest sees."""
    cpus = max(1, math.ceil(spec.limits.cpus))
    threads = str(min(4, cpus))
    return {
        "PATH": f"{at.venv}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": at.workspace,
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": at.temporary,
        "PYTHONHASHSEED": str(spec.hash_seed),
        "PYTHONPATH": ":".join((at.guest, *at.python_path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHON_CPU_COUNT": str(cpus),
        "NL2CODE_INPUTS": at.inputs,
        "NL2CODE_CHECKPOINT": at.checkpoint,
        # One thread per CPU of the limit, not of the machine: at 64 cores OpenBLAS alone would pass the process limit.
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "POLARS_MAX_THREADS": threads,
        "LOKY_MAX_CPU_COUNT": str(cpus),
        # joblib maps arrays into files here; the memory file system at /tmp is too small for them.
        "JOBLIB_TEMP_FOLDER": at.scratch,
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": f"{at.temporary}/.mpl",
        "XDG_CACHE_HOME": f"{at.temporary}/.cache",
    }

"""What the worker asks for: one JSON object on standard input.

Tuples with names throughout the supervisor, not data classes: those would double the time it takes to start.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

MAX_SPEC_BYTES = 1 << 20


class Mount(NamedTuple):
    """A host folder shown read-only inside."""

    source: str
    at: str


class Limits(NamedTuple):
    """Bounds of one sandbox; bytes, a count and whole or broken CPUs."""

    memory_bytes: int
    disk_bytes: int
    processes: int
    cpus: float


class Spec(NamedTuple):
    """Everything a supervisor needs to start one sandbox."""

    id: str
    session: str
    folder: str
    isolation: str
    bwrap: str
    seccomp: str
    venv: str
    prefixes: tuple[str, ...]
    guest: str
    mounts: tuple[Mount, ...]
    python_path: tuple[str, ...]
    limits: Limits
    hash_seed: int
    lease_ms: int
    warm: str
    #: What a committed cell survives: `process` the death of any process, `host` also a power cut.
    durability: str
    #: Runs instead of the guest; how the worker probes what isolation does.
    command: tuple[str, ...]


class SpecError(ValueError):
    """The spec does not have the expected shape."""


def read_spec(fd: int) -> Spec:
    """Reads and checks the spec from `fd` until its end.

    Raises:
        SpecError: it is cut off, too large or malformed.
    """
    data = b""
    while chunk := os.read(fd, 65536):
        data += chunk
        if len(data) > MAX_SPEC_BYTES:
            raise SpecError(f"the spec is larger than {MAX_SPEC_BYTES} bytes")
    try:
        return parse_spec(json.loads(data))
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"the spec is malformed: {error!r}") from error


def parse_spec(raw: dict[str, Any]) -> Spec:
    """Turns the decoded JSON into a `Spec`; raises `ValueError`, `KeyError` or `TypeError`."""
    limits = raw["limits"]
    spec = Spec(
        id=str(raw["id"]),
        session=str(raw["session"]),
        folder=_absolute(raw["folder"]),
        isolation=str(raw["isolation"]),
        bwrap=_absolute(raw["bwrap"]),
        seccomp=_absolute(raw["seccomp"]),
        venv=_absolute(raw["venv"]),
        prefixes=tuple(_absolute(p) for p in raw["prefixes"]),
        guest=_absolute(raw["guest"]),
        mounts=tuple(Mount(_absolute(m["from"]), _absolute(m["at"])) for m in raw["mounts"]),
        python_path=tuple(_absolute(p) for p in raw["pythonPath"]),
        limits=Limits(
            memory_bytes=_positive(limits["memoryBytes"]),
            disk_bytes=_positive(limits["diskBytes"]),
            processes=_positive(limits["processes"]),
            cpus=float(limits["cpus"]),
        ),
        hash_seed=int(raw["hashSeed"]),
        lease_ms=_positive(raw["leaseMs"]),
        warm=str(raw["warm"]),
        durability=str(raw.get("durability", "process")),
        command=tuple(str(part) for part in raw.get("command", ())),
    )
    if not re.fullmatch(r"[a-z0-9-]{1,64}", spec.id):
        raise ValueError(f"id {spec.id!r} is not [a-z0-9-]{{1,64}}")
    if spec.isolation not in ("bubblewrap", "none"):
        raise ValueError(f"isolation {spec.isolation!r} is neither bubblewrap nor none")
    if spec.warm not in ("bare", "data", "all"):
        raise ValueError(f"warm {spec.warm!r} is none of bare, data and all")
    if spec.durability not in ("process", "host"):
        raise ValueError(f"durability {spec.durability!r} is neither process nor host")
    if not 0 <= spec.hash_seed <= 0xFFFFFFFF:
        raise ValueError(f"hashSeed {spec.hash_seed} is outside 0..4294967295")
    if not spec.limits.cpus > 0:
        raise ValueError(f"cpus {spec.limits.cpus} is not above 0")
    for mount in spec.mounts:
        if mount.at in TAKEN or mount.at.startswith(tuple(f"{place}/" for place in TAKEN)):
            raise ValueError(f"mount point {mount.at!r} is taken or lies below a folder of the sandbox")
    return spec


#: A mount point below a folder the sandbox writes to would be made on the host, through a link of the cell's choice.
TAKEN = (
    "/",
    "/bin",
    "/checkpoint",
    "/dev",
    "/etc",
    "/guest",
    "/inputs",
    "/lib",
    "/lib64",
    "/proc",
    "/py",
    "/scratch",
    "/tmp",
    "/usr",
    "/workspace",
)


def _absolute(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError(f"{value!r} is not an absolute path")
    return os.path.normpath(value)


def _positive(value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is not a whole number above 0")
    return value

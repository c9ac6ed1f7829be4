"""The guest's command line."""

from __future__ import annotations

import os
from typing import NamedTuple

WARM = ("bare", "data", "all")
DURABILITY = ("process", "host")
_MAX_QUOTA = 1 << 50


class UsageError(ValueError):
    """The command line is wrong; the message is one sentence that says how."""


class Options(NamedTuple):
    """What the launcher asks for, resolved."""

    #: Inherited AF_UNIX socket that hands over streams, one byte and one descriptor each.
    control_fd: int
    checkpoint: str
    workspace: str
    session: str
    #: What the zygote imports before a kernel is needed.
    warm: str
    #: `process` survives the death of any process, `host` also a power cut.
    durability: str
    #: What workspace and checkpoint may hold together; the host ends what goes beyond. None: nobody watches.
    quota_bytes: int | None

    @property
    def durable(self) -> bool:
        """Whether what is written has to survive a power cut."""
        return self.durability == "host"

    @property
    def ledger(self) -> str:
        """Folder of the journal."""
        return os.path.join(self.checkpoint, "ledger")

    @property
    def manifests(self) -> str:
        """Folder of the manifests."""
        return os.path.join(self.checkpoint, "manifests")


def parse_options(args: list[str]) -> Options:
    """Reads `--name value` pairs.

    Raises:
        UsageError: an option is unknown, missing or has a bad value.
    """
    given: dict[str, str] = {"--warm": "bare", "--durability": "process", "--quota-bytes": "0"}
    known = ("--control-fd", "--checkpoint", "--workspace", "--session", "--warm", "--durability", "--quota-bytes")
    rest = list(args)
    while rest:
        name = rest.pop(0)
        if name not in known or not rest:
            raise UsageError(f"{name!r} is not an option with a value; known are {', '.join(known)}.")
        given[name] = rest.pop(0)
    for name in known:
        if name not in given:
            raise UsageError(f"{name} is missing.")
    if not given["--control-fd"].isdecimal():
        raise UsageError(f"--control-fd {given['--control-fd']!r} is not the number of an open descriptor.")
    quota = given["--quota-bytes"]
    if not quota.isdecimal() or int(quota) > _MAX_QUOTA:
        raise UsageError(f"--quota-bytes {quota!r} is not a number of bytes; 0 means no limit.")
    for name, allowed in (("--warm", WARM), ("--durability", DURABILITY)):
        if given[name] not in allowed:
            raise UsageError(f"{name} {given[name]!r} is none of {', '.join(allowed)}.")
    return Options(
        control_fd=int(given["--control-fd"]),
        checkpoint=given["--checkpoint"],
        workspace=given["--workspace"],
        session=given["--session"],
        warm=given["--warm"],
        durability=given["--durability"],
        quota_bytes=int(quota) or None,
    )

"""The guest's command line."""

from __future__ import annotations

from typing import NamedTuple

WARM = ("bare", "data", "all")
DURABILITY = ("process", "host")


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


def parse_options(args: list[str]) -> Options:
    """Reads `--name value` pairs.

    Raises:
        UsageError: an option is unknown, missing or has a bad value.
    """
    given: dict[str, str] = {"--warm": "bare", "--durability": "process"}
    known = ("--control-fd", "--checkpoint", "--workspace", "--session", "--warm", "--durability")
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
    )

"""The fork that makes a zygote.

Imports little: the first zygote starts on its imports while the init is still at its own.
"""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from nl2code_guest.options import Options, UsageError, parse_options


class StartedZygote(NamedTuple):
    """A zygote that nobody has spoken to yet."""

    pid: int
    #: The init's end of the socket between them.
    sock: socket.socket


def first_zygote(args: list[str]) -> StartedZygote | None:
    """The zygote for the init's command line; None when that is wrong, which the init says itself."""
    try:
        options = parse_options(args)
    except UsageError:
        return None
    return start_zygote(options)


def start_zygote(options: Options) -> StartedZygote:
    """Forks a zygote that imports what `options.warm` says. Raises OSError."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    init_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            # Not before the fork: the init has no use for it.
            from nl2code_guest.zygote import serve

            serve(its, options, init_pid)
        finally:
            os._exit(1)
    its.close()
    mine.setblocking(False)
    return StartedZygote(pid, mine)

"""Starts the sandbox's first process: bubblewrap around the guest, or the guest alone when isolation is `none`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from typing import NamedTuple, NoReturn

from . import bubblewrap
from .cgroup import Cgroup
from .door import Door
from .environment import environment, guest_command, places
from .identity import become
from .process_table import start_time
from .spec import Spec

ON_LINUX = sys.platform == "linux"
INFO_TIMEOUT_BYTES = 1 << 16


class LaunchError(RuntimeError):
    """The sandbox did not start; the message holds what bubblewrap said."""


class Sandbox(NamedTuple):
    """A running sandbox as its supervisor sees it."""

    #: Our own child: bubblewrap, or the guest itself without isolation.
    outer: int
    #: First process of the sandbox; its end is the end of everything in its pid namespace.
    first: int
    first_start: int | None
    isolation: str
    #: Accepted streams are passed on here.
    control: socket.socket
    #: What the sandbox's first process prints.
    log: int


def start(spec: Spec, uid: int, cgroup: Cgroup | None) -> Sandbox:
    """Starts the sandbox as `uid`.

    Raises:
        LaunchError: bubblewrap refused, or the process to run is root's.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    # Nothing is ever read from the guest: what it sends fails at its end instead of filling ours.
    ours.shutdown(socket.SHUT_RD)
    log_read, log_write = os.pipe()
    os.set_blocking(log_read, False)
    try:
        if spec.isolation == "bubblewrap":
            outer, first = _start_isolated(spec, uid, cgroup, theirs.fileno(), log_read, log_write)
        else:
            outer = first = _start_open(spec, theirs.fileno(), log_write)
    finally:
        theirs.close()
        os.close(log_write)
    return Sandbox(outer, first, start_time(first), spec.isolation, ours, log_read)


def _start_isolated(
    spec: Spec, uid: int, cgroup: Cgroup | None, control: int, log_read: int, log_write: int
) -> tuple[int, int]:
    if uid == 0:
        raise LaunchError("bubblewrap is not started as root: a sandbox of uid 0 can write to /proc/sys of the host")
    door = Door(bubblewrap.sources(spec))
    info_read, info_write = os.pipe()
    inherited = [control, info_write, os.open(spec.seccomp, os.O_RDONLY)]
    inherited += [data_fds := _memory_file(bubblewrap.PASSWD), _memory_file(bubblewrap.GROUP)]
    at = places(spec)
    args = bubblewrap.arguments(
        spec,
        door,
        environment(spec, at),
        seccomp_fd=inherited[2],
        info_fd=info_write,
        data_fds=[data_fds, inherited[4]],
    )
    args_fd = _memory_file("".join(f"{arg}\0" for arg in args))
    inherited.append(args_fd)
    argv = ["bwrap", "--args", str(args_fd), "--", *bubblewrap.limited(guest_command(spec, at, control), spec.limits)]
    outer = os.fork()
    if outer == 0:
        _become_child(spec.bwrap, argv, {"PATH": "/usr/bin:/bin"}, inherited, log_write, uid, cgroup)
    for fd in inherited[1:]:
        os.close(fd)
    with open(info_read, "rb") as info:
        told = info.read(INFO_TIMEOUT_BYTES)
    try:
        return outer, int(json.loads(told)["child-pid"])
    except (KeyError, TypeError, ValueError):
        os.waitpid(outer, 0)
        raise LaunchError(_tail(log_read) or "bubblewrap ended without a word") from None


def _start_open(spec: Spec, control: int, log_write: int) -> int:
    at = places(spec)
    command = guest_command(spec, at, control)
    variables = environment(spec, at)
    supervisor = os.getpid()
    if ON_LINUX:
        from .system_calls import PR_SET_CHILD_SUBREAPER, prctl

        # Daemons a cell leaves behind become our children, so that the end of the sandbox is their end.
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(at.workspace)
        if ON_LINUX:
            import resource

            from .system_calls import PR_SET_PDEATHSIG, prctl

            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)
            bounds = bubblewrap.rlimits(spec.limits)
            for name in ("data", "as", "fsize", "core"):
                resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (bounds[name], bounds[name]))
        _become_child(command[0], command, variables, [control], log_write, os.getuid(), None)
    return child


def _become_child(
    path: str,
    argv: list[str],
    variables: dict[str, str],
    inherited: list[int],
    log: int,
    uid: int,
    cgroup: Cgroup | None,
) -> NoReturn:
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        if cgroup is not None:
            cgroup.join()
        become(uid)
        for fd in inherited:
            os.set_inheritable(fd, True)
        signal.set_wakeup_fd(-1)
        os.umask(0o022)
        # An ignored signal stays ignored across exec; the guest's children expect the defaults.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.execve(path, argv, variables)
    except BaseException as error:
        os.write(2, f"{path}: {error}\n".encode(errors="replace"))
    os._exit(127)


def _memory_file(text: str) -> int:
    fd = os.memfd_create("nl2code")
    os.write(fd, os.fsencode(text))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _tail(fd: int) -> str:
    try:
        return os.read(fd, 4096).decode(errors="replace").strip()
    except BlockingIOError:
        return ""


def end(sandbox: Sandbox) -> None:
    """Kills every process of the sandbox and waits until they are gone."""
    if sandbox.first_start is not None and start_time(sandbox.first) == sandbox.first_start:
        _kill(sandbox.first)
    if sandbox.isolation == "bubblewrap":
        _wait(sandbox.outer)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(sandbox.first, signal.SIGKILL)
    from .process_table import children

    # Each round kills what the last one handed to us; without /proc the process group has to do.
    while left := children(os.getpid()):
        for pid in left:
            _kill(pid)
            _wait(pid)
    _wait(sandbox.outer)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wait(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)

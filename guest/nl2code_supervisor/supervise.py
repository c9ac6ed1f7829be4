"""The life of one sandbox, from its start to the reason of its end.

Owns: the lock on `run/`, the listening socket, bubblewrap's process and the sandbox's control groups. The guest owns
the accepted streams and everything said on them; the worker owns the folder.

Invariants:
(1) one supervisor per folder: the second one loses the lock and changes nothing;
(2) the sandbox ends with this process, however that ends (`--die-with-parent`; without isolation its first process);
(3) without a stream for the lease the sandbox ends; time is CLOCK_MONOTONIC, so that neither a set clock nor a sleeping
    laptop ends it;
(4) a sandbox whose folder is deleted ends within a second;
(5) nothing is read from the guest but what its first process prints, which is kept up to 64 KiB.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from types import FrameType

from .cgroup import create_cgroup
from .disk_watch import DiskWatch
from .identity import IdentityError, become, choose_uid, give
from .launch import ON_LINUX, LaunchError, Sandbox, end, start
from .memory_watch import MemoryWatch
from .process_table import boot_id, start_time
from .run_folder import RunFolder, State
from .shared_segments import settle
from .spec import Spec
from .streams import SOCKET, Streams

TICK_SECONDS = 0.1
IDLE_TICK_SECONDS = 1.0
DISK_SECONDS = 0.5
MAX_LOG_BYTES = 64 << 10
TAIL_BYTES = 2000


class Refused(RuntimeError):
    """The sandbox can't be started; `code` is `locked` or `failed`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Supervisor:
    """One sandbox and what watches it."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        try:
            self._run = RunFolder(spec.folder)
            if not self._run.lock():
                raise Refused("locked", "another supervisor has this folder")
            isolated = spec.isolation == "bubblewrap"
            self._uid = choose_uid(spec.folder) if isolated else os.getuid()
            self._prepare()
            self._streams = Streams(self._run.fd, self._uid)
            self._cgroup = create_cgroup(self._group_name(), spec.limits) if isolated else None
            self._sandbox = self._start()
            self._memory = MemoryWatch(self._sandbox, spec.limits.memory_bytes, self._cgroup)
            self._disk = DiskWatch(self._sandbox, spec.folder, spec.limits.disk_bytes)
        except (OSError, IdentityError, LaunchError) as error:
            raise Refused("failed", str(error)) from error
        # From here on the supervisor is as powerless as its sandbox, and no process of its uid may look into it.
        if isolated:
            become(self._uid)
        if ON_LINUX:
            from .system_calls import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, prctl

            prctl(PR_SET_NO_NEW_PRIVS, 1)
            prctl(PR_SET_DUMPABLE, 0)
        self.state = State(
            id=spec.id,
            pid=os.getpid(),
            startTime=start_time(os.getpid()),
            childPid=self._sandbox.first,
            childStartTime=self._sandbox.first_start,
            bootId=boot_id(),
            isolation=spec.isolation,
            memoryLimit=self._memory_limit(),
            uid=self._uid,
            hashSeed=spec.hash_seed,
            cgroups=self._cgroup.paths if self._cgroup else (),
        )
        self._log_bytes = 0
        self._tail = b""
        self._run.write(self.state)

    def _prepare(self) -> None:
        spec = self._spec
        _empty(f"{spec.folder}/scratch")
        if spec.isolation == "none":
            return
        settle(f"{spec.folder}/checkpoint")
        for name in ("workspace", "checkpoint", "scratch", "run"):
            give(f"{spec.folder}/{name}", self._uid)

    def _group_name(self) -> str:
        return f"{self._uid}-{os.getpid()}"

    def _start(self) -> Sandbox:
        try:
            return start(self._spec, self._uid, self._cgroup)
        except LaunchError:
            if self._cgroup:
                self._cgroup.remove()
            raise

    def _memory_limit(self) -> str:
        if self._cgroup is not None:
            return "cgroup"
        return "watcher" if ON_LINUX else "none"

    def serve(self) -> str:
        """Watches until the sandbox is over; returns why it ended."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, _nothing)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        poll = select.poll()
        for fd in (wake_read, self._streams.listener.fileno(), self._sandbox.log):
            poll.register(fd, select.POLLIN)
        return self._loop(poll, wake_read)

    def _loop(self, poll: select.poll, wake: int) -> str:
        lease = self._spec.lease_ms / 1000
        alone_since = disk_at = time.monotonic()
        while True:
            now = time.monotonic()
            tick = TICK_SECONDS if self._streams.count else IDLE_TICK_SECONDS
            if not self._streams.count:
                left = alone_since + lease - now
                if left <= 0:
                    return f"lease: no worker held a stream for {lease:g} s"
                tick = min(tick, left)
            for fd, _ in poll.poll(tick * 1000 + 1):
                if fd == self._streams.listener.fileno():
                    self._streams.accept(self._sandbox.control, poll)
                elif fd == self._sandbox.log:
                    self._keep_log(poll)
                elif fd == wake:
                    if signal.SIGTERM in os.read(wake, 64):
                        return "stopped: the worker ended the sandbox"
                elif self._streams.hung_up(fd, poll):
                    alone_since = time.monotonic()
                    lease = self._run.lease_ms(self._spec.lease_ms) / 1000
            if (code := self._exit_code()) is not None:
                return f"exited: the sandbox's first process ended with {code}"
            if self._run.gone():
                return "removed: the sandbox's folder was deleted"
            self._note(self._memory.tick())
            if (now := time.monotonic()) >= disk_at:
                self._note(self._disk.tick())
                # A large tree is looked at less often: at most a twentieth of the time goes into it.
                disk_at = time.monotonic() + max(DISK_SECONDS, 20 * (time.monotonic() - now))

    def _exit_code(self) -> int | None:
        try:
            pid, status = os.waitpid(self._sandbox.outer, os.WNOHANG)
        except ChildProcessError:
            return -1
        return os.waitstatus_to_exitcode(status) if pid else None

    def _note(self, why: str | None) -> None:
        if why is None:
            return
        self.state = self.state._replace(kills=self.state.kills + 1, killedBecause=why)
        self._write_state()

    def _keep_log(self, poll: select.poll) -> None:
        try:
            data = os.read(self._sandbox.log, 65536)
        except BlockingIOError:
            return
        if not data:
            poll.unregister(self._sandbox.log)
            return
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        if (room := MAX_LOG_BYTES - self._log_bytes) > 0:
            self._log_bytes += len(data[:room])
            self._run.append_log(data[:room])

    def finish(self, why: str) -> None:
        """Ends the sandbox, if it has not ended, and writes down why."""
        self._streams.listener.close()
        end(self._sandbox)
        if self._cgroup:
            self._cgroup.remove()
        if why.startswith("exited:"):
            with contextlib.suppress(OSError):
                self._tail = (self._tail + os.read(self._sandbox.log, 65536))[-TAIL_BYTES:]
            said = self._tail.decode(errors="replace").strip()
            why = f"{why}: {said}" if said else why
        self.state = self.state._replace(endedBecause=why)
        self._run.remove(SOCKET)
        self._write_state()

    def _write_state(self) -> None:
        # The folder may be gone or the disk full: the limits hold all the same.
        with contextlib.suppress(OSError):
            self._run.write(self.state)


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """Present so that the signal wakes `poll` through the wake-up descriptor."""


def _empty(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                # Only here: it costs more to import than everything else, and the folder is nearly always empty.
                import shutil

                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)

"""The arguments of bubblewrap: what a sandbox is made of. SECURITY.md says which flag holds what."""

from __future__ import annotations

import os

from .door import Door
from .environment import INSIDE_ID, USER
from .spec import Limits, Spec

TEMPORARY_BYTES = 64 << 20
SHARED_MEMORY_BYTES = 1 << 20
OPEN_FILES = 1024
#: Room that the guest itself needs above the sizes it is allowed to hold.
HEADROOM_BYTES = 512 << 20
#: The address space is only a far fence: libraries reserve much more than they use.
ADDRESS_HEADROOM_BYTES = 8 << 30

PASSWD = f"{USER}:x:{INSIDE_ID}:{INSIDE_ID}:{USER}:/workspace:/bin/sh\n"
GROUP = f"{USER}:x:{INSIDE_ID}:\n"


def sources(spec: Spec) -> list[str]:
    """Host paths that are bound, all but the system's own."""
    own = [f"{spec.folder}/{name}" for name in ("workspace", "checkpoint", "scratch", "inputs")]
    prefixes = [prefix for prefix in spec.prefixes if not _in_usr(prefix)]
    return list(
        dict.fromkeys([spec.venv, *prefixes, f"{spec.guest}/nl2code_guest", *own, *(m.source for m in spec.mounts)])
    )


def arguments(
    spec: Spec,
    door: Door,
    variables: dict[str, str],
    *,
    seccomp_fd: int,
    info_fd: int,
    data_fds: list[int],
) -> list[str]:
    """The options, for `--args`; `data_fds` hold the lines for /etc/passwd and /etc/group."""
    args = [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", str(INSIDE_ID), "--gid", str(INSIDE_ID)),
        *("--die-with-parent", "--as-pid-1", "--new-session", "--clearenv"),
        *("--info-fd", str(info_fd), "--seccomp", str(seccomp_fd), "--hostname", "sandbox", "--cap-drop", "ALL"),
    ]
    for name, value in variables.items():
        args += ["--setenv", name, value]
    args += ["--ro-bind", "/usr", "/usr", *_system_links()]
    args += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    args += ["--ro-bind-data", str(data_fds[0]), "/etc/passwd", "--ro-bind-data", str(data_fds[1]), "/etc/group"]
    # bubblewrap leaves /proc/sys writable where the kernel's permissions allow it.
    args += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    args += ["--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"]
    args += ["--size", str(TEMPORARY_BYTES), "--perms", "1777", "--tmpfs", "/tmp"]
    for prefix in spec.prefixes:
        if not _in_usr(prefix):
            args += ["--ro-bind", door.through(prefix), prefix]
    guest = f"{spec.guest}/nl2code_guest"
    args += ["--ro-bind", door.through(spec.venv), "/py", "--ro-bind", door.through(guest), "/guest/nl2code_guest"]
    for mount in spec.mounts:
        args += ["--ro-bind", door.through(mount.source), mount.at]
    args += ["--ro-bind", door.through(f"{spec.folder}/inputs"), "/inputs"]
    for name in ("workspace", "checkpoint", "scratch"):
        args += ["--bind", door.through(f"{spec.folder}/{name}"), f"/{name}"]
    args += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/workspace"]
    return args


def limited(command: list[str], limits: Limits) -> list[str]:
    """The command under its limits, which are set inside, where they count this sandbox alone."""
    return ["/usr/bin/prlimit", *(f"--{name}={value}:{value}" for name, value in rlimits(limits).items()), *command]


def rlimits(limits: Limits) -> dict[str, int]:
    """Per-process limits by their `prlimit` name."""
    data = limits.memory_bytes + limits.disk_bytes + HEADROOM_BYTES
    return {
        "nproc": limits.processes,
        "data": data,
        "as": data + ADDRESS_HEADROOM_BYTES,
        "nofile": OPEN_FILES,
        "fsize": limits.disk_bytes,
        "core": 0,
    }


def _system_links() -> list[str]:
    args: list[str] = []
    for name in ("bin", "lib", "lib32", "lib64"):
        path = f"/{name}"
        if os.path.islink(path):
            args += ["--symlink", os.readlink(path).lstrip("/"), path]
        elif os.path.isdir(path):
            args += ["--ro-bind", path, path]
    return args


def _in_usr(path: str) -> bool:
    return path == "/usr" or path.startswith("/usr/")

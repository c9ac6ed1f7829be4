"""Writes the sandbox's system-call filter as raw BPF, one file per architecture.

Build-time only: needs Debian's `python3-seccomp` (libseccomp). The blobs are committed: running nl2code needs neither.

    /usr/bin/python3 guest/seccomp/generate.py            # rewrites x86_64.bpf and aarch64.bpf beside this file
    /usr/bin/python3 guest/seccomp/generate.py --check    # exits 1 when a committed blob differs

A deny list on top of an allow-all default: bubblewrap's namespaces are the wall, the filter takes away what history has
shown to be ways through it (new namespaces, mounts, io_uring, ptrace, keyrings, memory that no limit counts).
Calls of another architecture (i386 and x32 on x86_64) kill the caller.
"""

from __future__ import annotations

import errno
import sys
import tempfile
from pathlib import Path

import seccomp  # type: ignore[import-not-found]

ARCHITECTURES = ("x86_64", "aarch64")

#: Answered with EPERM, whatever the arguments.
DENIED = [
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "fanotify_mark",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "memfd_create",
    "memfd_secret",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pidfd_open",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setns",
    "settimeofday",
    "shmget",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "_sysctl",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vm86",
    "vm86old",
    "vmsplice",
]

CLONE_NEWUSER = 0x10000000
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
AF_INET6 = 10


def build(architecture: str, target: Path) -> None:
    """Writes the filter of one architecture to `target`."""
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    arch = getattr(seccomp.Arch, architecture.upper())
    if arch != seccomp.Arch.NATIVE and architecture != _native():
        rules.remove_arch(seccomp.Arch.NATIVE)
        rules.add_arch(arch)
    rules.set_attr(seccomp.Attr.CTL_NNP, 1)
    for name in DENIED:
        try:
            rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
        except (OSError, RuntimeError, ValueError):
            print(f"{architecture}: this libseccomp does not know {name}", file=sys.stderr)
    # No new user namespace; clone3 passes its flags through memory a filter can't read: glibc falls back to clone.
    flags_at = 0
    rules.add_rule(
        seccomp.ERRNO(errno.EPERM), "clone", seccomp.Arg(flags_at, seccomp.MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)
    )
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    # Only AF_UNIX, AF_INET and AF_INET6 sockets (the network namespace is empty).
    for family in range(3, AF_INET6):
        rules.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family))
    rules.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.GT, AF_INET6))
    # No typing into a terminal that another process reads.
    for request in (TIOCSTI, TIOCLINUX):
        rules.add_rule(seccomp.ERRNO(errno.EPERM), "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    with target.open("wb") as file:
        rules.export_bpf(file)


def _native() -> str:
    import platform

    return platform.machine()


def main() -> int:
    """Writes or, with `--check`, compares the blobs; returns the exit code."""
    here = Path(__file__).parent
    check = "--check" in sys.argv[1:]
    differs = 0
    for architecture in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "filter.bpf"
            build(architecture, fresh)
            kept = here / f"{architecture}.bpf"
            if not check:
                kept.write_bytes(fresh.read_bytes())
                print(f"{kept.name}: {kept.stat().st_size} bytes")
            elif not kept.exists() or kept.read_bytes() != fresh.read_bytes():
                print(f"{kept.name} differs from what generate.py writes", file=sys.stderr)
                differs = 1
    return differs


if __name__ == "__main__":
    sys.exit(main())

"""The supervisor's parts; whole sandboxes are tested from the worker's side."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nl2code_supervisor.bubblewrap import arguments, limited, sources
from nl2code_supervisor.cgroup import Cgroup
from nl2code_supervisor.disk_watch import MAX_DEPTH, DiskWatch, TooMuch, Usage, measure
from nl2code_supervisor.door import Door
from nl2code_supervisor.environment import environment, guest_command, places
from nl2code_supervisor.identity import choose_uid, give
from nl2code_supervisor.launch import LaunchError, Sandbox, start
from nl2code_supervisor.memory_watch import MemoryWatch
from nl2code_supervisor.process_table import cells, descendants, session, start_time
from nl2code_supervisor.run_folder import RunFolder, State
from nl2code_supervisor.shared_segments import settle
from nl2code_supervisor.spec import SpecError, parse_spec, read_spec

GUEST = Path(__file__).parent.parent


def _state(**changes: Any) -> State:
    return State("x", 1, 2, 3, 4, "boot", "none", "watcher", 0, 7)._replace(**changes)


def test_a_spec_that_is_cut_off_or_malformed_is_refused(tmp_path: Path, raw_spec: dict[str, Any]) -> None:
    whole = json.dumps(raw_spec)
    for text in (whole[:-5], "", "[]", "{}", json.dumps({**raw_spec, "limits": {}})):
        path = tmp_path / "spec"
        path.write_text(text)
        with path.open("rb") as file, pytest.raises(SpecError):
            read_spec(file.fileno())


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"},
        {"id": ""},
        {"folder": "relative"},
        {"folder": "/a\0b"},
        {"isolation": "some"},
        {"warm": "hot"},
        {"durability": "some"},
        {"hashSeed": -1},
        {"hashSeed": 1 << 32},
        {"leaseMs": 0},
        {"mounts": [{"from": "/x", "at": "/workspace/x"}]},
        {"mounts": [{"from": "/x", "at": "/proc"}]},
        {"mounts": [{"from": "/x", "at": "/pack/../workspace"}]},
    ],
)
def test_a_spec_out_of_bounds_is_refused(raw_spec: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        parse_spec({**raw_spec, **change})


def test_the_environment_is_whole_and_holds_nothing_of_ours(
    raw_spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    spec = parse_spec(raw_spec)
    variables = environment(spec, places(spec))
    assert "secret" not in str(variables)
    assert variables["PYTHONHASHSEED"] == "7"
    assert variables["PYTHONPATH"] == "/guest:/pack/lib"
    assert variables["OPENBLAS_NUM_THREADS"] == "2"
    assert variables["NL2CODE_INPUTS"] == "/inputs"


def test_without_isolation_the_guest_gets_real_places(raw_spec: dict[str, Any], layout: Path) -> None:
    spec = parse_spec({**raw_spec, "isolation": "none"})
    at = places(spec)
    assert environment(spec, at)["PYTHONPATH"] == "/guest-code:/packs/x/lib"
    assert environment(spec, at)["NL2CODE_INPUTS"] == f"{layout}/inputs"
    command = guest_command(spec, at, 5)
    assert command[0] == "/venv/bin/python3"
    assert " ".join(command).endswith(f"--durability process --quota-bytes {1 << 20}")
    host = parse_spec({**raw_spec, "durability": "host"})
    assert "--durability host" in " ".join(guest_command(host, places(host), 5))


def test_the_arguments_hold_what_is_promised(raw_spec: dict[str, Any]) -> None:
    spec = parse_spec(raw_spec)
    door = Door.__new__(Door)
    door._through = {source: f"/mnt/{n}" for n, source in enumerate(sources(spec))}
    args = arguments(spec, door, {"A": "b"}, seccomp_fd=5, info_fd=6, data_fds=[7, 8])
    text = " ".join(args)
    for flag in (
        "--unshare-all --unshare-user --disable-userns",
        "--die-with-parent --as-pid-1 --new-session --clearenv",
        "--cap-drop ALL",
        "--seccomp 5",
        "--info-fd 6",
        "--ro-bind /proc/sys /proc/sys",
        "--ro-bind /mnt/1 /opt/python",
        "--remount-ro /dev --remount-ro /",
    ):
        assert flag in text
    assert str(spec.folder) not in text
    writable = {args[n + 2] for n, arg in enumerate(args) if arg == "--bind"}
    assert writable == {"/workspace", "/checkpoint", "/scratch"}
    assert not [
        at
        for n, arg in enumerate(args)
        if arg in ("--ro-bind", "--dir", "--file")
        for at in args[n + 2 : n + 3]
        if at.startswith(("/workspace/", "/checkpoint/", "/scratch/"))
    ]
    sized = [args[n - 1] for n, arg in enumerate(args) if arg == "--tmpfs" for _ in [0]]
    assert len(sized) == text.count("--size")
    command = limited(["python3"], spec.limits)
    assert command[0] == "/usr/bin/prlimit"
    assert {"--nproc=64:64", "--core=0:0", f"--fsize={1 << 20}:{1 << 20}"} <= set(command)


def test_bubblewrap_is_never_started_as_root(raw_spec: dict[str, Any]) -> None:
    with pytest.raises(LaunchError, match="not started as root"):
        start(parse_spec(raw_spec), 0, None)


def test_only_one_supervisor_gets_a_folder(layout: Path) -> None:
    first, second = RunFolder(str(layout)), RunFolder(str(layout))
    assert first.lock()
    assert not second.lock()


def test_the_state_is_replaced_in_one_piece_also_after_the_folder_was_renamed(layout: Path) -> None:
    run = RunFolder(str(layout))
    run.write(_state())
    moved = layout.with_name(layout.name + "-moved")
    os.rename(layout, moved)
    run.write(_state(endedBecause="lease"))
    assert json.loads((moved / "run" / "state.json").read_text())["endedBecause"] == "lease"
    assert [path.name for path in (moved / "run").iterdir()] == ["state.json"]
    assert not run.gone()
    (moved / "run" / "state.json").unlink()
    (moved / "run").rmdir()
    assert run.gone()


def test_the_lease_is_read_anew(layout: Path) -> None:
    run = RunFolder(str(layout))
    assert run.lease_ms(5) == 5
    (layout / "run" / "lease").write_text("1234")
    assert run.lease_ms(5) == 1234
    (layout / "run" / "lease").write_text("soon")
    assert run.lease_ms(5) == 5


def test_a_sandbox_of_root_gets_a_uid_of_its_own_and_keeps_it(layout: Path) -> None:
    uid = choose_uid(str(layout))
    if os.getuid() != 0:
        assert uid == os.getuid()
        return
    assert uid != 0
    assert choose_uid("/another/folder" if Path("/another/folder").exists() else str(layout)) == uid
    (layout / "workspace" / "file").write_text("x")
    (layout / "workspace" / "link").symlink_to("/etc/passwd")
    os.link(layout / "workspace" / "file", layout / "second-name")
    give(str(layout / "workspace"), uid)
    assert os.lstat(layout / "workspace" / "link").st_uid == uid
    assert os.stat("/etc/passwd").st_uid == 0
    assert os.stat(layout / "second-name").st_uid == 0
    os.rename(layout, moved := layout.with_name(layout.name + "-moved"))
    assert choose_uid(str(moved)) == uid


def test_a_process_is_named_by_its_start_and_cells_by_leaving_the_session(tree: Callable[[str], Sandbox]) -> None:
    sandbox = tree("import sys, time\nprint(1, flush=True)\ntime.sleep(60)")
    (kernel,) = descendants(sandbox.first)
    assert cells(sandbox.first) == [kernel]
    assert session(kernel) != session(sandbox.first)
    assert start_time(os.getpid()) == start_time(os.getpid()) != start_time(kernel)
    assert start_time(2**22 + 1) is None


def test_the_memory_watch_ends_the_biggest_process_and_says_why(tree: Callable[[str], Sandbox]) -> None:
    sandbox = tree("import time\nx = b'x' * (200 << 20)\nprint(1, flush=True)\ntime.sleep(60)")
    assert MemoryWatch(sandbox, 400 << 20, None).tick() is None
    assert MemoryWatch(sandbox, 100 << 20, None).tick() == (
        "the sandbox went over its memory limit of 100 MiB and its biggest process was ended"
    )
    _until(lambda: cells(sandbox.first) == [])


def test_pages_shared_by_a_fork_count_once(tree: Callable[[str], Sandbox]) -> None:
    sandbox = tree(
        "import os, time\nx = b'x' * (200 << 20)\n"
        "for _ in range(4):\n    if os.fork() == 0: time.sleep(60)\nprint(1, flush=True)\ntime.sleep(60)"
    )
    assert MemoryWatch(sandbox, 400 << 20, None).tick() is None


def test_a_control_group_that_ended_something_is_noticed_once(tmp_path: Path, tree: Callable[[str], Sandbox]) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 0\noom_kill 0\n")
    sandbox = tree("import time\nprint(1, flush=True)\ntime.sleep(60)")
    with events.open("rb") as file:
        watch = MemoryWatch(sandbox, 1 << 20, Cgroup((), file.fileno()))
        assert watch.tick() is None
        events.write_text("low 0\noom 1\noom_kill 1\n")
        assert "memory limit of 1 MiB" in (watch.tick() or "")
        assert watch.tick() is None


def test_the_disk_watch_ends_cells_and_lets_the_session_clean_up(layout: Path, tree: Callable[[str], Sandbox]) -> None:
    def grow(name: str, size: int) -> None:
        (layout / "workspace" / name).write_bytes(os.urandom(size))

    sandbox = tree("import time\nprint(1, flush=True)\ntime.sleep(60)")
    watch = DiskWatch(sandbox, str(layout), 8 << 20)
    grow("a", 4 << 20)
    assert watch.tick() is None
    grow("b", 6 << 20)
    assert "disk limit of 8 MiB (it holds 10 MiB)" in (watch.tick() or "")
    _until(lambda: cells(sandbox.first) == [])
    again = DiskWatch(tree("import time\nprint(1, flush=True)\ntime.sleep(60)"), str(layout), 8 << 20)
    assert again.tick() is not None
    assert again.tick() is None


def test_usage_counts_an_inode_once_and_follows_no_link(layout: Path) -> None:
    work = layout / "workspace"
    (work / "a").write_bytes(os.urandom(1 << 20))
    os.link(work / "a", work / "b")
    (work / "usr").symlink_to("/usr")
    (work / "sparse").touch()
    os.truncate(work / "sparse", 1 << 40)
    usage = _measured(work)
    assert (1 << 20) <= usage.total < (2 << 20)
    assert usage.entries == 4


def test_a_tree_too_deep_to_measure_is_too_much(layout: Path) -> None:
    deep = layout / "workspace"
    for _ in range(MAX_DEPTH + 2):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(TooMuch, match="nested deeper"):
        _measured(layout / "workspace")


def test_the_filters_are_what_the_generator_writes() -> None:
    sizes = {path.name: path.stat().st_size for path in (GUEST / "seccomp").glob("*.bpf")}
    assert set(sizes) == {"x86_64.bpf", "aarch64.bpf"}
    machines = {"x86_64.bpf": 0xC000003E, "aarch64.bpf": 0xC00000B7}
    for name, machine in machines.items():
        blob = (GUEST / "seccomp" / name).read_bytes()
        assert len(blob) % 8 == 0
        # Second instruction: jump unless the architecture is ours.
        assert int.from_bytes(blob[12:16], "little") == machine


def test_the_supervisor_refuses_a_bad_spec_on_its_ready_descriptor(layout: Path) -> None:
    ready, theirs = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-s",
            "-P",
            "-S",
            "-c",
            "import os, sys; os.dup2(int(sys.argv[1]), 3); import nl2code_supervisor.__main__ as m; sys.exit(m.main())",
            str(theirs),
        ],
        stdin=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(GUEST)},
        pass_fds=(theirs,),
    )
    os.close(theirs)
    process.communicate(b'{"id": 1}')
    with open(ready) as file:
        assert json.loads(file.read())["code"] == "failed"
    assert process.returncode == 1


def _measured(folder: Path) -> Usage:
    usage = Usage()
    top = os.open(folder, os.O_RDONLY)
    try:
        measure(top, usage)
    finally:
        os.close(top)
    return usage


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_somebody_may_still_write_to_is_replaced_by_a_copy_before_a_sandbox_starts(layout: Path) -> None:
    folder = layout / "checkpoint" / "segments"
    folder.mkdir()
    open_, mapped, closed, own = (folder / f"{n}-0123456789ab-0.segment" for n in range(4))
    for file in (open_, mapped, closed, own):
        file.write_bytes(file.name.encode() * 1000)
    root = os.getuid() == 0
    if root:
        os.chown(own, 1_900_000_000, -1)
    (folder / "7-0123456789ab-0.segment").symlink_to(layout)
    os.mkfifo(folder / "8-0123456789ab-0.segment")
    before = {file: file.stat().st_ino for file in (open_, mapped, closed, own)}
    with open_.open("r+b") as writer, own.open("r+b"), mapped.open("r+b") as third:
        memory = mmap.mmap(third.fileno(), 0)
        third.close()
        for path in before:
            path.chmod(0o444)
        settle(str(layout / "checkpoint"))
        writer.write(b"altered")
        memory[:7] = b"altered"
        memory.close()
    # Nobody else shares anything.
    assert [path.stat().st_ino == ino for path, ino in before.items()] == [not root, not root, True, True]
    for path in (open_, mapped) if root else ():
        assert path.read_bytes() == path.name.encode() * 1000
        assert path.stat().st_mode & 0o777 == 0o444
    assert len(os.listdir(folder)) == 6
    settle(str(layout / "nothing"))

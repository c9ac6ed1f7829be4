"""A workspace comes back as it was saved, and nothing outside of it is ever read or touched."""

from __future__ import annotations

import errno
import json
import mmap
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nl2code_guest.checkpoint import file_contents, workspace_files, workspace_index, workspace_restore
from nl2code_guest.checkpoint.buffers import Chunk
from nl2code_guest.checkpoint.folder_access import enter, enter_to_change
from nl2code_guest.checkpoint.segments import Segments, SegmentWriter, TornSegment
from nl2code_guest.checkpoint.workspace_files import Captured, WorkspaceFiles
from nl2code_guest.checkpoint.workspace_index import FileEntry, Index, file_clock_ns, is_settled, to_index
from nl2code_guest.checkpoint.workspace_restore import Restored

MIB = 1 << 20


class Room:
    """A workspace with its store."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "workspace"
        self.top.mkdir()
        self.segments = str(folder / "segments")
        self.index: Index = {}
        self.k = 0

    def save(self) -> Captured:
        """Captures and commits."""
        with SegmentWriter(self.segments, self.k, False) as writer:
            captured = WorkspaceFiles(str(self.top)).capture(self.index, writer)
            self.written = writer.bytes_put
            writer.commit()
        self.k += 1
        self.index = captured.index
        return captured

    def restore(self, keep: bool = False) -> Restored:
        """Restores what a state says of the last save."""
        index = to_index(json.loads(json.dumps(self.index)))
        restored = WorkspaceFiles(str(self.top)).restore(index, Segments(self.segments), keep)
        self.index = restored.index
        return restored

    def tree(self) -> dict[str, object]:
        """What a cell would see of the workspace."""
        seen: dict[str, object] = {}
        for path in sorted(self.top.rglob("*")):
            found = path.lstat()
            what: object = found.st_mtime_ns if path.is_file() else None
            content: object = None
            if path.is_symlink():
                what, content = None, os.readlink(path)
            elif path.is_file():
                content = path.read_bytes()
            seen[str(path.relative_to(self.top))] = (stat.S_IFMT(found.st_mode), found.st_mode & 0o777, what, content)
        return seen


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def settle() -> None:
    """Waits until a write shows in the times of any file there is."""
    began = time.time_ns()
    while file_clock_ns() <= began:
        time.sleep(0.001)


def empty(top: Path) -> None:
    """Removes everything, what is read-only too."""
    for path in top.iterdir():
        if not path.is_symlink():
            subprocess.run(["chmod", "-R", "u+rwX", str(path)], check=True)
        subprocess.run(["rm", "-rf", str(path)], check=True)


def fill(room: Room) -> None:
    (room.top / "a.txt").write_text("alpha")
    (room.top / "empty").touch()
    (room.top / "deep" / "er").mkdir(parents=True)
    (room.top / "deep" / "er" / "b.bin").write_bytes(os.urandom(5 * MIB))
    (room.top / "deep" / "link").symlink_to("../a.txt")
    (room.top / "away").symlink_to("/etc/hostname")
    (room.top / "nowhere").symlink_to("not/there")
    (room.top / "run.sh").write_text("echo")
    (room.top / "run.sh").chmod(0o755)
    (room.top / "shut").mkdir()
    (room.top / "shut" / "c").write_text("see")
    (room.top / "shut" / "c").chmod(0o400)
    (room.top / "shut").chmod(0o500)


def test_a_workspace_that_was_emptied_comes_back_as_it_was(room: Room) -> None:
    fill(room)
    room.save()
    before = room.tree()
    empty(room.top)
    room.restore()
    assert room.tree() == before


def change_content(top: Path) -> None:
    (top / "a.txt").write_text("ALPHA")


def change_content_under_its_old_time(top: Path) -> None:
    found = (top / "a.txt").stat()
    (top / "a.txt").write_text("ALPHA")
    os.utime(top / "a.txt", ns=(found.st_atime_ns, found.st_mtime_ns))


def change_mode(top: Path) -> None:
    (top / "a.txt").chmod(0o600)


def touch(top: Path) -> None:
    os.utime(top / "a.txt", ns=(1, 1))


def replace_file_by_folder(top: Path) -> None:
    (top / "a.txt").unlink()
    (top / "a.txt").mkdir()
    (top / "a.txt" / "inner").write_text("x")


def replace_folder_by_file(top: Path) -> None:
    subprocess.run(["rm", "-r", str(top / "deep")], check=True)
    (top / "deep").write_text("x")


def replace_folder_by_link(top: Path) -> None:
    os.rename(top / "deep", top / "moved")
    (top / "deep").symlink_to("moved")


def replace_link(top: Path) -> None:
    (top / "away").unlink()
    (top / "away").write_text("a file now")


def add_much(top: Path) -> None:
    (top / "new" / "er").mkdir(parents=True)
    (top / "new" / "er" / "x").write_text("x")
    (top / "new" / "er").chmod(0)
    os.mkfifo(top / "pipe")
    (top / "deep" / "er" / "y").symlink_to("/etc")


def remove_much(top: Path) -> None:
    (top / "run.sh").unlink()
    (top / "empty").unlink()
    subprocess.run(["rm", "-r", str(top / "deep")], check=True)


def grow(top: Path) -> None:
    with open(top / "deep" / "er" / "b.bin", "ab") as file:
        file.write(b"more")


CHANGES = [
    change_content,
    change_content_under_its_old_time,
    change_mode,
    touch,
    replace_file_by_folder,
    replace_folder_by_file,
    replace_folder_by_link,
    replace_link,
    add_much,
    remove_much,
    grow,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_restore_undoes_any_change(room: Room, change: Callable[[Path], None]) -> None:
    fill(room)
    room.save()
    before = room.tree()
    change(room.top)
    room.restore()
    assert room.tree() == before
    assert room.save().entries == {}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_saved_as_entries_and_removals_on_top_of_the_state_before(
    room: Room, change: Callable[[Path], None]
) -> None:
    fill(room)
    old = dict(room.save().index)
    settle()
    change(room.top)
    subprocess.run(["chmod", "-R", "u+rwX", str(room.top / "new")], check=False, capture_output=True)
    captured = room.save()
    after = room.tree()
    after.pop("pipe", None)
    merged = {**old, **captured.entries}
    for path in captured.removed:
        del merged[path]
    assert captured.entries or captured.removed
    room.index = merged
    empty(room.top)
    room.restore()
    assert room.tree() == after


def test_what_has_not_changed_is_neither_read_nor_told_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(room)
    settle()
    first = room.save()
    assert len(first.entries) == len(first.index) == 11
    monkeypatch.setattr(workspace_files, "store_contents", None)
    monkeypatch.setattr(file_contents, "has_contents", None)
    again = room.save()
    assert (again.entries, again.removed, again.notes, room.written) == ({}, [], [], 0)
    restored = room.restore()
    assert (restored.written, restored.removed) == ([], [])


def test_a_file_written_twice_within_one_tick_of_the_clock_is_saved_as_it_is_in_the_end(room: Room) -> None:
    path = room.top / "a"
    for content in (b"one", b"two", b"six"):
        path.write_bytes(content)
        captured = room.save()
        entry = captured.index["a"]
        assert isinstance(entry, FileEntry)
    room.restore()
    assert path.read_bytes() == b"six"
    path.write_bytes(b"ten")
    room.restore()
    assert path.read_bytes() == b"six"


def test_equal_content_is_stored_once_and_a_grown_file_costs_what_is_new(room: Room) -> None:
    data = os.urandom(9 * MIB)
    (room.top / "a").write_bytes(data)
    (room.top / "b").write_bytes(data)
    room.save()
    assert room.written == len(data)
    os.rename(room.top / "a", room.top / "c")
    with open(room.top / "b", "ab") as file:
        file.write(b"tail")
    captured = room.save()
    assert room.written == MIB + 4
    assert (sorted(captured.entries), captured.removed) == (["b", "c"], ["a"])
    (room.top / "b").unlink()
    room.restore()
    assert (room.top / "b").read_bytes() == data + b"tail"


def test_a_sparse_file_costs_neither_time_nor_room_and_stays_sparse(room: Room) -> None:
    path = room.top / "sparse"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"island")
    began = time.monotonic()
    room.save()
    assert room.written <= 4 * MIB
    path.unlink()
    room.restore()
    found = path.stat()
    assert found.st_size == 1 << 40
    assert found.st_blocks * 512 <= 8 * MIB
    with open(path, "rb") as file:
        file.seek((1 << 39) - 2)
        assert file.read(9) == b"\0\0island\0"
    assert time.monotonic() - began < 10


def test_a_large_file_needs_memory_for_one_chunk(room: Room) -> None:
    code = (
        "import os, resource, sys\n"
        "from nl2code_guest.checkpoint.segments import Segments, SegmentWriter\n"
        "from nl2code_guest.checkpoint.workspace_files import WorkspaceFiles\n"
        "top, segments = sys.argv[1:]\n"
        "files = WorkspaceFiles(top)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with SegmentWriter(segments, 0, False) as writer:\n"
        "    index = files.capture({}, writer).index\n"
        "    writer.commit()\n"
        "os.unlink(top + '/large')\n"
        "files.restore(index, Segments(segments))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    block = os.urandom(MIB)
    with open(room.top / "large", "wb") as file:
        for number in range(100):
            file.write(number.to_bytes(8) + block)
    before = (room.top / "large").stat().st_size
    command = [sys.executable, "-c", code, str(room.top), room.segments]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 24 * 1024
    assert (room.top / "large").stat().st_size == before


def test_a_link_is_restored_as_a_link_and_never_followed(room: Room, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("not yours")
    (room.top / "folder").mkdir()
    (room.top / "folder" / "file").write_text("yours")
    (room.top / "single").write_text("yours")
    room.save()
    os.rename(room.top / "folder", room.top / "elsewhere")
    (room.top / "folder").symlink_to(outside)
    (room.top / "single").unlink()
    (room.top / "single").symlink_to(outside / "file")
    (room.top / "extra").symlink_to(outside)
    room.restore()
    assert sorted(os.listdir(room.top)) == ["folder", "single"]
    assert (room.top / "folder" / "file").read_text() == (room.top / "single").read_text() == "yours"
    assert (outside / "file").read_text() == "not yours"
    assert os.listdir(outside) == ["file"]


@pytest.mark.parametrize("content", ["mines", "yours"])
def test_a_file_that_has_another_name_outside_is_replaced_and_not_changed(
    room: Room, tmp_path: Path, content: str
) -> None:
    (room.top / "a").write_text("yours")
    room.save()
    outside = tmp_path / "outside"
    outside.write_text(content)
    outside.chmod(0o640)
    (room.top / "a").unlink()
    os.link(outside, room.top / "a")
    room.restore()
    assert ((room.top / "a").read_text(), (room.top / "a").stat().st_mode & 0o777) == ("yours", 0o644)
    assert (outside.read_text(), outside.stat().st_mode & 0o777) == (content, 0o640)


@pytest.mark.parametrize("go_in", [enter, enter_to_change])
def test_a_link_that_takes_a_folders_place_is_not_gone_through(
    tmp_path: Path, go_in: Callable[[str, int], int]
) -> None:
    (tmp_path / "outside").mkdir(mode=0o500)
    (tmp_path / "link").symlink_to("outside")
    top = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError):
            go_in("link", top)
    finally:
        os.close(top)
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o500


@pytest.mark.parametrize(
    "path", ["../outside", "/outside", "a/../../outside", "a//b", ".", "..", "", "a/", "link/x", "missing/x", "a\0b"]
)
def test_a_state_that_names_a_path_outside_is_refused(path: str) -> None:
    entries: dict[str, object] = {"a": ["folder", 0o755], "link": ["link", "/etc"], path: ["folder", 0o755]}
    with pytest.raises(TornSegment):
        to_index(entries)


@pytest.mark.parametrize("entry", [None, [], ["file"], ["file", 1, 2, 3, "", [["x"]]], ["link", ""], ["device", 1]])
def test_an_entry_that_no_guest_has_written_is_refused(entry: object) -> None:
    with pytest.raises(TornSegment):
        to_index({"a": entry})


def test_input_links_are_never_removed_come_back_when_a_cell_removed_them_and_are_not_read(
    room: Room, tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for name in ("old.csv", "new.csv", "gone.csv"):
        (inputs / name).write_text(name)
    (room.top / "old.csv").symlink_to(inputs / "old.csv")
    (room.top / "gone.csv").symlink_to(inputs / "gone.csv")
    room.save()
    assert room.written == 0
    assert room.index == {"old.csv": ("input",), "gone.csv": ("input",)}
    (room.top / "old.csv").unlink()
    (room.top / "old.csv").write_text("of the cell")
    (room.top / "new.csv").symlink_to(inputs / "new.csv")
    (room.top / "gone.csv").unlink()
    (inputs / "gone.csv").unlink()
    restored = room.restore()
    assert os.readlink(room.top / "old.csv") == str(inputs / "old.csv")
    assert os.readlink(room.top / "new.csv") == str(inputs / "new.csv")
    assert restored.notes == ["The input 'gone.csv' is not on this machine."]


def test_byte_code_is_left_out_and_goes_when_its_source_is_restored(room: Room) -> None:
    (room.top / "mod.py").write_text("x = 1")
    (room.top / "__pycache__").mkdir()
    (room.top / "__pycache__" / "mod.pyc").write_bytes(b"code of x = 1")
    room.save()
    assert set(room.index) == {"mod.py"}
    room.restore()
    assert (room.top / "__pycache__").exists()
    (room.top / "mod.py").write_text("x = 2")
    (room.top / "__pycache__" / "mod.pyc").write_bytes(b"code of x = 2")
    room.restore()
    assert not (room.top / "__pycache__").exists()


def test_a_file_that_is_written_while_it_is_copied_is_copied_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    path = room.top / "log"
    path.write_bytes(b"x" * 3 * MIB)
    real = os.copy_file_range
    writes = [b"a", b"b"]

    def copy(source: int, *rest: int) -> int:
        if writes:
            with open(path, "r+b") as file:
                file.write(writes.pop())
        return real(source, *rest)

    monkeypatch.setattr(os, "copy_file_range", copy)
    captured = room.save()
    assert captured.notes == []
    path.unlink()
    room.restore()
    assert path.read_bytes() == b"a" + b"x" * (3 * MIB - 1)


def test_a_file_that_never_holds_still_is_kept_with_a_note_and_read_again_at_the_next_save(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = room.top / "log"
    path.write_bytes(b"x" * 100)
    real = file_contents._read

    def read(fd: int, view: memoryview, at: int) -> memoryview:
        with open(path, "ab") as file:
            file.write(b"y")
        return real(fd, view, at)

    with monkeypatch.context() as patch:
        patch.setattr(file_contents, "_read", read)
        captured = room.save()
    assert captured.notes == ["'log' was being written while it was saved: what was kept may be a mixture."]
    settle()
    assert set(room.save().entries) == {"log"}
    path.unlink()
    room.restore()
    assert path.read_bytes() == b"x" * 100 + b"y" * 3


def test_a_writing_thread_never_makes_a_save_fail(room: Room) -> None:
    path = room.top / "log"
    path.write_bytes(b"")
    stop = threading.Event()

    def write() -> None:
        with open(path, "wb", buffering=0) as file:
            while not stop.is_set():
                file.write(os.urandom(70_000))
                if file.tell() > 8 * MIB:
                    file.seek(0)
                    file.truncate()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(20):
            room.save()
    finally:
        stop.set()
        thread.join()
    settle()
    room.save()
    content = path.read_bytes()
    path.unlink()
    room.restore()
    assert path.read_bytes() == content


def test_a_file_changed_through_shared_memory_is_noticed(room: Room) -> None:
    path = room.top / "mapped"
    path.write_bytes(bytes(8192))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        for value in (1, 2, 3):
            memory[100] = value
            settle()
            room.save()
    content = path.read_bytes()
    assert content[100] == 3
    path.unlink()
    room.restore()
    assert path.read_bytes() == content


def test_after_another_boot_content_decides_and_not_the_times(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (room.top / "a").write_bytes(b"right")
    settle()
    room.save()
    compared: list[int] = []

    def compare(fd: int, chunks: list[Chunk]) -> bool:
        compared.append(fd)
        return False

    monkeypatch.setattr(workspace_restore, "has_contents", compare)
    assert room.restore().written == []
    monkeypatch.setattr(workspace_index, "boot_id", lambda: "another")
    assert room.restore().written == ["a"]
    assert len(compared) == 1


def test_a_file_that_could_change_in_the_same_tick_is_not_certain(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (room.top / "a").write_bytes(b"one")
    tick = (room.top / "a").stat().st_ctime_ns
    for after, certain in ((0, False), (1, True)):
        monkeypatch.setattr(workspace_index, "file_clock_ns", lambda now=tick + after: now)
        entry = room.save().index["a"]
        assert isinstance(entry, FileEntry)
        assert bool(entry.stamp) == certain


def test_times_in_whole_seconds_are_trusted_later() -> None:
    second = 1_700_000_000 * 10**9
    for ctime, now, settled in (
        (second, second + 10**9, False),
        (second, second + 2 * 10**9 + 1, True),
        (second + 1, second + 2, True),
        (second + 1, second + 1, False),
    ):
        assert is_settled(SimpleNamespace(st_ctime_ns=ctime), now) == settled  # type: ignore[arg-type]


def test_names_that_are_not_utf8_come_back(room: Room) -> None:
    name = os.fsdecode(b"caf\xe9 \n\"'.txt")
    (room.top / name).write_text("x")
    (room.top / "link").symlink_to(name)
    room.save()
    before = room.tree()
    (room.top / name).unlink()
    (room.top / "link").unlink()
    room.restore()
    assert room.tree() == before


def test_what_can_not_be_read_is_told_and_left_alone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (room.top / "secret").write_text("x")
    (room.top / "a").write_text("a")
    real = os.open

    def refuse(path: str, *rest: object, **more: object) -> int:
        if path == "secret":
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    notes = room.save().notes
    assert notes == ["'secret' can't be read and is not saved; give its owner the right to read it (chmod u+r)."]
    monkeypatch.undo()
    (room.top / "secret").write_text("later")
    room.restore()
    assert (room.top / "secret").read_text() == "later"


def test_a_full_disk_at_a_restore_leaves_no_half_written_file(room: Room) -> None:
    (room.top / "large").write_bytes(os.urandom(3 * MIB))
    room.save()
    (room.top / "large").write_bytes(b"changed")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
    try:
        with pytest.raises(OSError):
            room.restore()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(room.top) == ["large"]
    assert (room.top / "large").read_bytes() == b"changed"
    room.restore()
    assert (room.top / "large").stat().st_size == 3 * MIB


def test_on_a_full_disk_what_has_to_go_goes_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (room.top / "inner").mkdir()
    for name in ("a", "grown", "inner/grown", "inner/kept"):
        (room.top / name).write_text(name)
    room.save()
    before = room.tree()
    (room.top / "a").write_text("else")
    for name in ("grown", "inner/grown", "inner/junk"):
        (room.top / name).write_text("far too much")
    real = file_contents.write_contents

    def write(*what: Any) -> None:
        if any(path.read_bytes() == b"far too much" for path in room.top.rglob("*") if path.is_file()):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*what)

    monkeypatch.setattr(workspace_restore, "write_contents", write)
    (room.top / "inner" / "kept").unlink()
    with pytest.raises(OSError):
        room.restore(keep=True)
    assert (room.top / "inner" / "junk").exists() and (room.top / "grown").read_text() == "far too much"
    room.restore()
    assert room.tree() == before


def test_a_restore_that_was_cut_off_is_repaired_by_the_next(room: Room) -> None:
    fill(room)
    room.save()
    before = room.tree()
    remove_much(room.top)
    (room.top / ".nl2code-0123456789ab").write_text("half")
    room.restore()
    assert room.tree() == before


def test_a_damaged_segment_is_an_error_and_not_a_wrong_file(room: Room) -> None:
    (room.top / "a").write_text("alpha")
    room.save()
    (room.top / "a").unlink()
    segment = next(Path(room.segments).glob("*.segment"))
    segment.write_bytes(b"ALPHA" + segment.read_bytes()[5:])
    with pytest.raises(TornSegment):
        room.restore()


def test_what_stands_in_a_workspace_can_be_kept_and_what_is_missing_written(room: Room) -> None:
    for name in ("edited", "gone", "now-a-folder", "folder/inner", "folder/gone", "now-a-file/inner"):
        (room.top / name).parent.mkdir(exist_ok=True)
        (room.top / name).write_text(name)
    (room.top / "link").symlink_to("edited")
    room.save()
    for name in ("gone", "now-a-folder", "folder/gone", "link"):
        (room.top / name).unlink()
    (room.top / "edited").write_text("edited since")
    (room.top / "now-a-folder").mkdir()
    (room.top / "now-a-file" / "inner").unlink()
    (room.top / "now-a-file").rmdir()
    (room.top / "now-a-file").write_text("a file")
    (room.top / "added").write_text("added")
    (room.top / "folder").chmod(0o700)
    restored = room.restore(keep=True)
    assert (sorted(restored.written), restored.removed) == (["folder/gone", "gone", "link"], [])
    assert (room.top / "edited").read_text() == "edited since"
    assert (room.top / "folder" / "gone").read_text() == "folder/gone"
    assert (room.top / "now-a-file").read_text() == "a file"
    assert (room.top / "link").is_symlink() and (room.top / "now-a-folder").is_dir()
    assert (room.top / "added").exists() and stat.S_IMODE((room.top / "folder").stat().st_mode) == 0o700
    # What differs from the state is a change since, which the next save has.
    saved = room.save()
    assert sorted(saved.entries) == ["added", "edited", "folder", "now-a-file", "now-a-folder"]
    assert saved.removed == ["now-a-file/inner"]

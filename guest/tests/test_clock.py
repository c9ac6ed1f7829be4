"""A wall clock that is set forth or back decides nothing: limits and leases count time that cannot jump."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from harness import GUEST

from nl2code_guest.checkpoint import workspace_index
from nl2code_guest.checkpoint.segments import Segments, SegmentWriter
from nl2code_guest.checkpoint.workspace_files import WorkspaceFiles
from nl2code_guest.checkpoint.workspace_index import FileEntry, Index, file_clock_ns

WALL_CLOCK = re.compile(
    r"\btime\.time(_ns)?\(|\b(datetime|date)\.(now|today|utcnow)\(|\bCLOCK_REALTIME|\blocaltime\(|\bgmtime\("
)
#: Who may read it, and what comes of a jump.
MAY = {
    # A file whose times lie ahead of the clock is told by its content (below).
    "nl2code_guest/checkpoint/workspace_index.py",
    # Left-over control groups are removed sooner or later; one in use can't be removed.
    "nl2code_supervisor/cgroup.py",
}
HOUR_NS = 3600 * 10**9


def test_no_limit_no_lease_and_no_order_is_told_by_the_wall_clock() -> None:
    files = [path for name in ("nl2code_guest", "nl2code_supervisor") for path in (GUEST / name).rglob("*.py")]
    assert len(files) > 100
    readers = {str(path.relative_to(GUEST)) for path in files if WALL_CLOCK.search(path.read_text())}
    assert readers == MAY


@pytest.mark.parametrize("jump_ns", [-HOUR_NS, HOUR_NS])
def test_a_jump_hides_no_change_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_ns: int) -> None:
    top, segments = tmp_path / "workspace", str(tmp_path / "segments")
    top.mkdir()
    path = top / "a"
    index: Index = {}

    def save(k: int) -> bool:
        nonlocal index
        with SegmentWriter(segments, k, False) as writer:
            index = WorkspaceFiles(str(top)).capture(index, writer).index
            writer.commit()
        entry = index["a"]
        assert isinstance(entry, FileEntry)
        return bool(entry.stamp)

    path.write_bytes(b"one")
    written = path.stat()
    # As it is for a file that was written just before the jump: its times stay what they were.
    monkeypatch.setattr(workspace_index, "file_clock_ns", lambda: file_clock_ns() + jump_ns)
    certain = save(0)
    assert certain == (jump_ns > 0)
    path.write_bytes(b"two")
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    save(1)
    path.unlink()
    WorkspaceFiles(str(top)).restore(index, Segments(segments))
    assert path.read_bytes() == b"two"

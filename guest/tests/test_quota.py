"""A save that does not fit into the quota is refused in a sentence and leaves nothing behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nl2code_guest.checkpoint import quota
from nl2code_guest.checkpoint.quota import Quota, disk_bytes
from nl2code_guest.checkpoint.segments import SegmentWriter

MIB = 1 << 20


def put(folder: Path, limit: Quota, nbytes: int) -> None:
    with SegmentWriter(str(folder), 0, False, limit) as writer:
        writer.put(memoryview(os.urandom(nbytes)))
        writer.commit()


def test_what_fits_is_written_and_what_does_not_is_refused_with_a_sentence(tmp_path: Path) -> None:
    workspace, checkpoint = tmp_path / "workspace", tmp_path / "checkpoint"
    workspace.mkdir()
    (workspace / "file").write_bytes(os.urandom(2 * MIB))
    limit = Quota([str(workspace), str(checkpoint)], 8 * MIB)
    put(checkpoint, limit, 3 * MIB)
    names = os.listdir(checkpoint)
    with pytest.raises(OSError, match="hold 5 MiB of the 8 MiB it may have, and 3145728 bytes more do not fit") as told:
        put(checkpoint, limit, 3 * MIB)
    assert told.value.errno == errno.EDQUOT
    assert os.listdir(checkpoint) == names
    (workspace / "file").unlink()
    put(checkpoint, limit, 2 * MIB)


def test_without_a_limit_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "disk_bytes", None)
    put(tmp_path, Quota([str(tmp_path)], None), MIB)
    put(tmp_path, Quota([str(tmp_path)], 0 or None), MIB)


def test_far_from_the_limit_it_is_measured_now_and_then_and_near_it_at_every_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    held = 0

    def measure(folder: str) -> int:
        measured.append(folder)
        return held

    monkeypatch.setattr(quota, "disk_bytes", measure)
    limit = Quota(["one"], 100 * MIB)
    for _ in range(16):
        limit.begin()
        limit.take(1000)
    assert len(measured) == 1
    held = 60 * MIB
    for _ in range(4):
        limit.begin()
        limit.take(1000)
    assert len(measured) == 5
    with pytest.raises(OSError):
        limit.take(39 * MIB)


def test_a_save_that_writes_no_segment_measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def measure(folder: str) -> int:
        measured.append(folder)
        return 0

    monkeypatch.setattr(quota, "disk_bytes", measure)
    limit = Quota(["one"], 100 * MIB)
    for _ in range(20):
        with SegmentWriter(str(tmp_path), 0, False, limit):
            pass
    assert measured == []
    put(tmp_path, limit, 1000)
    put(tmp_path, limit, 1000)
    assert measured == ["one"]
    limit.doubt()
    put(tmp_path, limit, 1000)
    assert measured == ["one", "one"]


def test_blocks_are_counted_once_per_inode_and_links_lead_nowhere(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "inner").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(bytes(range(256)) * 40_000)
    empty = disk_bytes(str(top))
    (top / "a").write_bytes(os.urandom(MIB))
    os.link(top / "a", top / "inner" / "b")
    (top / "link").symlink_to(tmp_path)
    with open(top / "sparse", "wb") as file:
        file.truncate(1 << 40)
    assert MIB <= disk_bytes(str(top)) - empty < 2 * MIB
    assert disk_bytes(str(top / "missing")) == 0

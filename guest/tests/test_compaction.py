"""Idle work makes restores quick and removes what nothing names, and never anything else."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nl2code_guest.checkpoint import segment_writer
from nl2code_guest.checkpoint.buffers import Chunk, StoredBuffer, store_buffer
from nl2code_guest.checkpoint.compaction import Compaction, moved_chunks, named_segments, sweep
from nl2code_guest.checkpoint.manifests import newest, write_manifest
from nl2code_guest.checkpoint.mapping import begin_in_page, map_buffer, mapped_part, runs
from nl2code_guest.checkpoint.quota import Quota
from nl2code_guest.checkpoint.segments import Segments, SegmentWriter

MIB = 1 << 20


class Store:
    """A checkpoint with states of one buffer each."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.segments = Segments(str(folder / "segments"))
        self.known: dict[str, Chunk] = {}

    def save(self, k: int, *values: Any) -> list[StoredBuffer]:
        with SegmentWriter(self.segments.folder, k, False) as writer:
            stored = [store_buffer(pickle.PickleBuffer(value), writer, self.known) for value in values]
            writer.commit()
        return stored

    def commit(self, k: int, stored: list[StoredBuffer]) -> None:
        head = newest(self.manifests)
        parent = None if head is None else {"k": head.k, "sha": head.sha}
        state = json.dumps({"components": [{"buffers": stored}]}).encode()
        write_manifest(self.manifests, {"k": k, "parent": parent}, [], state, False)

    @property
    def manifests(self) -> str:
        return os.path.join(self.folder, "manifests")

    def mapped(self, stored: StoredBuffer) -> int:
        """Bytes of a buffer that a restore need not read."""
        at = total = 0
        begin = begin_in_page(runs(stored["chunks"]))
        for run in runs(stored["chunks"]):
            start, end = mapped_part(run, begin + at)
            total += end - start
            at += run.length
        return total

    def bytes_of(self, stored: StoredBuffer) -> bytes:
        return bytes(map_buffer(Segments(self.segments.folder), stored["chunks"], stored["bytes"], False))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def moved_block(store: Store) -> tuple[StoredBuffer, bytes]:
    """A block whose columns have all moved, each so that its pages fit with none of the others', in a large store."""
    block = np.random.default_rng(1).random((40, 100_001))
    store.save(0, block)
    moved = block[[5, 9, 0]]
    return store.save(1, moved)[0], moved.tobytes()


def test_moved_columns_are_written_where_they_can_be_mapped(store: Store) -> None:
    stored, content = moved_block(store)
    assert store.mapped(stored) < stored["bytes"] / 3
    assert sorted(moved_chunks(stored)) == [0, 2]
    (after,) = Compaction(store.segments, False).rewrite(1, [stored])
    assert store.mapped(after) > stored["bytes"] - 3 * 8192
    assert store.bytes_of(after) == content
    assert [chunk.hash for chunk in after["chunks"]] == [chunk.hash for chunk in stored["chunks"]]
    assert store.bytes_of(stored) == content, "the places before are still good for the states before"


def test_what_can_be_mapped_and_what_is_small_is_left_as_it_is(store: Store) -> None:
    rng = np.random.default_rng(2)
    first = store.save(0, rng.random(5 * MIB), rng.random(1000))
    block = rng.random((3, 9000))
    store.save(0, block)
    few = store.save(1, block[[2, 0]])
    before = store.segments.names()
    compaction = Compaction(store.segments, False)
    for after, given in zip(compaction.rewrite(1, [*first, *few]), [*first, *few], strict=True):
        assert after is given
    assert store.segments.names() == before


def test_a_store_grows_by_a_tenth_at_most_and_no_more_at_once_than_asked(store: Store) -> None:
    stored, _ = moved_block(store)
    compaction = Compaction(store.segments, False)
    assert compaction.rewrite(1, [stored], at_most=MIB)[0] is stored
    before = store.segments.bytes()
    for _ in range(5):
        compaction.rewrite(1, [stored])
    assert 0 < store.segments.bytes() - before < before / 10 + MIB


def test_without_room_nothing_changes(store: Store) -> None:
    stored, content = moved_block(store)
    before = sorted(os.listdir(store.segments.folder))
    with pytest.raises(OSError, match="do not fit"):
        Compaction(store.segments, False, Quota([store.folder], 30 * MIB)).rewrite(1, [stored])
    assert sorted(os.listdir(store.segments.folder)) == before
    assert store.bytes_of(stored) == content


def test_what_any_manifest_or_the_ledger_names_is_never_swept(store: Store) -> None:
    kept = [store.save(k, os.urandom(1000))[0] for k in range(4)]
    store.commit(0, [kept[0]])
    store.commit(2, [kept[1]])
    os.makedirs(os.path.join(store.folder, "ledger"))
    Path(store.folder, "ledger", "journal").write_bytes(b"\0\1" + json.dumps(kept[2]["chunks"]).encode())
    store.commit(3, [])
    keep = {chunk.segment for chunk in kept[3]["chunks"]}
    assert sweep(store.folder, store.segments, keep) == 0
    assert len(store.segments.names()) == 4
    assert named_segments(store.folder) | keep == store.segments.names()


def test_what_nothing_names_is_swept_and_also_what_was_not_finished(store: Store) -> None:
    for k in range(3):
        store.save(k, os.urandom(5000))
    store.commit(2, store.save(2, os.urandom(1000)))
    Path(store.segments.folder, "1-0123456789ab-0.segment.tmp").write_bytes(b"x")
    assert sweep(store.folder, store.segments) > 15_000
    assert store.segments.names() == named_segments(store.folder)
    assert not list(Path(store.segments.folder).glob("*.tmp"))


def test_a_save_that_is_under_way_is_not_swept(store: Store) -> None:
    store.commit(4, store.save(4, os.urandom(1000)))
    written = store.save(5, os.urandom(1000))
    with SegmentWriter(store.segments.folder, 6, False) as writer:
        place = writer.put(memoryview(b"child"))
        assert sweep(store.folder, store.segments) == 0
        writer.commit()
    store.commit(5, written)
    assert Segments(store.segments.folder).read(place) == b"child"
    assert store.bytes_of(written[0])


def test_before_the_first_manifest_nothing_is_swept(store: Store) -> None:
    store.save(0, os.urandom(1000))
    assert sweep(store.folder, store.segments) == 0
    assert len(store.segments.names()) == 1


def test_a_manifest_that_can_not_be_read_ends_the_sweep_before_it_removes_anything(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit(0, store.save(0, os.urandom(1000)))
    store.save(0, os.urandom(1000))
    path = Path(store.manifests, "00000000.manifest")
    real = open

    def refuse(name: Any, *rest: Any, **more: Any) -> Any:
        if name == str(path):
            raise OSError(5, "Input/output error")
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OSError):
        sweep(store.folder, store.segments)
    assert len(store.segments.names()) == 2


def test_a_torn_manifest_still_keeps_its_segments(store: Store) -> None:
    store.commit(0, store.save(0, os.urandom(1000)))
    path = Path(store.manifests, "00000000.manifest")
    path.write_bytes(path.read_bytes()[:-1])
    assert newest(store.manifests) is None
    assert sweep(store.folder, store.segments) == 0


def test_segments_are_found_also_when_a_save_needs_several(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_writer, "MAX_SEGMENT_BYTES", MIB)
    stored = store.save(0, np.random.default_rng(3).random((6, MIB // 8)))
    store.commit(0, stored)
    assert len(named_segments(store.folder)) == 6
    assert sweep(store.folder, store.segments) == 0

"""Buffers are stored once, in chunks that follow columns, and come back as private memory."""

from __future__ import annotations

import errno
import gc
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nl2code_guest.checkpoint import mapping
from nl2code_guest.checkpoint.buffers import (
    Chunk,
    StoredBuffer,
    cuts,
    digest_of,
    store_buffer,
    store_bytes,
    to_chunk,
)
from nl2code_guest.checkpoint.mapping import map_buffer, mapped_part, runs
from nl2code_guest.checkpoint.segments import Segments, SegmentWriter, TornSegment

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "segments")


def store(folder: str, *values: object, known: dict[str, Chunk] | None = None, k: int = 0) -> list[StoredBuffer]:
    known = {} if known is None else known
    with SegmentWriter(folder, k, False) as writer:
        stored = [store_buffer(pickle.PickleBuffer(value), writer, known) for value in values]  # type: ignore[arg-type]
        writer.commit()
    return stored


def restore(folder: str, stored: StoredBuffer) -> memoryview:
    return map_buffer(Segments(folder), stored["chunks"], stored["bytes"], stored["readonly"])


def lengths(value: object) -> list[int]:
    return [view.nbytes for view in cuts(pickle.PickleBuffer(value))]  # type: ignore[arg-type]


def maps_of(segment: str) -> int:
    return sum(segment in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.parametrize("nbytes", [0, 1, 4095, 65_536, 65_537, 5 * MIB + 3])
def test_a_buffer_comes_back_as_it_was(folder: str, nbytes: int) -> None:
    data = os.urandom(nbytes)
    stored = store(folder, bytearray(data))[0]
    assert restore(folder, stored) == data
    assert stored["bytes"] == nbytes


def test_a_buffer_is_cut_along_the_columns_of_its_block_and_at_four_mib() -> None:
    columns = np.zeros((3, 600_000))
    column = [4 * MIB, 4_800_000 - 4 * MIB]
    assert lengths(columns) == column * 3
    assert lengths(np.asfortranarray(np.zeros((600_000, 3)))) == column * 3
    assert lengths(np.zeros((100_000, 3))) == [2_400_000]
    assert lengths(np.zeros(MIB)) == [4 * MIB, 4 * MIB]
    assert lengths(b"") == []
    assert lengths(np.zeros((0, 5))) == []


def test_a_column_that_moved_keeps_its_chunks(folder: str) -> None:
    rng = np.random.default_rng(1)
    known: dict[str, Chunk] = {}
    block = rng.random((4, 20_000))
    first = store(folder, block, known=known)[0]
    moved = np.vstack([rng.random((1, 20_000)), block[[3, 1]]])
    second = store(folder, moved, known=known, k=1)[0]
    assert second["chunks"][1:] == [first["chunks"][3], first["chunks"][1]]
    assert second["chunks"][0].segment != first["chunks"][0].segment
    assert restore(folder, second) == moved.tobytes()


def test_equal_bytes_are_stored_once(folder: str) -> None:
    zeros = np.zeros(4 * MIB)
    stored = store(folder, zeros, zeros.copy())
    assert len({chunk.offset for buffer in stored for chunk in buffer["chunks"]}) == 1
    assert os.stat(Path(folder) / f"{stored[0]['chunks'][0].segment}.segment").st_size < 5 * MIB
    assert restore(folder, stored[1]) == zeros.tobytes()


def test_hashes_are_told_without_writing_and_a_stream_is_one_chunk(folder: str) -> None:
    block = np.random.default_rng(2).random((2, 20_000))
    assert digest_of(pickle.PickleBuffer(block)) == [chunk.hash for chunk in store(folder, block)[0]["chunks"]]
    known: dict[str, Chunk] = {}
    with SegmentWriter(folder, 1, False) as writer:
        stream = store_bytes(memoryview(b"s" * 5 * MIB), writer, known)
        assert store_bytes(memoryview(b"s" * 5 * MIB), writer, known) is stream
        writer.commit()
    assert Segments(folder).read(stream.location) == b"s" * 5 * MIB


def test_a_chunk_survives_json_and_what_is_none_is_torn() -> None:
    chunk = Chunk("ab", "0-0123456789ab-0", 4096, 5)
    assert to_chunk(json.loads(json.dumps(chunk))) == chunk
    for junk in (None, [], ["ab", "x", -1, 5], ["ab", "x", 0, "5"], ["ab", "x", 0, 5, 6], {"hash": "ab"}):
        with pytest.raises(TornSegment):
            to_chunk(junk)


def test_a_buffer_whose_items_a_memoryview_does_not_know_is_cut_as_raw_bytes(folder: str) -> None:
    long: Any = np.arange(80_000).astype("g").reshape(2, -1)
    assert lengths(long) == [640_000, 640_000]
    assert restore(folder, store(folder, long)[0]) == long.tobytes()


def test_whole_pages_are_mapped_and_a_write_stays_private(folder: str) -> None:
    data = np.random.default_rng(3).random(2 * MIB)
    stored = store(folder, bytearray(b"x" * 1000), data)[1]
    segment = stored["chunks"][0].segment
    array = np.frombuffer(restore(folder, stored))
    assert maps_of(segment) == 1
    assert array.flags.writeable
    assert (array == data).all()
    array[:] = 0
    assert restore(folder, stored) == data.tobytes()


def test_a_mapping_lives_as_long_as_any_array_over_it_and_no_longer(folder: str) -> None:
    data = np.random.default_rng(4).random(MIB)
    stored = store(folder, data)[0]
    segment = stored["chunks"][0].segment
    whole = pickle.loads(
        pickle.dumps(data, protocol=5, buffer_callback=lambda _: False), buffers=[restore(folder, stored)]
    )
    part = whole[100:200]
    del whole
    gc.collect()
    assert maps_of(segment) == 1
    assert (part == data[100:200]).all()
    del part
    gc.collect()
    assert maps_of(segment) == 0


def test_a_readonly_buffer_stays_so(folder: str) -> None:
    for value in (b"r" * 100, b"r" * MIB):
        stored = store(folder, value)[0]
        view = restore(folder, stored)
        assert (stored["readonly"], view.readonly, bytes(view)) == (True, True, value)


def test_a_changed_column_leaves_the_others_mapped(folder: str) -> None:
    known: dict[str, Chunk] = {}
    block = np.random.default_rng(5).random((5, 100_001))
    first = store(folder, block, known=known)[0]
    block[2] *= 2
    second = store(folder, block, known=known, k=1)[0]
    joined = runs(second["chunks"])
    assert [run.segment for run in joined].count(first["chunks"][0].segment) == 2
    at = 0
    for run in joined:
        start, end = mapped_part(run, at)
        assert start < end, "every run can be mapped"
        at += run.length
    assert restore(folder, second) == block.tobytes()


@pytest.mark.parametrize("changed", [False, True])
def test_a_block_that_begins_elsewhere_since_a_column_was_given_away_is_mapped_where_it_stands(
    folder: str, changed: bool
) -> None:
    known: dict[str, Chunk] = {}
    block = np.random.default_rng(5).random((5, 100_000))
    first = store(folder, block, known=known)[0]["chunks"][0].segment
    rest = block[1:]
    if changed:
        rest[1] *= 2
    stored = store(folder, rest, known=known, k=1)[0]
    array = np.frombuffer(restore(folder, stored))
    assert array.ctypes.data % 4096 == block[0].nbytes % 4096
    assert maps_of(first) == (2 if changed else 1)
    assert array.tobytes() == rest.tobytes()
    array[:] = 0
    assert restore(folder, stored) == rest.tobytes()


def test_a_block_is_never_laid_where_its_items_are_not_aligned(folder: str) -> None:
    known: dict[str, Chunk] = {}
    block = np.random.default_rng(5).random((5, 100_001))
    store(folder, block, known=known)
    for rest in (block[1:], block[2:]):
        array = np.frombuffer(restore(folder, store(folder, rest, known=known, k=1)[0]))
        assert array.ctypes.data % 16 == 0
        assert array.tobytes() == rest.tobytes()


def test_chunks_that_do_not_fit_their_buffer_are_torn(folder: str) -> None:
    stored = store(folder, bytearray(100_000))[0]
    with pytest.raises(TornSegment):
        map_buffer(Segments(folder), stored["chunks"], 100_001, False)
    beyond = [stored["chunks"][0]._replace(offset=90_112)]
    with pytest.raises(TornSegment):
        map_buffer(Segments(folder), beyond, 100_000, False)


def test_a_process_without_mappings_left_reads(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = mapping._mmap

    def anonymous(address: int | None, nbytes: int, flags: int, fd: int, offset: int) -> int:
        if fd >= 0:
            raise OSError(errno.ENOMEM, "no mapping left")
        return plain(address, nbytes, flags, fd, offset)

    monkeypatch.setattr(mapping, "_mmap", anonymous)
    data = os.urandom(3 * MIB + 1)
    stored = store(folder, bytearray(b"x" * 1000), bytearray(data))[1]
    assert restore(folder, stored) == data
    assert maps_of(stored["chunks"][0].segment) == 0


def test_a_buffer_that_begins_with_a_page_is_mapped_to_its_last_byte(folder: str) -> None:
    data = os.urandom(3 * MIB + 1)
    stored = store(folder, bytearray(data), bytearray(b"behind"))[0]
    memory = restore(folder, stored)
    assert memory == data and memory.nbytes == len(data)
    assert maps_of(stored["chunks"][0].segment) == 1
    memory[-1:] = b"!"
    assert restore(folder, stored) == data
    del memory
    assert maps_of(stored["chunks"][0].segment) == 0


def test_a_process_that_exits_with_mapped_arrays_exits_well(folder: str) -> None:
    stored = store(folder, np.arange(MIB))[0]
    code = (
        "import sys, json, atexit, numpy as np\n"
        "from nl2code_guest.checkpoint import buffers, mapping, segments\n"
        "stored = json.loads(sys.argv[2])\n"
        "chunks = [buffers.to_chunk(c) for c in stored['chunks']]\n"
        "reader = segments.Segments(sys.argv[1])\n"
        "arrays = []\n"
        "atexit.register(lambda: print(arrays[0].sum()))\n"
        "arrays.append(np.frombuffer(mapping.map_buffer(reader, chunks, stored['bytes'], False), 'i8'))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, folder, json.dumps(stored)], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == str(np.arange(MIB).sum())

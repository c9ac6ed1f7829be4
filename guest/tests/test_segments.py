"""Nothing is read from a segment that is not whole, and a save that fails leaves nothing behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nl2code_guest.checkpoint import segment_writer, segments, verified_record
from nl2code_guest.checkpoint.buffers import Chunk
from nl2code_guest.checkpoint.manifests import Torn
from nl2code_guest.checkpoint.mapping import map_buffer
from nl2code_guest.checkpoint.segments import Location, Segments, SegmentWriter, TornSegment

LARGE = bytes(range(256)) * 1024


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "segments")


def put(folder: str, *parts: bytes, k: int = 0, durable: bool = False) -> list[Location]:
    with SegmentWriter(folder, k, durable) as writer:
        places = [writer.put(memoryview(part)) for part in parts]
        writer.commit()
    return places


def file_of(folder: str, place: Location) -> Path:
    return Path(folder) / f"{place.segment}.segment"


def unverified(folder: str) -> Segments:
    """A reader that has to read everything through."""
    (Path(folder) / "verified").unlink(missing_ok=True)
    return Segments(folder)


def left(folder: str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != "verified")


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("durable", [False, True])
def test_what_was_put_reads_back_after_the_commit(folder: str, durable: bool) -> None:
    parts = [b"", b"stream", LARGE, b"x" * 70_000, b"tail"]
    places = put(folder, *parts, durable=durable)
    assert [unverified(folder).read(place) for place in places] == parts
    assert len({place.segment for place in places}) == 1


def test_many_places_are_read_in_the_order_they_were_asked_for(folder: str) -> None:
    first, second = put(folder, b"a", b"bb"), put(folder, b"ccc", k=1)
    asked = [second[0], first[1], first[0], first[1]]
    assert Segments(folder).read_all(asked) == [b"ccc", b"bb", b"a", b"bb"]


def test_nothing_is_visible_before_the_commit_and_nothing_is_left_without_one(folder: str) -> None:
    with SegmentWriter(folder, 3, False) as writer:
        place = writer.put(memoryview(b"abc"))
        with pytest.raises(TornSegment):
            Segments(folder).read(place)
    assert left(folder) == []
    with pytest.raises(ValueError, match="ended"):
        writer.put(memoryview(b"more"))


def test_a_save_without_bytes_makes_no_segment(folder: str) -> None:
    with SegmentWriter(folder, 0, True) as writer:
        assert writer.commit() == []
    assert Segments(folder).names() == set()


def test_large_pieces_stand_where_pages_of_their_buffer_can_be_mapped_and_small_ones_are_packed(folder: str) -> None:
    with SegmentWriter(folder, 0, False) as writer:
        small = [writer.put(memoryview(b"abc"), at) for at in (0, 5000)]
        large = [writer.put(memoryview(LARGE), at) for at in (0, 12_345, 12_345 + len(LARGE))]
    assert [place.offset for place in small] == [0, 3]
    assert [place.offset % 4096 for place in large] == [0, 12_345 % 4096, 12_345 % 4096]
    assert large[2].offset == large[1].offset + len(LARGE)


def test_a_full_segment_is_followed_by_the_next_and_only_a_larger_piece_makes_a_larger_one(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_writer, "MAX_SEGMENT_BYTES", len(LARGE) + 100)
    places = put(folder, LARGE, b"a" * 100, b"b", LARGE * 2)
    assert [place.segment[-2:] for place in places] == ["-0", "-0", "-1", "-2"]
    assert [len(unverified(folder).read(place)) for place in places] == [len(LARGE), 100, 1, 2 * len(LARGE)]


@pytest.mark.parametrize("kept", [0, 10, 200_000, -1, -50])
def test_a_cut_segment_is_torn(folder: str, kept: int) -> None:
    place = put(folder, LARGE, b"stream")[1]
    data = file_of(folder, place).read_bytes()
    file_of(folder, place).write_bytes(data[:kept])
    with pytest.raises(TornSegment):
        Segments(folder).read(place)


def test_a_segment_with_one_changed_byte_is_torn_whatever_is_read_of_it(folder: str) -> None:
    place = put(folder, LARGE, b"stream")[1]
    data = file_of(folder, place).read_bytes()
    ends = [0, len(LARGE) // 2, *range(len(LARGE), len(data), 7), len(data) - 1]
    for at in ends:
        file_of(folder, place).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Torn):
            Segments(folder).read(place)
    file_of(folder, place).write_bytes(data)
    assert Segments(folder).read(place) == b"stream"


def test_a_missing_segment_a_link_a_pipe_and_a_made_up_name_are_refused(folder: str, tmp_path: Path) -> None:
    place = put(folder, b"stream")[0]
    os.rename(file_of(folder, place), tmp_path / "elsewhere")
    with pytest.raises(TornSegment, match="missing"):
        Segments(folder).read(place)
    file_of(folder, place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Segments(folder).read(place)
    file_of(folder, place).unlink()
    os.mkfifo(file_of(folder, place))
    with pytest.raises(TornSegment, match="not a file"):
        Segments(folder).read(place)
    for name in ("../elsewhere", "0-0123456789ab-0/../x", ""):
        with pytest.raises(TornSegment, match="not the name"):
            Segments(folder).read(place._replace(segment=name))


def test_a_place_outside_of_its_segment_is_torn(folder: str) -> None:
    place = put(folder, b"stream")[0]
    with pytest.raises(TornSegment, match="ends before"):
        Segments(folder).read(place._replace(length=10_000))


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the segments that were read through."""
    names: list[str] = []
    real = segments._verify

    def spy(name: str, fd: int, size: int) -> None:
        names.append(name)
        real(name, fd, size)

    monkeypatch.setattr(segments, "_verify", spy)
    return names


def test_a_segment_is_read_through_once_per_boot(
    folder: str, verified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(folder, LARGE)[0]
    Segments(folder).read(place)
    assert verified == [], "its writer knows that it is whole"
    monkeypatch.setattr(verified_record, "boot_id", lambda: "another")
    Segments(folder).read(place)
    Segments(folder).read(place)
    assert verified == [place.segment]


def test_a_segment_that_was_touched_is_read_through_again(folder: str, verified: list[str]) -> None:
    place = put(folder, LARGE)[0]
    reader = Segments(folder)
    reader.read(place)
    os.chmod(file_of(folder, place), 0o400)
    reader.read(place)
    reader.read(place)
    assert verified == [place.segment]


@pytest.fixture
def shared(folder: str, monkeypatch: pytest.MonkeyPatch) -> Location:
    """A segment as a fork shares it: another user's, read-only, written a while ago; found whole."""
    place = put(folder, LARGE)[0]
    file = file_of(folder, place)
    os.utime(file, ns=(1, 1_000_000_000))
    file.chmod(0o444)
    nobody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: nobody)
    Segments(folder).read(place)
    return place


def test_names_that_a_shared_segment_is_given_and_loses_are_no_change_of_it(
    folder: str, tmp_path: Path, shared: Location, verified: list[str]
) -> None:
    os.link(file_of(folder, shared), tmp_path / "a fork")
    assert Segments(folder).read(shared) == LARGE
    (tmp_path / "a fork").unlink()
    assert Segments(folder).read(shared) == LARGE
    assert verified == []


def test_a_segment_that_was_altered_after_it_was_found_whole_is_found_out_whoever_owns_it(
    folder: str, shared: Location
) -> None:
    own = put(folder, LARGE, b"own", k=1)[0]
    Segments(folder).read(own)
    for place in (shared, own):
        file_of(folder, place).chmod(0o644)
        with file_of(folder, place).open("r+b") as file:
            file.write(b"!")
        file_of(folder, place).chmod(0o444)
        with pytest.raises(TornSegment, match="altered"):
            Segments(folder).read(place)


def test_what_this_user_or_anybody_else_but_root_may_write_to_is_known_by_more_than_its_last_write(
    folder: str, shared: Location, monkeypatch: pytest.MonkeyPatch, verified: list[str]
) -> None:
    file_of(folder, shared).chmod(0o464)
    Segments(folder).read(shared)
    file_of(folder, shared).chmod(0o444)
    monkeypatch.undo()
    names: list[str] = []
    monkeypatch.setattr(segments, "_verify", lambda name, *_: names.append(name))
    Segments(folder).read(shared)
    assert (verified, names) == ([shared.segment], [shared.segment])


def test_what_a_child_has_written_its_parent_need_not_read_through(folder: str, verified: list[str]) -> None:
    reader = Segments(folder)
    reader.read(put(folder, b"first")[0])
    place = put(folder, b"second", k=1)[0]
    reader.read(place)
    assert verified == []


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe\n", b"a b c d e\n" * 3, b"cut in the mid"])
def test_a_damaged_record_costs_a_reading_and_no_error(folder: str, verified: list[str], junk: bytes) -> None:
    place = put(folder, b"stream")[0]
    (Path(folder) / "verified").write_bytes(junk)
    assert Segments(folder).read(place) == b"stream"
    assert verified == [place.segment]
    assert Segments(folder).read(put(folder, b"next", k=1)[0]) == b"next"


def test_sweeping_takes_unfinished_and_unnamed_segments_and_nothing_else(folder: str) -> None:
    named, unnamed = put(folder, LARGE, k=1)[0], put(folder, LARGE, k=2)[0]
    (Path(folder) / "2-0123456789ab-0.segment.tmp").write_bytes(LARGE)
    freed = Segments(folder).sweep({named.segment}, 2)
    assert freed >= 2 * len(LARGE)
    assert left(folder) == [f"{named.segment}.segment"]
    assert unnamed.segment not in (Path(folder) / "verified").read_text()
    assert Segments(folder).read(named) == LARGE
    assert Segments(folder + "-not-there").sweep(set(), 9) == 0


@pytest.mark.parametrize("limit", [1000, len(LARGE) + 10])
def test_a_full_disk_takes_the_whole_save_back(folder: str, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(segment_writer, "MAX_SEGMENT_BYTES", len(LARGE))
    kept = put(folder, b"before")[0]
    before = left(folder)
    with file_size_limit(limit), pytest.raises(OSError), SegmentWriter(folder, 1, False) as writer:
        writer.put(memoryview(b"small"))
        writer.put(memoryview(LARGE))
        writer.commit()
    assert left(folder) == before
    assert Segments(folder).read(kept) == b"before"


def test_a_rename_that_fails_takes_the_renamed_segments_back(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_writer, "MAX_SEGMENT_BYTES", 10)
    real = os.rename
    done: list[str] = []

    def rename(source: str, target: str) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(target)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError):
        put(folder, b"a" * 10, b"b" * 10)
    assert len(done) == 1
    assert left(folder) == []


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, TornSegment), (errno.EMFILE, OSError)])
def test_what_the_disk_does_not_give_back_is_torn_and_what_the_process_can_not_read_now_is_not(
    folder: str, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    # Nothing that is mapped is read.
    place = put(folder, b"small")[0]
    segments = Segments(folder)
    segments.read(place)

    def fail(*_args: object) -> int:
        raise OSError(number, os.strerror(number))

    for name in ("pread", "preadv"):
        monkeypatch.setattr(os, name, fail)
    (Path(folder) / "verified").unlink()
    for read in (
        lambda: segments.read(place),
        lambda: Segments(folder).verify([place.segment]),
        lambda: map_buffer(segments, [Chunk("", *place)], 5, False),
    ):
        with pytest.raises(kind) as told:
            read()
        assert type(told.value) is kind and os.strerror(number) in str(told.value)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 1 MiB where root may mount one; files of at most 1 MiB elsewhere."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        with file_size_limit(1 << 20):
            yield
        return
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_system_without_space_takes_the_whole_save_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small"):
        folder = str(tmp_path / "small" / "segments")
        kept = put(folder, b"before")[0]
        before = left(folder)
        with pytest.raises(OSError):
            put(folder, LARGE, LARGE * 8, k=1)
        assert left(folder) == before
        assert Segments(folder).read(kept) == b"before"
        assert Segments(folder).read(put(folder, LARGE * 2, k=1)[0]) == LARGE * 2


@pytest.mark.parametrize(
    ("place", "finished"), [("segment-half-written", False), ("segment-renamed-manifest-not", True)]
)
def test_what_a_killed_save_leaves_is_swept(folder: str, tmp_path: Path, place: str, finished: bool) -> None:
    kept = put(folder, b"before")[0]
    (tmp_path / "fail-points").mkdir()
    (tmp_path / "fail-points" / place).touch()
    code = (
        "import sys\n"
        "from nl2code_guest.checkpoint import fail_points, segments\n"
        "fail_points.arm(sys.argv[1])\n"
        "with segments.SegmentWriter(sys.argv[2], 1, False) as writer:\n"
        "    writer.put(memoryview(b'x' * 100000))\n"
        "    writer.commit()\n"
    )
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path), folder], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(left(folder)) == 2
    assert len(Segments(folder).names()) == (2 if finished else 1)
    Segments(folder).sweep({kept.segment}, 1)
    assert left(folder) == [f"{kept.segment}.segment"]


def test_a_part_of_a_file_is_copied_as_it_was_read(folder: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"head" + LARGE)
    fd = os.open(source, os.O_RDONLY)
    with SegmentWriter(folder, 0, False) as writer:
        place = writer.copy(fd, 4, memoryview(LARGE), 0)
        assert place is not None
        writer.commit()
    os.close(fd)
    assert unverified(folder).read(place) == LARGE


def test_a_file_that_changed_under_the_copy_is_noticed_and_nothing_is_kept_of_it(folder: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(LARGE[1:] + b"!")
    fd = os.open(source, os.O_RDONLY)
    with SegmentWriter(folder, 0, False) as writer:
        assert writer.copy(fd, 0, memoryview(LARGE), 0) is None
        place = writer.put(memoryview(b"after"))
        writer.commit()
    os.close(fd)
    assert place.offset == 0
    assert unverified(folder).read(place) == b"after"


def test_where_the_system_has_no_copy_the_bytes_go_through_memory(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    test_a_part_of_a_file_is_copied_as_it_was_read(folder, tmp_path)

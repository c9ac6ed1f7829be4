"""A cell is committed by the rename of its manifest, and by nothing else."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nl2code_guest.checkpoint.manifests import (
    Manifest,
    Torn,
    chain,
    discard_after,
    newest,
    numbers,
    read_manifest,
    write_manifest,
)

IMAGES = [b"first image", b""]
#: More than the rest of a manifest, so that a cut falls into it.
STATE = b'{"format":1}' + b" " * 5000


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "manifests")


def header(k: int, parent: Manifest | None, **more: Any) -> dict[str, Any]:
    pointer = None if parent is None else {"k": parent.k, "sha": parent.sha}
    return {"session": "s", "k": k, "sha": f"{k:064}", "code": f"x = {k}", "parent": pointer, **more}


def commit(folder: str, k: int, parent: Manifest | None, **more: Any) -> Manifest:
    write_manifest(folder, header(k, parent, **more), IMAGES, STATE, durable=False)
    return read_manifest(folder, k)


def commit_all(folder: str, *cells: int) -> list[Manifest]:
    made: list[Manifest] = []
    for k in cells:
        made.append(commit(folder, k, made[-1] if made else None))
    return made


def path_of(folder: str, k: int) -> Path:
    return Path(folder) / f"{k:08}.manifest"


def head(folder: str) -> int | None:
    found = newest(folder)
    return None if found is None else found.k


def test_a_manifest_reads_back_as_it_was_written(folder: str) -> None:
    given = header(0, None, reply={"stdout": "\ud83d grüße", "n": 1.5}, want="bare")
    sha = write_manifest(folder, given, IMAGES, STATE, durable=True)
    found = read_manifest(folder, 0)
    assert (found.images, found.state, found.sha) == (IMAGES, STATE, sha)
    assert found.header["reply"] == {"stdout": "? grüße", "n": 1.5}
    assert (found.header["attachments"], found.header["stateBytes"]) == ([11, 0], len(STATE))
    assert sha == hashlib.sha256(path_of(folder, 0).read_bytes()).hexdigest()


def test_a_folder_without_manifests_has_no_head(folder: str) -> None:
    assert newest(folder) is None
    assert numbers(folder) == []


def test_the_head_is_the_newest_and_numbers_may_have_gaps(folder: str) -> None:
    commit_all(folder, 0, 1, 4, 7)
    assert numbers(folder) == [0, 1, 4, 7]
    assert head(folder) == 7
    older = newest(folder, before=7)
    assert older is not None
    assert older.k == 4


@pytest.mark.parametrize("kept", [0, 7, 40, 400, -33, -32, -1])
def test_a_cut_manifest_is_torn_and_the_older_head_is_found(folder: str, kept: int) -> None:
    commit_all(folder, 0, 1, 2)
    data = path_of(folder, 2).read_bytes()
    path_of(folder, 2).write_bytes(data[:kept])
    with pytest.raises(Torn):
        read_manifest(folder, 2)
    assert head(folder) == 1


def test_a_manifest_with_one_changed_byte_is_torn_wherever_it_is(folder: str) -> None:
    commit_all(folder, 0, 1)
    data = path_of(folder, 1).read_bytes()
    for at in (*range(0, len(data), 131), len(data) - 1):
        path_of(folder, 1).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Torn):
            read_manifest(folder, 1)
        assert head(folder) == 0


def test_a_manifest_under_another_cells_name_is_torn(folder: str) -> None:
    commit_all(folder, 0, 1)
    os.rename(path_of(folder, 1), path_of(folder, 5))
    with pytest.raises(Torn):
        read_manifest(folder, 5)
    assert head(folder) == 0


def test_a_broken_chain_ends_at_the_last_whole_part(folder: str) -> None:
    commit_all(folder, 0, 1, 2, 3)
    path_of(folder, 2).write_bytes(b"")
    assert head(folder) == 1
    path_of(folder, 0).unlink()
    assert head(folder) is None


def test_a_manifest_that_follows_a_replaced_one_does_not_count(folder: str) -> None:
    first, second, _ = commit_all(folder, 0, 1, 2)
    replaced = commit(folder, 1, first, want="data")
    assert replaced.sha != second.sha
    assert head(folder) == 1


def test_damage_older_than_the_last_full_state_costs_nothing(folder: str) -> None:
    first = commit(folder, 0, None)
    second = commit(folder, 1, first, full=True)
    third = commit(folder, 2, second)
    path_of(folder, 0).unlink()
    assert head(folder) == 2
    assert [part.k for part in chain(folder, third)] == [1, 2]


def test_a_chain_is_told_oldest_first_with_the_images_of_its_head_only(folder: str) -> None:
    made = commit_all(folder, 0, 3, 4)
    parts = chain(folder, made[-1])
    assert [(part.k, part.images) for part in parts] == [(0, []), (3, []), (4, IMAGES)]
    path_of(folder, 3).write_bytes(b"")
    with pytest.raises(Torn):
        chain(folder, made[-1])


def test_what_was_left_behind_never_continues_a_session_that_went_on_from_an_older_cell(folder: str) -> None:
    first, _ = commit_all(folder, 0, 2)
    discard_after(folder, 0, durable=True)
    commit(folder, 1, first)
    assert numbers(folder) == [0, 1]
    discard_after(folder, -1, durable=False)
    assert newest(folder) is None


def test_an_unfinished_manifest_is_not_seen_and_the_next_write_takes_its_place(folder: str) -> None:
    first = commit(folder, 0, None)
    half = Path(folder) / "new.tmp"
    half.write_bytes(path_of(folder, 0).read_bytes())
    assert head(folder) == 0
    commit(folder, 1, first)
    assert not half.exists()


def test_a_process_killed_before_the_rename_has_committed_nothing(folder: str, tmp_path: Path) -> None:
    commit(folder, 0, None)
    (tmp_path / "fail-points").mkdir()
    (tmp_path / "fail-points" / "manifest-not-renamed").touch()
    code = (
        "import sys\n"
        "from nl2code_guest.checkpoint import fail_points, manifests\n"
        "fail_points.arm(sys.argv[1])\n"
        "manifests.write_manifest(sys.argv[2], {'k': 1, 'parent': None}, [], b'state', False)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), folder]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert head(folder) == 0
    assert subprocess.run(command, check=False).returncode == 0
    assert head(folder) == 1


def test_a_disk_that_is_full_leaves_the_folder_as_it_was(folder: str) -> None:
    first = commit(folder, 0, None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError):
            commit(folder, 1, first)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(folder) == ["00000000.manifest"]
    commit(folder, 1, first)
    assert head(folder) == 1


def test_what_can_not_be_read_back_is_not_written(folder: str) -> None:
    with pytest.raises(ValueError, match="state of 67108865 bytes"):
        write_manifest(folder, header(0, None), [], bytes((64 << 20) + 1), durable=False)
    assert newest(folder) is None


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, Torn), (errno.EMFILE, OSError), (errno.EACCES, Torn)])
def test_a_manifest_that_can_not_be_opened_now_is_not_torn(
    folder: str, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    commit_all(folder, 0, 1)

    def fail(*_args: object, **_more: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(kind):
        read_manifest(folder, 1)


def test_links_pipes_and_folders_in_place_of_a_manifest_are_torn(folder: str, tmp_path: Path) -> None:
    commit_all(folder, 0, 1)
    outside = tmp_path / "outside"
    os.rename(path_of(folder, 1), outside)
    path_of(folder, 1).symlink_to(outside)
    os.mkfifo(path_of(folder, 2))
    path_of(folder, 3).mkdir()
    for k in (1, 2, 3):
        with pytest.raises(Torn):
            read_manifest(folder, k)
    assert head(folder) == 0

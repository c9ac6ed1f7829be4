"""What the init has to know of cells without a manifest outlives it, and nothing of it is half."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nl2code_guest import journal as journal_module
from nl2code_guest.frames import encode_header, pack_frame
from nl2code_guest.journal import Journal, JournalError
from nl2code_guest.ledger import OUTDATED, Ledger


def again(folder: Path) -> Journal:
    return Journal(str(folder), "s", durable=False)


def test_runs_of_a_cell_are_counted_over_every_end_of_the_sandbox(tmp_path: Path) -> None:
    for run in (1, 2, 3):
        assert again(tmp_path).start(4, "a", (1, 1)) == run
    journal = again(tmp_path)
    assert (journal.runs(4, "a"), journal.runs(4, "b"), journal.runs(5, "a")) == (3, 0, 0)


def test_a_cell_that_was_told_starts_from_its_first_run(tmp_path: Path) -> None:
    journal = again(tmp_path)
    journal.start(4, "a", (1, 1))
    journal.end(4, "a")
    assert again(tmp_path).runs(4, "a") == 0


def test_what_a_manifest_covers_is_forgotten(tmp_path: Path) -> None:
    journal = again(tmp_path)
    for k in (3, 4):
        journal.start(k, "a", (1, 1))
        journal.note_at_start(k, b"outside %d" % k)
    journal.settle(3)
    assert (journal.runs(3, "a"), journal.at_start(3)) == (0, None)
    assert (journal.runs(4, "a"), journal.at_start(4)) == (1, b"outside 4")


def test_traces_in_the_workspace_are_known_until_it_is_clean(tmp_path: Path) -> None:
    journal = again(tmp_path)
    assert not journal.has_traces(-1)
    journal.start(0, "a", (1, 1))
    assert journal.has_traces(-1) and not journal.has_traces(0)
    journal.clean(-1)
    assert not again(tmp_path).has_traces(-1)
    journal.dirty(0)
    assert again(tmp_path).has_traces(0) and not again(tmp_path).has_traces(1)


def test_a_record_cut_off_by_a_crash_counts_as_not_written(tmp_path: Path) -> None:
    journal = again(tmp_path)
    journal.start(0, "a", (1, 1))
    path = tmp_path / "journal"
    whole = len(path.read_bytes().rstrip(b"\0"))
    journal.start(0, "a", (2, 1))
    journal.note_at_start(0, b"outside")
    data = path.read_bytes()
    for cut in range(whole + 1, len(data.rstrip(b"\0"))):
        path.write_bytes(data[:cut] + bytes(len(data) - cut))
        torn = again(tmp_path)
        assert torn.runs(0, "a") + len(torn.at_start(0) or b"") in (1, 2)
        # What is written in its place is read, and nothing behind it.
        torn.end(0, "a")
        assert (again(tmp_path).runs(0, "a"), again(tmp_path).at_start(0)) == (0, torn.at_start(0))


def test_a_long_journal_is_replaced_by_what_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_LONG_BYTES", 4096)
    journal = Journal(str(tmp_path), "s", durable=True)
    for k in range(100):
        journal.start(k, "a", (k, 1))
        journal.settle(k - 1)
    assert (tmp_path / "journal").stat().st_size < 4096 + journal_module._RESERVE_BYTES
    assert (again(tmp_path).runs(99, "a"), again(tmp_path).epoch) == (1, (99, 1))


def test_some_hundred_cells_can_start_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = again(tmp_path)
    journal.start(0, "a", (1, 1))

    def full(*_args: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError):
        journal.note_at_start(0, b"x" * (1 << 20))
    for k in range(1, 200):
        journal.start(k, "a" * 64, (1, 1))
    assert again(tmp_path).runs(199, "a" * 64) == 1
    assert again(tmp_path).at_start(0) is None


def test_the_journal_of_another_session_is_refused(tmp_path: Path) -> None:
    again(tmp_path).start(0, "a", (1, 1))
    with pytest.raises(JournalError, match="belongs to session 's'"):
        Journal(str(tmp_path), "other", durable=False)


def test_a_folder_of_a_release_without_manifests_starts_anew_and_says_so(tmp_path: Path) -> None:
    records = [
        {"type": "started", "session": "s", "k": 0, "sha": "a", "epoch": [7, 1], "fresh": False},
        {"type": "done", "session": "s", "k": 0, "sha": "a", "epoch": [7, 1], "attachments": [], "reply": {}},
    ]
    (tmp_path / "ledger").mkdir()
    data = b"".join(journal_module._sealed(pack_frame(encode_header(record), b"")) for record in records)
    (tmp_path / "ledger" / "journal").write_bytes(data)
    ledger = Ledger(str(tmp_path), "s", durable=False)
    assert (ledger.head, ledger.epoch, ledger.exact, ledger.runs(0, "a")) == (-1, (7, 1), False, 0)
    assert ledger.notes == [OUTDATED]

"""No result is lost and no cell counts twice, whatever is asked again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Guest, Start, StreamEnded, alive, sha, until_gone

from nl2code_guest import ledger as ledger_module
from nl2code_guest.checkpoint.manifests import newest, numbers, read_manifest, write_manifest
from nl2code_guest.frames import FrameError
from nl2code_guest.ledger import Ledger, LedgerError, Result, State
from nl2code_guest.reply import died_reply
from nl2code_guest.system_calls import has_stopped, is_exiting


def result(k: int, pending: bool = False) -> Result:
    return Result(k, f"sha {k}", f"code {k}", died_reply(f"reply {k}"), [b"image"], pending)


def state(k: int, first: int | None = None, data: bytes = b"state", full: bool = False) -> State:
    return State(k, k if first is None else first, "data", full, data)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(str(tmp_path), "s", durable=False)


# --- the rule of exec ------------------------------------------------------------------------------------------------


def test_the_head_asked_again_is_answered_and_not_run(guest: Guest) -> None:
    code = guest.once()
    first = guest.run(code)
    guest.stream.ask(0, code)
    again = guest.stream.done()
    assert (first.header["cached"], again.header["cached"]) == (False, True)
    assert (again.reply, again.saved) == (first.reply, "local")
    assert guest.traces() == 1


def test_what_does_not_follow_is_a_conflict_that_names_the_head(guest: Guest) -> None:
    guest.run("1")
    guest.run("2")
    for k, code in ((0, "1"), (1, "other"), (3, "4")):
        guest.stream.ask(k, code)
        refused = guest.stream.answer()
        assert (refused["type"], refused["code"], refused["k"], refused["head"]) == ("refused", "conflict", k, 1)
    assert guest.run("3").text == "3"


def test_the_next_cell_is_refused_as_busy_while_one_runs(guest: Guest) -> None:
    guest.ask("import time; time.sleep(0.3)")
    guest.stream.ask(1, "2")
    assert guest.stream.answer()["code"] == "busy"
    assert guest.stream.done().ended == "ok"


def test_a_sha_that_is_not_of_the_code_ends_the_stream(guest: Guest) -> None:
    guest.stream.send(type="exec", k=0, sha=sha("2"), code="1", timeoutMs=1000, maxOutputChars=10, epoch=[1, 1])
    assert guest.stream.answer()["code"] == "protocol"
    guest.attach()
    assert guest.run("1").text == "1"


def test_a_lower_epoch_is_fenced_also_by_a_new_init(start: Start) -> None:
    guest = start()
    guest.attach(epoch=(5, 2))
    guest.stream.ask(0, "1", epoch=(5, 1))
    assert guest.stream.answer()["code"] == "fenced"
    for epoch in ((5, 1), (4, 9)):
        stream = guest.connect()
        assert stream.hello(epoch=epoch)["code"] == "fenced"
    guest.stream.ask(0, "1", epoch=(6, 1))
    assert guest.stream.done().ended == "ok"
    guest.kill()
    stream = start().connect()
    assert stream.hello(epoch=(5, 3))["code"] == "fenced"


def test_a_finished_cell_is_answered_by_a_new_init_with_its_images(start: Start) -> None:
    guest = start()
    png = "b'\\x89PNG\\r\\n\\x1a\\n' + b'x' * 50"
    first = guest.run(f"class P:\n    def _repr_png_(self): return {png}\nP()")
    assert len(first.attachments) == 1
    guest.kill()
    second = start()
    assert second.welcome["head"] == 0
    second.stream.ask(0, f"class P:\n    def _repr_png_(self): return {png}\nP()")
    again = second.stream.done()
    assert (again.reply, again.attachments, again.header["cached"]) == (first.reply, first.attachments, True)


# --- committing ------------------------------------------------------------------------------------------------------


def test_a_cell_is_committed_with_its_code_its_reply_and_its_state(ledger: Ledger, tmp_path: Path) -> None:
    ledger.start(0, "sha 0", (1, 1))
    ledger.finish(result(0), state(0, full=True))
    ledger.start(1, "sha 1", (1, 1))
    ledger.finish(result(1), state(1))
    assert (ledger.head, ledger.saved, ledger.standing, ledger.want) == (1, 1, "local", "data")
    manifest = read_manifest(str(tmp_path / "manifests"), 1)
    before = read_manifest(str(tmp_path / "manifests"), 0)
    header = {"session": "s", "k": 1, "sha": "sha 1", "code": "code 1", "want": "data", "covered": [], "full": False}
    assert manifest.header.items() >= header.items()
    assert manifest.header["parent"] == {"k": 0, "sha": before.sha} and before.header["full"]
    assert (manifest.header["reply"], manifest.images, manifest.state) == (died_reply("reply 1"), [b"image"], b"state")
    again = Ledger(str(tmp_path), "s", durable=False)
    assert again.answers(1, "sha 1") and again.stored() == ledger.stored()


def test_a_state_that_comes_later_commits_its_cell_then(ledger: Ledger) -> None:
    ledger.finish(result(0, pending=True), None)
    assert (ledger.head, ledger.saved, ledger.standing) == (0, -1, "pending")
    assert ledger.take(state(0))
    assert (ledger.saved, ledger.standing) == (0, "local")


def test_a_state_covers_the_cells_before_it_that_have_none(ledger: Ledger, tmp_path: Path) -> None:
    ledger.finish(result(0), state(0))
    ledger.finish(result(1), None)
    ledger.finish(result(2), None)
    assert (ledger.head, ledger.saved, ledger.standing) == (2, 0, "none")
    ledger.finish(result(3), state(3, first=1))
    manifest = newest(str(tmp_path / "manifests"))
    assert manifest and (manifest.k, manifest.header["parent"]["k"]) == (3, 0)
    assert manifest.header["covered"] == [
        {"k": 1, "sha": "sha 1", "code": "code 1"},
        {"k": 2, "sha": "sha 2", "code": "code 2"},
    ]


def test_a_state_that_leaves_out_a_cell_is_not_taken(ledger: Ledger) -> None:
    ledger.finish(result(0), None)
    with pytest.raises(FrameError, match="leaves out"):
        ledger.finish(result(1), state(1))
    with pytest.raises(FrameError, match="Nobody waits"):
        ledger.take(state(5))
    assert (ledger.head, ledger.saved) == (0, -1)


def test_a_kernel_that_did_not_hear_of_a_commit_builds_on_the_one_before(ledger: Ledger, tmp_path: Path) -> None:
    for k in range(3):
        ledger.finish(result(k), state(k))
    ledger.finish(result(3), state(3, first=2))
    manifest = newest(str(tmp_path / "manifests"))
    assert manifest and (manifest.k, manifest.header["parent"]["k"]) == (3, 1)


def test_a_full_disk_keeps_results_in_memory_and_commits_them_in_order_when_there_is_room(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ledger_module, "write_manifest", full)
        for k in range(2):
            ledger.start(k, f"sha {k}", (1, 1))
            ledger.finish(result(k), state(k))
            assert (ledger.head, ledger.saved, ledger.standing) == (k, -1, "none")
            assert b"could not be saved: No space left on device" in ledger.told()
        assert ledger.blocked() is None
        ledger.finish(result(2), state(2, data=b"x" * 1000))
        patched.setattr(ledger_module, "MAX_WAITING_BYTES", 1000)
        assert "No space left" in str(ledger.blocked())
    assert ledger.blocked() is None
    assert (ledger.saved, numbers(str(tmp_path / "manifests"))) == (2, [0, 1, 2])
    parent = read_manifest(str(tmp_path / "manifests"), 1)
    assert read_manifest(str(tmp_path / "manifests"), 2).header["parent"] == {"k": 1, "sha": parent.sha}


# --- falling back ----------------------------------------------------------------------------------------------------


def test_what_was_in_memory_alone_is_lost_with_its_kernel(ledger: Ledger) -> None:
    ledger.start(0, "sha 0", (1, 1))
    ledger.finish(result(0), state(0))
    ledger.start(1, "sha 1", (1, 1))
    ledger.finish(result(1, pending=True), None)
    ledger.forget_unsaved()
    assert (ledger.head, ledger.saved, ledger.answers(0, "sha 0")) == (0, 0, True)
    # It left traces in the workspace, and had its result: another run is its first.
    assert (ledger.exact, ledger.runs(1, "sha 1")) == (True, 0)


def test_a_torn_manifest_makes_the_one_before_it_the_head(ledger: Ledger, tmp_path: Path) -> None:
    for k in range(3):
        ledger.finish(result(k), state(k))
    path = tmp_path / "manifests" / "00000002.manifest"
    path.write_bytes(path.read_bytes()[:-1])
    assert Ledger(str(tmp_path), "s", durable=False).head == 1
    path = tmp_path / "manifests" / "00000001.manifest"
    path.write_bytes(path.read_bytes().replace(b"state", b"stale"))
    again = Ledger(str(tmp_path), "s", durable=False)
    assert (again.head, again.answers(0, "sha 0")) == (0, True)


def test_what_lies_behind_a_new_head_is_gone_before_a_cell_is_committed_after_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    for k in range(4):
        ledger.finish(result(k), state(k))
    ledger.fall_back(2, "A segment is damaged.")
    assert (ledger.head, ledger.exact, ledger.at_start(), ledger.notes) == (
        1,
        True,
        None,
        ["A segment is damaged."],
    )
    assert numbers(str(tmp_path / "manifests")) == [0, 1, 2, 3]
    ledger.restored()
    ledger.finish(result(2), state(2))
    assert (numbers(str(tmp_path / "manifests")), ledger.exact) == ([0, 1, 2], False)


def test_a_cell_without_effects_is_committed_with_what_came_from_outside_before_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.finish(result(0), state(0))
    for run in (1, 2, 3):
        assert ledger.start(1, "sha 1", (1, 1)) == run
        ledger.note_at_start(1, b"outside")
    assert ledger.at_start() == b"outside"
    assert ledger.finish_without_effects(result(1))
    manifest = newest(str(tmp_path / "manifests"))
    assert manifest and (manifest.k, manifest.state, manifest.header["want"]) == (1, b"outside", "data")
    # The workspace still holds what the cell did, for a new init too.
    assert (ledger.exact, Ledger(str(tmp_path), "s", durable=False).exact) == (True, True)
    ledger.restored()
    assert (ledger.exact, Ledger(str(tmp_path), "s", durable=False).exact) == (False, False)


def test_a_cell_without_effects_needs_the_state_before_it(ledger: Ledger) -> None:
    ledger.finish(result(0), None)
    assert not ledger.finish_without_effects(result(1))
    assert ledger.head == -1


# --- what a folder may hold ------------------------------------------------------------------------------------------


def test_the_checkpoint_of_another_session_is_refused(start: Start, tmp_path: Path) -> None:
    guest = start()
    guest.run("1")
    guest.kill()
    with pytest.raises((StreamEnded, OSError)):
        Guest(tmp_path, session="other")
    assert "belongs to session 's'" in (tmp_path / "guest.log").read_text()
    with pytest.raises(LedgerError, match="belongs to session 's'"):
        Ledger(str(tmp_path / "checkpoint"), "other", durable=False)


def test_a_folder_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can't be used"):
        Ledger(str(tmp_path / "file"), "s", durable=False)


def test_a_sealed_manifest_that_no_init_has_written_is_passed_over(ledger: Ledger, tmp_path: Path) -> None:
    ledger.finish(result(0), state(0))
    write_manifest(str(tmp_path / "manifests"), {"k": 1, "parent": None}, [], b"", False)
    assert Ledger(str(tmp_path), "s", durable=False).head == 0


# --- the end of everything -------------------------------------------------------------------------------------------


def test_everything_ends_with_the_control_socket(start: Start) -> None:
    guest = start()
    kernel = guest.kernel_pid()
    daemon = int(guest.run("import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True).pid").text)
    assert alive(kernel) and alive(daemon)
    guest.close()
    assert guest.process.returncode == 0
    assert until_gone(kernel, daemon)


def test_a_process_that_ends_is_told_from_one_that_goes_on() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_exiting(process.pid) and not has_stopped(process.pid)
    process.kill()
    # Its end is not taken note of, so it stays as a zombie.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_exiting(process.pid) and has_stopped(process.pid)
    process.communicate()
    assert is_exiting(process.pid) and has_stopped(process.pid)


def test_a_process_goes_on_while_any_thread_of_it_does() -> None:
    code = "import ctypes, threading\nthreading.Thread(target=input).start()\nctypes.CDLL(None).pthread_exit(None)"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    while not is_exiting(process.pid):
        assert process.poll() is None
    assert not has_stopped(process.pid)
    process.kill()
    process.communicate()
    assert has_stopped(process.pid)

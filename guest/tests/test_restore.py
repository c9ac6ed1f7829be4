"""A kernel is given what the manifests say, and an older state where a newer one can't be had."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
from pathlib import Path

import pytest
from harness import Start, kill

from nl2code_guest.restore_report import MAX_BYTES, MAX_NAMES, checked_report


def test_a_new_sandbox_has_the_variables_and_the_first_cell_tells_what_came_back(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = [1, 2]\nimport math\ngenerator = (n for n in x)")
    guest.kill()
    second = start_plain()
    second.next = 1
    done = second.run("x, math.pi > 3, 'generator' in globals()")
    assert done.text == "([1, 2], True, False)"
    assert done.restored and (done.restored["head"], done.restored["variables"]) == (0, 1)
    (lost,) = done.restored["lost"]
    assert (lost["name"], lost["type"], lost["cell"]) == ("generator", "generator", 0)
    assert second.run("1").restored is None


def test_files_that_came_while_no_kernel_lived_stay(start: Start) -> None:
    guest = start()
    guest.run("open('ours', 'w').write('1')\nopen('gone', 'w')")
    guest.kill()
    (guest.workspace / "theirs").write_text("2")
    (guest.workspace / "gone").unlink()
    second = start()
    second.next = 1
    assert second.run("import os\nsorted(os.listdir())").text == "['gone', 'ours', 'theirs']"


def test_files_that_came_before_any_run_of_a_cell_are_there_in_the_next_one(start: Start) -> None:
    guest = start()
    guest.run("open('ours', 'w').write('1')")
    code = f"import time\nopen('left', 'w')\n{guest.once()}\ntime.sleep(60)"
    for run, name in enumerate(("first", "second"), 1):
        (guest.workspace / name).write_text(name)
        guest.stream.ask(1, code)
        guest.until_traces(run)
        guest.kill()
        guest = start()
        # The new kernel puts the workspace back before anybody asks for the cell.
        journal = guest.checkpoint / "ledger" / "journal"
        while journal.read_bytes().count(b'"type":"clean"') < run:
            pass
        assert not (guest.workspace / "left").exists()
    guest.stream.ask(1, code, timeout_ms=500)
    guest.until_traces(3)
    assert sorted(path.name for path in guest.workspace.iterdir()) == ["first", "left", "ours", "second"]
    guest.stream.done()


def test_a_state_that_can_not_be_restored_is_given_up_for_the_one_before_it(start_plain: Start) -> None:
    guest = start_plain()
    for k in range(4):
        guest.run(f"x = {k}\nopen('at {k}', 'w')")
    guest.kill()
    (guest.checkpoint / "unrestorable").write_text("2")
    second = start_plain()
    second.stream.ask(4, "x")
    refused = second.stream.answer()
    assert (refused["code"], refused["k"], refused["head"]) == ("conflict", 4, 1)
    # The host catches up with other cells than those that were: nothing of the abandoned ones comes back.
    second.next = 2
    done = second.run("import os\nx, sorted(os.listdir())")
    assert done.text == "(1, ['at 0', 'at 1'])"
    assert done.restored and done.restored["notes"] == ["A segment of cell 2 is damaged."]
    second.kill()
    (guest.checkpoint / "unrestorable").unlink()
    third = start_plain()
    assert third.welcome["head"] == 2
    third.next = 3
    assert third.run("x").text == "1"


def test_without_any_state_that_can_be_restored_the_session_starts_anew(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = 1\nopen('left', 'w')")
    guest.run("y = 1")
    guest.kill()
    (guest.checkpoint / "unrestorable").write_text("0")
    second = start_plain()
    second.stream.ask(2, "x")
    assert second.stream.answer()["head"] == -1
    second.next = 0
    done = second.run("import os\n'x' in globals(), os.listdir()")
    assert (done.text, done.agains) == ("(False, [])", [])
    assert done.restored and done.restored["notes"] == ["A segment of cell 0 is damaged."]


def test_a_state_that_kills_every_kernel_that_restores_it_is_given_up(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = 0")
    guest.run("x = 1")
    guest.kill()
    (guest.checkpoint / "dies").write_text("3")
    second = start_plain()
    second.stream.ask(2, "x")
    assert second.stream.answer()["head"] == 0
    second.next = 1
    done = second.run("x")
    assert done.text == "0"
    assert done.restored and "killed 3 kernels" in done.restored["notes"][0]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EIO])
def test_trouble_of_the_machine_at_a_restore_costs_no_state_and_the_cell_can_be_asked_again(
    start_plain: Start, number: int
) -> None:
    guest = start_plain()
    guest.run("x = 0")
    guest.run("x = 1")
    guest.kill()
    (guest.checkpoint / "trouble").write_text(str(number))
    second = start_plain()
    # More often than a state may kill kernels.
    for _ in range(4):
        second.stream.ask(2, "x")
        refused = second.stream.answer()
        assert (refused["code"], refused["k"], refused["head"]) == ("busy", 2, 1)
        assert refused["message"] == f"The state after cell 1 can't be brought back at present: {os.strerror(number)}."
    (guest.checkpoint / "trouble").unlink()
    second.next = 2
    done = second.run("x")
    assert (done.text, done.agains) == ("1", [])
    assert done.restored and (done.restored["head"], done.restored["notes"]) == (1, [])


def test_a_cell_whose_kernel_died_runs_again_when_trouble_of_the_machine_has_passed(start_plain: Start) -> None:
    guest = start_plain()
    pid = guest.kernel_pid()
    code = (
        guest.once()
        + "\nopen('left', 'a').write('x')\nimport os, time\nwhile not os.path.exists('go'): time.sleep(0.01)"
    )
    guest.ask(code)
    guest.until_traces(1)
    (guest.checkpoint / "trouble").write_text(str(errno.ENOSPC))
    kill(pid)
    refused = guest.stream.answer()
    assert (refused["code"], refused["k"], refused["head"]) == ("busy", 1, 0)
    (guest.checkpoint / "trouble").unlink()
    guest.stream.ask(1, code)
    guest.until_traces(2)
    (guest.workspace / "go").touch()
    done = guest.stream.done()
    assert (done.ended, done.agains) == ("ok", [2])
    assert guest.run("open('left').read()").text == "'x'"


def test_an_error_that_is_not_the_machines_gives_the_state_up_and_says_why(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = 0")
    guest.kill()
    (guest.checkpoint / "trouble").write_text(str(errno.EACCES))
    second = start_plain()
    second.stream.ask(1, "x")
    assert (second.stream.answer()["head"], second.welcome["head"]) == (-1, 0)
    # Nothing is older than that.
    second.stream.ask(0, "x = 0")
    refused = second.stream.answer()
    assert (refused["code"], "Permission denied" in refused["message"]) == ("busy", True)
    (guest.checkpoint / "trouble").unlink()
    done = second.run("x = 0")
    assert done.restored
    assert done.restored["notes"] == ["What was saved with cell 0 can't be brought back: Permission denied."]


def test_a_kernel_without_descriptors_to_restore_with_costs_no_state(start: Start) -> None:
    guest = start()
    folder = "/".join(["deep"] * 100)
    guest.run(f"import os\nos.makedirs({folder!r})\nopen({folder + '/file'!r}, 'w').write('kept')\nx = 1")
    guest.kill()
    shutil.rmtree(guest.workspace / "deep")
    second = start(limits={resource.RLIMIT_NOFILE: 64})
    second.stream.ask(1, "x")
    refused = second.stream.answer()
    assert (refused["code"], "Too many open files" in refused["message"]) == ("busy", True)
    second.kill()
    third = start()
    assert third.welcome["head"] == 0
    third.next = 1
    assert third.run(f"x, open({folder + '/file'!r}).read()").text == "(1, 'kept')"


def test_a_restore_that_does_not_end_is_ended_and_done_once_more(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = 0")
    guest.run("x = 1")
    guest.kill()
    (guest.checkpoint / "hangs").write_text("1")
    second = start_plain(env={"RESTORE_S": "2"})
    second.next = 2
    done = second.run("x")
    assert (done.text, (guest.checkpoint / "hangs").read_text()) == ("1", "0")
    assert done.restored and done.restored["notes"] == []


def test_a_state_whose_restore_never_ends_is_given_up_after_three_kernels(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = 0")
    guest.run("x = 1")
    guest.kill()
    (guest.checkpoint / "hangs").write_text("3")
    second = start_plain(env={"RESTORE_S": "2"})
    second.stream.ask(2, "x")
    refused = second.stream.answer()
    assert (refused["code"], refused["head"], (guest.checkpoint / "hangs").read_text()) == ("conflict", 0, "0")
    second.next = 1
    assert second.run("x").text == "0"


def test_a_restore_that_waits_for_its_host_has_all_the_time_there_is(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("REPLAY = 0")
    guest.kill()
    second = start_plain(env={"RESTORE_S": "2"})
    second.stream.ask(1, "replayed")
    call = second.stream.tool()
    second.stream.sock.settimeout(3)
    with pytest.raises(TimeoutError):
        second.stream.receive()
    second.stream.sock.settimeout(60)
    second.stream.reply(call, "late")
    assert second.stream.done().text == "'late'"


def test_a_torn_manifest_is_passed_over(start: Start) -> None:
    guest = start()
    for k in range(3):
        guest.run(f"x = {k}")
    guest.kill()
    path = guest.checkpoint / "manifests" / "00000002.manifest"
    path.write_bytes(path.read_bytes()[:-3])
    second = start()
    assert second.welcome["head"] == 1
    second.next = 2
    assert second.run("x").text == "1"


def test_a_checkpoint_of_a_release_without_manifests_starts_anew_and_says_so(start: Start, tmp_path: Path) -> None:
    from nl2code_guest import journal
    from nl2code_guest.frames import encode_header, pack_frame

    record = {"type": "done", "session": "s", "k": 0, "sha": "a", "epoch": [1, 1], "attachments": [], "reply": {}}
    (tmp_path / "checkpoint" / "ledger").mkdir(parents=True)
    data = journal._sealed(pack_frame(encode_header(record), b""))
    (tmp_path / "checkpoint" / "ledger" / "journal").write_bytes(data)
    guest = start()
    assert guest.welcome["head"] == -1
    guest.stream.ask(1, "1")
    assert guest.stream.answer()["code"] == "conflict"
    done = guest.run("1")
    assert done.restored and "older release" in done.restored["notes"][0]
    assert guest.run("2").restored is None


def test_a_cell_for_which_no_kernel_can_be_had_is_refused_and_can_be_asked_again(start_plain: Start) -> None:
    guest = start_plain()
    guest.ask(guest.once() + "\nimport time\ntime.sleep(60)")
    guest.until_traces(1)
    guest.kill()
    # A cell had begun, so there is something to restore although no cell is saved.
    (guest.checkpoint / "dies").write_text("100")
    second = start_plain()
    second.stream.ask(0, "1")
    refused = second.stream.answer()
    assert (refused["code"], refused["k"]) == ("busy", 0) and "died before they were given a cell" in refused["message"]
    (guest.checkpoint / "dies").unlink()
    assert second.run("1").text == "1"


def test_what_a_report_says_is_bounded() -> None:
    names = [f"name {n} {'x' * 300}" for n in range(2000)]
    lost = [{"name": name, "type": 5, "cell": -3, "message": "m" * 5000} for name in names]
    raw = {"variables": -1, "recomputed": names, "unproved": names, "lost": lost, "notes": names, "ms": 1e99}
    report = checked_report(raw, 7, ["own"])
    assert len(json.dumps(report)) < 64 << 10 and MAX_BYTES < 64 << 10
    assert (report["head"], report["variables"], report["ms"], report["notes"][0]) == (7, 0, 0, "own")
    assert all(len(entry["name"]) <= 200 and len(entry["message"]) <= 1000 for entry in report["lost"])
    assert report["lost"][0]["cell"] is None and report["lost"][0]["type"] == ""
    assert any("more variables were lost" in note for note in report["notes"])
    assert len(checked_report({"notes": names}, 7, [])["notes"]) <= 50


@pytest.mark.parametrize("raw", [None, [], {"lost": {}}, {"lost": [1], "notes": [[]]}, {"recomputed": [None]}])
def test_a_report_of_any_form_becomes_one(raw: object) -> None:
    assert checked_report(raw, -1, [])["head"] == -1


def test_names_are_many_before_they_are_cut() -> None:
    names = [f"name {n}" for n in range(MAX_NAMES)]
    assert checked_report({"recomputed": names}, 0, [])["recomputed"] == names

"""No cell runs twice, whatever dies and whatever is asked again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import Guest, Start, alive, children, kill, sha, until_gone

from nl2code_guest.ledger import Ledger, LedgerError
from nl2code_guest.reply import died_reply
from nl2code_guest.system_calls import is_exiting

APPEND = "print(open('effects', 'a').write('x'))"


def effects(guest: Guest) -> int:
    path = guest.workspace / "effects"
    return len(path.read_text()) if path.exists() else 0


def test_the_head_asked_again_is_answered_and_not_run(guest: Guest) -> None:
    first = guest.run(APPEND)
    guest.stream.ask(0, APPEND)
    again = guest.stream.done()
    assert (first.header["cached"], again.header["cached"]) == (False, True)
    assert again.reply == first.reply
    assert effects(guest) == 1


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


def test_a_cell_whose_kernel_was_killed_is_recorded_and_the_next_kernel_is_fresh(guest: Guest) -> None:
    pid = guest.kernel_pid()
    guest.run("kept = 1")
    guest.ask(APPEND + "\nimport time\ntime.sleep(60)")
    while not effects(guest):
        pass
    kill(pid)
    died = guest.stream.done()
    assert died.ended == "kernel-died"
    assert "SIGKILL" in died.message and "memory" in died.message and "variables are gone" in died.message
    guest.stream.ask(2, APPEND + "\nimport time\ntime.sleep(60)")
    assert guest.stream.done().reply == died.reply
    after = guest.run("kept")
    assert after.reply["freshKernel"] and after.reply["error"]["type"] == "NameError"
    assert not guest.run("1").reply["freshKernel"]
    assert effects(guest) == 1


def test_a_loss_is_told_also_when_the_kernel_after_it_is_replaced_by_a_warmer_one(start: Start) -> None:
    guest = start(warm="data")
    guest.run("kept = 1")
    before = set(children(guest.process.pid))
    # While the zygote still imports: the kernel that comes now is replaced once it has everything.
    assert guest.run("import os\nos._exit(3)").ended == "kernel-died"
    seen: set[int] = set()
    end = time.monotonic() + 20
    while len(seen) < 2 and time.monotonic() < end:
        seen |= set(children(guest.process.pid)) - before
    assert len(seen) == 2
    after = guest.run("kept")
    assert after.reply["freshKernel"] and after.reply["error"]["type"] == "NameError"
    assert not guest.run("1").reply["freshKernel"]


def test_a_cell_sent_to_a_kernel_that_is_already_dead_runs_in_the_next_one(guest: Guest) -> None:
    pid = guest.kernel_pid()
    with guest.held():
        kill(pid)
        until_gone(pid)
        guest.ask(APPEND)
    done = guest.stream.done()
    assert (done.ended, done.reply["freshKernel"], effects(guest)) == ("ok", True, 1)


def test_a_cell_whose_init_was_killed_is_never_run_again(start: Start) -> None:
    guest = start()
    guest.run("kept = 1")
    kernel = guest.kernel_pid()
    code = APPEND + "\nimport time\ntime.sleep(60)"
    guest.ask(code)
    while not effects(guest):
        pass
    guest.kill()
    assert until_gone(kernel)
    second = start()
    assert (second.welcome["head"], second.welcome["running"]) == (2, None)
    assert second.welcome["bootId"] != guest.welcome["bootId"]
    second.stream.ask(2, code)
    lost = second.stream.done()
    assert (lost.ended, lost.header["cached"]) == ("kernel-died", True)
    assert "not known" in lost.message
    second.next = 3
    after = second.run("kept")
    assert after.reply["freshKernel"] and after.ended == "error"
    assert effects(second) == 1


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


def test_the_journal_of_another_session_is_refused(start: Start, tmp_path: Path) -> None:
    guest = start()
    guest.run("1")
    guest.kill()
    with pytest.raises(Exception):  # noqa: B017 - the guest ends before it answers
        Guest(tmp_path, session="other")
    assert "belongs to session 's'" in (tmp_path / "guest.log").read_text()


def test_a_record_cut_off_by_a_crash_counts_as_not_written(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "s", durable=False)
    ledger.start(0, "a", (1, 1), False)
    ledger.finish(0, "a", died_reply("x", False), [b"image"])
    whole = (tmp_path / "journal").stat().st_size
    ledger.start(1, "b", (2, 1), False)
    data = (tmp_path / "journal").read_bytes()
    for cut in range(whole, len(data)):
        (tmp_path / "journal").write_bytes(data[:cut])
        again = Ledger(str(tmp_path), "s", durable=False)
        assert (again.head, again.answers(0, "a"), again.epoch) == (0, True, (1, 1))
        assert (tmp_path / "journal").stat().st_size == whole


def test_a_started_record_becomes_kernel_died_when_the_journal_is_opened(tmp_path: Path) -> None:
    for durable in (False, True):
        folder = tmp_path / str(durable)
        Ledger(str(folder), "s", durable).start(0, "a", (1, 1), False)
        assert Ledger(str(folder), "s", durable).head == 0
        assert b"kernel-died" in Ledger(str(folder), "s", durable).stored()


def test_a_long_journal_is_replaced_by_its_head(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "s", durable=True)
    image = b"x" * (1 << 20)
    for k in range(12):
        ledger.start(k, str(k), (k, 1), False)
        ledger.finish(k, str(k), died_reply("x", False), [image])
    assert (tmp_path / "journal").stat().st_size < 8 << 20
    again = Ledger(str(tmp_path), "s", durable=True)
    assert (again.head, again.epoch, again.answers(11, "11")) == (11, (11, 1), True)
    assert image in again.stored()


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(str(tmp_path), "s", durable=False)
    ledger.start(0, "a", (1, 1), False)
    ledger.finish(0, "a", died_reply("x", False), [])
    size = (tmp_path / "journal").stat().st_size

    def half(fd: int, data: bytes) -> None:
        import os

        os.write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("nl2code_guest.ledger._write", half)
        with pytest.raises(OSError):
            ledger.start(1, "b", (1, 1), False)
    assert (tmp_path / "journal").stat().st_size == size
    ledger.start(1, "b", (1, 1), False)
    assert Ledger(str(tmp_path), "s", durable=False).head == 1


def test_a_folder_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can't be used"):
        Ledger(str(tmp_path / "file"), "s", durable=False)


def test_everything_ends_with_the_control_socket(start: Start) -> None:
    guest = start()
    kernel = guest.kernel_pid()
    daemon = int(guest.run("import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True).pid").text)
    assert alive(kernel) and alive(daemon)
    guest.close()
    assert guest.process.returncode == 0
    assert until_gone(kernel, daemon)


def test_a_dead_kernel_takes_what_it_started_with_it(guest: Guest) -> None:
    daemon = int(guest.run("import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True).pid").text)
    guest.run("import os; os._exit(3)")
    assert until_gone(daemon)


def test_a_process_that_ends_is_told_from_one_that_goes_on() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_exiting(process.pid)
    process.kill()
    # Its end is not taken note of, so it stays as a zombie.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_exiting(process.pid)
    process.communicate()
    assert is_exiting(process.pid)

"""A result is told with the word whether it is saved; what is not yet is saved with a later cell, or caught up."""

from __future__ import annotations

import resource
import time

from harness import Guest, Start, Stream, kill, until_gone

from nl2code_guest.checkpoint.manifests import newest, numbers


def saved(stream: Stream) -> int:
    """Reads on to the next `saved`."""
    while (header := stream.receive()[0])["type"] != "saved":
        pass
    return int(header["k"])


def manifests(guest: Guest) -> list[int]:
    return numbers(str(guest.checkpoint / "manifests"))


def test_a_save_that_failed_is_told_and_the_next_one_carries_its_changes(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = 1")
    done = guest.run("SAVE = 'none'\nx = 2")
    assert (done.saved, done.reply["unsaved"]) == ("none", "The stand-in was asked to fail.")
    guest.stream.ask(1, "SAVE = 'none'\nx = 2")
    again = guest.stream.done()
    assert (again.saved, again.header["cached"], again.reply) == ("none", True, done.reply)
    assert manifests(guest) == [0]
    done = guest.run("SAVE = 'inline'\ny = x")
    assert (done.saved, done.reply["unsaved"], manifests(guest)) == ("local", None, [0, 2])
    manifest = newest(str(guest.checkpoint / "manifests"))
    assert manifest and manifest.header["parent"]["k"] == 0
    assert [cell["code"] for cell in manifest.header["covered"]] == ["SAVE = 'none'\nx = 2"]
    guest.kill()
    second = start_plain()
    second.next = 3
    assert second.run("x, y").text == "(2, 2)"


def test_what_was_never_saved_is_caught_up_after_everything_has_died(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("x = [1]\nopen('file', 'w').write('1')")
    code = guest.once() + "\nSAVE = 'none'\nx.append(2)\nopen('file', 'a').write('2')"
    guest.run(code)
    guest.kill()
    second = start_plain()
    assert second.welcome["head"] == 0
    second.stream.ask(2, "x")
    refused = second.stream.answer()
    assert (refused["code"], refused["head"]) == ("conflict", 0)
    second.next = 1
    done = second.run(code)
    assert (done.saved, done.agains, second.traces()) == ("none", [], 2)
    assert second.run("x, open('file').read()").text == "([1, 2], '12')"


def test_a_kernel_that_dies_with_an_unsaved_cell_behind_it_makes_the_host_catch_up(plain: Guest) -> None:
    plain.run("x = [1]")
    plain.run("SAVE = 'none'\nx.append(2)")
    plain.ask("import os\nos._exit(1)")
    refused = plain.stream.answer()
    assert (refused["type"], refused["code"], refused["k"], refused["head"]) == ("refused", "conflict", 2, 0)
    plain.next = 1
    assert plain.run("x.append(2)\nx").text == "[1, 2]"


def test_a_state_on_its_way_is_told_as_pending_and_then_as_saved(start_plain: Start) -> None:
    guest = start_plain()
    done = guest.run("SAVE = 'forked'\nx = 1")
    assert (done.saved, manifests(guest)) == ("pending", [])
    guest.stream.ask(0, "SAVE = 'forked'\nx = 1")
    assert guest.stream.done().saved == "pending"
    (guest.checkpoint / "child-goes").touch()
    assert saved(guest.stream) == 0
    assert manifests(guest) == [0]
    guest.stream.ask(0, "SAVE = 'forked'\nx = 1")
    assert guest.stream.done().saved == "local"
    guest.kill()
    second = start_plain()
    second.next = 1
    assert second.run("x").text == "1"


def test_the_next_cell_runs_while_the_state_before_it_is_on_its_way(plain: Guest) -> None:
    plain.run("SAVE = 'forked'\nx = 1")
    plain.ask("SAVE = 'inline'\nx += 1\nprint('ran', flush=True)\nx")
    assert plain.stream.receive()[0]["text"] == "ran\n"
    assert manifests(plain) == []
    (plain.checkpoint / "child-goes").touch()
    done = plain.stream.done()
    assert (done.text, done.saved, [frame["k"] for frame in done.heard]) == ("2", "local", [0])
    assert manifests(plain) == [0, 1]


def test_a_child_that_dies_is_made_good_while_nothing_runs(plain: Guest) -> None:
    plain.run("SAVE = 'forked'\nx = 1")
    (plain.checkpoint / "child-fails").touch()
    assert saved(plain.stream) == 0
    assert manifests(plain) == [0]


def test_a_child_killed_in_the_middle_spoils_nothing(plain: Guest) -> None:
    plain.run("SAVE = 'forked'\nx = 1")
    plain.fail_at("forked-save-half")
    (plain.checkpoint / "child-goes").touch()
    assert saved(plain.stream) == 0
    assert plain.run("SAVE = 'inline'\nx").text == "1"
    assert manifests(plain) == [0, 1]


def test_a_child_that_dies_while_the_next_cell_runs_is_covered_by_that_cell(start_plain: Start) -> None:
    guest = start_plain()
    guest.run("SAVE = 'forked'\nx = 1")
    guest.ask(
        f"import os, time\n{guest.once()}\nwhile not os.path.exists('go'): time.sleep(0.001)\nSAVE = 'inline'\nx += 1"
    )
    guest.until_traces(1)
    (guest.checkpoint / "child-fails").touch()
    (guest.workspace / "go").touch()
    done = guest.stream.done()
    assert (done.saved, manifests(guest)) == ("local", [1])
    guest.kill()
    second = start_plain()
    second.next = 2
    assert second.run("x").text == "2"


def test_a_kernel_killed_with_a_state_on_its_way_makes_the_host_catch_up(plain: Guest) -> None:
    plain.run("x = 1")
    pid = plain.kernel_pid()
    plain.run("SAVE = 'forked'\nx = 2")
    kill(pid)
    until_gone(pid)
    plain.stream.ask(3, "x")
    refused = plain.stream.answer()
    assert (refused["code"], refused["head"]) == ("conflict", 1)
    plain.next = 2
    assert plain.run("x = 3\nx").text == "3"


def test_a_full_disk_stops_no_cell_and_what_waits_is_saved_when_there_is_room(start: Start) -> None:
    guest = start()
    guest.run("x = 1")
    folder = guest.checkpoint / "manifests"
    # Nothing can be made in a folder that is a file.
    away = folder.rename(guest.checkpoint / "away")
    folder.write_text("")
    done = guest.run("x += 1\nx")
    assert (done.text, done.saved) == ("2", "none")
    assert "could not be saved" in done.reply["unsaved"]
    done = guest.run("x += 1\nx")
    assert (done.text, done.saved) == ("3", "none")
    folder.unlink()
    away.rename(folder)
    assert (guest.run("x").saved, manifests(guest)) == ("local", [0, 1, 2, 3])
    guest.kill()
    second = start()
    second.next = 4
    assert second.run("x").text == "3"


def test_a_state_larger_than_a_packet_comes_whole(start_plain: Start) -> None:
    guest = start_plain()
    assert guest.run("x = 'x' * (3 << 20)").saved == "local"
    guest.kill()
    second = start_plain()
    second.next = 1
    assert second.run("len(x)").text == str(3 << 20)


def test_the_quota_is_an_option_and_its_bounds_are_one_sentence(start: Start) -> None:
    guest = start(options=("--quota-bytes", "1000000", "--durability", "host"))
    assert guest.run("1").saved == "local"
    from nl2code_guest.options import UsageError, parse_options

    known = ["--control-fd", "3", "--checkpoint", "/c", "--workspace", "/w", "--session", "s"]
    assert parse_options(known).quota_bytes is None
    assert parse_options([*known, "--quota-bytes", "5"]).quota_bytes == 5
    for bad in ("-1", "1 MB", str(1 << 60)):
        try:
            parse_options([*known, "--quota-bytes", bad])
        except UsageError as error:
            assert "not a number of bytes" in str(error)
        else:
            raise AssertionError(bad)


def test_a_kernel_with_few_descriptors_left_still_saves(start: Start) -> None:
    guest = start(limits={resource.RLIMIT_NOFILE: 64})
    assert guest.run("1").saved == "local"


BIG = (
    "import os, time\nkernel = os.getpid()\nclass Held:\n    def __reduce__(self):\n"
    "        while os.getpid() != kernel and not os.path.exists('go'): time.sleep(0.001)\n        return int, (1,)\n"
    "big, held, small = bytearray(40 << 20), Held(), [1]"
)


def test_the_reply_of_the_next_cell_does_not_wait_for_the_state_before_it(start: Start) -> None:
    guest = start()
    assert guest.run(BIG).saved == "pending"
    done = guest.run("small.append(2)\nsmall")
    assert (done.text, done.saved, manifests(guest)) == ("[1, 2]", "pending", [])
    (guest.workspace / "go").touch()
    assert [saved(guest.stream), saved(guest.stream)] == [0, 1]
    guest.kill()
    second = start()
    second.next = 2
    assert second.run("small").text == "[1, 2]"


def test_no_cell_begins_with_two_states_on_their_way_and_its_time_does_not_run(start: Start) -> None:
    guest = start()
    guest.run(BIG)
    guest.run("small.append(2)")
    guest.ask("small.append(3)\nsmall, os.path.exists('go')", timeout_ms=1_000)
    time.sleep(1.5)
    (guest.workspace / "go").touch()
    done = guest.stream.done()
    assert (done.ended, done.text, done.saved) == ("ok", "([1, 2, 3], True)", "local")
    assert [frame["k"] for frame in done.heard if frame["type"] == "saved"] == [0, 1]


def test_a_kernel_killed_with_two_states_on_their_way_makes_the_host_catch_up(start: Start) -> None:
    guest = start()
    guest.run("x = 1")
    pid = guest.kernel_pid()
    guest.run(BIG)
    guest.run("small.append(2)")
    guest.ask("small")
    kill(pid)
    refused = guest.stream.answer()
    assert (refused["code"], refused["k"], refused["head"]) == ("conflict", 4, 1)
    guest.next = 2
    (guest.workspace / "go").touch()
    guest.run(BIG)
    guest.run("small.append(2)")
    assert guest.run("small, x").text == "([1, 2], 1)"


def test_a_call_of_a_tool_waits_for_the_state_before_its_cell_also_when_that_waited(start: Start) -> None:
    guest = start()
    guest.run("from nl2code import tools\n" + BIG)
    guest.run("small.append(2)")
    guest.ask("tools.note(n=1)")
    (guest.workspace / "go").touch()
    kinds = []
    while (header := guest.stream.receive()[0])["type"] != "tool":
        kinds.append((header["type"], header.get("k")))
    assert kinds[-2:] == [("saved", 0), ("saved", 1)]
    assert manifests(guest) == [0, 1]


def test_a_large_state_that_waited_for_another_is_saved_by_a_child_of_its_own(start: Start) -> None:
    guest = start()
    guest.run(BIG)
    assert guest.run("big[0] = 7").saved == "pending"
    (guest.workspace / "go").touch()
    assert [saved(guest.stream), saved(guest.stream)] == [0, 1]
    assert manifests(guest) == [0, 1]
    guest.kill()
    second = start()
    second.next = 2
    assert second.run("big[0]").text == "7"

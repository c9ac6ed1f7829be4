"""What a cell shows: by MIME type, bounded, in its own time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Done, Guest


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A guest whose kernel has pandas and matplotlib."""
    guest = Guest(tmp_path_factory.mktemp("warm"), warm="bare")
    assert guest.run("import numpy as np, pandas as pd, matplotlib.pyplot as plt").ended == "ok"
    yield guest
    guest.close()


def shown(done: Done) -> list[dict[str, Any]]:
    return [*done.reply["displays"], *([done.reply["result"]] if done.reply["result"] else [])]


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_display_shows_each_value_in_order_before_the_result(shared: Guest) -> None:
    done = shared.run("display(1, 'two')\ndisplay([3])\n4")
    assert [one["text"]["text/plain"]["text"] for one in shown(done)] == ["1", "'two'", "[3]", "4"]


def test_a_frame_is_shown_as_text_and_html_with_its_shape(warm: Guest) -> None:
    done = warm.run("df = pd.DataFrame({'a': range(1000), 'b': 'x'})\ndf")
    text = done.reply["result"]["text"]
    assert text["text/plain"]["text"].endswith("[1000 rows x 2 columns]")
    assert text["text/plain"]["text"].count("\n") < 30
    assert "<table" in text["text/html"]["text"] and "1000 rows" in text["text/html"]["text"]
    assert warm.run("df['a']").text.endswith("Name: a, Length: 1000, dtype: int64")


def test_a_wide_frame_with_long_cells_is_bounded(warm: Guest) -> None:
    done = warm.run("pd.DataFrame({f'c{i}': ['x' * 1000] * 100 for i in range(300)})")
    text = done.reply["result"]["text"]
    assert len(text["text/plain"]["text"]) < 21_000 and "[100 rows x 300 columns]" in text["text/plain"]["text"]
    assert len(text.get("text/html", {"text": ""})["text"]) <= 200_000


def test_options_a_person_sets_are_followed_within_bounds(warm: Guest) -> None:
    warm.run("pd.set_option('display.max_rows', 100)")
    assert warm.run("df.head(100)['a']").text.count("\n") == 100
    warm.run("pd.set_option('display.max_rows', None)")
    assert warm.run("df['a']", chars=200_000).text.count("\n") < 510
    warm.run("pd.reset_option('display.max_rows')")


def test_a_figure_left_open_is_shown_once_and_closed(warm: Guest) -> None:
    done = warm.run("plt.plot([1, 2, 3])\nplt.title('one')\nNone")
    assert len(done.reply["displays"]) == 1 and done.reply["displays"][0]["images"] == {"image/png": 0}
    width, height = size_of(done.attachments[0])
    assert width >= 400 and height >= 300
    assert warm.run("plt.get_fignums()").text == "[]"
    assert warm.run("1").reply["displays"] == []


def test_show_ends_a_figure_and_the_next_one_is_another(warm: Guest) -> None:
    done = warm.run("plt.plot([1]); plt.show()\nplt.plot([2]); plt.show()")
    assert len(done.attachments) == 2 and done.stderr == ""


def test_a_figure_as_the_last_expression_is_the_result_only(warm: Guest) -> None:
    done = warm.run("figure, axes = plt.subplots()\naxes.plot([1])\nfigure")
    assert done.reply["displays"] == [] and done.reply["result"]["images"] == {"image/png": 0}


def test_figures_of_a_cell_that_fails_are_shown(warm: Guest) -> None:
    done = warm.run("plt.plot([1])\n1 / 0")
    assert done.ended == "error" and len(done.attachments) == 1


def test_pyplot_is_patched_also_when_it_comes_with_the_kernel(tmp_path_factory: pytest.TempPathFactory) -> None:
    guest = Guest(tmp_path_factory.mktemp("all"), warm="all")
    try:
        done = guest.run("import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\nplt.plot([2]); plt.show()")
        assert len(done.attachments) == 2
    finally:
        guest.close()


def test_a_figure_too_large_for_the_limit_is_drawn_coarser(warm: Guest) -> None:
    done = warm.run("plt.figure(figsize=(14, 14))\nplt.imshow(np.random.default_rng(1).random((1100, 1100, 3)))\nNone")
    assert len(done.attachments) == 1
    assert len(done.attachments[0]) <= 2 << 20 and max(size_of(done.attachments[0])) <= 2500


def test_rich_forms_are_taken_from_the_allow_list_only(shared: Guest) -> None:
    done = shared.run(
        "class Rich:\n"
        "    def _repr_html_(self): return '<b>x</b>'\n"
        "    def _repr_javascript_(self): return 'alert(1)'\n"
        "    def _repr_svg_(self): return '<svg/>'\n"
        "    def _repr_json_(self): return {'a': [1]}\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
        "        return {'text/markdown': '*m*', 'application/javascript': 'alert(1)'}, {}\n"
        "    def __repr__(self): return 'plain'\nRich()"
    )
    text = {mime: value["text"] for mime, value in done.reply["result"]["text"].items()}
    assert text == {
        "text/plain": "plain",
        "text/html": "<b>x</b>",
        "text/markdown": "*m*",
        "application/json": '{"a": [1]}',
    }


def test_a_picture_must_be_one(shared: Guest) -> None:
    code = "class P:\n    def _repr_png_(self): return {}\n    def __repr__(self): return 'p'\nP()"
    assert shared.run(code.format("b'<script>'")).attachments == []
    assert len(shared.run(code.format(r"b'\x89PNG\r\n\x1a\n' + b'x'")).attachments) == 1
    assert shared.run(code.format(r"b'\x89PNG\r\n\x1a\n' + b'x' * 3000000")).attachments == []


def test_a_repr_that_raises_or_never_ends_is_said(shared: Guest) -> None:
    done = shared.run("class Bad:\n    def __repr__(self): raise ValueError('broken')\nBad()")
    assert (done.ended, done.text) == ("ok", "<Bad can't be shown: ValueError: broken>")
    done = shared.run("class Slow:\n    def __repr__(self):\n        while True: pass\ndisplay(Slow())\n'after'")
    assert "took longer than 5 s" in done.reply["displays"][0]["text"]["text/plain"]["text"]
    assert done.text == "'after'"


def test_huge_values_are_cut_without_being_built(shared: Guest) -> None:
    text = shared.run("list(range(10**6))").text
    assert text.startswith("[0, 1, 2,") and text.endswith("(1000000 items)]")
    done = shared.run("'x' * 10**7", chars=1000)
    assert len(done.text) < 1100 and done.reply["result"]["text"]["text/plain"]["omitted"] > 0
    assert shared.run("a = []\na.append(a)\na").text == "[[…]]"
    assert len(shared.run("[['y' * 100000] * 1000] * 1000").text) < 21_000


def test_plain_containers_look_as_python_shows_them(shared: Guest) -> None:
    for value in ("[1, 'a', (2,), {3}, {'k': None}]", "{}", "set()", "frozenset({1})", "()", "b'x'", "{'a': [1.5]}"):
        assert shared.run(value).text == value


def test_more_displays_than_the_limit_are_counted_out(shared: Guest) -> None:
    done = shared.run("for i in range(100): display(i)")
    assert len(done.reply["displays"]) == 40
    assert "Only the first" in done.reply["displays"][-1]["text"]["text/plain"]["text"]


def test_display_in_a_thread_works(shared: Guest) -> None:
    done = shared.run("import threading\nt = threading.Thread(target=display, args=(5,))\nt.start(); t.join()")
    assert len(done.reply["displays"]) == 1


def test_control_characters_in_a_repr_are_dropped(shared: Guest) -> None:
    done = shared.run("class C:\n    def __repr__(self): return 'a\\x1b[2Jb\\x00'\nC()")
    assert done.text == "ab"

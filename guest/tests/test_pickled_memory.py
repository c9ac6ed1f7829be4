"""What is large is not copied, and what is not shared is not tied together."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nl2code_guest.checkpoint.covariables import covariables
from nl2code_guest.checkpoint.pickler import Pickled, Refused, dump, load

GUEST = Path(__file__).parents[1]


def cells(code: str) -> dict[str, Any]:
    """A namespace in which `code` has run."""
    namespace: dict[str, Any] = {"__name__": "__main__", "np": np, "pd": pd, "pa": pa}
    exec(compile(code, "<cell>", "exec", dont_inherit=True), namespace)
    return namespace


def grouped(namespace: dict[str, Any], *names: str) -> list[list[str]]:
    """Which of these variables are one."""
    pickled = {name: dump({name: namespace[name]}, namespace) for name in names}
    groups = covariables({n: p.reached for n, p in pickled.items()}, {n: p.needs for n, p in pickled.items()})
    return sorted(map(sorted, groups))


def size(pickled: Pickled) -> int:
    """All bytes of it."""
    return pickled.stream.nbytes + sum(buffer.raw().nbytes for buffer in pickled.buffers)


def addresses(pickled: Pickled) -> set[int]:
    """Where its buffers are in memory."""
    return {int(np.frombuffer(buffer.raw(), "u1").__array_interface__["data"][0]) for buffer in pickled.buffers}


def test_the_memory_of_an_array_is_not_copied() -> None:
    array = np.arange(100_000.0)
    pickled = dump({"x": array}, {})
    assert pickled.stream.nbytes < 1_000
    assert addresses(pickled) == {array.__array_interface__["data"][0]}


@pytest.mark.parametrize("code", ["x = np.arange(50_000).astype('M8[s]')", "x = np.zeros(50_000, [('a', 'M8[s]')])"])
def test_arrays_that_numpy_would_copy_are_not_copied_either(code: str) -> None:
    namespace = cells(code)
    pickled = dump({"x": namespace["x"]}, namespace)
    assert addresses(pickled) == {namespace["x"].__array_interface__["data"][0]}


def test_a_block_of_columns_is_a_buffer_with_the_columns_as_rows() -> None:
    frame = pd.DataFrame({"a": np.arange(10_000.0), "b": np.arange(10_000.0)})
    (buffer,) = dump({"x": frame}, {}).buffers
    assert memoryview(buffer).shape == (2, 10_000)


def test_a_column_of_text_is_not_copied() -> None:
    series = pd.Series([f"value {at}" for at in range(20_000)])
    held = {buffer.address for chunk in series.array._pa_array.chunks for buffer in chunk.buffers() if buffer}
    pickled = dump({"x": series}, {})
    assert pickled.stream.nbytes < 2_000
    assert addresses(pickled) == held


@pytest.mark.parametrize(
    "code",
    [
        "x = np.arange(1_000_000.)[10:20]",
        "x = pd.Series(['v' * 20] * 100_000)[10:20]",
        "x = pa.table({'a': range(1_000_000)}).slice(10, 10)",
        "x = pa.array(['v' * 20] * 100_000)[10:20]",
    ],
)
def test_a_small_slice_takes_only_its_own_part_along(code: str) -> None:
    namespace = cells(code)
    assert size(dump({"x": namespace["x"]}, namespace)) < 10_000


def test_many_small_chunks_are_put_together() -> None:
    series = pd.Series(pa.chunked_array([["a"]] * 1_000), dtype=pd.ArrowDtype(pa.string()))
    assert size(dump({"x": series}, {})) < 20_000


def test_small_arrays_stay_in_the_stream() -> None:
    assert dump({"x": [np.arange(10.0) for _ in range(100)]}, {}).buffers == []


def test_views_of_one_array_are_one_variable_with_it() -> None:
    code = "big = np.arange(1_000_000.); a = big[:5]; b = big[7:9]; other = np.arange(5.); whole = big.reshape(10, -1)"
    assert grouped(cells(code), "a", "b", "big", "other", "whole") == [["a", "b", "big", "whole"], ["other"]]


def test_frames_and_what_was_taken_from_them_are_variables_of_their_own() -> None:
    code = """
df = pd.DataFrame({'n': np.arange(100.), 'c': pd.Categorical(['x', 'y'] * 50), 't': ['t'] * 100})
df['d'] = pd.date_range('2024', periods=100, tz='UTC')
copy = df.copy(); column = df['n']; text = df['t']; category = df['c']
some = df[['n', 'd']]; array = df['n'].to_numpy()
"""
    names = ["df", "copy", "column", "text", "category", "some", "array"]
    assert grouped(cells(code), *names) == sorted([name] for name in names)


def test_two_names_of_one_frame_are_one_variable() -> None:
    code = "df = pd.DataFrame({'a': [1]}); same = df; groups = df.groupby('a')"
    assert grouped(cells(code), "df", "same", "groups") == [["df", "groups", "same"]]


def test_what_a_library_shares_among_all_its_objects_ties_nothing_together() -> None:
    code = """
import matplotlib
matplotlib.use('agg')
import matplotlib.pyplot as plt, scipy.stats, openpyxl
from sklearn.ensemble import HistGradientBoostingRegressor
f1, a1 = plt.subplots(); f2, a2 = plt.subplots(); a1.plot([1, 2]); a2.plot([1, 2])
n1 = scipy.stats.norm(); n2 = scipy.stats.norm()
w1 = openpyxl.Workbook(); w2 = openpyxl.Workbook(); w1.active['A1'] = 1; w2.active['A1'] = 1
X = np.random.rand(30, 2)
m1 = HistGradientBoostingRegressor(max_iter=2).fit(X, X[:, 0])
m2 = HistGradientBoostingRegressor(max_iter=2).fit(X, X[:, 0])
plt.close('all')
"""
    names = ["f1", "a1", "f2", "a2", "n1", "n2", "w1", "w2", "m1", "m2"]
    expected = [["a1", "f1"], ["a2", "f2"], ["m1"], ["m2"], ["n1"], ["n2"], ["w1"], ["w2"]]
    assert grouped(cells(code), *names) == expected


def test_what_a_library_registers_of_the_user_s_stays_tied_together() -> None:
    code = """
import logging
handler = logging.NullHandler(); handler.seen = seen = []
logging.getLogger('mine').addHandler(handler)
class Kept: registry = {}
Kept.registry['seen'] = seen
"""
    assert grouped(cells(code), "handler", "seen", "Kept") == [["Kept", "handler", "seen"]]


def test_what_the_user_s_own_module_holds_stays_tied_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings_of_mine.py").write_text("class Config: pass\nCONFIG = Config()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "import settings_of_mine as s\nx = s.CONFIG; y = [s.CONFIG]"
    assert grouped(cells(code), "x", "y") == [["x", "y"]]


def test_a_restored_array_is_saved_without_being_copied_into_the_stream() -> None:
    namespace = cells("x = np.zeros((2, 100_000)); v = x[0]")
    values = {name: namespace[name] for name in "xv"}
    pickled = dump(values, namespace)
    there = load(pickled.stream, [bytearray(buffer.raw()) for buffer in pickled.buffers], namespace, namespace.get)
    again = dump(there, namespace)
    assert again.stream.nbytes < 2_000
    assert [memoryview(buffer).shape for buffer in again.buffers] == [(2, 100_000)]


def test_nothing_of_a_pickle_is_left_once_it_is_dropped() -> None:
    class Seen:
        generator: object = None

    gc.disable()
    try:
        value = Seen()
        gone = weakref.ref(value)
        dump({"x": value}, {"Seen": Seen})
        value.generator = (at for at in range(3))
        with pytest.raises(Refused):
            dump({"x": value}, {"Seen": Seen})
        del value
        assert gone() is None
    finally:
        gc.enable()


def test_the_pickler_imports_no_data_library() -> None:
    code = (
        "import sys; from nl2code_guest.checkpoint.pickler import dump, load\n"
        "p = dump({'x': [1, {2}]}, {}); load(p.stream, [], {}, None)\n"
        "print([n for n in ('numpy', 'pandas', 'pyarrow', 'polars', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=GUEST, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_library_imported_after_the_first_save_is_handled_like_any_other() -> None:
    code = (
        "from nl2code_guest.checkpoint.pickler import dump\ndump({'x': 1}, {})\nimport numpy as np\n"
        "a = np.arange(100.); p = dump({'a': a, 'b': a[:50]}, {}); from nl2code_guest.checkpoint.pickler import load\n"
        "r = load(p.stream, [], {}, None); print(np.shares_memory(r['a'], r['b']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=GUEST, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"

"""C3, reported apart: the same script on data of seed 43, its input columns in another order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from conftest import Data, check, failed, run_reference


def test_c3_the_script_passes_on_other_data_with_other_column_order(made: Callable[[int], Data], outputs: Path) -> None:
    usual, other = made(42), made(43)
    names = [pq.read_schema(data.folder / "user_features.parquet").names for data in (usual, other)]
    assert names[0] != names[1] and sorted(names[0]) == sorted(names[1])
    assert run_reference(other, outputs).returncode == 0
    assert failed(check(other, outputs)) == []

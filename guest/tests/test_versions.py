"""A state of another Python or library version is told apart from one of this process."""

from __future__ import annotations

import types

import pytest

from nl2code_guest.checkpoint.versions import difference, versions_of


def test_what_this_process_saved_it_may_load() -> None:
    import cloudpickle
    import numpy

    found = versions_of(["numpy", "numpy.random", "os.path"])
    assert found["package cloudpickle"] == cloudpickle.__version__
    assert found["package numpy"] == numpy.__version__
    assert set(found) == {"python", "machine", "bytecode", "package numpy", "package cloudpickle"}
    assert difference(found) is None


@pytest.mark.parametrize("name", ["python", "machine", "bytecode", "package numpy", "package cloudpickle"])
def test_another_version_of_anything_is_named(name: str) -> None:
    message = difference({**versions_of(["numpy"]), name: "0.0"})
    assert message is not None
    assert f"{name} 0.0" in message


def test_a_package_that_is_missing_is_named() -> None:
    assert difference({"package not_there": "1.0"}) == (
        "The state needs not_there 1.0, which can't be imported here (ModuleNotFoundError)."
    )


def test_a_kind_of_version_that_is_unknown_is_another_one() -> None:
    assert difference({"kernel": "2"}) == "The state was saved with kernel 2, and here is none."


def test_a_module_that_makes_attributes_up_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange(types.ModuleType):
        def __getattr__(self, name: str) -> str:
            raise AssertionError(name)

    monkeypatch.setitem(__import__("sys").modules, "strange", Strange("strange"))
    assert "package strange" not in versions_of(["strange"])

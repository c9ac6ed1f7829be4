"""What a saved state depends on beyond its own bytes: the Python that made it and the libraries whose objects it holds.

A pickle of one version of a library may load wrongly in another without an error, so another version is refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
from collections.abc import Iterable

#: Parts of every state.
_ALWAYS = ("cloudpickle",)
_PYTHON = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
_MACHINE = f"{platform.machine()} {sys.byteorder}"
#: Byte code of functions is saved.
_MAGIC = importlib.util.MAGIC_NUMBER.hex()
_modules = sys.modules


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Versions behind a state that needs `modules`; those of the standard library have none of their own."""
    found = {"python": _PYTHON, "machine": _MACHINE, "bytecode": _MAGIC}
    for top in sorted({name.partition(".")[0] for name in (*modules, *_ALWAYS)}):
        version = _version(top)
        if version is not None:
            found[f"package {top}"] = version
    return found


def difference(saved: dict[str, str]) -> str | None:
    """A sentence when this process can't be trusted with a state of `saved` versions. Imports the packages it names."""
    for name, version in saved.items():
        kind, _, top = name.rpartition(" ")
        if kind == "package":
            try:
                importlib.import_module(top)
            except Exception as error:
                return f"The state needs {top} {version}, which can't be imported here ({type(error).__name__})."
            here = _version(top)
        else:
            here = {"python": _PYTHON, "machine": _MACHINE, "bytecode": _MAGIC}.get(name)
        if here != version:
            return f"The state was saved with {name} {version}, and here is {here or 'none'}."
    return None


def _version(top: str) -> str | None:
    # The dictionary, since a module may make attributes up.
    version = getattr(_modules.get(top), "__dict__", {}).get("__version__")
    return version if type(version) is str else None

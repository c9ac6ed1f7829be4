"""Which packages a sandbox has, read from the names of their metadata folders."""

from __future__ import annotations

import contextlib
import os
import sys

#: What a person or a model asks about; the rest is there because one of these needs it.
_SHOWN = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "matplotlib", "openpyxl", "polars", "statsmodels")


def installed_packages() -> dict[str, str]:
    """Name and version of the packages people use, in a fixed order."""
    found = all_packages()
    return {name: found[name] for name in _SHOWN if name in found}


def all_packages() -> dict[str, str]:
    """Name (with `-`, lower case) and version of every package on the path."""
    found: dict[str, str] = {}
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for entry in os.listdir(folder or "."):
                if entry.endswith(".dist-info"):
                    name, _, version = entry[: -len(".dist-info")].partition("-")
                    found.setdefault(name.lower().replace("_", "-"), version)
    return found

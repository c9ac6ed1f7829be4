"""The guest with `plain_state` in the place of `SessionState`; its options are the guest's.

`RESTORE_S` in its environment is how long a restore may say nothing.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from nl2code_guest.zygote_start import first_zygote

if __name__ == "__main__":
    NAME = "nl2code_guest.checkpoint.session_state"
    spec = importlib.util.spec_from_file_location(NAME, Path(__file__).parent / "plain_state.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    zygote = first_zygote(sys.argv[1:])
    from nl2code_guest import kernel_supply
    from nl2code_guest.init import main

    kernel_supply.RESTORE_S = float(os.environ.get("RESTORE_S", kernel_supply.RESTORE_S))

    main(sys.argv[1:], zygote)

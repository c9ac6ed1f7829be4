"""What a fork of a session has of its own: random numbers that nobody asked to be the same.

The host leaves `fork.json` in the checkpoint folder of a fork: `{"k": the last cell it shares, "entropy": 64 digits}`.
Laws:
1. The first cell after the shared ones, and no other, begins with numbers of the fork's own, and with the same ones
   whenever it runs: again after a death, after cells that the fork had to catch up on, and when a variable of it is
   computed again.
2. Who seeded a generator, or set its state, keeps it: where any shared cell did, both global generators stay. So do
   generators that the session made itself (`random.Random(7)`, `numpy.random.default_rng()`).
3. The file may hold anything, since user code can write there; what is none of the host's changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import sys
from collections.abc import Iterable

from nl2code_guest.checkpoint.manifests import Torn, numbers, read_manifest

_MAX_BYTES = 4096
_SEEDING = re.compile(r"\b(?:seed|setstate|set_state|set_bit_generator)\s*\(|\bimport\s+(?:\w+\s*,\s*)*seed\b")
_ENTROPY = re.compile(r"[0-9a-f]{64}")
#: The instance, since a cell may replace the functions of its module.
_python = random._inst


def reseed(checkpoint: str, k: int, codes: Iterable[str] = ()) -> bool:
    """Gives the global generators a start of the fork's own, where cell `k` is its first; call it before a cell runs.

    Args:
        codes: Of cells before it that may be in no manifest yet.

    Returns:
        Whether anything was changed.
    """
    entropy = _entropy(os.path.join(checkpoint, "fork.json"), k - 1)
    if entropy is None or any(map(_SEEDING.search, codes)) or _seeded(os.path.join(checkpoint, "manifests"), k - 1):
        return False
    digest = hashlib.sha256(b"nl2code fork" + entropy).digest()
    _python.seed(int.from_bytes(digest, "big"))
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed([int.from_bytes(digest[at : at + 4], "big") for at in range(0, len(digest), 4)])
    return True


def _entropy(path: str, last: int) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            said = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("k") != last or type(said["k"]) is not int:
        return None
    entropy = said.get("entropy")
    return bytes.fromhex(entropy) if isinstance(entropy, str) and _ENTROPY.fullmatch(entropy) else None


def _seeded(manifests: str, last: int) -> bool:
    for k in numbers(manifests):
        if k > last:
            break
        try:
            header = read_manifest(manifests, k).header
        except Torn:
            continue
        covered = header.get("covered")
        cells = [header, *(covered if isinstance(covered, list) else [])]
        if any(_SEEDING.search(str(cell.get("code", ""))) for cell in cells if isinstance(cell, dict)):
            return True
    return False

"""Whether two pickles hold the same: their streams may differ where only the identity of strings or numbers does.

Python keeps one copy of some equal strings and not of others, and a restored process of others; a pickle tells that.
Here a reference to such a value is replaced by the value, and objects are numbered anew. What is left to differ is the
content; or the order of a set, which no pickle keeps, so that a difference is no proof of one.
"""

from __future__ import annotations

import pickletools
import struct

#: Larger streams are compared as they are; this takes a microsecond per byte.
MAX_BYTES = 4 << 20

_VALUES = frozenset(
    (
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "SHORT_BINBYTES",
        "BINBYTES",
        "BINBYTES8",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "BINFLOAT",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "EMPTY_TUPLE",
    )
)
_IGNORED = frozenset(("FRAME", "PROTO"))
_GETS = frozenset(("BINGET", "LONG_BINGET"))


def is_same(one: bytes, other: bytes) -> bool:
    """Whether two streams are equal in this sense."""
    if one == other:
        return True
    if max(len(one), len(other)) > MAX_BYTES:
        return False
    return _tokens(one) == _tokens(other)


def _tokens(stream: bytes) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    memo: list[tuple[str, object]] = []
    objects = 0
    for opcode, argument, _at in pickletools.genops(stream):
        name = opcode.name
        if name in _IGNORED:
            continue
        if name == "BINFLOAT":
            # A nan is no other nan, and 0.0 is -0.0: bytes are compared.
            argument = struct.pack(">d", argument)
        if name == "MEMOIZE":
            if found and found[-1][0] in _VALUES:
                memo.append(found[-1])
            else:
                memo.append(("OBJECT", objects))
                objects += 1
            continue
        if name in _GETS:
            assert isinstance(argument, int)
            found.append(memo[argument])
        else:
            found.append((name, argument))
    return found

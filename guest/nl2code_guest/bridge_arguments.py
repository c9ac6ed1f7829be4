"""The arguments of a bridged tool as JSON that means the same on both sides."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
#: Beyond it a reader of JSON may round.
_MAX_INTEGER = 2**53 - 1

#: What to give instead, by the name of a class.
_INSTEAD = {
    "DataFrame": 'give its .to_dict("records"), dates and missing values replaced',
    "Series": "give its .tolist()",
    "Index": "give its .tolist()",
    "ndarray": "give its .tolist()",
    "Timestamp": "give its .isoformat()",
    "datetime": "give its .isoformat()",
    "date": "give its .isoformat()",
    "Decimal": "give str() or float() of it",
    "set": "give sorted() of it",
    "frozenset": "give sorted() of it",
    "bytes": "give its base64 text",
    "NaTType": "give None",
    "NAType": "give None",
    "PosixPath": "give str() of it",
}


def plain_arguments(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with plain types in place of their subclasses.

    Raises:
        TypeError: One is no JSON, or all of them are too large; the message names it and says what to give instead.
    """
    plain = {name: _plain(value, name, 1) for name, value in arguments.items()}
    size = len(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        largest = max(plain, key=lambda name: len(json.dumps(plain[name], ensure_ascii=False)))
        raise TypeError(
            f"The arguments of {tool} have {size:,} bytes as JSON, more than {MAX_BYTES:,}; "
            f"the largest is {largest}: call it several times with less."
        )
    return plain


def _plain(value: object, at: str, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value, at)
    if isinstance(value, int):
        if abs(value) > _MAX_INTEGER:
            raise TypeError(f"Argument {at} is a whole number beyond 2**53, which JSON would round: give it as text.")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"Argument {at} is {float(value)!r}, which is no JSON: give None or a number.")
        return float(value)
    if isinstance(value, list | tuple | dict):
        if depth > MAX_DEPTH:
            raise TypeError(f"Argument {at[:200]} is nested deeper than {MAX_DEPTH}: give a flatter one.")
        if isinstance(value, dict):
            return {_key(key, at): _plain(item, f"{at}[{key!r:.60}]", depth + 1) for key, item in value.items()}
        return [_plain(item, f"{at}[{i}]", depth + 1) for i, item in enumerate(value)]
    raise TypeError(f"Argument {at} is a {_type_name(value)}, which is no JSON: {_instead(value)}.")


def _text(value: str, at: str) -> str:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TypeError(f"Argument {at} holds half a character (a lone surrogate): replace it.") from None
    return text


def _key(key: object, at: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"Argument {at} has the key {key!r:.60}, a {_type_name(key)}; the keys of JSON are texts.")
    return _text(key, at)


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _instead(value: object) -> str:
    kind = type(value)
    if kind.__module__ == "numpy" and not hasattr(value, "__len__"):
        return "give its .item()"
    return _INSTEAD.get(kind.__name__, "give texts, numbers, True, False, None, and lists and dicts of them")

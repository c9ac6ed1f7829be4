"""What the host may say, checked field by field. The twin of `HostFrame` in the host's protocol module."""

from __future__ import annotations

from typing import Any, NamedTuple

from nl2code_guest.frames import FrameError

Epoch = tuple[int, int]

#: The largest whole number JavaScript keeps exactly.
_MAX_INTEGER = (1 << 53) - 1
MAX_TIMEOUT_MS = 7 * 24 * 3600 * 1000
MAX_OUTPUT_CHARS = 200_000
#: What a cell may do to its kernel before that is its result.
MAX_RUNS = 3


class Hello(NamedTuple):
    """First message of a stream."""

    protocol: int
    session: str
    epoch: Epoch


class Exec(NamedTuple):
    """Run cell `k`, or learn its result."""

    k: int
    sha: str
    code: str
    timeout_ms: int
    max_output_chars: int
    epoch: Epoch
    #: How often it is run before the death of its kernel is its result.
    max_runs: int = MAX_RUNS


class Interrupt(NamedTuple):
    """End the running cell `k`, keep its variables."""

    k: int


class ToolAnswer(NamedTuple):
    """The host's answer to call `call` of cell `k`."""

    k: int
    call: int
    #: The message as the kernel gets it.
    header: dict[str, Any]


class Ping(NamedTuple):
    """Answered at once, also while a cell runs."""

    n: int


HostMessage = Hello | Exec | Interrupt | ToolAnswer | Ping


def parse_host_message(header: dict[str, Any]) -> HostMessage:
    """Raises `FrameError` when the message is unknown or malformed."""
    kind = header["type"]
    if kind == "exec":
        return _exec(header)
    if kind == "hello":
        return Hello(_integer(header, "protocol"), _string(header, "session"), _epoch(header))
    if kind == "interrupt":
        return Interrupt(_integer(header, "k"))
    if kind == "tool-result":
        return _answer(header)
    if kind == "ping":
        return Ping(_integer(header, "n"))
    raise FrameError(f"{kind[:40]!r} is not a message of this protocol.")


def _exec(header: dict[str, Any]) -> Exec:
    code = _string(header, "code")
    sha = _string(header, "sha")
    # OpenSSL takes milliseconds to load, which the init spends while the zygote starts.
    import hashlib

    try:
        digest = hashlib.sha256(code.encode("utf-8")).hexdigest()
    except UnicodeEncodeError as error:
        raise FrameError("The code of a cell is not Unicode text.") from error
    if sha != digest:
        raise FrameError(f"The sha of cell {header.get('k')!r} is not the sha256 of its code.")
    return Exec(
        k=_integer(header, "k"),
        sha=sha,
        code=code,
        timeout_ms=_integer(header, "timeoutMs", least=1, most=MAX_TIMEOUT_MS),
        max_output_chars=min(_integer(header, "maxOutputChars"), MAX_OUTPUT_CHARS),
        epoch=_epoch(header),
        max_runs=min(_integer(header, "maxRuns", least=1), MAX_RUNS) if "maxRuns" in header else MAX_RUNS,
    )


def _answer(header: dict[str, Any]) -> ToolAnswer:
    k, call, ok = _integer(header, "k"), _integer(header, "call"), header.get("ok")
    said: dict[str, Any] = {"type": "tool-result", "k": k, "call": call, "ok": ok}
    if ok is True and "value" in header:
        said["value"] = header["value"]
    elif ok is False:
        error = header.get("error")
        if not isinstance(error, dict) or not all(isinstance(error.get(name), str) for name in ("type", "message")):
            raise FrameError("error of tool-result is not a type and a message.")
        said["error"] = {"type": error["type"], "message": error["message"]}
    else:
        raise FrameError("tool-result has neither ok with a value nor an error.")
    return ToolAnswer(k, call, said)


def _integer(header: dict[str, Any], name: str, least: int = 0, most: int = _MAX_INTEGER) -> int:
    value = header.get(name)
    if type(value) is not int or not least <= value <= most:
        raise FrameError(f"{name} of {header['type']} is not a whole number from {least} to {most}.")
    return value


def _string(header: dict[str, Any], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str):
        raise FrameError(f"{name} of {header['type']} is not text.")
    return value


def _epoch(header: dict[str, Any]) -> Epoch:
    epoch = to_epoch(header.get("epoch"))
    if epoch is None:
        raise FrameError(f"epoch of {header['type']} is not a pair of whole numbers.")
    return epoch


def to_epoch(value: object) -> Epoch | None:
    """A pair of whole numbers from 0, or None."""
    if isinstance(value, list) and len(value) == 2 and all(type(n) is int and 0 <= n <= _MAX_INTEGER for n in value):
        return value[0], value[1]
    return None

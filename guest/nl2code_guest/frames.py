"""Frames: u32 header length, u32 body length, header (a JSON object with a `type`), body. Big-endian.

Used on every wire of the guest; what arrives is checked for size and shape here and nowhere trusted further.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

PROTOCOL_VERSION = 2
MAX_HEADER_BYTES = 4 << 20
MAX_BODY_BYTES = 64 << 20

_LENGTHS = struct.Struct(">II")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class FrameError(ValueError):
    """The peer broke the rules of the wire; the message is one sentence."""


class Frame(NamedTuple):
    """One message: its header and the bytes behind it."""

    header: dict[str, Any]
    body: bytes


def encode_header(header: Mapping[str, Any]) -> bytes:
    """JSON as it goes on a wire; what UTF-8 can't carry becomes `?`."""
    return _ENCODER.encode(header).encode("utf-8", "replace")


def encode_frame(header: Mapping[str, Any], body: Iterable[bytes] = ()) -> bytes:
    """The bytes of one frame; `body` is the attachments one after another."""
    return pack_frame(encode_header(header), b"".join(body))


def pack_frame(header: bytes, body: bytes) -> bytes:
    """A frame around an encoded header."""
    return _LENGTHS.pack(len(header), len(body)) + header + body


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self, max_header: int = MAX_HEADER_BYTES, max_body: int = MAX_BODY_BYTES) -> None:
        self._max_header = max_header
        self._max_body = max_body
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes and gives the frames they complete, each before the next is looked at.

        Raises:
            FrameError: the stream is not a sequence of frames; nothing more can be read from it.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            header_bytes, body_bytes = _LENGTHS.unpack_from(self._buffer)
            if not 2 <= header_bytes <= self._max_header:
                raise FrameError(f"A header of {header_bytes} bytes is outside 2..{self._max_header}.")
            if body_bytes > self._max_body:
                raise FrameError(f"A body of {body_bytes} bytes is larger than {self._max_body}.")
            start = _LENGTHS.size + header_bytes
            end = start + body_bytes
            if len(self._buffer) < end:
                break
            header, body = bytes(self._buffer[_LENGTHS.size : start]), bytes(self._buffer[start:end])
            del self._buffer[:end]
            yield Frame(_decode(header), body)


def _decode(data: bytes) -> dict[str, Any]:
    try:
        header = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError("A header is not JSON.") from error
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise FrameError("A header is not an object with a type.")
    return header

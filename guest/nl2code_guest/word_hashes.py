"""Words of a text and hashes of their runs, exactly as `src/exposure/words.ts` computes them on the host."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_WORD = re.compile(r"[^\W_]+")
_MASK = 0xFFFFFFFF

#: What a hash is of: one word, a whole value, three words in a row of a longer one.
WORD, VALUE, SHINGLE = 1, 2, 3
#: Longer values are known by their shingles alone.
MAX_VALUE_WORDS = 6


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, in lower case and composed form."""
    return [word.lower() for word in _WORD.findall(text if text.isascii() else unicodedata.normalize("NFC", text))]


class WordTable:
    """Every distinct word once, with two 32-bit lanes of hash."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._words: list[str] = []
        self._first: list[int] = []
        self._second: list[int] = []

    def ids(self, words: Sequence[str]) -> list[int]:
        """A number for each word."""
        return [self._ids[word] if word in self._ids else self._add(word) for word in words]

    def words(self, ids: Iterable[int]) -> list[str]:
        """The words of numbers."""
        return [self._words[number] for number in ids]

    def _add(self, word: str) -> int:
        first, second = 0x811C9DC5, 0x9747B28C
        for char in word:
            first = ((first ^ ord(char)) * 0x01000193) & _MASK
            second = ((second ^ ord(char)) * 0x5BD1E995) & _MASK
            second ^= second >> 13
        self._ids[word] = len(self._first)
        self._words.append(word)
        self._first.append(first)
        self._second.append(second)
        return self._ids[word]

    def keys(self, seed: int, runs: Any) -> Any:
        """Keys of runs of equal length, whole numbers below 2^52: `runs` is a matrix of word numbers, a row per run."""
        import numpy as np

        lanes = np.array(self._first, dtype=np.uint32), np.array(self._second, dtype=np.uint32)
        runs = np.asarray(runs, dtype=np.int64)
        first: Any = np.full(len(runs), seed, dtype=np.uint32)
        second: Any = np.full(len(runs), seed ^ 0x9E3779B9, dtype=np.uint32)
        for at in range(runs.shape[1]):
            first = (first ^ lanes[0][runs[:, at]]) * np.uint32(0x85EBCA6B)
            first ^= first >> np.uint32(15)
            second = (second ^ lanes[1][runs[:, at]]) * np.uint32(0xC2B2AE35)
            second ^= second >> np.uint32(13)
        return first.astype(np.float64) * 1048576.0 + (second >> np.uint32(12)).astype(np.float64)

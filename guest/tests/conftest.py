"""Guests for tests: one of its own for what kills, one shared by what only looks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness import Guest, Start
from saved_session import Begin, SavedSession


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts guests on this test's folder; what is left of them ends with the test."""
    guests: list[Guest] = []

    def begin(**options: Any) -> Guest:
        guests.append(Guest(tmp_path, **options))
        return guests[-1]

    yield begin
    for guest in guests:
        guest.close()


@pytest.fixture
def guest(start: Start) -> Guest:
    """A guest that imports nothing ahead."""
    return start()


@pytest.fixture
def start_plain(start: Start) -> Start:
    """Starts guests with plain states."""
    return partial(start, plain=True)


@pytest.fixture
def plain(start_plain: Start) -> Guest:
    """A guest with plain states."""
    return start_plain()


@pytest.fixture
def shared(module_guest: Guest) -> Guest:
    """One guest for all tests of a file; none of them ends its kernel."""
    module_guest.settle()
    return module_guest


@pytest.fixture(scope="module")
def module_guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The guest behind `shared`."""
    guest = Guest(tmp_path_factory.mktemp("guest"))
    yield guest
    guest.close()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts sessions that save; what is left of them ends with the test."""
    sessions: list[SavedSession] = []

    def make(name: str = "one", **options: Any) -> SavedSession:
        sessions.append(SavedSession(tmp_path / name, **options))
        return sessions[-1].start()

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def session(begin: Begin) -> SavedSession:
    """One session that saves."""
    return begin()

"""States come whole or not at all, whoever sends at the same time and whoever dies."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from nl2code_guest.frames import Frame, FrameError
from nl2code_guest.saves import Saves, saves_pair, send_state


class Receiver:
    """The init's end, and what came of it."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        mine, self.sock = saves_pair()
        self.states: list[Frame] = []
        self.errors: list[FrameError] = []
        self.saves = Saves(mine, self.selector, self.states.append, self.errors.append)

    def pump(self, states: int) -> None:
        """Reads until so many states have come."""
        while len(self.states) < states:
            for key, mask in self.selector.select(10):
                key.data(mask)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.saves.close()
    receiver.sock.close()


def test_states_of_two_senders_that_write_at_once_are_kept_apart(receiver: Receiver) -> None:
    bodies = [bytes([n]) * (1 << 20) for n in range(6)]
    senders = [
        threading.Thread(target=send_state, args=(receiver.sock, {"type": "saved", "k": n}, body))
        for n, body in enumerate(bodies)
    ][:3]
    for sender in senders:
        sender.start()
    receiver.pump(3)
    for sender in senders:
        sender.join()
    assert {frame.header["k"]: frame.body for frame in receiver.states} == dict(enumerate(bodies[:3]))


def test_a_sender_that_dies_in_the_middle_spoils_nothing(receiver: Receiver) -> None:
    for _ in range(10):
        receiver.sock.send(os.urandom(8) + struct.pack(">I", 1000) + b"half")
    send_state(receiver.sock, {"type": "saved", "k": 1}, b"whole")
    receiver.pump(1)
    assert (receiver.states[0].header["k"], receiver.states[0].body, receiver.errors) == (1, b"whole", [])


HOSTILE = {
    "too short": b"x",
    "no content": b"n" * 8 + struct.pack(">I", 5),
    "too long": b"n" * 8 + struct.pack(">I", 0xFFFFFFFF) + b"x",
    "more than it said": b"n" * 8 + struct.pack(">I", 2) + b"xxx",
    "no frame": b"n" * 8 + struct.pack(">I", 8) + b"\xff" * 8,
}


@pytest.mark.parametrize("packet", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_packet_that_breaks_a_rule_ends_the_reading(receiver: Receiver, packet: bytes) -> None:
    receiver.sock.send(packet)
    receiver.saves.read()
    assert len(receiver.errors) == 1 and not receiver.states
    receiver.saves.read()
    assert len(receiver.errors) == 1


def test_the_end_of_all_senders_is_no_error(receiver: Receiver) -> None:
    receiver.sock.shutdown(socket.SHUT_RDWR)
    receiver.saves.read()
    assert not receiver.errors and not receiver.selector.get_map()

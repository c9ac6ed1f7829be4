"""The zygote as the init sees it: asked for kernels, replaced when it dies."""

from __future__ import annotations

import array
import json
import selectors
import socket
from collections.abc import Callable
from typing import Any

from nl2code_guest.options import Options
from nl2code_guest.zygote_start import StartedZygote, start_zygote

_MAX_MESSAGE_BYTES = 4096
#: A zygote that keeps dying imports nothing any more; user code can't reach it, a broken package can.
_MAX_DEATHS = 3


class ZygoteLink:
    """The zygote process and the requests it has not answered."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        options: Options,
        first: StartedZygote | None,
        on_message: Callable[[dict[str, Any]], None],
    ) -> None:
        """`first` is the zygote that was started before; without it one is started now."""
        self._selector = selector
        self._options = options
        self._on_message = on_message
        self._deaths = 0
        self.pid = 0
        self.idle = False
        self._sock: socket.socket | None = None
        self._take(first or start_zygote(options))

    def fork(self, number: int, want: str, fds: list[int]) -> None:
        """Asks for kernel `number` with `want` imported; answered by `forked` or `failed`. Raises OSError."""
        if self._sock is None:
            raise BrokenPipeError("the zygote is gone")
        data = json.dumps({"fork": number, "want": want}).encode()
        self._sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])

    @property
    def hopeless(self) -> bool:
        """Whether it has died so often that the next one will too."""
        return self._deaths >= 2 * _MAX_DEATHS

    def replace(self) -> None:
        """Starts another zygote after this one died. Its unanswered requests are lost."""
        self._deaths += 1
        if self._deaths >= _MAX_DEATHS:
            self._options = self._options._replace(warm="bare")
        self._mute()
        self._take(start_zygote(self._options))

    def _take(self, zygote: StartedZygote) -> None:
        self.idle = False
        self.pid, self._sock = zygote
        self._selector.register(zygote.sock, selectors.EVENT_READ, self._on_events)

    def _on_events(self, _mask: int) -> None:
        while self._sock:
            try:
                data = self._sock.recv(_MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                # Its death is seen by the reaper; until then an end of file must not wake the loop.
                self._mute()
                return
            message = json.loads(data)
            if message.get("idle"):
                self.idle = True
            self._on_message(message)

    def _mute(self) -> None:
        if self._sock:
            self._selector.unregister(self._sock)
            self._sock.close()
            self._sock = None

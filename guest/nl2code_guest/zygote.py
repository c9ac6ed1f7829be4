"""The zygote: imports in stages, then forks kernels. It never runs user code and starts no OpenMP region.

A request for a kernel is served between two imports, as soon as what it wants is there.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import warnings
from typing import NoReturn

from nl2code_guest.options import Options
from nl2code_guest.system_calls import close_all_but, die_with_parent, set_dumpable

#: Small units, dependencies before what needs them, so that a request waits for little.
_STAGES: dict[str, tuple[str, ...]] = {
    # The kernel brings what saves and restores, which most of it is.
    "bare": ("nl2code_guest.kernel",),
    "data": (
        "decimal",
        "datetime",
        "csv",
        "statistics",
        "numpy",
        "numpy.random",
        "dateutil.parser",
        "pyarrow",
        "pyarrow.compute",
        "pandas",
    ),
    "tables": (
        "pandas.io.formats.format",
        "pandas.io.formats.html",
        # The first frame with a text column imports it.
        "pyarrow.pandas_compat",
        "pyarrow.vendored.version",
        "pyarrow.parquet",
        "nl2code_guest.inspection",
        "nl2code_guest.inspection_files",
        "nl2code_guest.inspection_columns",
    ),
    "all": (
        "scipy",
        "scipy.sparse",
        "scipy.linalg",
        "scipy.special",
        "scipy.optimize",
        "scipy.stats",
        "joblib",
        "sklearn.utils",
        "sklearn.preprocessing",
        "sklearn.linear_model",
        "sklearn.neighbors",
        "sklearn.ensemble",
        "PIL.Image",
        "matplotlib",
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "matplotlib.pyplot",
    ),
}
_ORDER = tuple(_STAGES)
#: The last stage of what a launcher asks for.
_LAST = {"bare": "bare", "data": "tables", "all": "all"}


def serve(sock: socket.socket, options: Options, init_pid: int) -> None:
    """Imports what `options.warm` says and answers requests until the init is gone. Does not return."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    set_dumpable(False)
    close_all_but((0, 1, 2, sock.fileno()))
    gc.disable()
    if not os.path.exists("/etc/fonts/fonts.conf"):
        # Without one, fontconfig complains on the stderr of the first cell that plots.
        os.environ.setdefault("FONTCONFIG_FILE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "fonts.conf"))
    _Zygote(sock, options, init_pid).run()


class _Zygote:
    def __init__(self, sock: socket.socket, options: Options, init_pid: int) -> None:
        self._sock = sock
        self._options = options
        self._init_pid = init_pid
        self._done: set[str] = set()
        #: Requests that wait for an import: number, what they want, descriptors.
        self._waiting: list[tuple[int, str, list[int]]] = []

    def run(self) -> None:
        for stage in _ORDER[: _ORDER.index(_LAST[self._options.warm]) + 1]:
            for module in _STAGES[stage]:
                _import(module)
                self._serve_pending()
            self._done.add(stage)
            self._serve_pending()
        # What is asked for beyond the last stage comes by the cell's own import.
        self._done.update(_ORDER)
        gc.collect()
        gc.freeze()
        self._serve_pending()
        self._sock.send(b'{"idle":true}')
        self._sock.setblocking(True)
        while True:
            self._serve_next()
            self._fork_ready()

    def _serve_pending(self) -> None:
        self._sock.setblocking(False)
        try:
            while True:
                self._serve_next()
        except BlockingIOError:
            pass
        if "bare" in self._done:
            self._fork_ready()

    def _serve_next(self) -> None:
        data, fds, _flags, _address = socket.recv_fds(self._sock, 4096, 8, socket.MSG_CMSG_CLOEXEC)
        if not data:
            os._exit(0)
        message = json.loads(data)
        self._waiting.append((message["fork"], message["want"], list(fds)))

    def _fork_ready(self) -> None:
        ready = [request for request in self._waiting if request[1] in self._done]
        self._waiting = [request for request in self._waiting if request[1] not in self._done]
        for number, _want, fds in ready:
            self._fork(number, fds)
            for fd in fds:
                os.close(fd)

    def _fork(self, number: int, fds: list[int]) -> None:
        """Forks twice, so that the kernel becomes a child of the init, which alone must see its end."""
        gc.freeze()
        reader, writer = os.pipe()
        try:
            between = _fork_quietly()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            self._answer(number, failed=error.strerror)
            return
        if between == 0:
            self._fork_kernel(fds, writer)
        os.close(writer)
        os.waitpid(between, 0)
        # Only now is the kernel a child of the init.
        said = os.read(reader, 64)
        os.close(reader)
        if said:
            self._answer(number, pid=int(said))
        else:
            self._answer(number, failed="the second fork failed")

    def _fork_kernel(self, fds: list[int], writer: int) -> NoReturn:
        try:
            kernel = _fork_quietly()
            if kernel:
                os.write(writer, b"%d" % kernel)
                os._exit(0)
            close_all_but((0, 1, 2, *fds))
            gc.enable()
            from nl2code_guest.kernel import start

            start(fds, self._options, self._init_pid)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)

    def _answer(self, number: int, **said: object) -> None:
        self._sock.send(json.dumps({"number": number, **said}).encode())


def _fork_quietly() -> int:
    with warnings.catch_warnings():
        # Threads of BLAS stop at a fork by themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _import(module: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
    except Exception as error:
        if module.startswith("nl2code_guest."):
            raise
        print(f"nl2code_guest: {module} can't be imported: {error}", file=sys.stderr, flush=True)

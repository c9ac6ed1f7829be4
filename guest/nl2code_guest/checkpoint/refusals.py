"""What can't be saved, and the sentence that says so.

A refusal is about one variable. Its `kind` is stable: the host and the tests name it.
"""

from __future__ import annotations

import sys

from nl2code_guest.time_limit import TooSlow

#: kind -> what it is and what to do about it.
_SENTENCES: dict[str, str] = {
    "generator": "A generator can't be saved; keep a list of what it yields, or make it in the cell that uses it.",
    "coroutine": "A coroutine can't be saved; keep its result, or make it in the cell that awaits it.",
    "file": "An open file can't be saved; read what you need, or open it with `with` in the cell that uses it.",
    "socket": "A socket can't be saved; open the connection in the cell that uses it.",
    "process": "A running process can't be saved; keep its output, or start it in the cell that uses it.",
    "thread": "A thread can't be saved; join it, and start a new one in the cell that needs it.",
    "pool": "A pool of workers can't be saved; use it with `with` in the cell that needs it.",
    "future": "A future or task can't be saved; keep its result.",
    "event-loop": "An event loop can't be saved; use `asyncio.run` in the cell that needs it.",
    "lock": "A bare lock can't be saved; keep it in the object that it guards, or make it in the cell that uses it.",
    "held-lock": "A lock that is held can't be saved; release it at the end of the cell (`with lock:`).",
    "thread-local": "Thread-local data can't be saved; keep the values in a dict.",
    "database": "A database connection or cursor can't be saved; keep the rows, and connect in the cell that queries.",
    "csv": "A csv reader or writer can't be saved; keep a list of the rows.",
    "chunked-reader": "A reader of chunks can't be saved; keep the rows, or open it in the cell that reads it.",
    "parquet-file": "An open Parquet file can't be saved; keep the table, or open it in the cell that reads it.",
    "memoryview": "A memoryview can't be saved; keep the array or bytes it looks at.",
    "mmap": "A memory map can't be saved; keep its bytes, or map the file in the cell that uses it.",
    "pointer": "A ctypes pointer or library can't be saved; keep the values it points at.",
    "frame": "A stack frame can't be saved; keep the values you need from it.",
    "traceback": "A traceback can't be saved; keep its text (`traceback.format_exc()`).",
    "context": "A contextvars context or token can't be saved; keep the values.",
    "weak-proxy": "A weakref.proxy can't be saved; use `weakref.ref`.",
    "iterator": "This iterator can't be saved; keep a list of what it yields.",
    "too-deep": "It is nested too deeply to be saved; keep it in a flat form, a list or a table.",
    "too-slow": "Saving it takes too long; keep what it was made from, and make it in the cell that uses it.",
    "memory": "It is too large to be saved in the memory that is left; keep less of it.",
}

_LOCKS = ("_thread.lock", "_thread.RLock", "threading._RLock")

#: type -> kind, for the type itself and everything derived from it. Only what is already imported is looked at.
_KINDS: dict[str, str] = {
    "builtins.generator": "generator",
    "builtins.async_generator": "generator",
    "builtins.coroutine": "coroutine",
    "builtins.coroutine_wrapper": "coroutine",
    "builtins.async_generator_asend": "coroutine",
    "builtins.async_generator_athrow": "coroutine",
    "builtins.anext_awaitable": "coroutine",
    "builtins.frame": "frame",
    "builtins.traceback": "traceback",
    "builtins.memoryview": "memoryview",
    "_contextvars.Context": "context",
    "_contextvars.Token": "context",
    "weakref.ProxyType": "weak-proxy",
    "weakref.CallableProxyType": "weak-proxy",
    "gzip.GzipFile": "file",
    "bz2.BZ2File": "file",
    "lzma.LZMAFile": "file",
    "zipfile.ZipFile": "file",
    "tarfile.TarFile": "file",
    "tempfile._TemporaryFileWrapper": "file",
    "tempfile.SpooledTemporaryFile": "file",
    "posix.ScandirIterator": "iterator",
    "_sre.SRE_Scanner": "iterator",
    "_socket.socket": "socket",
    "select.epoll": "socket",
    "select.poll": "socket",
    "selectors.BaseSelector": "socket",
    "subprocess.Popen": "process",
    "multiprocessing.process.BaseProcess": "process",
    "multiprocessing.managers.BaseManager": "process",
    "multiprocessing.connection._ConnectionBase": "process",
    "multiprocessing.queues.Queue": "process",
    "multiprocessing.queues.SimpleQueue": "process",
    "multiprocessing.synchronize.SemLock": "lock",
    "threading.Thread": "thread",
    "_thread._local": "thread-local",
    "_threading_local.local": "thread-local",
    "concurrent.futures._base.Executor": "pool",
    "multiprocessing.pool.Pool": "pool",
    "concurrent.futures._base.Future": "future",
    "_asyncio.Future": "future",
    "asyncio.futures.Future": "future",
    "asyncio.events.AbstractEventLoop": "event-loop",
    "sqlite3.Connection": "database",
    "sqlite3.Cursor": "database",
    "sqlite3.Blob": "database",
    "sqlite3.Row": "database",
    "sqlalchemy.engine.base.Engine": "database",
    "sqlalchemy.engine.base.Connection": "database",
    "duckdb.DuckDBPyConnection": "database",
    "_csv.reader": "csv",
    "_csv.writer": "csv",
    "csv.DictReader": "csv",
    "csv.DictWriter": "csv",
    "mmap.mmap": "mmap",
    "_ctypes._Pointer": "pointer",
    "_ctypes.CFuncPtr": "pointer",
    "ctypes.CDLL": "pointer",
    "pandas.io.parsers.readers.TextFileReader": "chunked-reader",
    "pandas.io.json._json.JsonReader": "chunked-reader",
    "pandas.io.pytables.HDFStore": "file",
    "pandas.io.excel._base.ExcelFile": "file",
    "pandas.io.excel._base.ExcelWriter": "file",
    "pyarrow.parquet.core.ParquetFile": "parquet-file",
    "pyarrow.parquet.core.ParquetWriter": "parquet-file",
    "pyarrow._parquet.ParquetReader": "parquet-file",
    "pyarrow.lib.NativeFile": "file",
    "pyarrow.lib.RecordBatchReader": "chunked-reader",
    "h5py._hl.files.File": "file",
}


class Refused(Exception):
    """A variable that is not saved: a stable kind and one sentence that names the remedy."""

    def __init__(self, kind: str, message: str | None = None) -> None:
        self.kind = kind
        self.message = message if message is not None else _SENTENCES[kind]
        super().__init__(self.message)


def refused_kind(kind_of: type) -> str | None:
    """Why no object of this type is saved, or None."""
    for base in type.__dict__["__mro__"].__get__(kind_of):
        name = type_name(base)
        if name in _KINDS and _is_named(base, name):
            return _KINDS[name]
    return None


def is_lock(value: object) -> bool:
    """Whether this is a bare lock."""
    return type_name(type(value)) in _LOCKS


def type_name(kind_of: type) -> str:
    """Module and name of a type, whatever its metaclass does about them."""
    name = type.__dict__["__qualname__"].__get__(kind_of)
    try:
        return f"{type.__dict__['__module__'].__get__(kind_of)}.{name}"[:200]
    except AttributeError:
        return str(name)[:200]


def classify(error: BaseException, culprit: str | None) -> Refused:
    """The refusal behind whatever pickling raised; `culprit` names the type it was about, when that is known."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RecursionError):
        return Refused("too-deep")
    if isinstance(error, TooSlow):
        return Refused("too-slow")
    if isinstance(error, MemoryError):
        return Refused("memory")
    what = f"An object of type {culprit}" if culprit else "A part of it"
    return Refused(
        "unpicklable",
        f"{what} can't be saved ({tell(error)}); keep what it was made from, and make it in the cell that uses it.",
    )


def _is_named(base: type, name: str) -> bool:
    """Whether the type really is the library's: a cell may give its own class any module and name."""
    module, _, attribute = name.rpartition(".")
    if module == "builtins" or not isinstance(base, type):
        return True
    found = getattr(sys.modules.get(module), attribute, base)
    # Of some types, `csv.reader` among them, the module shows only the function that makes them.
    return found is base or not isinstance(found, type)


def tell(error: BaseException) -> str:
    """An error in one line, whatever its class does about it."""
    try:
        text = " ".join(str(error).split())[:200]
    except BaseException:
        text = "(no message)"
    return f"{type.__dict__['__qualname__'].__get__(type(error))}: {text}"

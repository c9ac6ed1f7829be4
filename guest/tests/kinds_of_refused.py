"""What is not saved, and the sentence that says so."""

from __future__ import annotations

from object_kind import Kind, group, refused

REFUSED: list[Kind] = group(
    "Refused",
    refused(
        "generator",
        "x = (i for i in range(3))",
        "generator",
    ),
    refused(
        "generator inside a list",
        """
        def g():
            yield 1
        x = [1, {'k': g()}]
        """,
        "generator",
    ),
    refused(
        "coroutine",
        """
        async def f(): pass
        x = f()
        """,
        "coroutine",
        after="x.close()",
    ),
    refused(
        "file open for reading",
        "x = open('/dev/null')",
        "file",
        after="x.close()",
    ),
    refused(
        "file open for writing",
        "x = open('/dev/null', 'wb')",
        "file",
        after="x.close()",
    ),
    refused(
        "sys.stdout",
        """
        import sys
        x = sys.stdout
        """,
        "file",
    ),
    refused(
        "open archive",
        """
        import zipfile, io
        x = zipfile.ZipFile(io.BytesIO(), 'w')
        """,
        "file",
        after="x.close()",
    ),
    refused(
        "socket",
        """
        import socket
        x = socket.socket()
        """,
        "socket",
        after="x.close()",
    ),
    refused(
        "running process",
        """
        import subprocess
        x = subprocess.Popen(['true'])
        """,
        "process",
        after="x.wait()",
    ),
    refused(
        "thread",
        """
        import threading
        x = threading.Thread(target=print)
        """,
        "thread",
    ),
    refused(
        "thread pool",
        """
        import concurrent.futures as cf
        x = cf.ThreadPoolExecutor(1)
        """,
        "pool",
        after="x.shutdown()",
    ),
    refused(
        "process pool",
        """
        import multiprocessing.pool
        x = multiprocessing.pool.ThreadPool(1)
        """,
        "pool",
        after="x.terminate()",
    ),
    refused(
        "future",
        """
        import concurrent.futures as cf
        x = [cf.Future()]
        """,
        "future",
    ),
    refused(
        "event loop",
        """
        import asyncio
        x = asyncio.new_event_loop()
        """,
        "event-loop",
        after="x.close()",
    ),
    refused(
        "lock of its own",
        """
        import threading
        x = threading.Lock()
        """,
        "lock",
    ),
    refused(
        "lock that is held",
        """
        import threading
        x = [threading.RLock()]
        x[0].acquire()
        """,
        "held-lock",
    ),
    refused(
        "threading.local",
        """
        import threading
        x = threading.local()
        """,
        "thread-local",
    ),
    refused(
        "sqlite connection",
        """
        import sqlite3
        x = sqlite3.connect(':memory:')
        """,
        "database",
        after="x.close()",
    ),
    refused(
        "sqlite cursor",
        """
        import sqlite3
        c = sqlite3.connect(':memory:')
        x = c.cursor()
        del c
        """,
        "database",
    ),
    refused(
        "csv.reader, csv.writer",
        """
        import csv, io
        x = [csv.reader(['a,b']), csv.writer(io.StringIO())]
        """,
        "csv",
    ),
    refused(
        "csv.DictReader",
        """
        import csv
        x = csv.DictReader(['a,b'])
        """,
        "csv",
    ),
    refused(
        "read_csv in chunks",
        r"""
        import pandas as pd, io
        x = pd.read_csv(io.StringIO('a\n1'), chunksize=1)
        """,
        "chunked-reader",
    ),
    refused(
        "ParquetFile",
        """
        import pyarrow as pa, pyarrow.parquet as pq, io
        f = io.BytesIO()
        pq.write_table(pa.table({'a': [1]}), f)
        x = pq.ParquetFile(f)
        """,
        "parquet-file",
    ),
    refused(
        "ExcelFile",
        """
        import pandas as pd, openpyxl, io
        f = io.BytesIO()
        openpyxl.Workbook().save(f)
        x = pd.ExcelFile(f)
        """,
        "file",
    ),
    refused(
        "memoryview",
        "x = memoryview(b'abc')",
        "memoryview",
    ),
    refused(
        "mmap",
        """
        import mmap
        x = mmap.mmap(-1, 10)
        """,
        "mmap",
    ),
    refused(
        "ctypes pointer",
        """
        import ctypes
        x = ctypes.pointer(ctypes.c_int(1))
        """,
        "pointer",
    ),
    refused(
        "frame",
        """
        import sys
        x = sys._getframe()
        """,
        "frame",
        after="x = None",
    ),
    refused(
        "traceback",
        """
        try: 1 / 0
        except ZeroDivisionError as e: x = e.__traceback__
        """,
        "traceback",
        after="x = None",
    ),
    refused(
        "context",
        """
        import contextvars
        x = contextvars.copy_context()
        """,
        "context",
    ),
    refused(
        "weakref.proxy",
        """
        import weakref
        class A: pass
        a = A()
        x = weakref.proxy(a)
        """,
        "weak-proxy",
    ),
    refused(
        "directory iterator",
        """
        import os
        x = os.scandir('/')
        """,
        "iterator",
        after="x.close()",
    ),
    refused(
        "list nested 100,000 deep",
        """
        x = []
        for _ in range(100_000): x = [x]
        """,
        "too-deep",
        after="while x: x = x[0]",
    ),
    refused(
        "object whose __reduce__ raises",
        """
        class A:
            def __reduce__(self): raise ValueError('not me')
        x = A()
        """,
        "unpicklable",
        message=(
            "An object of type __main__.A can't be saved (ValueError: not me); keep what it was made from, and "
            "make it in the cell that uses it."
        ),
    ),
    refused(
        "object whose __getstate__ exits",
        """
        class A:
            def __getstate__(self): raise SystemExit(3)
        x = A()
        """,
        "unpicklable",
        message=(
            "An object of type __main__.A can't be saved (SystemExit: 3); keep what it was made from, and make "
            "it in the cell that uses it."
        ),
    ),
)

"""Runs a final script as a process of its own and says how it ended. The only check that stands beside generated code.

What it reports is a claim: the script shares its sandbox. What the script wrote is read and compared elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, TypedDict

from nl2code_checks.capture import Capture, Text
from nl2code_checks.failure import Failure, read_failure
from nl2code_checks.process_tree import adopt_orphans, descendants, end_descendants

OUTPUT_BYTES: Final = 64 << 10
INTERRUPT_S: Final = 0.7
LEAVE_S: Final = 1.0
OWN_PACKAGES: Final = ("nl2code_guest", "nl2code_checks")


class Run(TypedDict):
    """How a run ended.

    ``exit`` is the exit code, negative for a signal. ``left`` counts processes that were still there after the end.
    """

    exit: int
    timed_out: bool
    left: int
    started: float
    seconds: float
    stdout: Text
    stderr: Text
    failure: Failure | None


def run_script(source: str, name: str, hash_seed: int, timeout_s: float, not_before: float = 0.0) -> Run:
    """Runs a script in the current folder.

    Args:
        source: The script's text.
        name: File name it gets in the current folder.
        hash_seed: Its ``PYTHONHASHSEED``.
        timeout_s: Wall time it may take.
        not_before: Unix time before which it does not start.

    Returns:
        How it ended, with bounded output.
    """
    Path(name).write_text(source, encoding="utf-8", newline="")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NL2CODE")}
    paths = [path for path in environment.pop("PYTHONPATH", "").split(os.pathsep) if path and not _ours(path)]
    environment |= {"PYTHONHASHSEED": str(hash_seed), **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}
    adopt_orphans()
    spare = descendants(os.getpid())
    time.sleep(max(0.0, not_before - time.time()))
    started, clock = time.time(), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-s", "-P", name],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    streams = (Capture(OUTPUT_BYTES), Capture(OUTPUT_BYTES))
    left = 0
    try:
        timed_out = _follow(process, streams, timeout_s)
    finally:
        # Also when the cell is interrupted: nothing may write once this returns.
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        left = end_descendants(os.getpid(), spare, LEAVE_S if process.returncode == 0 else 0.0)
    seconds = time.monotonic() - clock
    stdout, stderr = (stream.text() for stream in streams)
    failed = timed_out or process.returncode != 0
    return Run(
        exit=process.returncode,
        timed_out=timed_out,
        left=left,
        started=started,
        seconds=round(seconds, 3),
        stdout=stdout,
        stderr=stderr,
        failure=read_failure(stderr["text"], name) if failed else None,
    )


def _ours(path: str) -> bool:
    return Path(path).parent.name in OWN_PACKAGES or any((Path(path) / package).exists() for package in OWN_PACKAGES)


def _follow(process: subprocess.Popen[bytes], streams: tuple[Capture, Capture], timeout_s: float) -> bool:
    """Reads both streams until the process ends; True when it was stopped for its time.

    The end of a stream is no sign of the end of the script: a child that it left may hold the stream open.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    until = time.monotonic() + timeout_s
    asked = False
    with selectors.DefaultSelector() as selector, process.stdout as out, process.stderr as err:
        for pipe, stream in zip((out, err), streams, strict=True):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, stream)
        ended = False
        while True:
            ready = selector.select(0.0 if ended else 0.02)
            for key, _ in ready:
                if not key.data.drain(key.fd):
                    selector.unregister(key.fileobj)
            if ended and (not ready or time.monotonic() > until + LEAVE_S + INTERRUPT_S):
                return asked
            if process.poll() is not None:
                ended = True
            elif time.monotonic() > until + (INTERRUPT_S if asked else 0):
                if asked:
                    process.kill()
                    process.wait()
                    ended = True
                else:
                    # A polite stop first: the traceback says where the time went.
                    asked = True
                    with contextlib.suppress(OSError):
                        process.send_signal(signal.SIGINT)

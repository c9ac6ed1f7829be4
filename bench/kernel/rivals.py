"""What others do with the same session: ipykernel for cells, dill and cloudpickle for keeping variables.

Usage: rivals.py FOLDER KIND, where KIND is num or mixed. Prints one JSON object; times in milliseconds.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from frames import make

RUNS = 3


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def figures(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": statistics.median_low(ordered),
        "p95": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
        "n": len(ordered),
    }


def synced(path: str, write: Callable[[BinaryIO], None]) -> None:
    with open(path, "wb") as file:
        write(file)
        file.flush()
        os.fdatasync(file.fileno())


def ipykernel() -> dict[str, object]:
    """Start to the first answer, and the round trip of a trivial cell once its outputs are in."""
    from jupyter_client.manager import KernelManager

    starts, trips = [], []
    for _ in range(RUNS):
        manager = KernelManager(kernel_name="python3")
        manager.kernel_spec.argv[0] = sys.executable
        began = time.perf_counter()
        manager.start_kernel(stdout=-3, stderr=-3)
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute_interactive("1 + 1", output_hook=lambda _message: None)
        starts.append((time.perf_counter() - began) * 1000)
        trips.extend(trip(client) for _ in range(100))
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return {"start": figures(starts), "trip": figures(trips)}


def trip(client: Any) -> float:
    return timed(lambda: client.execute_interactive("x = 1", output_hook=lambda _message: None))


def pickled(folder: str, kind: str) -> dict[str, object]:
    """The whole session written and read again; neither can write only what has changed."""
    import cloudpickle
    import dill

    main = sys.modules["__main__"]
    frames = make(kind)
    for number, frame in enumerate(frames):
        setattr(main, f"f{number}", frame)
    path = os.path.join(folder, "session")
    found: dict[str, object] = {}
    writes, reads = [], []
    for _ in range(RUNS):
        main.f3["c0"] *= 1.01
        writes.append(timed(partial(synced, path, partial(cloudpickle.dump, frames))))
        reads.append(timed(lambda: cloudpickle.loads(Path(path).read_bytes())))
    found["cloudpickle"] = {"write": figures(writes), "read": figures(reads)}
    del frames, frame
    writes, reads = [], []
    for _ in range(RUNS):
        main.f3["c0"] *= 1.01
        writes.append(timed(lambda: (dill.dump_module(path), os.sync())))
        reads.append(timed(lambda: dill.load_module(path)))
    found["dill"] = {"write": figures(writes), "read": figures(reads)}
    os.unlink(path)
    return found


if __name__ == "__main__":
    print(json.dumps({**(ipykernel() if sys.argv[2] == "num" else {}), **pickled(sys.argv[1], sys.argv[2])}))

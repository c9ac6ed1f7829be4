"""Names in a folder that survive a power cut."""

from __future__ import annotations

import os


def sync_folder(folder: str) -> None:
    """Makes the names in a folder survive a power cut; raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

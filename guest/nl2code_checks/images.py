"""Compares images by their pixels."""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO, Final

from PIL import Image, ImageChops, ImageSequence

from nl2code_checks.difference import Differs, Unreadable

MAX_PIXELS: Final = 120_000_000
MAX_FRAMES: Final = 500


def compare_images(a: BinaryIO, b: BinaryIO) -> None:
    """Compares two images, all frames: same size and pixels; metadata and compression don't count.

    Args:
        a: The first run's file.
        b: The second run's file.

    Raises:
        Differs: They show different pixels.
        Unreadable: One of them can't be decoded, or is larger than 120 million pixels.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    frames, others = _frames(a, False), _frames(b, True)
    if len(frames) != len(others):
        raise Differs(f"{len(frames)} frames in the first run, {len(others)} in the second")
    for x, y in zip(frames, others, strict=True):
        if x.size != y.size:
            raise Differs(f"{x.width}x{x.height} pixels in the first run, {y.width}x{y.height} in the second")
        # Without alpha_only=False only the alpha channel of the difference is looked at.
        box = ImageChops.difference(x, y).getbbox(alpha_only=False)
        if box is not None:
            raise Differs(f"pixels differ between ({box[0]}, {box[1]}) and ({box[2]}, {box[3]})")


def _frames(file: BinaryIO, second: bool) -> list[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file)
            pixels = image.width * image.height * min(getattr(image, "n_frames", 1), MAX_FRAMES)
            if pixels > MAX_PIXELS:
                raise Unreadable(f"{pixels} pixels are more than {MAX_PIXELS}", second)
            return [
                frame.convert("RGBA")
                for frame, _ in zip(ImageSequence.Iterator(image), range(MAX_FRAMES), strict=False)
            ]
    except Unreadable:
        raise
    # A decoder may raise anything over bytes that were made to break it.
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {str(error)[:200]}", second) from error

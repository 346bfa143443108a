"""Decode images, to the pixels that Pillow gives. No torch, so that many processes start fast."""

import io
import struct

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 2**27
"""Images of more pixels are left to Pillow, which warns of them and refuses bombs."""

PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError
)  # fmt: skip
"""What Pillow raises for content that it cannot decode."""


def decode(content: bytes) -> Pixels:
    """Return an encoded image as RGB, shape (height, width, 3): the pixels that Pillow gives.

    libjpeg-turbo's exact transform gives the same several times faster, where it is sure of a JPEG.

    Raises:
        ValueError: it cannot be decoded.
    """
    pixels = _decode_jpeg(content) if simplejpeg.is_jpeg(content) else None
    return _decode_by_pillow(content) if pixels is None else pixels


def _decode_jpeg(content: bytes) -> Pixels | None:
    """Return a JPEG's pixels; None if it is CMYK, huge or not quite sound."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
        if colours in ("CMYK", "YCCK") or height * width > MOST_PIXELS:
            return None
        pixels: Pixels = simplejpeg.decode_jpeg(content, fastdct=False, fastupsample=False)
    except ValueError:
        return None
    return pixels


def _decode_by_pillow(content: bytes) -> Pixels:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise ValueError(f"{len(content)} bytes are no image in a known format") from error
    except PILLOW_ERRORS as error:
        raise ValueError(f"{len(content)} bytes cannot be decoded as an image: {error}") from error

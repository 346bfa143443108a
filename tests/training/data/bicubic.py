"""The definition of a bicubic, antialiased resize, as Pillow had it up to version 12."""

import numpy as np
from numpy.typing import NDArray

SUPPORT = 2.0
A = -0.5


def resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return an image (height, width, channels) at another size, rounded after each direction."""
    rows = _along_last(np.moveaxis(image, 1, -1), width)
    return np.moveaxis(_along_last(np.moveaxis(rows, 0, -1), height), (0, 1, 2), (2, 1, 0))


def _along_last(values: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    weights = _weights(values.shape[-1], size)
    return np.clip(np.floor(values @ weights.T + 0.5), 0, 255).astype(np.uint8)


def _weights(old: int, new: int) -> NDArray[np.float64]:
    """Return the share of each old pixel in each new one, shape (new, old)."""
    stretch = max(old / new, 1.0)
    centres = (np.arange(new) + 0.5) * old / new
    first = np.maximum(np.trunc(centres - SUPPORT * stretch + 0.5), 0)[:, None]
    last = np.minimum(np.trunc(centres + SUPPORT * stretch + 0.5), old)[:, None]
    places = np.arange(old)
    weights = _kernel((places + 0.5 - centres[:, None]) / stretch)
    weights[(places < first) | (places >= last)] = 0
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel (IEEE ASSP 29, 1981)."""
    x = np.abs(x)
    inner = ((A + 2) * x - (A + 3)) * x * x + 1
    outer = (((x - 5) * x + 8) * x - 4) * A
    return np.where(x < 1, inner, np.where(x < SUPPORT, outer, 0))

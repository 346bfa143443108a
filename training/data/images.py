"""Pixels: crop and resize. All is uint8; `training.data.normalize` makes numbers of a batch.

The geometry is open_clip's: bicubic, antialiased; a random crop of the area for training, the
shorter side resized and the centre cut out for evaluation.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from training.data.decode import Pixels

LEAST_ASPECT, MOST_ASPECT = 3 / 4, 4 / 3


def resize(image: Pixels, width: int, height: int) -> Pixels:
    """Return an image at another size: bicubic (a = -0.5), antialiased, first along the rows.

    So did Pillow up to 12; torch's integer kernel differs from it by at most 2 grey levels, and takes
    a third of the time.
    """
    planes = torch.from_numpy(image)[None].permute(0, 3, 1, 2)  # channels-last to torch's eye: faster
    resized = interpolate(planes, size=(height, width), mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def train_pixels(
    image: Pixels, size: int, scale: tuple[float, float], uniforms: NDArray[np.float64]
) -> Pixels:
    """Return a random crop, resized to a square; shape (size, size, 3).

    Args:
        image: shape (height, width, 3).
        size: side of the result in pixels.
        scale: range of the crop's share of the area.
        uniforms: at least 4 numbers in [0, 1) that decide the crop.
    """
    height, width = image.shape[:2]
    left, top, crop_width, crop_height = crop_box((width, height), scale, uniforms)
    if (crop_width, crop_height) == (width, height) == (size, size):
        return image
    return resize(image[top : top + crop_height, left : left + crop_width], size, size)


def crop_box(
    image_size: tuple[int, int], scale: tuple[float, float], uniforms: NDArray[np.float64]
) -> tuple[int, int, int, int]:
    """Return (left, top, width, height) of a random crop inside the image.

    Its share of the area is uniform in `scale`, its aspect log-uniform in [3/4, 4/3] as far as it
    fits: the distribution of torchvision's RandomResizedCrop, without its rejected draws.
    """
    width, height = image_size
    area = width * height * (scale[0] + (scale[1] - scale[0]) * uniforms[0])
    least, most = max(LEAST_ASPECT, area / height**2), min(MOST_ASPECT, width**2 / area)
    if least > most:
        return _whole(width, height)
    aspect = least * (most / least) ** uniforms[1]
    crop_width = min(width, round(math.sqrt(area * aspect)))
    crop_height = min(height, round(math.sqrt(area / aspect)))
    left = int(uniforms[2] * (width - crop_width + 1))
    top = int(uniforms[3] * (height - crop_height + 1))
    return left, top, crop_width, crop_height


def _whole(width: int, height: int) -> tuple[int, int, int, int]:
    """Return the largest centred crop of an image too long for any aspect that is allowed."""
    crop_width = min(width, round(height * MOST_ASPECT))
    crop_height = min(height, round(width / LEAST_ASPECT))
    return (width - crop_width) // 2, (height - crop_height) // 2, crop_width, crop_height


def eval_pixels(image: Pixels, size: int) -> Pixels:
    """Return the centre of an image whose shorter side became `size`; shape (size, size, 3)."""
    height, width = image.shape[:2]
    wide, high, left, top = centre_of(width, height, size)
    if (wide, high) != (width, height):
        image = resize(image, wide, high)
    return image[top : top + size, left : left + size]


def centre_of(width: int, height: int, size: int) -> tuple[int, int, int, int]:
    """Return (width, height) to resize to, and (left, top) of the square of `size` in its centre.

    Fractions of pixels are dropped from the longer side and rounded in the margins, as in torchvision.
    """
    short = min(width, height)
    wide, high = width * size // short, height * size // short
    return wide, high, round((wide - size) / 2), round((high - size) / 2)

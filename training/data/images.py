"""Pixels: decode, crop, resize. All of it is uint8 but `normalised`, which is for whole batches.

The geometry is open_clip's: bicubic, antialiased; a random crop of the area for training, the
shorter side resized and the centre cut out for evaluation.
"""

import io
import math

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of the RGB channels in [0, 1], from CLIP (arXiv:2103.00020), as open_clip uses it."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""Standard deviation likewise."""

LEAST_ASPECT, MOST_ASPECT = 3 / 4, 4 / 3


def decode(content: bytes) -> Pixels:
    """Return an encoded image as RGB, shape (height, width, 3).

    libjpeg-turbo's exact transform gives the pixels that Pillow gives, several times faster.

    Raises:
        OSError, SyntaxError, ValueError: it cannot be decoded.
    """
    if simplejpeg.is_jpeg(content):
        pixels: Pixels = simplejpeg.decode_jpeg(content, fastdct=False, fastupsample=False)
        return pixels
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise ValueError(f"{len(content)} bytes are no image") from error


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
    region = (left, top, left + crop_width, top + crop_height)
    whole = Image.fromarray(image)
    return np.asarray(whole.resize((size, size), Image.Resampling.BICUBIC, box=region))


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
    short = min(width, height)
    if short != size:
        width, height = round(width * size / short), round(height * size / short)
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        image = np.asarray(resized)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image[top : top + size, left : left + size]


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images (n, side, side, 3) as fp32 (n, 3, side, side), CLIP's mean and std."""
    mean = torch.tensor(MEAN, device=images.device) * 255
    std = torch.tensor(STD, device=images.device) * 255
    return ((images.float() - mean) / std).permute(0, 3, 1, 2).contiguous()

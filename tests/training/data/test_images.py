"""Pixels."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import from_numpy

from tests.training.data.bicubic import resized
from training.data.decode import decode
from training.data.images import centre_of, crop_box, eval_pixels, resize, train_pixels
from training.data.normalize import MEAN, STD, Normalizer


def picture(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def drawing(width: int, height: int) -> NDArray[np.uint8]:
    """Hard edges between saturated colours."""
    y, x = np.mgrid[:height, :width]
    return (np.stack([x // 13 + y // 7, x // 5, (x + y) // 11], -1) % 2 * 255).astype(np.uint8)


def photo(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth shades with a little grain."""
    y, x = np.mgrid[:height, :width]
    shades = np.stack([128 + 100 * np.sin(x / 17 + c) * np.cos(y / 23) for c in range(3)], -1)
    grain = np.random.default_rng(1).normal(0, 4, shades.shape)
    return np.clip(shades + grain, 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[np.uint8], form: str, mode: str = "RGB", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, form, **options)
    return content.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees
    return encoded(photo(61, 47), "JPEG", exif=exif)


@pytest.mark.parametrize(
    "content",
    [
        encoded(photo(61, 47), "JPEG"),
        encoded(photo(61, 47), "JPEG", subsampling=0, progressive=True),
        encoded(photo(61, 47), "JPEG", mode="L"),
        encoded(photo(61, 47), "JPEG", mode="CMYK"),
        encoded(photo(61, 47), "JPEG") + b"bytes behind the end",
        turned(),
        encoded(photo(61, 47), "PNG"),
        encoded(photo(61, 47), "PNG", mode="L"),
        encoded(photo(61, 47), "PNG", mode="RGBA"),
        encoded(photo(61, 47), "PNG", mode="P"),
        encoded(photo(61, 47), "WEBP"),
    ],
)
def test_decoding_gives_the_pixels_that_pillow_gives(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(content), expected)


@pytest.mark.parametrize(
    "content", [b"", b"no image", *(encoded(picture(9, 9), form)[:60] for form in ("JPEG", "PNG"))]
)
def test_what_is_no_image_raises(content: bytes) -> None:
    with pytest.raises(ValueError, match="bytes (are no image|cannot be decoded)"):
        decode(content)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@given(st.data())
def test_a_damaged_image_is_decoded_or_refused(data: st.DataObject) -> None:
    content = bytearray(encoded(photo(20, 20), data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))))
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert decode(bytes(content)).shape[2] == 3


@pytest.mark.parametrize("image", [photo, drawing, picture])
@pytest.mark.parametrize(
    ("width", "height"), [(256, 256), (247, 251), (512, 384), (384, 512), (100, 90)]
)
def test_resizing_differs_by_two_grey_levels_at_most_from_its_definition(
    image: Callable[[int, int], NDArray[np.uint8]], width: int, height: int
) -> None:
    given = image(width, height)
    found, expected = resize(given, 224, 224), resized(given, 224, 224)
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 2
    assert (difference <= 1).mean() >= 0.999


def test_a_crop_is_resized_without_what_lies_around_it() -> None:
    image, uniforms = photo(256, 200), np.array([0.2, 0.6, 0.4, 0.7])
    left, top, width, height = crop_box((256, 200), (0.5, 0.5), uniforms)
    crop = np.ascontiguousarray(image[top : top + height, left : left + width])
    assert np.array_equal(train_pixels(image, 64, (0.5, 0.5), uniforms), resize(crop, 64, 64))


def test_normalised_images_have_planes_of_zero_mean_and_unit_deviation() -> None:
    normalize = Normalizer()
    for side in (32, 16, 16):
        image = np.stack([photo(side, side), picture(side, side)])
        found = normalize(from_numpy(image)).numpy()
        expected = (image / 255 - np.array(MEAN)) / np.array(STD)
        assert found.shape == (2, 3, side, side)
        assert np.allclose(found, expected.transpose(0, 3, 1, 2), atol=1e-5)


units = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 600), st.integers(1, 600), st.lists(units, min_size=4, max_size=4))
def test_a_crop_lies_inside_the_image(width: int, height: int, uniforms: list[float]) -> None:
    left, top, crop_width, crop_height = crop_box((width, height), (0.9, 1.0), np.array(uniforms))
    assert left >= 0
    assert left + crop_width <= width
    assert top >= 0
    assert top + crop_height <= height
    assert crop_width > 0
    assert crop_height > 0


def test_a_crop_has_the_share_of_area_and_the_aspect_asked_for() -> None:
    random = np.random.default_rng(0)
    boxes = np.array([crop_box((400, 300), (0.5, 0.8), random.random(4)) for _ in range(2000)])
    area = boxes[:, 2] * boxes[:, 3] / (400 * 300)
    aspect = boxes[:, 2] / boxes[:, 3]
    assert area.min() == pytest.approx(0.5, abs=0.01)
    assert area.max() == pytest.approx(0.8, abs=0.01)
    assert aspect.min() == pytest.approx(0.75, abs=0.01)
    assert aspect.max() == pytest.approx(1.333, abs=0.01)


def test_a_whole_crop_at_the_right_size_changes_nothing() -> None:
    image = picture(32, 32)
    assert train_pixels(image, 32, (1.0, 1.0), np.full(4, 0.5)) is image


def test_a_very_long_image_is_cropped_in_the_middle() -> None:
    assert crop_box((1000, 10), (0.9, 1.0), np.full(4, 0.9)) == (493, 0, 13, 10)


def test_evaluation_keeps_the_centre_of_the_shorter_side() -> None:
    image = picture(64, 32)
    assert np.array_equal(eval_pixels(image, 32), image[:, 16:48])
    assert eval_pixels(picture(48, 100), 32).shape == (32, 32, 3)
    # As torchvision's Resize and CenterCrop have it: 224 · 500 / 375 = 298.67, (298 - 224) / 2 = 37.
    assert centre_of(500, 375, 224) == (298, 224, 37, 0)
    assert centre_of(375, 501, 224) == (224, 299, 0, 38)

"""Pixels."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from training.data.images import crop_box, decode, eval_pixels, train_pixels


def picture(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(pixels: NDArray[np.uint8], form: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, form)
    return content.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_decoding_gives_the_pixels_that_pillow_gives(form: str) -> None:
    content = encoded(picture(61, 47), form)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(content), expected)


def test_grey_images_become_rgb() -> None:
    assert decode(encoded(picture(8, 8)[..., 0], "PNG")).shape == (8, 8, 3)


@pytest.mark.parametrize("content", [b"", b"no image", encoded(picture(9, 9), "JPEG")[:60]])
def test_what_is_no_image_raises(content: bytes) -> None:
    with pytest.raises((OSError, SyntaxError, ValueError)):
        decode(content)


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

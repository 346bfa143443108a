"""Captioned drawings of one coloured shape, and a test set of the same kind.

8 colours × 6 shapes × 4 backgrounds × 2 sizes at 32 × 32 pixels, with jitter and noise. A model
learns to read them in seconds, and how well it does follows its compute. Captions can be shuffled
among images, as an honest stand-in for a worse data set.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from training.synthetic.wds import EvalSample, write_eval_set, write_training_set

SIDE = 32
"""Side of a drawing in pixels."""
OVERSAMPLING = 3
"""Shapes are drawn so many times larger and scaled down, for smooth edges."""
NOISE = 20.0
"""Standard deviation of the pixel noise, in grey levels."""

COLOURS = {
    "red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220), "yellow": (230, 210, 40),
    "purple": (150, 50, 180), "orange": (240, 140, 30), "cyan": (50, 200, 210), "pink": (240, 130, 180),
}  # fmt: skip
BACKGROUNDS = {
    "white": (245, 245, 245), "black": (15, 15, 15), "gray": (128, 128, 128), "brown": (110, 70, 40),
}  # fmt: skip
SIZES = {"small": 0.40, "large": 0.48}
"""Name → radius as a share of the side."""
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")

CAPTIONS = (
    "a {size} {colour} {shape} on a {background} background",
    "{colour} {shape} on {background}",
    "a photo of a {colour} {shape}",
    "a {colour} {shape}",
)
TEMPLATES = ("a photo of a {c}", "a {c} on a white background", "a large {c}")
CLASSES = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is in one drawing."""

    colour: str
    shape: str
    background: str
    size: str

    def caption(self, form: int) -> str:
        """Return one of the four ways to say what is drawn."""
        return CAPTIONS[form].format(
            size=self.size, colour=self.colour, shape=self.shape, background=self.background
        )


def write_training_shards(
    folder: Path, *, num_samples: int, num_shards: int, shuffled_captions: float, seed: int
) -> None:
    """Write image-text shards as img2dataset lays them out.

    Args:
        folder: an empty folder.
        num_samples: number of pairs.
        num_shards: number of tar files they are spread over.
        shuffled_captions: share of pairs whose captions are exchanged among each other.
        seed: decides everything.
    """
    random = np.random.default_rng([seed, 0])
    scenes = [_random_scene(random) for _ in range(num_samples)]
    captions = [scene.caption(int(random.integers(len(CAPTIONS)))) for scene in scenes]
    captions = _shuffled(captions, shuffled_captions, np.random.default_rng([seed, 1]))
    images = (draw(scene, random) for scene in scenes)
    write_training_set(folder, zip(images, captions, strict=True), num_samples, num_shards)


def write_test_set(folder: Path, *, num_samples: int, seed: int) -> None:
    """Write a test set with classes (colour and shape), templates and captions."""
    write_eval_set(folder, _test_samples(num_samples, seed), CLASSES, TEMPLATES)


def draw(scene: Scene, random: np.random.Generator) -> bytes:
    """Return the drawing of a scene as JPEG, with random place, size jitter and noise."""
    side = SIDE * OVERSAMPLING
    radius = side * SIZES[scene.size] * random.uniform(0.9, 1.1)
    centre = side / 2 + random.uniform(-0.04, 0.04, size=2) * side
    canvas = Image.new("RGB", (side, side), BACKGROUNDS[scene.background])
    _paint(ImageDraw.Draw(canvas), scene, centre[0], centre[1], radius)
    pixels = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)
    noisy = pixels + NOISE * random.standard_normal(pixels.shape, dtype=np.float32)
    content = io.BytesIO()
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    image.save(content, format="JPEG", quality=90, subsampling=0)
    return content.getvalue()


def _paint(pen: ImageDraw.ImageDraw, scene: Scene, x: float, y: float, r: float) -> None:
    box = (x - r, y - r, x + r, y + r)
    colour = COLOURS[scene.colour]
    match scene.shape:
        case "circle":
            pen.ellipse(box, fill=colour)
        case "ring":
            pen.ellipse(box, outline=colour, width=round(r * 0.4))
        case "square":
            pen.rectangle((x - 0.8 * r, y - 0.8 * r, x + 0.8 * r, y + 0.8 * r), fill=colour)
        case "triangle":
            pen.polygon([(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)], fill=colour)
        case "diamond":
            pen.polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill=colour)
        case "cross":
            pen.rectangle((x - r, y - 0.33 * r, x + r, y + 0.33 * r), fill=colour)
            pen.rectangle((x - 0.33 * r, y - r, x + 0.33 * r, y + r), fill=colour)


def _random_scene(random: np.random.Generator) -> Scene:
    def one_of(names: list[str]) -> str:
        return names[int(random.integers(len(names)))]

    return Scene(
        one_of(list(COLOURS)), one_of(list(SHAPES)), one_of(list(BACKGROUNDS)), one_of(list(SIZES))
    )


def _shuffled(captions: list[str], share: float, random: np.random.Generator) -> list[str]:
    """Return `captions` with a random `share` of them permuted among themselves."""
    chosen = random.permutation(len(captions))[: round(share * len(captions))]
    result = list(captions)
    for place, source in zip(chosen, np.roll(chosen, 1), strict=True):
        result[place] = captions[source]
    return result


def _test_samples(num_samples: int, seed: int) -> Iterator[EvalSample]:
    random = np.random.default_rng([seed, 2])
    for _ in range(num_samples):
        scene = _random_scene(random)
        yield EvalSample(
            image=draw(scene, random),
            extension="jpg",
            label=CLASSES.index(f"{scene.colour} {scene.shape}"),
            captions=(scene.caption(0),),
        )

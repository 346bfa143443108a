"""The handwritten digits that ship inside scikit-learn, as a zero-shot test set.

1,797 real scans of 8 × 8 pixels (E. Alpaydin, C. Kaynak, UCI repository), enlarged to 32 × 32.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from training.synthetic.wds import EvalSample, write_eval_set

SIDE = 32
"""Side of a picture in pixels."""
BRIGHTEST = 16
"""The scans have 17 grey levels."""
CLASSES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEMPLATES = ("a photo of a {c}", "the digit {c}")


def write_test_set(folder: Path) -> None:
    """Write all digits as a test set with classes, templates and captions."""
    write_eval_set(folder, _samples(), CLASSES, TEMPLATES)


def _samples() -> Iterator[EvalSample]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for scan, label in zip(digits.images, digits.target, strict=True):
        grey = Image.fromarray((scan * (255 / BRIGHTEST)).astype(np.uint8))
        content = io.BytesIO()
        grey.resize((SIDE, SIDE), Image.Resampling.NEAREST).convert("RGB").save(content, "PNG")
        yield EvalSample(
            image=content.getvalue(),
            extension="png",
            label=int(label),
            captions=(f"the digit {CLASSES[label]}",),
        )

"""What a sample holds: an image and a caption, or what is wrong with it."""

from dataclasses import dataclass

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
CAPTION_EXTENSION = "txt"

Sample = dict[str, bytes]
"""Content of a sample's members by extension: jpg, txt, json …"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenSample:
    """A sample that cannot be decoded."""

    shard: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}, sample {self.key}: {self.reason}"


def image_of(sample: Sample) -> bytes:
    """Return the encoded image of a sample.

    Raises:
        ValueError: it has none.
    """
    for extension in IMAGE_EXTENSIONS:
        if extension in sample:
            return sample[extension]
    raise ValueError(f"it has {sorted(sample)}, and no image")


def caption_of(sample: Sample) -> str:
    """Return the caption of a sample.

    Raises:
        ValueError: it has none, or it is no text.
    """
    if CAPTION_EXTENSION not in sample:
        raise ValueError(f"it has {sorted(sample)}, and no {CAPTION_EXTENSION}")
    return sample[CAPTION_EXTENSION].decode()

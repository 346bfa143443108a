"""From uint8 pixels to the numbers that models take: once a batch, where the model is."""

import torch

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of the RGB channels in [0, 1], from CLIP (arXiv:2103.00020), as open_clip uses it."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""Standard deviation likewise."""


class Normalizer:
    """Subtracts CLIP's mean and divides by its standard deviation, into memory that it keeps.

    A row of 3 × width numbers at a time: along the 3 channels of a pixel alone it takes 15 times as
    long, as fresh memory does.
    """

    def __init__(self) -> None:
        self._numbers = self._mean = self._std = torch.empty(0)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (n, side, side, 3) as fp32 (n, 3, side, side), in channels-last memory.

        The next call overwrites it.
        """
        if self._numbers.shape != images.shape or self._numbers.device != images.device:
            self._prepare(images.shape, images.device)
        self._numbers.copy_(images)
        self._numbers.view(-1, len(self._mean)).sub_(self._mean).div_(self._std)
        return self._numbers.permute(0, 3, 1, 2)

    def _prepare(self, shape: torch.Size, device: torch.device) -> None:
        """Put there what all calls need, because a GPU's work has to end before it takes constants."""
        width = shape[2]
        self._numbers = torch.empty(shape, dtype=torch.float32, device=device)
        self._mean = torch.tensor(MEAN, device=device).mul_(255).repeat(width)
        self._std = torch.tensor(STD, device=device).mul_(255).repeat(width)

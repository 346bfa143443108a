"""open_clip, imported so that it works beside a torchvision without its operators."""

from training.torchvision_remedy import import_torchvision

import_torchvision()
import open_clip  # noqa: E402  (needs torchvision)

__all__ = ["open_clip"]

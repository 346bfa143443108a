"""open_clip, imported so that it works beside a torchvision without its operators, and fast.

timm, which it needs, imports wandb where that is installed, and uses none of it here: half a second of
every rank's start. So wandb cannot be found while timm looks for it.
"""

import sys

from training.torchvision_remedy import import_torchvision

import_torchvision()
_is_hidden = sys.modules.setdefault("wandb", None) is None  # type: ignore[arg-type]
import open_clip  # noqa: E402  (needs torchvision)

if _is_hidden:
    del sys.modules["wandb"]

__all__ = ["open_clip"]

"""Make `import torchvision` work beside a CPU-only torch.

PyPI's torchvision is a CUDA build. Beside a torch without CUDA its compiled operators cannot load, and
its import then fails with "operator torchvision::nms does not exist", because it describes operators
that nobody declared. open_clip imports torchvision (and uses only its Python parts), so it fails too.
Declaring the two operators first mends the import. But declaring them where the real ones load aborts
the process, so the real import is tried first, and where it works nothing else happens.
"""

import importlib
import sys
from typing import Any

_declared: list[Any] = []
"""Keeps the declarations alive: torch forgets them with the library object."""


def import_torchvision() -> None:
    """Import torchvision, with its operators or without."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declare_operators()
        importlib.import_module("torchvision")


def _declare_operators() -> None:
    from torch.library import Library

    library: Any = Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)

"""open_clip, imported so that it works beside a torchvision without its operators, and fast.

Most of its import is for what is hardly ever used here, in every rank and every scoring process. It
imports timm with all of its models, so it finds none until a model is built that has a tower of timm's
(`import_timm`). torchvision imports torch's compiler for one function of one operator, so it gets one
that imports the compiler when it is called.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from training.torchvision_remedy import import_torchvision

COMPILER, WITH_FUNCTION, TIMM = "torch._dynamo", "torch._dynamo.utils", "timm"


class _StandIn(ModuleType):
    """A module that is imported in earnest as soon as somebody asks it for something."""

    def __getattr__(self, name: str) -> Any:
        is_package = name == "__path__" and self.__name__ == COMPILER
        if name.startswith("__") and not is_package:  # who looks at all modules wants nothing of it
            raise AttributeError(name)
        _forget_stand_ins()
        return getattr(importlib.import_module(self.__name__), name)


def is_compile_supported(device: Any) -> Any:
    """Return what torch's function of this name does."""
    return importlib.import_module(WITH_FUNCTION).is_compile_supported(device)


@contextmanager
def _compiler_at_rest() -> Iterator[None]:
    if COMPILER not in sys.modules:
        sys.modules[COMPILER], sys.modules[WITH_FUNCTION] = _StandIn(COMPILER), _StandIn(WITH_FUNCTION)
        vars(sys.modules[WITH_FUNCTION])[is_compile_supported.__name__] = is_compile_supported
    try:
        yield
    finally:
        _forget_stand_ins()


def _forget_stand_ins() -> None:
    for name in (COMPILER, WITH_FUNCTION):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


with _compiler_at_rest():
    import_torchvision()
    _is_hidden = sys.modules.setdefault(TIMM, None) is None  # type: ignore[arg-type]
    import open_clip

    if _is_hidden:
        del sys.modules[TIMM]


def import_timm() -> None:
    """Let open_clip have timm."""
    if open_clip.timm_model.timm is None:
        importlib.import_module(TIMM)
        importlib.reload(open_clip.timm_model)


__all__ = ["import_timm", "open_clip"]

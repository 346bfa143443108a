"""Importing torchvision with and without its compiled operators."""

import subprocess
import sys

from sweeps.folders import CHECKOUT

BROKEN = """
import sys, types
import torch
class Loader:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and not hasattr(torch.ops.torchvision, "nms"):
            raise RuntimeError("operator torchvision::nms does not exist")
sys.meta_path.insert(0, Loader())
"""
WORKING = """
import torch
real = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    real.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
IMPORT = """
from training import torchvision_remedy as remedy
remedy.import_torchvision()
import open_clip
print(len(remedy._declared), open_clip.__version__)
"""


def printed_by(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[0]


def test_where_the_operators_are_missing_they_are_declared_once() -> None:
    assert printed_by(BROKEN + IMPORT) == "1"


def test_where_torchvision_imports_nothing_is_declared() -> None:
    assert printed_by(WORKING + IMPORT) == "0"

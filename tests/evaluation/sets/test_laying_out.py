"""What docs/test_sets.md shows lays out sets as evaluators read them."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluation.sets.layout import write_split
from evaluation.sets.testset import Instance, TestSet, load_test_set
from sweeps.errors import DataError
from sweeps.folders import CHECKOUT

OWN, SUGARCREPE, HUGGING_FACE, ADE20K = re.findall(
    r"```python\n(.*?)```", (CHECKOUT / "docs/test_sets.md").read_text(), re.DOTALL
)
GREY = Image.new("RGB", (8, 8), "grey")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the programs are run in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    return tmp_path


def put(path: Path, image: Image.Image = GREY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def laid_out(program: str, folder: str) -> TestSet:
    exec(program, {"__name__": "program"})
    return load_test_set(Path("runs/data") / folder, 8)


def test_a_set_of_ones_own(folder: Path) -> None:
    for number in range(3):
        put(folder / f"vans/{number}.jpg")
    cars = laid_out(OWN, "my-cars")
    assert (cars.labels.tolist(), cars.classes) == ([0, 0, 0], ("van", "bus"))
    with pytest.raises(FileExistsError):
        write_split(folder / "runs/data/my-cars", [{"cls": b"0"}])
    with pytest.raises(DataError, match="no samples to write into test/"):
        write_split(folder / "none", [])
    assert not (folder / "none").exists()
    write_split(folder / "runs/data/my-cars", [{"cls": b"0"}] * 3, "train", per_shard=2)
    assert (folder / "runs/data/my-cars/train/nshards.txt").read_text() == "2\n"


def test_sugarcrepe(folder: Path) -> None:
    asked = {"7": {"filename": "1.jpg", "caption": "a cat\n", "negative_caption": "a red cat"}}
    put(folder / "val2017/1.jpg")
    (folder / "sugar-crepe/data").mkdir(parents=True)
    (folder / "sugar-crepe/data/add_att.json").write_text(json.dumps(asked))
    assert laid_out(SUGARCREPE, "sugar_crepe/add_att").captions == (("a cat", "a red cat"),)


def test_winoground_and_winogavil(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {"image_0": GREY, "image_1": GREY, "caption_0": "a b", "caption_1": "b a"}
    cue = {"cue": "dog", "candidates": ["cat", "bone"], "associations": ["bone"]}
    hub: dict[str, list[dict[str, Any]]] = {
        "facebook/winoground": [pair, pair],
        "nlphuji/winogavil": [{**cue, "candidate_images": [GREY, GREY]}] * 2,
    }
    there = SimpleNamespace(load_dataset=lambda name, split: hub[name])
    monkeypatch.setitem(sys.modules, "datasets", there)
    winoground = laid_out(HUGGING_FACE, "winoground")
    assert winoground.instances[1] == Instance(images=(2, 3), captions=("a b", "b a"))
    winogavil = load_test_set(folder / "runs/data/wds/winogavil", 8)
    assert len(winogavil.images) == 2, "an image of several instances is there once"
    assert winogavil.instances[1] == Instance(images=(0, 1), captions=("dog",), associated=(1,))


def test_ade20k(folder: Path) -> None:
    ade, mask = folder / "ADEChallengeData2016", np.array([[0, 1], [2, 150]], np.uint8).repeat(4, 0)
    put(ade / "images/validation/a.jpg")
    put(ade / "annotations/validation/a.png", Image.fromarray(mask.repeat(4, 1)))
    (ade / "objectInfo150.txt").write_text(
        "Idx\tRatio\tTrain\tVal\tName\n1\t0.1\t1\t1\tbuilding, edifice\n"
    )
    found = laid_out(ADE20K, "ade20k")
    assert found.masks is not None
    assert found.masks[0, ::4, ::4].tolist() == [[255, 0], [1, 149]]
    assert (found.classes, found.templates) == (("building",), ("a photo of a {c}.",))

"""What is wrong with a test set is said of its data, with the sample's number."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.sets.decoded import DecodedSets
from evaluation.sets.layout import CLASSES, TEMPLATES
from evaluation.sets.testset import load_test_set
from sweeps.errors import DataError

FILE = io.BytesIO()
Image.new("RGB", (8, 8)).save(FILE, "png")
IMAGE = FILE.getvalue()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def npy(numbers: list[int]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(numbers))
    return file.getvalue()


def made(folder: Path, files: dict[str, bytes], split: str = "test") -> Path:
    """Return a test set of one shard with these files."""
    (folder / split).mkdir()
    (folder / split / "nshards.txt").write_text("1\n")
    with tarfile.open(folder / split / "0.tar", "w") as shard:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            shard.addfile(entry, io.BytesIO(content))
    return folder


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"0.png": b"no image", "0.cls": b"1"}, "sample 0: "),
        ({"0.cls": b"1"}, "sample 0: .*no image"),
        ({"0.png": IMAGE, "0.cls": b"one"}, "sample 0: .*'one'"),
        (
            {"0.png": IMAGE, "0.cls": b"%d" % 2**63},
            f"sample 0: its label {2**63} does not fit in 64 bits",
        ),
        (
            {"0.png": IMAGE, "0.cls": b"1", "1.png": IMAGE},
            "some samples have a .cls and others have none",
        ),
        ({"0.png": IMAGE, "0.npy": b"no array"}, "sample 0: "),
        (
            {"0.png": IMAGE, "0.npy": npy([1, 2]), "1.png": IMAGE, "1.npy": npy([1])},
            "a .npy has 1 number, and another 2",
        ),
        ({"0.png": IMAGE, "0.seg.png": IMAGE}, "sample 0: its mask has mode RGB"),
    ],
)
def test_a_bad_sample_is_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_test_set(made(tmp_path, files), 8)


def test_a_torn_shard_is_named(tmp_path: Path) -> None:
    shard = made(tmp_path, {"0.cls": b"1"}) / "test/0.tar"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DataError, match=r"0\.tar"):
        load_test_set(tmp_path, 8)


def test_a_shard_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    shard = made(tmp_path, {"0.cls": b"1"}) / "test/0.tar"
    shard.unlink()
    shard.mkdir()
    with pytest.raises(DataError, match=r"a tar of test/ cannot be read: "):
        load_test_set(tmp_path, 8)


def test_each_line_is_a_class_but_for_empty_ones_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path, {"0.png": IMAGE, "0.cls": b"1"})
    names, templates = (tmp_path / name for name in (CLASSES, TEMPLATES))
    names.write_text("near\n\nfar\n\n\n")  # as the hub has CLEVR's distances
    templates.write_text("{c} things\n\n")
    found = load_test_set(tmp_path, 8)
    assert (found.classes, found.templates) == (("near", "", "far"), ("{c} things",))
    assert [f"{names}, line 2 is empty" in said for said in caplog.messages] == [True]
    templates.write_text("{c} things\n\na photo of {c}\n")
    with pytest.raises(DataError, match=r"templates\.txt, line 2: '' has no {c}, where the class goes"):
        load_test_set(tmp_path, 8)
    names.write_bytes("café\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"classnames\.txt is not UTF-8"):
        load_test_set(tmp_path, 8)


@pytest.mark.parametrize("said", ["two", "0"])
def test_a_number_of_shards_that_is_none_is_shown(tmp_path: Path, said: str) -> None:
    (made(tmp_path, {"0.png": IMAGE}) / "test/nshards.txt").write_text(f"{said}\n")
    with pytest.raises(DataError, match=rf"nshards\.txt says '{said}'; it must say how many tars"):
        load_test_set(tmp_path, 8, kept=DecodedSets(tmp_path))


def test_groups_and_names_are_read_as_they_lie_on_the_hub(tmp_path: Path) -> None:
    made(tmp_path, {"0.png": IMAGE, "0.cls": b"1", "0.npy": npy([3, 2016, 1])})
    (tmp_path / "classnames.txt").write_text("a café \nzoo\n", encoding="utf-8")
    (tmp_path / "zeroshot_classification_templates.txt").write_text("a photo of {c}.\n")
    made(tmp_path, {"0.png": IMAGE, "0.cls": b"0", "1.png": IMAGE, "1.cls": b"1"}, "train")
    found = load_test_set(tmp_path, 8)
    assert (found.labels.tolist(), found.groups.tolist()) == ([1], [[3, 2016, 1]])
    assert (found.classes, found.templates) == (("a café", "zoo"), ("a photo of {c}.",))
    assert found.train() is found.train()
    assert found.train().labels.tolist() == [0, 1]


def test_a_multilabel_set_has_a_row_of_labels_an_image(tmp_path: Path) -> None:
    made(tmp_path, {"0.png": IMAGE, "0.npy": npy([1, 0, 1]), "1.png": IMAGE, "1.npy": npy([0, 1, 0])})
    (tmp_path / "dataset_type.txt").write_text("multilabel\n")
    found = load_test_set(tmp_path, 8)
    assert (found.labels.tolist(), found.groups.size) == ([[1, 0, 1], [0, 1, 0]], 0)
    with pytest.raises(DataError, match="train/nshards.txt is missing"):
        found.train()


def test_a_mask_is_cut_as_its_image_is(tmp_path: Path) -> None:
    mask = np.zeros((8, 24), np.uint8)
    mask[:, 8:16], mask[:, 16:] = 1, 255
    found = load_test_set(
        made(tmp_path, {"0.png": png(np.stack([mask] * 3, -1)), "0.seg.png": png(mask)}), 4
    )
    assert found.images.shape == (1, 4, 4, 3)
    assert found.masks is not None
    assert (found.masks == 1).all()


@pytest.mark.parametrize(
    "line",
    [b'{"images": [2], "captions": ["x"]}', b'{"images": [], "captions": ["x"]}', b'{"images": "x"}'],
)
def test_a_bad_instance_is_named(tmp_path: Path, line: bytes) -> None:
    made(tmp_path, {"0.png": IMAGE, "1.png": IMAGE})
    (tmp_path / "test/instances.jsonl").write_bytes(line + b"\n")
    with pytest.raises(DataError, match=r"instances\.jsonl"):
        load_test_set(tmp_path, 8)

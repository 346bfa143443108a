"""What is wrong with a test set is said of its data, with the sample's number."""

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from evaluation.testset import load_test_set
from sweeps.errors import DataError

FILE = io.BytesIO()
Image.new("RGB", (8, 8)).save(FILE, "png")
IMAGE = FILE.getvalue()


def made(folder: Path, files: dict[str, bytes]) -> Path:
    """Return a test set of one shard with these files."""
    (folder / "test").mkdir()
    (folder / "test/nshards.txt").write_text("1")
    with tarfile.open(folder / "test/0.tar", "w") as shard:
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
        ({"0.cls": b"1", "1.txt": b"a square"}, "some samples have a .cls and others have none"),
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

"""Test sets are decoded once for all processes, whatever becomes of who decodes them."""

import io
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from evaluation.__main__ import decoded
from evaluation.sets.decoded import DecodedSets, Source
from evaluation.sets.testset import load_test_set
from sweeps.errors import DamagedFile, DataError, UsageError
from sweeps.folders import CHECKOUT
from tests.commands import wait_for
from tests.evaluation.sets.test_testset import IMAGE, made
from training.data.index import HEAD_BYTES, Head

STOP_AT_THE_TAR = """
import os, signal, sys
from pathlib import Path
from evaluation.sets.decoded import DecodedSets, Source
def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith("0.tar"):
        os.kill(os.getpid(), signal.SIGSTOP)
sys.addaudithook(hook)
DecodedSets(Path(sys.argv[1])).open(Source(folder=Path(sys.argv[2]), side=8))
"""


def maker(file: Path) -> int:
    """Return the number of the process that made a file."""
    head = Head.decode(file.read_bytes()[:HEAD_BYTES])
    assert head is not None
    return head.pid


def test_who_is_killed_while_it_decodes_is_followed_and_until_then_waited_for(tmp_path: Path) -> None:
    kept = tmp_path / "decoded"
    for name in ("photos", "others"):
        (tmp_path / name).mkdir()
        made(tmp_path / name, {"0.png": IMAGE})
    sources = [Source(folder=tmp_path / name, side=8) for name in ("photos", "others")]
    words = [sys.executable, "-c", STOP_AT_THE_TAR, str(kept), str(sources[0].folder)]
    with subprocess.Popen(words, cwd=CHECKOUT) as other:
        started = psutil.Process(other.pid)
        wait_for(lambda: started.status() == psutil.STATUS_STOPPED, "another process to begin")
        sets = DecodedSets(kept)
        assert [sets.is_being_made(source) for source in sources] == [True, False]
        other.kill()
    assert len(sets.open(sources[0]).images) == 1
    assert not sets.is_being_made(sources[0])
    assert maker(kept / sources[0].name) == os.getpid()
    assert len(list(kept.iterdir())) == 1, "nothing else is left"


def test_a_set_is_the_same_from_its_file_and_decoded_once_until_it_changes(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    files = {"0.png": IMAGE, "0.cls": b"1", "0.txt": b"one\ntwo", "0.seg.png": mask(), "1.png": IMAGE}
    folder = made(tmp_path / "set", {**files, "1.cls": b"0", "1.txt": b"three", "1.seg.png": mask()})
    kept = DecodedSets(tmp_path / "decoded")
    first, again = load_test_set(folder, 8, kept=kept), load_test_set(folder, 8)
    assert (first.images == again.images).all()
    assert first.masks is not None
    assert (first.masks == 3).all()
    assert (first.labels.tolist(), first.captions) == ([1, 0], (("one", "two"), ("three",)))
    assert first.digests[0] == first.digests[1]
    (file,) = (tmp_path / "decoded").iterdir()
    made_first = file.stat().st_ino
    load_test_set(folder, 8, kept=kept)
    assert file.stat().st_ino == made_first
    os.utime(folder / "test/0.tar", ns=(1, 1))
    load_test_set(folder, 8, kept=kept)
    load_test_set(folder, 4, kept=kept)
    assert len(list((tmp_path / "decoded").iterdir())) == 3


def test_what_nobody_used_for_long_is_listed_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set").mkdir()
    folder, root = made(tmp_path / "set", {"0.png": IMAGE}), f"root={tmp_path}"
    kept = DecodedSets(tmp_path / "decoded")
    unused, _ = (kept.open(Source(folder=folder, side=side)) for side in (4, 8))
    files = {path.name.rsplit("-", 2)[1]: path for path in (tmp_path / "decoded").iterdir()}
    for file in files.values():
        os.utime(file, (1, 1))
    kept.open(Source(folder=folder, side=8))
    assert decoded([root, "unused_days=2"]) == 0
    assert f"{files['4px']},0.001,1970-01-01 00:00:01+00:00" in capsys.readouterr().out
    with pytest.raises(UsageError, match="unused_days=N"):
        decoded([root, "delete=true"])
    assert decoded([root, "unused_days=2", "delete=true"]) == 0
    assert list((tmp_path / "decoded").iterdir()) == [files["8px"]]
    assert unused.images.shape == (1, 4, 4, 3), "who has it goes on"


def test_what_cannot_be_decoded_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    folder = made(tmp_path / "set", {"0.png": IMAGE, "1.png": b"no image"})
    with pytest.raises(DataError, match="sample 1"):
        load_test_set(folder, 8, kept=DecodedSets(tmp_path / "decoded"))
    assert list((tmp_path / "decoded").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_a_file_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set").mkdir()
    kept = DecodedSets(tmp_path / "decoded")
    source = Source(folder=made(tmp_path / "set", {"0.png": IMAGE}), side=8)
    kept.open(source)
    (tmp_path / "decoded" / source.name).write_bytes(content)
    with pytest.raises(DamagedFile, match=f"{source.name} is damaged; delete it"):
        kept.open(source)


def mask() -> bytes:
    """Return the mask of an image of one class."""
    file = io.BytesIO()
    Image.new("L", (8, 8), 3).save(file, "png")
    return file.getvalue()

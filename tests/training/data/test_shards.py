"""Tar shards: names, samples and reading, against tarfile and webdataset."""

import tarfile
import threading
from pathlib import Path

import pytest
import webdataset

from sweeps.errors import DataError
from tests.training.data.shards import write_shard
from training.data.indexing import index_in_memory
from training.data.patterns import existing_shards, expand_shards
from training.data.reader import ShardReader

MEMBERS = {
    "d/0.jpg": b"x" * 700,
    "d/0.txt": b"zero",
    "d/1.txt": b"one",
    "d/1.seg.png": b"",
    "e/1.txt": b"other folder",
}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a/{08..11}.tar", ["a/08.tar", "a/09.tar", "a/10.tar", "a/11.tar"]),
        ("{a,b}/{0..1}.tar", ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]),
        ("a.tar::b{1,2}.tar", ["a.tar", "b1.tar", "b2.tar"]),
    ],
)
def test_patterns_are_expanded_as_webdataset_does(pattern: str, names: list[str]) -> None:
    assert expand_shards(pattern) == names
    assert [n for part in pattern.split("::") for n in webdataset.shardlists.expand_urls(part)] == names


def test_missing_shards_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.tar").touch()
    with pytest.raises(DataError, match=r"2 of 3 shards are missing, the first is .*/1.tar"):
        existing_shards(f"{tmp_path}/{{0..2}}.tar")
    with pytest.raises(DataError, match="1 of 1 shards are missing"):
        existing_shards(f"{tmp_path}/absent/0.tar")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_samples_are_consecutive_members_of_one_key(tmp_path: Path, form: int) -> None:
    index = index_in_memory([write_shard(tmp_path / "0.tar", MEMBERS, form)])
    reader = ShardReader(index)
    assert index.sizes.tolist() == [3]
    assert reader.read(0, 0) == {"jpg": b"x" * 700, "txt": b"zero"}
    assert reader.read(0, 1) == {"txt": b"one", "seg.png": b""}
    assert reader.read(0, 2) == {"txt": b"other folder"}
    assert reader.key(0, 2) == "e/1"


LONG = "a" * 90 + "/" + "b" * 60 + "/" + "c" * 120


@pytest.mark.parametrize(
    ("form", "key"),
    [
        (tarfile.USTAR_FORMAT, "a" * 90 + "/" + "b" * 60),
        (tarfile.GNU_FORMAT, LONG),
        (tarfile.PAX_FORMAT, LONG),
        (tarfile.PAX_FORMAT, "Bücher/数"),
        (tarfile.GNU_FORMAT, "Bücher/数"),
    ],
)
def test_long_and_foreign_names(tmp_path: Path, form: int, key: str) -> None:
    members = {f"{key}.jpg": b"1", f"{key}.txt": b"2", f"{key}x.jpg": b"3", f"{key}x.txt": b"4"}
    reader = ShardReader(index := index_in_memory([write_shard(tmp_path / "0.tar", members, form)]))
    assert index.sizes.tolist() == [2]
    assert list(reader.samples(0)) == [{"jpg": b"1", "txt": b"2"}, {"jpg": b"3", "txt": b"4"}]
    assert [reader.key(0, n) for n in (0, 1)] == [key, f"{key}x"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_samples_are_those_that_webdataset_reads(tmp_path: Path) -> None:
    members = {"no_extension": b"0", "a.JPG": b"1", ".hidden": b"2", "a.txt": b"3", "b/c.d.e": b"4"}
    path = write_shard(tmp_path / "0.tar", members)
    theirs = list(webdataset.WebDataset(str(path), shardshuffle=False))
    ours = list(ShardReader(index_in_memory([path])).samples(0))
    assert ours == [{k: v for k, v in sample.items() if not k.startswith("__")} for sample in theirs]


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (2048, "0.tar is truncated: 0.txt ends behind"),
        (3584, "0.tar is truncated: it has 3584 bytes and no end mark"),
        (100, "0.tar is truncated: it has 100 bytes"),
    ],
)
def test_a_truncated_shard_is_named(tmp_path: Path, length: int, message: str) -> None:
    path = write_shard(tmp_path / "0.tar", {"0.txt": b"x" * 3000})
    cut(path, length)
    with pytest.raises(DataError, match=message):
        index_in_memory([path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 2048, "is no tar file, or damaged: there is no tar header at byte 0"),
        (bytes(1024), "holds no"),
    ],
)
def test_what_is_no_shard_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "0.tar"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        index_in_memory([path])


def test_a_shard_that_shrank_is_read_again_and_then_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_shard(tmp_path / "0.tar", {"0.txt": b"x" * 3000})
    reader = ShardReader(index_in_memory([path]), retry_after_s=(0.0, 0.0))
    cut(path, 2048)
    with pytest.raises(DataError, match="0.tar cannot be read: it is shorter than when it was indexed"):
        reader.read(0, 0)
    assert caplog.text.count("reading again in 0 s") == 2


def test_a_read_that_fails_for_a_while_gives_the_same_sample(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "0.tar", MEMBERS)
    reader = ShardReader(index_in_memory([path]), retry_after_s=(0.05,) * 6000)
    path.rename(tmp_path / "away")
    back = threading.Timer(0.2, (tmp_path / "away").rename, [path])
    back.start()
    assert reader.read(0, 0)["txt"] == b"zero"
    back.join()


def test_few_files_are_open_at_once(tmp_path: Path) -> None:
    paths = [write_shard(tmp_path / f"{n}.tar", {"0.txt": str(n).encode()}) for n in range(5)]
    reader = ShardReader(index_in_memory(paths), open_files=2)
    read = [reader.read(n % 5, 0)["txt"] for n in range(12)]
    assert read == [str(n % 5).encode() for n in range(12)]
    assert len(reader._descriptors) == 2

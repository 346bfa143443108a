"""Tar shards: names, index and reading, against Python's own tarfile."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset

from sweeps.errors import DataError
from training.data.patterns import existing_shards, expand_shards
from training.data.shards import ShardReader, make_index, open_index


def write_shard(path: Path, members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


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
def test_samples_are_consecutive_members_of_one_base_name(tmp_path: Path, form: int) -> None:
    index = make_index([write_shard(tmp_path / "0.tar", MEMBERS, form)])
    reader = ShardReader(index)
    assert index.sizes.tolist() == [3]
    assert reader.read(0, 0) == {"jpg": b"x" * 700, "txt": b"zero"}
    assert reader.read(0, 1) == {"txt": b"one", "seg.png": b""}
    assert reader.read(0, 2) == {"txt": b"other folder"}


def test_the_index_takes_eight_bytes_a_sample_and_is_kept(tmp_path: Path) -> None:
    paths = [write_shard(tmp_path / f"{n}.tar", MEMBERS) for n in range(2)]
    first = open_index(paths, tmp_path / "cache" / "d.npz")
    again = open_index(paths, tmp_path / "cache" / "d.npz")
    assert first.blocks.nbytes == 8 * 6
    assert np.array_equal(first.blocks, again.blocks)
    assert again.starts.tolist() == [0, 3, 6]


def test_a_kept_index_of_other_files_is_made_anew(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "0.tar", MEMBERS)
    open_index([path], tmp_path / "d.npz")
    write_shard(path, {"0.txt": b"new", "1.txt": b"new", "2.txt": b"", "3.txt": b"", "4.txt": b""})
    assert open_index([path], tmp_path / "d.npz").sizes.tolist() == [5]


def test_a_truncated_shard_is_found_when_it_is_indexed(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "0.tar", {"0.txt": b"x" * 3000})
    path.write_bytes(path.read_bytes()[:2048])
    with pytest.raises(DataError, match=r"0.tar is truncated: 0.txt ends behind"):
        make_index([path])


def test_a_shard_that_shrank_afterwards_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "0.tar", {"0.txt": b"x" * 3000})
    reader = ShardReader(make_index([path]))
    path.write_bytes(path.read_bytes()[:2048])
    with pytest.raises(DataError, match="shorter than when it was indexed"):
        reader.read(0, 0)


def test_an_empty_shard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no samples"):
        make_index([write_shard(tmp_path / "0.tar", {})])


def test_few_files_are_open_at_once(tmp_path: Path) -> None:
    paths = [write_shard(tmp_path / f"{n}.tar", {"0.txt": str(n).encode()}) for n in range(5)]
    reader = ShardReader(make_index(paths), open_files=2)
    read = [reader.read(n % 5, 0)["txt"] for n in range(12)]
    assert read == [str(n % 5).encode() for n in range(12)]
    assert len(reader._descriptors) == 2

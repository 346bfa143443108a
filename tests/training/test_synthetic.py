"""The generated data sets, as other people's readers see them."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import webdataset

from sweeps.folders import CONF
from training.data.generate import Generation, generate, made_with
from training.data.indexing import index_in_memory
from training.data.reader import ShardReader
from training.synthetic import digits, shapes, vocabulary

SHAPES = {
    "_target_": "training.synthetic.shapes.write_training_shards",
    "num_samples": 50,
    "num_shards": 3,
    "shuffled_captions": 0.0,
    "seed": 0,
}


leaky = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""webdataset does not close the files that it reads."""


def made(folder: Path, **changed: Any) -> Path:
    generate(Generation(folder=folder, generator={**SHAPES, **changed}))
    return folder


def captions(folder: Path) -> list[bytes]:
    index = index_in_memory(sorted(folder.glob("*.tar")))
    reader = ShardReader(index)
    return [sample["txt"] for shard in range(index.num_shards) for sample in reader.samples(shard)]


@leaky
def test_webdataset_reads_the_training_shards_as_img2dataset_writes_them(tmp_path: Path) -> None:
    made(tmp_path / "d")
    urls = f"{tmp_path}/d/{{00000..00002}}.tar"
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pilrgb"))
    assert [s["__key__"] for s in samples[:18:17]] == ["000000000", "000010000"]
    assert len(samples) == 50
    for sample in samples:
        assert sample["jpg"].size == (32, 32)
        assert sample["json"] == {
            "caption": sample["txt"],
            "key": sample["__key__"],
            "status": "success",
        }


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made(tmp_path / name)
    made(tmp_path / "c", seed=1)
    one, same, other = ((tmp_path / name / "00000.tar").read_bytes() for name in "abc")
    assert one == same != other


def test_a_share_of_the_captions_changes_places_and_none_is_lost(tmp_path: Path) -> None:
    clean = captions(made(tmp_path / "clean", num_samples=400))
    noisy = captions(made(tmp_path / "noisy", num_samples=400, shuffled_captions=0.25))
    assert Counter(clean) == Counter(noisy)
    assert 0.2 < sum(a != b for a, b in zip(clean, noisy, strict=True)) / 400 <= 0.25


def test_a_data_set_is_written_once_and_remembers_how(tmp_path: Path) -> None:
    folder = made(tmp_path / "d")
    before = (folder / "00000.tar").stat().st_mtime_ns
    made(folder)
    assert (folder / "00000.tar").stat().st_mtime_ns == before
    assert made_with(folder) == SHAPES
    assert made_with(tmp_path / "absent") is None
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_generator_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="samples a shard are more than"):
        made(tmp_path / "d", num_samples=20_000, num_shards=1)
    assert list(tmp_path.iterdir()) == []


@leaky
def test_the_shapes_test_set_is_laid_out_as_clip_benchmark_reads_it(tmp_path: Path) -> None:
    shapes.write_test_set(tmp_path, num_samples=30, seed=0)
    assert (tmp_path / "test/nshards.txt").read_text() == "1\n"
    assert len((tmp_path / "classnames.txt").read_text().splitlines()) == 48
    templates = (tmp_path / "zeroshot_classification_templates.txt").read_text()
    assert templates.startswith("a photo of a {c}\n")
    samples = list(webdataset.WebDataset(str(tmp_path / "test/0.tar"), shardshuffle=False).decode())
    assert len(samples) == 30
    assert {type(s["cls"]) for s in samples} == {int}


@leaky
def test_the_digits_are_those_of_scikit_learn(tmp_path: Path) -> None:
    digits.write_test_set(tmp_path)
    samples = webdataset.WebDataset(str(tmp_path / "test/0.tar"), shardshuffle=False).decode()
    labels = Counter(sample["cls"] for sample in samples)
    assert sum(labels.values()) == 1797
    assert sorted(labels) == list(range(10))


def test_the_committed_vocabulary_is_the_one_that_the_captions_need() -> None:
    committed = (CONF / "model" / "shapes.bpe.gz").read_bytes()
    assert gzip.decompress(committed) == gzip.decompress(vocabulary.content())
    merges = vocabulary.byte_pair_merges(vocabulary.words())
    assert len(merges) + 2 * 256 + 2 == 630

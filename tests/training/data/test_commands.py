"""The data tools of the command line."""

from pathlib import Path

import numpy as np
import pytest

from conf.schema import SubsetConfig
from sweeps.composing.compose import compose_data
from sweeps.errors import DataError, UsageError
from tests.commands import OWN_CONF, run
from tests.training.data.shards import write_shard
from tests.training.data.test_loader import jpeg
from training.data import commands
from training.data.index import open_index


def shard(folder: Path, number: int, broken: str = "") -> Path:
    members = {}
    for n in range(3):
        key = f"{number}{n}"
        members[f"{key}.jpg"] = b"none" if key == broken else jpeg(n)
        members[f"{key}.json"] = f'{{"uid": "{int(key):032x}"}}'.encode()
        members[f"{key}.txt"] = key.encode()
    return write_shard(folder / f"{number}.tar", members)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    for number in (1, 2):
        shard(tmp_path, number, broken="21")
    return ["name=d", f"shards={tmp_path}/{{1..2}}.tar", f"folder={tmp_path}", "workers=1"]


def test_an_index_is_made_for_a_data_set_by_name(data: Path, tmp_path: Path) -> None:
    shards = f"data.shards={data}/tiny/{{00000..00002}}.tar"
    done = run("training", "index", OWN_CONF, "data=tiny", shards, "workers=2", root=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/data/tiny.index: 600 samples, 3 shards, ")
    assert done.stderr.splitlines()[-1] == "tiny: indexed 3 of 3 shards, 0 min left"


def test_verifying_names_each_broken_sample(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    assert commands.verify(words, said.append) == 1
    assert said == [
        f"{tmp_path}/2.tar, sample 21: 4 bytes are no image in a known format",
        "1 of 6 samples are broken",
    ]
    shard(tmp_path, 2)
    assert commands.verify(words, said.append) == 0
    assert said[-1] == "0 of 6 samples are broken"
    assert "d: decoded 2 of 2 shards" in capsys.readouterr().err


def test_a_subset_says_how_to_train_on_it(words: list[str], tmp_path: Path) -> None:
    uids = tmp_path / "u.npy"
    np.save(uids, np.array([(0, 11), (0, 22), (5, 5)], dtype="u8,u8"))
    said: list[str] = []
    assert commands.subset([*words, f"uids={uids}", "as=some"], said.append) == 0
    index = open_index(tmp_path / "d.some.index")
    assert index is not None
    assert index.sizes.tolist() == [1, 1]
    changed = said[1].removeprefix("train on it with ")
    found = compose_data([OWN_CONF, "data=tiny", *changed.split()])
    assert found.subset == SubsetConfig(name="some", uids=str(uids))


def test_sources_are_given_in_a_list() -> None:
    changed = "data.sources=[{name:a,shards:a.tar,weight:2},{name:b,shards:b.tar}]"
    found = compose_data([OWN_CONF, "data=tiny", "data.shards=''", changed])
    assert [(s.name, s.shards, s.weight) for s in found.sources] == [
        ("a", "a.tar", 2.0),
        ("b", "b.tar", 1.0),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "say which data: data=NAME, or name=NAME shards="),
        (["nmae=x"], "'nmae=x' is not understood. Did you mean name"),
        (["name=d", "shards=/no/{0..9}.tar", "workers=0"], "workers=0: give a number from 1 on"),
        (["name=d", "shards=/a/0.tar", "shards=/a/1.tar"], "shards= is given more than once: quote"),
        (["data=nothing"], "there is no data 'nothing'. Choose from: "),
        (["data=LAION-80M"], "data.shards of LAION-80M is not set: write it into conf/data/LAION-80M"),
    ],
)
def test_wrong_words_are_refused_in_one_line(given: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        commands.index(given, print)


def test_a_subset_needs_its_list_and_a_name(words: list[str]) -> None:
    with pytest.raises(UsageError, match="uids=FILE.npy as=SUBSET"):
        commands.subset(words, print)


def test_missing_shards_are_named(tmp_path: Path) -> None:
    words = ["name=d", f"shards={tmp_path}/{{0..9}}.tar", f"folder={tmp_path}"]
    with pytest.raises(DataError, match=r"10 of 10 shards are missing, the first is .*/0.tar"):
        commands.index(words, print)
    with pytest.raises(DataError, match=r"/\*.tar names no file; write a range"):
        commands.index(["name=e", f"shards={tmp_path}/*.tar", f"folder={tmp_path}"], print)
    assert not list(tmp_path.glob("e.*"))

"""Keys name what is trained, and nothing else."""

import dataclasses
from dataclasses import dataclass, field, replace

import pytest

from conf.schema import DataConfig, ModelConfig, OptimConfig, OrderConfig, Precision
from sweeps.runs.identity import Keys, differing_fields, science
from tests.configs import train_config

KNOWN = "M_D_640-6480b6e33bb5"


def test_a_key_never_changes_by_accident() -> None:
    assert Keys().of(None, train_config(), 640) == KNOWN


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"precision": Precision.bf16},
        {"global_batch_size": 128},
        {"optim": OptimConfig(lr=1e-3, weight_decay=0.1)},
        {"model": ModelConfig(name="M", config={"embed_dim": 8})},
        {"data": DataConfig(name="D", shards="d/{0..1}.tar", resampled=True)},
        {"data": DataConfig(name="D", shards="d/{0..1}.tar", order=OrderConfig(num_lanes=2))},
    ],
)
def test_every_part_of_the_science_changes_the_key(changed: dict[str, object]) -> None:
    assert Keys().of(None, train_config(**changed), 640) != KNOWN


def test_where_the_data_lies_does_not_change_the_key() -> None:
    elsewhere = train_config(data=DataConfig(name="D", shards="/scratch/d/{0..1}.tar"))
    assert Keys().of(None, elsewhere, 640) == KNOWN


def test_the_start_and_the_end_change_the_key() -> None:
    keys = {
        Keys().of(None, train_config(), 640),
        Keys().of(None, train_config(), 704),
        Keys().of("parent", train_config(), 640),
        Keys().of("other parent", train_config(), 640),
    }
    assert len(keys) == 4


def test_a_field_that_is_added_later_keeps_the_keys_that_exist() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Longer(OptimConfig):
        new: float = 0.5

    old = OptimConfig(lr=1e-3)
    new = Longer(**{f.name: getattr(old, f.name) for f in dataclasses.fields(old)})
    assert science(new) == science(old) == {"lr": 1e-3}
    assert science(replace(new, new=0.6)) == {"lr": 1e-3, "new": 0.6}


def test_default_factories_count_as_defaults() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Config:
        names: list[str] = field(default_factory=lambda: ["a"])

    assert science(Config()) == {}
    assert science(Config(names=["b"])) == {"names": ["b"]}


def test_pieces_that_configs_share_change_no_key() -> None:
    keys, one = Keys(), train_config()
    for other in (one, replace(one), replace(one, seed=1), replace(one, optim=OptimConfig(lr=1e-4))):
        assert keys.of("parent", other, 64) == Keys().of("parent", other, 64)
        assert keys.of_stage(None, other) == Keys().of_stage(None, replace(other))


def test_differing_fields_are_named() -> None:
    one = train_config()
    other = train_config(seed=1, optim=OptimConfig(lr=2e-3, beta2=0.9))
    assert differing_fields(one, other) == ["optim.beta2", "optim.lr", "seed"]
    assert differing_fields(one, one) == []


def test_keys_are_safe_as_file_names() -> None:
    odd = train_config(
        model=ModelConfig(name="hf-hub:org/M x"), data=DataConfig(name="../d", shards="")
    )
    assert Keys().of(None, odd, 640).startswith("hf-hub-org-M-x_d_640-")

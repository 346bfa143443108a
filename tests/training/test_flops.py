"""FLOPs and models, against published figures."""

import pytest
import torch

from conf.schema import ModelConfig
from sweeps.compose import compose_request
from sweeps.errors import UsageError
from training.flops import gflops_per_sample
from training.model import build_model, build_tokenizer, image_size, model_config

PUBLISHED_GMACS = {
    "ViT-S-32-alt": 1.78,
    "ViT-B-32": 7.40,
    "ViT-B-16": 20.57,
    "ViT-L-14": 87.73,
    "ViT-H-14": 190.97,
    "ViT-g-14": 290.74,
}
"""arch_info.csv of https://github.com/LAION-AI/scaling-laws-openclip."""


@pytest.mark.parametrize("name", PUBLISHED_GMACS)
def test_flops_are_twice_the_published_macs(name: str) -> None:
    gflops = gflops_per_sample(model_config(ModelConfig(name=name)))
    assert gflops == pytest.approx(2 * PUBLISHED_GMACS[name], rel=0.01)


def test_a_tower_that_is_no_plain_transformer_has_no_estimate() -> None:
    assert gflops_per_sample(model_config(ModelConfig(name="RN50"))) is None


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no model 'ViT-B-33'. did you mean ViT-B-32"):
        model_config(ModelConfig(name="ViT-B-33"))


def test_equal_seeds_give_equal_weights() -> None:
    (config,) = compose_request(["sweep=quickstart", "model=ViT-w32", "data=shapes-clean"]).configs[:1]
    one, same, other = (build_model(config.model, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert image_size(config.model) == 32


def test_the_tiny_tokenizer_makes_one_token_a_word() -> None:
    config = compose_request(["sweep=quickstart", "model=ViT-w32"]).configs[0]
    tokens = build_tokenizer(config.model)(
        ["a red circle", "a small purple ring on a brown background"]
    )
    assert tokens.shape == (2, 10)
    assert (tokens != 0).sum(dim=1).tolist() == [5, 10]

"""FLOPs and models, against published figures."""

import csv

import pytest
import torch

from conf.schema import ModelConfig
from sweeps.composing.compose import compose_request
from sweeps.errors import UsageError
from sweeps.folders import CHECKOUT
from training.flops import gflops_per_sample
from training.model import build_model, build_tokenizer, image_size, model_config
from training.openclip import open_clip
from training.procedures.clip import Clip
from training.procedures.coca import CoCa
from training.procedures.mammut import Mammut

PUBLISHED_GMACS = {
    "ViT-S-32-alt": 1.78,
    "ViT-B-32": 7.40,
    "ViT-B-16": 20.57,
    "RN50": 9.12,
    "ViT-L-14": 87.73,
    "ViT-g-14": 290.74,
}
"""arch_info.csv of https://github.com/LAION-AI/scaling-laws-openclip: multiply-accumulates."""

ALL_PUBLISHED = CHECKOUT.parent / "shared/data/openclip/arch_info.csv"
"""All of it, where it lies beside the checkout."""


def counted(name: str) -> float | None:
    return gflops_per_sample(Clip(ModelConfig(name=name)))


@pytest.mark.parametrize("name", PUBLISHED_GMACS)
def test_flops_are_twice_the_published_macs(name: str) -> None:
    assert counted(name) == pytest.approx(2 * PUBLISHED_GMACS[name], rel=0.005)


if ALL_PUBLISHED.exists():

    def test_flops_and_parameters_of_the_whole_published_table() -> None:
        with ALL_PUBLISHED.open() as file:
            rows = [row for row in csv.DictReader(file) if row["model"] in open_clip.list_models()]
        assert len(rows) > 20
        for row in rows:
            assert counted(row["model"]) == pytest.approx(2 * float(row["gmacs"]), rel=0.005), row
            with torch.device("meta"):
                model = build_model(ModelConfig(name=row["model"]), seed=0)
            millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
            assert millions == pytest.approx(float(row["mparams"]), abs=0.01), row


def test_resolution_and_context_length_count() -> None:
    config = model_config(ModelConfig(name="ViT-B-32"))
    small = {
        **config,
        "vision_cfg": {**config["vision_cfg"], "image_size": 128},
        "text_cfg": {**config["text_cfg"], "context_length": 32},
    }
    whole, part = (
        gflops_per_sample(Clip(ModelConfig(name=name, config=one)))
        for name, one in (("whole", config), ("part", small))
    )
    assert whole is not None
    assert part is not None
    assert 0.3 * whole < part < 0.4 * whole


def test_a_second_pass_over_the_text_counts() -> None:
    clip = counted("ViT-B-32")
    coca = gflops_per_sample(CoCa(ModelConfig(name="coca_ViT-B-32")))
    mammut = gflops_per_sample(Mammut(ModelConfig(name="mammut_ViT-B-32")))
    assert clip is not None
    assert coca is not None
    assert mammut is not None
    assert clip < mammut < coca


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no model 'ViT-B-33'. Did you mean ViT-B-32"):
        model_config(ModelConfig(name="ViT-B-33"))


def test_the_tiny_tokenizer_makes_one_token_a_word() -> None:
    config = compose_request(["sweep=quickstart", "model=ViT-w32"]).configs[0]
    tokens = build_tokenizer(config.model)(
        ["a red circle", "a small purple ring on a brown background"]
    )
    assert image_size(config.model) == 32
    assert tokens.shape == (2, 10)
    assert (tokens != 0).sum(dim=1).tolist() == [5, 10]

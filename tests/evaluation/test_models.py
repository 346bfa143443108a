"""What is measured with models themselves: their patches and their captions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from conf.schema import ModelConfig, ProcedureConfig
from evaluation.encoding.encoder import Encoder, encoder_of
from evaluation.evaluators.losses import HeldOutLoss
from evaluation.evaluators.segmentation import Segmentation, confusion, mean_iou, nearest
from evaluation.sets.testset import TestSet
from sweeps.composing.compose import compose_part
from sweeps.errors import DataError, NotFinite
from tests.commands import OWN_CONF
from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.distributed import World
from training.procedure import Procedure, make_procedure
from training.samples import Passage, Samples

RANDOM = np.random.default_rng(0)
CAPTIONS = ("a red circle", "a small blue square on a white background", "a ring", "a photo of a cross")


def made(procedure: str, model: str) -> tuple[Procedure, torch.nn.Module]:
    config = compose_part("model", ModelConfig, [OWN_CONF, f"model={model}"])
    one = make_procedure(compose_part("procedure", ProcedureConfig, [f"procedure={procedure}"]), config)
    return one, one.build(0)


def captioned_images() -> TestSet:
    images = RANDOM.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    return TestSet(images, captions=tuple((caption, "another") for caption in CAPTIONS))


@pytest.mark.parametrize(
    ("procedure", "model"), [("coca", "coca-w32"), ("mammut", "mammut-w32"), ("clip", "ViT-w32")]
)
def test_held_out_losses_are_those_of_training(procedure: str, model: str) -> None:
    one, built = made(procedure, model)
    if procedure == "mammut":  # whose projection starts as zeros
        torch.nn.init.normal_(built.text.text_projection, std=0.1)  # type: ignore[union-attr, arg-type]
    data = captioned_images()
    found = dict(HeldOutLoss(batch=4).run(encoder_of(one, built.eval()), data))
    batch = Batch(torch.from_numpy(data.images), one.tokenizer()(list(CAPTIONS)))
    cpu = torch.device("cpu")
    with torch.no_grad():
        samples = Samples(batch, cpu, (0, 0, 0), Passage(), Normalizer())
        theirs = {name: float(loss) for name, loss in one.losses(built, samples, World()).items()}
    if "caption_loss" in theirs:
        theirs["caption_loss"] /= 2.0  # its weight in training
    assert found == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize(("procedure", "model"), [("clip", "ViT-w32"), ("mammut", "mammut-w32")])
def test_a_patch_goes_the_way_of_the_pooled_token(procedure: str, model: str) -> None:
    """Make each patch count as the pooled token does, and compare."""
    one, built = made(procedure, model)
    encoder = encoder_of(one, built)
    images = captioned_images().images
    patches = encoder.patches(images)
    assert patches.shape == (4, 4, 4, 32)
    assert torch.linalg.norm(patches, dim=-1).numpy() == pytest.approx(1.0, abs=1e-5)
    tower = built.visual
    tower._global_pool = lambda x: (x[:, 7], x)  # type: ignore[union-attr]
    of_one_patch = encoder.images(TestSet(images))
    assert patches[:, 1, 2].numpy() == pytest.approx(of_one_patch, abs=1e-5)


def test_a_tower_without_patches_is_named() -> None:
    one, built = made("coca", "coca-w32")
    with pytest.raises(DataError, match="VisionTransformer has no patches"):
        encoder_of(one, built).patches(captioned_images().images)


def test_the_mean_iou_is_that_by_hand() -> None:
    masks = np.array([[[0, 0, 1, 1], [0, 0, 1, 255], [2, 2, 2, 2], [2, 2, 2, 2]]], dtype=np.uint8)
    found = np.array([[[0, 0, 1, 1], [0, 1, 1, 0], [2, 2, 2, 0], [2, 2, 2, 2]]])
    counts = confusion(masks, found, 4)
    assert counts.tolist() == [[3, 1, 0, 0], [0, 3, 0, 0], [1, 0, 7, 0], [0, 0, 0, 0]]
    # Class 0: 3 of 4 + 4 - 3; 1: 3 of 3 + 4 - 3; 2: 7 of 8 + 7 - 7; class 3 is nowhere.
    assert mean_iou(counts) == pytest.approx((3 / 5 + 3 / 4 + 7 / 8) / 3)


def test_pixels_lie_linearly_between_patches() -> None:
    patches = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]])
    assert nearest(patches, torch.eye(2), 8).tolist() == [[[0, 0, 0, 0, 1, 1, 1, 1]] * 8]


class MeanColours(torch.nn.Module):
    """A tower whose patches are the mean colours of 2 × 2 squares."""

    proj = None

    def forward_intermediates(self, x: torch.Tensor, **_: object) -> dict[str, list[torch.Tensor]]:
        means = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
        stds = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
        return {"image_intermediates": [torch.nn.functional.avg_pool2d(x * stds + means, 2)]}


class Colours(torch.nn.Module):
    """Its texts are the names of three colours."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = MeanColours()

    def encode_text(self, tokens: torch.Tensor, normalize: bool) -> torch.Tensor:
        return torch.eye(3)[tokens[:, 0]]


def test_an_image_is_segmented_by_what_its_patches_say() -> None:
    image = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    image[:, :, :2, 0] = 255  # red on the left, green on the right
    image[:, :, 2:, 1] = 255
    mask = np.zeros((1, 4, 4), dtype=np.uint8)
    mask[:, :, 2:] = 1
    mask[:, 3, 3], mask[:, 0, 0] = 255, 2
    names = ("red", "green", "blue")
    data = TestSet(image, classes=names, templates=("{c}",), masks=mask)
    model = Encoder(
        Colours(), lambda texts: torch.tensor([[names.index(t)] for t in texts]), torch.device("cpu")
    )
    # Red: 7 of 8 found; green: all 7; blue: the pixel that is called so looks red.
    found = dict(Segmentation().run(model, data))
    assert found == {
        "miou": pytest.approx((7 / 8 + 1 + 0) / 3),
        "pixel_acc": pytest.approx(14 / 15),
    }
    with pytest.raises(DataError, match="segmentation needs masks"):
        list(Segmentation().run(model, TestSet(image)))
    with pytest.raises(DataError, match="no pixel of a mask has the number of one of 3 classes"):
        list(Segmentation().run(model, replace(data, masks=np.full_like(mask, 255))))


def test_patches_of_a_diverged_tower_are_no_perfect_segmentation() -> None:
    one, built = made("clip", "ViT-w32")
    torch.nn.init.constant_(built.visual.conv1.weight, math.nan)  # type: ignore[union-attr, arg-type]
    with pytest.raises(NotFinite, match="its training diverged"):
        encoder_of(one, built).patches(captioned_images().images)

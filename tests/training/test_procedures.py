"""Every procedure learns; captions and texts do not depend on padding."""

from pathlib import Path

import pytest
import torch

from conf.schema import ModelConfig
from sweeps.errors import UsageError
from tests.training.steps import Bench, bench
from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.flops import gflops_per_sample
from training.procedures.mammut import Mammut
from training.procedures.mammut_sizes import published
from training.procedures.towers import encode_pairs, reads_short_texts
from training.samples import Chunk, Passage, full_lengths, text_lengths

MODELS = {"clip": "ViT-w32", "siglip": "ViT-w32", "coca": "coca-w32", "mammut": "mammut-w32"}
CAPTIONING = ("coca", "mammut")


def bench_of(data: Path, procedure: str, *overrides: str) -> Bench:
    return bench(data, f"procedure={procedure}", f"model={MODELS[procedure]}", *overrides)


def share_found(one: Bench, batch: Batch) -> float:
    """Return the share of images whose nearest text is theirs, or reads the same."""
    model: torch.nn.Module = one.model.eval()
    with torch.inference_mode():
        images = model.encode_image(Normalizer()(batch.images), normalize=True)  # type: ignore[operator]
        texts = model.encode_text(batch.tokens, normalize=True)  # type: ignore[operator]
    nearest = batch.tokens[(images @ texts.T).argmax(dim=1)]
    return float((nearest == batch.tokens).all(dim=1).float().mean())


@pytest.mark.parametrize(("procedure", "model"), [*MODELS.items(), ("clip", "timm-w32")])
def test_every_procedure_learns(data: Path, procedure: str, model: str) -> None:
    one = bench(data, f"procedure={procedure}", f"model={model}")
    weights, again = one.model.state_dict(), one.procedure.build(0).state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    stepper = one.stepper()
    reports = [stepper.take(step, one.batch(step), 3e-3) for step in range(80)]
    assert share_found(one, one.batch(80)) > 0.09, "chance is 0.03"
    first, last = reports[0].losses, reports[-1].losses
    assert all(last[name] < 0.6 * first[name] for name in first)
    assert ("caption_loss" in last) == (procedure in CAPTIONING)
    assert gflops_per_sample(one.procedure) is not None


@pytest.mark.parametrize("procedure", CAPTIONING)
def test_captions_do_not_depend_on_padding(data: Path, procedure: str) -> None:
    one = bench_of(data, procedure)
    some = short_texts(one)
    assert text_lengths(some.tokens).max() <= 8 < some.tokens.shape[1]
    cut, whole = (one.losses(some, Passage(cuts_padding=cuts)) for cuts in (True, False))
    for name, loss in whole.items():
        assert cut[name].item() == pytest.approx(loss.item(), rel=1e-6)


def short_texts(one: Bench) -> Batch:
    """Return a batch without the texts that fill the context length."""
    batch = one.batch(0)
    rows = batch.tokens[:, 8:].eq(0).all(dim=1)
    assert 8 < rows.sum() < len(rows)
    return Batch(batch.images[rows], batch.tokens[rows])


def test_a_caption_counts_by_its_tokens_wherever_it_is(data: Path) -> None:
    one = bench_of(data, "coca")
    batch = one.batch(0)
    halves = [Batch(batch.images[rows], batch.tokens[rows]) for rows in (slice(0, 20), slice(20, 32))]
    counts = [int(half.tokens[:, 1:].ne(0).sum()) for half in halves]
    losses = [one.losses(half, Passage())["caption_loss"].item() for half in halves]
    mean = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    assert one.losses(batch, Passage())["caption_loss"].item() == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("are_alike", [True, False])
def test_cut_texts_have_the_same_features(data: Path, are_alike: bool) -> None:
    one = bench_of(data, "clip")
    batch = short_texts(one) if are_alike else one.batch(0)
    images, tokens = Normalizer()(batch.images), batch.tokens
    assert are_alike or len(set(text_lengths(tokens).tolist())) > 2
    cut, whole = (
        encode_pairs(one.model, Chunk(images=images, tokens=tokens, lengths=lengths))
        for lengths in (text_lengths(tokens), full_lengths(tokens))
    )
    torch.testing.assert_close(cut, whole, rtol=1e-6, atol=1e-7)


def test_a_text_is_whole_where_its_padding_counts(data: Path) -> None:
    assert reads_short_texts(bench_of(data, "clip").model)
    assert not reads_short_texts(bench_of(data, "coca").model)
    both_ways = bench_of(data, "clip", "+model.config.text_cfg.no_causal_mask=true")
    assert not reads_short_texts(both_ways.model)


def test_mammut_has_the_published_sizes() -> None:
    sizes = published()
    assert len(sizes) == 15
    with torch.device("meta"):
        model = Mammut(ModelConfig(name="mammut_ViT-B-32")).build(0)
    names = model.state_dict()
    assert len([name for name in names if name.endswith("mlp.c_fc.weight")]) == 12 + 6 + 6
    assert names["text.text_projection"].shape == (512, 49408)
    with pytest.raises(UsageError, match="no such size of MaMMUT: 'mammut_ViT-B-33'. Did you mean"):
        Mammut(ModelConfig(name="mammut_ViT-B-33"))

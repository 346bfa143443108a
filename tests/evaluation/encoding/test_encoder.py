"""An encoder sees each image and reads each text once, in full batches over all sets."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from conf.schema import EvalSpec
from evaluation.demand import Demand
from evaluation.encoding.encoder import Asked, Encoder
from evaluation.encoding.stream import BATCH
from evaluation.encoding.tokens import Tokens
from evaluation.measure import Subject
from evaluation.results.rows import Row
from evaluation.sets.testset import TestSet


class Counting(torch.nn.Module):
    """A model whose features of an image are parts of its mean colour, and which counts its work."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.tokenized: list[list[str]] = []

    def encode_image(self, images: torch.Tensor, normalize: bool) -> torch.Tensor:
        self.batches.append(len(images))
        return images.mean(dim=(2, 3))[:, :2]

    def encode_text(self, tokens: torch.Tensor, normalize: bool) -> torch.Tensor:
        self.batches.append(len(tokens))
        return tokens.float()

    def tokenize(self, texts: list[str]) -> torch.Tensor:
        self.tokenized.append(texts)
        return torch.tensor([[len(text), ord(text[-1])] for text in texts])


def encoder_of(model: Counting, tokens: Tokens | None = None) -> Encoder:
    return Encoder(model, tokens or model.tokenize, torch.device("cpu"))


def set_of(colours: np.ndarray) -> TestSet:
    """Return a set of images of one colour each, by which they are told apart."""
    images = np.broadcast_to(colours[:, None, None, None], (len(colours), 2, 2, 3)).astype(np.uint8)
    return TestSet(images=images, digests=colours.astype(np.uint64))


@pytest.fixture(params=[1, 3])
def num_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many threads torch may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_sets_are_one_stream_of_full_batches_in_which_no_image_comes_twice(num_threads: int) -> None:
    model, apart = Counting(), Counting()
    some, more = set_of(np.arange(200) % 150), set_of(np.arange(100, 250))
    encoder = encoder_of(model)
    encoder.expect([Asked(sets={some: None}), Asked(sets={more: None, some: None})])
    of_all = {1: [250], 3: [80, 85, 85]}[num_threads]
    assert sorted(model.batches) == of_all
    for data in (some, more):
        np.testing.assert_array_equal(encoder.images(data), encoder_of(apart).images(data))
    assert sorted(model.batches) == of_all, "what was expected is at hand"
    assert list(encoder.asked.sets) == [some, more]

    plain = TestSet(images=np.zeros((BATCH + 10, 2, 2, 3), np.uint8))
    encoder.images(plain)
    assert sum(model.batches) == 250 + BATCH + 10, "without digests nothing is taken for equal"
    assert torch.get_num_threads() == num_threads


def test_texts_are_read_once_by_a_model_and_tokenized_once_for_all() -> None:
    model = Counting()
    tokens = Tokens(model.tokenize)
    for encoder in (encoder_of(model, tokens), encoder_of(model, tokens)):
        assert encoder.texts(["aa", "b", "aa"]).tolist() == [[2, 97], [1, 98], [2, 97]]
        assert encoder.texts(["b", "ccc"]).tolist() == [[1, 98], [3, 99]]
    assert model.batches == [2, 1, 2, 1]
    assert model.tokenized == [["aa", "b"], ["ccc"]]


def test_what_evals_asked_of_one_checkpoint_is_ready_in_one_pass_on_the_next() -> None:
    target = "evaluation.evaluators.classification.ZeroShotClassification"
    sets = {"some": set_of(np.arange(20)), "more": set_of(np.arange(10, 30))}
    work = [
        (
            EvalSpec(_target_=target, name="zeroshot_classification", dataset=name),
            replace(data, labels=np.arange(20) % 2, classes=("a", name), templates=("{c}",)),
        )
        for name, data in sets.items()
    ]
    demand, row = Demand(), partial(Row, model="colours")
    found = []
    for batches in ([30, 2, 1], [30, 3]):
        model = Counting()
        subject = Subject(checkpoint="c", model=encoder_of(model), image_size=2, row=row)
        rows = demand.scored(subject, work)
        found.append([one.metrics for one in rows if isinstance(one, Row)])
        assert model.batches == batches
    assert len(found[0]) == 2
    assert found[0] == found[1]

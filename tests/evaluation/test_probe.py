"""The linear probe, against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

from evaluation.encoding.encoder import Features
from evaluation.evaluators.probe import Examples, LinearProbe, Prober, scores_of, split
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError, UsageError
from tests.evaluation.lookup import encoder, numbered_images

CPU = torch.device("cpu")


def clouds(rows: int, num_classes: int, seed: int, spread: float = 0.5) -> tuple[Features, np.ndarray]:
    """Unit vectors around one random direction a class, and their classes."""
    centres = np.random.default_rng(0).standard_normal((num_classes, 16))
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % num_classes
    features = centres[labels] + spread * np.sqrt(16) * random.standard_normal((rows, 16))
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("strength", [1e-1, 1e-3, 1e-5])
def test_the_fit_is_scikit_learns(strength: float) -> None:
    features, labels = clouds(400, 6, seed=1)
    weights = Prober(Examples(features, labels, 6), CPU).fit(strength, 1e-8)
    theirs = LogisticRegression(C=1 / (strength * len(labels)), tol=1e-8, max_iter=20_000)
    theirs.fit(features.astype(np.float64), labels)
    assert weights[:, :-1] == pytest.approx(theirs.coef_, rel=1e-3, abs=1e-3)
    biases = weights[:, -1] - weights[:, -1].mean()
    assert biases == pytest.approx(theirs.intercept_ - theirs.intercept_.mean(), rel=1e-3, abs=1e-3)
    others, _ = clouds(200, 6, seed=2)
    assert (scores_of(weights, others).argmax(axis=1) == theirs.predict(others)).mean() > 0.99


@pytest.mark.parametrize("strength", [1e-2, 1e-5])
def test_no_derivative_is_larger_than_is_promised(
    strength: float, caplog: pytest.LogCaptureFixture
) -> None:
    features, labels = clouds(400, 6, seed=1, spread=1.0)
    prober = Prober(Examples(features, labels, 6), CPU)
    weights = torch.tensor(prober.fit(strength), requires_grad=True)
    scores = torch.from_numpy(features).double() @ weights[:, :-1].T + weights[:, -1]
    penalty = strength / 2 * weights[:, :-1].square().sum()
    loss = cross_entropy(scores, torch.from_numpy(labels)) + penalty
    (derivatives,) = torch.autograd.grad(loss, weights)
    assert float(derivatives.abs().max()) <= 1.01e-6
    assert caplog.messages == []
    prober.fit(strength, tolerance=0.0)
    assert "no optimum at an L2 strength of " in caplog.text


def test_the_strength_is_that_of_the_best_held_out_accuracy() -> None:
    shown, held_out = clouds(60, 6, seed=1, spread=1.0), clouds(300, 6, seed=2, spread=1.0)
    prober = Prober(Examples(*shown, 6), CPU)
    best = prober.best_strength(Examples(*held_out, 6))

    def accuracy(strength: float) -> float:
        scores = scores_of(Prober(Examples(*shown, 6), CPU).fit(strength), held_out[0])
        return float((scores.argmax(axis=1) == held_out[1]).mean())

    assert accuracy(best) >= max(accuracy(1e-8), accuracy(1.0))


@pytest.mark.parametrize(("shots", "sizes"), [(None, (72, 6)), (5, (30, 24)), (2, (12, 12))])
def test_shots_are_drawn_from_each_class(shots: int | None, sizes: tuple[int, int]) -> None:
    labels = np.arange(78) % 6
    shown, held_out = split(labels, shots, seed=0)
    assert (len(shown), len(held_out)) == sizes
    assert not set(shown) & set(held_out)
    assert np.bincount(labels[shown]).tolist() == [sizes[0] // 6] * 6
    assert split(labels, shots, seed=0)[0].tolist() == shown.tolist()
    assert split(labels, shots, seed=1)[0].tolist() != shown.tolist()
    with pytest.raises(DataError, match="class 0 has 13 images to learn from: too few"):
        split(labels, 10, seed=0)


def test_the_only_image_of_a_class_is_shown() -> None:
    shown, held_out = split(np.array([0, 0, 1, 2, 2]), None, seed=0)
    assert 2 in shown
    assert (len(shown), len(held_out)) == (3, 2)
    with pytest.raises(DataError, match="no class has two images"):
        split(np.arange(3), None, seed=0)
    with pytest.raises(UsageError, match="shots=0 are none to learn from"):
        LinearProbe(shots=0)


@pytest.mark.parametrize("shots", [None, 5])
def test_a_probe_learns_from_the_training_split(shots: int | None) -> None:
    features, labels = clouds(180, 6, seed=1, spread=0.2)
    train = TestSet(numbered_images(120), labels[:120])
    data = TestSet(numbered_images(60, first=120), labels[120:], train=lambda: train)
    found = dict(LinearProbe(shots).run(encoder(features, {}), data))
    assert list(found) == ["lp_acc1", "lp_acc5", "lp_mean_per_class_recall", "lp_l2"]
    assert found["lp_acc1"] > 0.9
    with pytest.raises(DataError, match="no training split"):
        list(LinearProbe().run(encoder(features, {}), TestSet(numbered_images(60), labels[:60])))


@pytest.mark.parametrize("split", ["test set", "training split"])
@pytest.mark.parametrize(
    ("label", "message"),
    [(-1, "has the label -1; classes count from 0"), (6, "has labels of 7 classes and names of 6")],
)
def test_a_label_that_is_no_number_of_a_class_is_refused(split: str, label: int, message: str) -> None:
    labels = {"test set": np.arange(60) % 6, "training split": np.arange(120) % 6}
    labels[split][5] = label
    train = TestSet(numbered_images(120), labels["training split"])
    names = tuple("abcdef")
    data = TestSet(numbered_images(60), labels["test set"], classes=names, train=lambda: train)
    with pytest.raises(DataError, match=f"the {split} {message}"):
        list(LinearProbe().run(encoder(np.eye(120, dtype=np.float32), {}), data))

"""Labels that do not fit their classes are refused: as an index, -1 would mean the last one."""

from evaluation.sets.testset import TestSet
from sweeps.errors import DataError


def refuse_unlabelled(data: TestSet) -> None:
    """Check that a set has names and labels of classes.

    Raises:
        DataError: it has not, or a label is no number of a name.
    """
    for what in ("classes", "templates", "labels"):
        if not len(getattr(data, what)):
            raise DataError(f"zero-shot classification needs {what}, and the test set has none")
    _refuse_others(data, "test set", data.classes)


def learnable(data: TestSet) -> TestSet:
    """Return the training split of a set in which each image, of both splits, has one label.

    Raises:
        DataError: there is none, an image has no label or several, or a label is no number of a class.
    """
    train = data.train()
    for split, what in ((data, "test set"), (train, "training split")):
        if split.labels.ndim != 1 or not 0 < len(split.labels) == len(split.images):
            raise DataError(f"learning needs one label an image, and the {what} has not")
        _refuse_others(split, what, data.classes)
    return train


def _refuse_others(split: TestSet, what: str, classes: tuple[str, ...]) -> None:
    """Check that labels are numbers of classes, or 0 and 1 for each; where they are named, of names."""
    lowest, highest = int(split.labels.min()), int(split.labels.max())
    if lowest < 0:
        raise DataError(f"the {what} has the label {lowest}; classes count from 0")
    if split.labels.ndim == 2 and highest > 1:
        raise DataError(f"the {what} has {highest} where 0 or 1 says whether an image is of a class")
    count = split.labels.shape[1] if split.labels.ndim == 2 else highest + 1
    if classes and count > len(classes):
        raise DataError(f"the {what} has labels of {count} classes and names of {len(classes)}")

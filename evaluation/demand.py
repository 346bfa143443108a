"""What evals ask of one checkpoint's encoder, so that the next one has it ready: all in one pass."""

from collections.abc import Iterator, Sequence

from conf.schema import EvalSpec
from evaluation.encoding.encoder import Asked
from evaluation.measure import Failed, Subject
from evaluation.results.rows import Row
from evaluation.sets.testset import TestSet
from sweeps.work.items import eval_id


class Demand:
    """Remembers what each eval asked for, at each image size.

    Of one that has not run yet it is taken that it wants the images of its set.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], Asked] = {}

    def scored(
        self, subject: Subject, work: Sequence[tuple[EvalSpec, TestSet]]
    ) -> Iterator[Row | Failed]:
        """Yield the rows of a checkpoint that is encoded in one pass for all its evals."""
        names = [(eval_id(spec), subject.image_size) for spec, _ in work]
        expected = [Asked(sets={data: None}) for _, data in work]
        subject.model.expect(map(self._asked.get, names, expected))
        for name, (spec, data) in zip(names, work, strict=True):
            subject.model.asked = Asked()
            yield subject.attempt(spec, data)
            self._asked[name] = subject.model.asked

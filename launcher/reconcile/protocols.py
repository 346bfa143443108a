"""That all rows of an eval come from one protocol: its name, its set and its version say which."""

from collections.abc import Iterable, Iterator

from conf.schema import EvalConfig, EvalSpec
from evaluation.results import scored_pairs
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import Run
from sweeps.work.items import eval_id


def refuse_mixed_protocols(root: Root, runs: Iterable[Run]) -> None:
    """Check that no eval is called as another one that is wanted, or has rows under the root.

    Raises:
        UsageError: one has other options, or another evaluator.
    """
    suites = {id(run.config.eval): run.config.eval for run in runs}
    wanted: dict[str, EvalSpec] = {}
    for spec in _evals(suites.values()):
        if _differ(spec, wanted.setdefault(eval_id(spec), spec)):
            raise UsageError(f"two evals are called {eval_id(spec)}: give one of them another name")
    before = (suite for sweep in frozen.launched(root) for suite in frozen.load_suites(root, sweep))
    changed = {eval_id(s) for s in _evals(before) if _differ(s, wanted.get(eval_id(s), s))}
    for name in sorted(changed & {name for _, name in scored_pairs(root)} if changed else ()):
        raise UsageError(
            f"eval {name} was launched with other options under this root, and has rows: "
            f"give it the next version, so that they do not mix"
        )


def _evals(suites: Iterable[EvalConfig]) -> Iterator[EvalSpec]:
    return (spec for suite in suites for spec in suite.evals)


def _differ(one: EvalSpec, other: EvalSpec) -> bool:
    return (one._target_, one.options) != (other._target_, other.options)

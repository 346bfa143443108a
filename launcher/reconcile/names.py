"""Whether what a config names may stand in paths, job names and batch scripts.

All text is quoted where it is written; what no quoting saves is refused here.
"""

import re
from collections.abc import Iterator

from conf.schema import ClusterConfig, ClusterKind
from sweeps.errors import UsageError
from sweeps.folders import Root
from training.refuse import refuse_unsafe

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/@:=,%-]*")
"""Some versions of `module` hand their arguments to the shell once more."""

OPTION = re.compile(r"[a-z][a-z-]*")
OURS = {
    "array", "clusters", "error", "export-file", "job-name", "output", "parsable", "quiet", "test-only",
    "wait", "wrap",
}  # fmt: skip
"""Options of sbatch by which a job is known, or which make sbatch answer otherwise or elsewhere."""


def refuse_unsafe_root(root: Root, kind: ClusterKind) -> None:
    """Check the root's own path.

    Raises:
        UsageError: it holds what a log's name cannot.
    """
    text = str(root.path)
    if not text.isprintable() or (kind is ClusterKind.slurm and re.search(r"[%\\]", text)):
        raise UsageError(
            f"root={text!r}: use a path without line breaks, % and backslash; Slurm fills in %"
        )


def refuse_unsafe_cluster(cluster: ClusterConfig) -> None:
    """Check all that a cluster's config puts into batch scripts.

    Raises:
        UsageError: something of it is no name, or no line of text.
    """
    refuse_unsafe(cluster.name, "cluster.name")
    for message in (*_unsafe_lines(cluster), *_unsafe_options(cluster)):
        raise UsageError(message)


def _unsafe_lines(cluster: ClusterConfig) -> Iterator[str]:
    for module in cluster.modules:
        if not MODULE.fullmatch(module):
            yield f"cluster.modules: {module!r} is no name of a module, such as CUDA/12.4"
    for name, value in cluster.env.items():
        if not VARIABLE.fullmatch(name):
            yield f"cluster.env: {name!r} is no name of an environment variable"
        if not value.isprintable():
            yield f"cluster.env.{name}={value!r}: write one line of printable characters"


def _unsafe_options(cluster: ClusterConfig) -> Iterator[str]:
    for name in cluster.sbatch:
        if not OPTION.fullmatch(name):
            yield f"cluster.sbatch: {name!r} is no long option of sbatch, such as constraint"
        if name in OURS:
            yield f"cluster.sbatch.{name}: the launcher needs this option for itself; leave it out"
    named = {"account": cluster.account, "partition": cluster.partition, "qos": cluster.qos}
    values = {**named, **{f"sbatch.{name}": value for name, value in cluster.sbatch.items()}}
    for name, text in values.items():
        if text is not None and (not text.isprintable() or "\\" in text):
            yield f"cluster.{name}={text!r}: write printable characters, no backslash"

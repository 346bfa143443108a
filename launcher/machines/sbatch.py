"""The border to submitit: a submission becomes a batch script and is handed to sbatch. Only here.

Of submitit only the script and the call of sbatch are used. Its pickles are not: they are named after
the job id when sbatch has answered, so a job whose launcher died in between would never start. Our
payload hangs on the submission's folder and the array index. `exec` makes the supervisor the batch
process itself, because Slurm's `B:` signal reaches no other; `trap '' USR1` protects it until it
listens.
"""

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.slurm.slurm import SlurmExecutor as SubmititExecutor

from conf.schema import ClusterConfig
from launcher.machines.batch import code_lines, environment_lines, named_options
from launcher.machines.refusals import failure_of
from launcher.machines.slurm_client import clean_environment, known_names
from launcher.records.submission import Submission
from sweeps.costs.layout import cores_per_rank, gpus_per_node, num_nodes, ranks_per_node

CHOICES = {"partition": "Invalid partition", "account": "Invalid account", "qos": "Invalid qos"}

NO_REQUEUE = "no-requeue"
"""With this in a preset, a job that runs out of time ends, and the next pass submits another one."""

KILL_AFTER_S = 5


class _Executor(SubmititExecutor):  # type: ignore[misc]
    """submitit's executor, with a timeout on sbatch and an environment that leaks no job."""

    timeout_s: float

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        kept = clean_environment()
        drop = [word for name in os.environ if name not in kept for word in ("-u", name)]
        limit = ["timeout", f"--kill-after={KILL_AFTER_S}", f"{self.timeout_s:g}"]
        return ["env", *drop, *limit, "sbatch", str(submission_file_path)]


def submit(submission: Submission, avoided: Collection[str] = ()) -> str:
    """Hand a submission to sbatch; return the job id. Its jobs run on none of the nodes `avoided`.

    Raises:
        SubmissionDeferred: it makes no job now, but later.
        SubmissionRefused: sbatch said that it makes no such job.
        QueueUnknown: it failed otherwise or did not answer; the job may exist.
    """
    executor = _executor(submission, avoided)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it also raises
            job = executor._submit_command(_command(submission))
    except (FailedJobError, FailedSubmissionError) as error:
        failure = failure_of(" ".join(str(error).split()))
        known = _choices(str(failure), submission.policy.client_timeout_s)
        raise type(failure)(f"{failure}{known}") from error
    return str(job.job_id)


def _choices(message: str, timeout_s: float) -> str:
    """Return what may be chosen instead of a name that sbatch does not know."""
    for option, refusal in CHOICES.items():
        if refusal in message:
            names = known_names(option, timeout_s)
            return f". Choose cluster.{option} from: {', '.join(names)}" if names else ""
    return ""


def script(submission: Submission, avoided: Collection[str] = ()) -> str:
    """Return the batch script of a submission."""
    text = _executor(submission, avoided)._make_submission_file_text(_command(submission), "")
    assert isinstance(text, str)
    return text


def _executor(submission: Submission, avoided: Collection[str]) -> _Executor:
    executor = _Executor(folder=submission.folder)
    executor.timeout_s = submission.policy.client_timeout_s
    # Through AutoExecutor the None would be dropped, and the script would ask for a wckey.
    executor.update_parameters(wckey=None, **_parameters(submission, avoided))
    if submission.num_jobs > 1:
        executor.parameters["map_count"] = submission.num_jobs
    return executor


def _command(submission: Submission) -> str:
    words = [sys.executable, "-m", "launcher.jobs.job", str(submission.folder)]
    return f"exec {shlex.join(words)}"


def _parameters(submission: Submission, avoided: Collection[str]) -> dict[str, Any]:
    cluster, resources = submission.cluster, submission.items[0].resources
    output = submission.folder / ("%a.log" if submission.num_jobs > 1 else "0.log")
    return {
        "job_name": submission.id,
        "nodes": num_nodes(resources, cluster),
        "ntasks_per_node": ranks_per_node(resources, cluster) * submission.pack,
        "cpus_per_task": cores_per_rank(resources, cluster),
        "time": cluster.time_min,
        "use_srun": False,
        "stderr_to_stdout": True,
        "array_parallelism": cluster.max_parallel,
        "setup": _setup(submission),
        "additional_parameters": {
            "output": str(output),
            "signal": f"B:USR1@{cluster.signal_s}",
            **({} if NO_REQUEUE in cluster.sbatch else {"requeue": True}),
            **({"dependency": f"afterany:{submission.after_job}"} if submission.after_job else {}),
            **{name: value or True for name, value in cluster.sbatch.items()},
            **_exclusion(cluster, avoided),
        },
        **named_options(cluster, gpus_per_node(resources, cluster)),
    }


def _exclusion(cluster: ClusterConfig, avoided: Collection[str]) -> dict[str, str]:
    """Return the option by which jobs keep off nodes, those included that the preset names."""
    nodes = [*filter(None, [cluster.sbatch.get("exclude")]), *avoided]
    return {"exclude": ",".join(nodes)} if nodes else {}


def _setup(submission: Submission) -> list[str]:
    """Return the shell lines before the payload; everything from a config is quoted."""
    return [
        "trap '' USR1",
        *environment_lines(submission.cluster),
        'export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"',
        *code_lines(submission.code),
    ]

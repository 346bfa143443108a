"""What a command line asks of the doctor. No sweep is needed; one that is named is examined too."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from conf.schema import AboveZero, OutputFormat
from launcher.doctor.findings import Subject
from sweeps.commands import read_arguments
from sweeps.composing.compose import compose_launch, compose_request
from sweeps.folders import root_of


@dataclass(frozen=True, kw_only=True, slots=True)
class JobArguments:
    """Whether a job is to look from a compute node too, and how long it may take."""

    submit: bool = False
    wait_s: AboveZero = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorRequest:
    """What is examined and how it is told. `job_wait_s` None = no job is submitted."""

    subject: Subject
    format: OutputFormat
    job_wait_s: float | None


def read_request(arguments: Sequence[str]) -> DoctorRequest:
    """Return what `[submit=true] [wait_s=600]` and overrides ask for.

    Raises:
        UsageError: one of them is wrong.
    """
    names = {field.name for field in fields(JobArguments)}
    own = [word for word in arguments if word.partition("=")[0] in names]
    job = read_arguments(own, JobArguments)
    overrides = [word for word in arguments if word not in own]
    request = compose_request(overrides) if any(w.startswith("sweep=") for w in overrides) else None
    launch = request.launch if request else compose_launch(overrides)
    subject = Subject(
        cluster=launch.cluster,
        root=root_of(launch.root),
        timeout_s=launch.policy.client_timeout_s,
        runs=tuple(request.configs) if request else (),
    )
    return DoctorRequest(
        subject=subject, format=launch.format, job_wait_s=job.wait_s if job.submit else None
    )

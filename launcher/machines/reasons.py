"""What the user has to do for a job that Slurm keeps in its queue but will not start by itself. Pure.

The words are Slurm's: squeue(1), "JOB REASON CODES", and
https://slurm.schedmd.com/job_reason_codes.html; those in small letters it puts in place of a code when
it holds a job that it requeued. Every other reason, as `Priority`, passes without anybody.
"""

import re

RELEASE = "Slurm holds it; once the cause is mended, `scontrol release {jobs}`"
SHORTEN = "it asks for more time than its partition allows: `scontrol update jobid={jobs} timelimit=…`"
RESHAPE = "it asks for what it cannot get there: cancel it, mend the preset, resume it and launch again"

ADVICE = {
    "launch failed requeued held": RELEASE,
    "job requeued in held state": RELEASE,
    "JobLaunchFailure": RELEASE,
    "JobHoldMaxRequeue": RELEASE,
    "JobHeldUser": "its user holds it: `scontrol release {jobs}`",
    "JobHeldAdmin": "those who run the cluster hold it: ask them",
    "PartitionTimeLimit": SHORTEN,
    "PartitionNodeLimit": f"{RESHAPE}, unless nodes of its partition are down",
    "BadConstraints": RESHAPE,
    "AccountNotAllowed": RESHAPE,
    "QOSNotAllowed": RESHAPE,
}
TOO_LARGE = re.compile(r"(?:Assoc|QOS)Max\w+Per(?:Job|Node)(?:Limit)?|QOSMin\w+")
"""The limits on one job alone: that others end does not help."""


def advice(reason: str, jobs: str) -> str:
    """Return what to do about jobs that wait for a reason, or nothing where time alone helps.

    Args:
        reason: as squeue shows it. Newer releases write `_` for the spaces in it.
        jobs: their ids, separated by commas.
    """
    known = ADVICE.get(reason) or ADVICE.get(reason.replace("_", " "))
    if known is None and TOO_LARGE.fullmatch(reason):
        known = RESHAPE
    return known.format(jobs=jobs) if known else ""

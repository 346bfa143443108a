"""`doctor`."""

from collections.abc import Sequence

from launcher.commands.answer import answer
from launcher.doctor.examination import examine
from launcher.doctor.findings import findings_json, findings_text, has_problem
from launcher.doctor.request import read_request


def doctor(arguments: Sequence[str]) -> int:
    """Check a cluster's preset, and the root, before anything is spent."""
    request = read_request(arguments)
    findings = examine(request.subject, job_wait_s=request.job_wait_s)
    name = request.subject.cluster.name
    answer(
        request.format,
        lambda: findings_json(name, findings),
        lambda is_terminal: findings_text(name, findings, is_terminal=is_terminal),
    )
    return int(has_problem(findings))

"""The retry budget: whether a work item may be attempted again. Pure.

It counts attempts without new samples, so a week of 24-hour jobs is no failure, and a crash loop is
stopped after a few.
"""

from sweeps.work.lease import Lease


def why_held(known: Lease, most_fruitless: int, since: int = 0) -> str | None:
    """Return why no further attempt is made of a work item, or None if one may be.

    Args:
        known: its lease.
        most_fruitless: faults without new samples that are borne.
        since: attempts up to this number do not count: after them the user asked to try again.
    """
    attempt = known.attempt
    if attempt.number <= since:
        return None
    if attempt.outcome is not None:
        most, advice = attempt.outcome.treatment.most, attempt.outcome.treatment.advice
        words = f"{advice}\n{attempt.reason}" if advice else attempt.reason
        if attempt.outcome.is_final:
            return f"{attempt.outcome.value}: {words}"
        times = repetitions(known, since)
        if most is not None and times >= most:
            return f"{attempt.outcome.value}, {times} times: {words}"
    fruitless = fruitless_attempts(known, since)
    if fruitless >= most_fruitless:
        return f"{fruitless} attempts without new samples; the last: {attempt.reason}"
    return None


def fruitless_attempts(known: Lease, since: int = 0) -> int:
    """Return how many faults there were since the last attempt that brought a new sample.

    Args:
        known: the lease of a work item.
        since: attempts up to this number do not count.
    """
    count, best = 0, 0
    for attempt in known.attempts:
        if attempt.outcome is None:
            break
        if attempt.samples > best or attempt.number <= since:
            count = 0
        elif attempt.outcome.treatment.is_fault:
            count += 1
        best = max(best, attempt.samples)
    return count


def repetitions(known: Lease, since: int = 0) -> int:
    """Return how many attempts ended like the last one, and no further."""
    last = known.attempt
    return sum(
        attempt.outcome is last.outcome and attempt.samples == last.samples
        for attempt in known.attempts
        if attempt.number > since
    )

"""How a supervisor leaves its item."""

from enum import IntEnum


class Departure(IntEnum):
    """How a supervisor leaves its item, for the job that decides what becomes of itself.

    `settled`: it is done, or in other hands. `stopped`: saved on request. `out_of_time`: saved before
    the time limit; the job should go back into the queue. `elsewhere`: a node of this job fails; the
    next attempt needs another job. `gave_up`: no more attempts in this job.
    The values are exit codes of a supervisor in a process of its own, out of the way of Python's.
    """

    settled = 0
    stopped = 90
    out_of_time = 91
    elsewhere = 92
    gave_up = 93

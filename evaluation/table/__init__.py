"""The results table: written by any number of processes at once, read as a pandas frame.

`load` is for people. Scorers write by `inbox`, others move rows by `compaction`; `store` says how all
is kept, and `results` what rows mean.
"""

from evaluation.table.results import load

__all__ = ["load"]

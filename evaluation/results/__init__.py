"""The results table: written by any number of processes at once, read as a pandas frame.

`load` is for people. Scorers write by `inbox`, others move rows by `compaction`; `store` says how all
is kept, and `view` what rows mean.
"""

from evaluation.results.view import FINAL, load, scored_pairs

__all__ = ["FINAL", "load", "scored_pairs"]

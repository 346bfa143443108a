"""These tests are collected only where there is a GPU."""

from tests import gpus

collect_ignore_glob = [] if gpus.shown() else ["test_*.py"]

"""Logging, as the entry points configure it: our own messages, and only errors of libraries."""

import logging

OURS = ("__main__", "analysis", "evaluation", "launcher", "sweeps", "training")
"""`__main__` is the module that runs as a program, whichever it is."""


def configure_logging() -> None:
    """Send our messages from INFO up to standard error, with the time."""
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)

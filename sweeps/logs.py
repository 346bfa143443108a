"""Logging, as the entry points configure it: our own messages, and only errors of libraries."""

import logging

PACKAGES = ("analysis", "evaluation", "launcher", "sweeps", "training")


def configure_logging() -> None:
    """Send our messages from INFO up to standard error, with the time."""
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)

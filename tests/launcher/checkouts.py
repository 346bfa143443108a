"""Checkouts that tests may edit: a small one with a history of its own, and a copy of this one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from launcher.provenance.sources import PACKAGES
from sweeps.folders import CHECKOUT


def small_checkout(folder: Path) -> Path:
    """Make a committed checkout with a file or two in each package."""
    for package in PACKAGES:
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(f'"""{package}"""\n')
    (folder / "conf" / "model").mkdir()
    (folder / "conf" / "model" / "words.bpe.gz").write_bytes(b"\x1f\x8b\0words")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text("assert True\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=Begin")
    return folder


def git(folder: Path, *words: str) -> str:
    """Return what a git command prints."""
    names = {f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def copy_of_this(folder: Path) -> Path:
    """Copy this checkout's packages, to be edited."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / package, folder / package, ignore=ignored)
    return folder


def printed(folder: Path, code: str) -> str:
    """Return what Python code prints when it runs in a folder, as a job's would."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()

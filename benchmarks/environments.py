"""Virtual environments of their own for the peers that are measured, made once from PyPI."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "isogrid"


def environment(name: str, packages: Sequence[str]) -> Path:
    """Return the Python of an environment that has `packages`; make it if it is not there.

    Raises:
        CalledProcessError: pip fails.
    """
    folder = CACHE / name
    python, installed = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join(packages)
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        installed.write_text(wanted)
    return python

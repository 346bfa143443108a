"""Write a data set by its configured generator: once, whole or not at all. No torch here."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from sweeps import durable

MADE_WITH = "generator.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """`generator`: `_target_`, a function of an empty folder, and its further arguments."""

    folder: Path
    generator: dict[str, Any]


def generate(generation: Generation) -> None:
    """Write the data set beside its folder and move it there; a rival's copy counts as ours."""
    folder = generation.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        arguments = dict(generation.generator)
        resolve_name(arguments.pop("_target_"))(temporary, **arguments)
        durable.replace(temporary / MADE_WITH, durable.encode(generation.generator))
        temporary.chmod(0o755)
        temporary.rename(folder)
    except OSError:
        if made_with(folder) is None:
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def made_with(folder: Path) -> dict[str, Any] | None:
    """Return the generator that wrote the data set in `folder`; None if there is none."""
    return durable.read(folder / MADE_WITH, dict[str, Any])

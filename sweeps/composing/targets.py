"""Whether a `_target_` exists, without importing it: that may take torch, and may have effects."""

import ast
import importlib.util
from pathlib import Path

from sweeps.errors import UsageError, choices


def refuse_missing_target(target: str, what: str) -> None:
    """Check that `target` (`package.module.name`) names something that its module defines.

    Raises:
        UsageError: there is no such module, or no such name in it.
    """
    module, _, name = target.rpartition(".")
    path = _source(module)
    if path is None:
        raise UsageError(f"{what}: _target_={target!r}: there is no module {module!r}")
    if path.suffix == ".py" and name not in (names := _names(path)):
        raise UsageError(
            f"{what}: _target_={target!r}: {module} has no {name!r}. {choices(name, names)}"
        )


def _source(module: str) -> Path | None:
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found and found.origin else None


def _names(path: Path) -> list[str]:
    """Return the names that a module binds at its top level."""
    names: list[str] = []
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.append(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names += [alias.asname or alias.name for alias in aliases]
            case ast.Assign(targets=targets):
                names += [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case _:
                pass
    return names

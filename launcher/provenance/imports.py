"""The user's own modules that jobs need, which lie beside the checkout's packages or elsewhere.

What a config names as `_target_`, and what that imports, is followed through the text of the files:
nothing is imported here. What is installed (the standard library, site-packages) stays where it is.
"""

import ast
import importlib.util
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from launcher.provenance.sources import MOST_BYTES, PACKAGES, files_below

log = logging.getLogger(__name__)

MOST_FILES = 2000
INSTALLED = {"site-packages", "dist-packages"}


def own_modules(targets: Iterable[str]) -> dict[str, bytes]:
    """Return name → content of the files of all modules of the user that `targets` need."""
    found: dict[str, bytes] = {}
    pending = [re.split("[.:]", target)[0] for target in targets]
    seen = {*PACKAGES, *sys.stdlib_module_names}
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        seen.add(module)
        files = {name: path.read_bytes() for name, path in _files_of(module).items()}
        found |= files
        for name, content in files.items():
            if name.endswith(".py"):
                pending += _imported(content)
    return found


def _files_of(module: str) -> dict[str, Path]:
    """Return name → path of a top-level module's files, or of a package's with its data."""
    files: dict[str, Path] = {}
    for place in _places(module):
        if place.is_dir():
            files |= {f"{module}/{path.relative_to(place)}": path for path in files_below(place)}
        else:
            files |= {path.name: path for path in (place, *_data_beside(place))}
    if len(files) <= MOST_FILES and sum(path.stat().st_size for path in files.values()) <= MOST_BYTES:
        return files
    log.warning("%s is too large to be copied; editing it changes jobs that are queued", module)
    return {}


def _places(module: str) -> list[Path]:
    """Return the file of a module or the folders of a package, unless they are installed."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    places = [Path(p) for p in spec.submodule_search_locations or [spec.origin or ""]]
    return [place for place in places if place.exists() and not INSTALLED & set(place.parts)]


def _data_beside(module: Path) -> list[Path]:
    """Return the files beside a module that its text names; others are none of its business."""
    if module.suffix != ".py":
        return []
    texts = {node.value for node in _nodes(module.read_bytes()) if isinstance(node, ast.Constant)}
    beside = [path for path in module.parent.iterdir() if path.name in texts and path.is_file()]
    return [path for path in beside if path.suffix != ".py"]


def _imported(content: bytes) -> Iterator[str]:
    """Yield the top-level names of all modules that a file imports."""
    for node in _nodes(content):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass


def _nodes(content: bytes) -> Iterable[ast.AST]:
    try:
        return ast.walk(ast.parse(content))
    except (SyntaxError, ValueError):
        return ()  # Python will say so better when it comes to it

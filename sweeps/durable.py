"""Durable files on a shared file system, from four primitives.

`replace` (temporary name, fsync, rename, fsync of the folder) for files with one writer; `publish`
(the same, but by `link(2)`, which never overwrites) where several may race, and `publish_folder` for
many files at once; numbered `generations` of a name on top of `publish`; and typed JSON. No locks,
no appends by two writers, no database: on NFS, Lustre and GPFS only these keep their promises. Other
modules decide what the files mean.
"""

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sweeps.errors import DamagedFile

T = TypeVar("T")

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

WRITERS = 16
"""Files of a folder that are written at once: each waits for the disk most of its time."""


def replace(path: Path, *content: bytes | memoryview) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part."""
    temporary = _write_temporary(path, *content)
    temporary.replace(path)
    _sync_folder(path.parent)


def move(old: Path, new: Path) -> None:
    """Let a file that is on the disk take the place of `new`, in the same folder.

    Raises:
        FileNotFoundError: there is no `old`.
    """
    old.replace(new)
    _sync_folder(new.parent)


def publish(path: Path, content: bytes) -> bool:
    """Create `path` with `content`; return False, and change nothing, if it exists already."""
    temporary = _write_temporary(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        # Over NFS a lost reply makes a link that succeeded look refused: count the links (open(2)).
        if temporary.stat().st_nlink != 2:
            return False
    finally:
        temporary.unlink()
    _sync_folder(path.parent)
    return True


def publish_folder(path: Path, files: Mapping[str, bytes]) -> bool:
    """Create the folder `path` with all of `files`, by relative name, or nothing of it.

    Returns False, and changes nothing, if it exists already.
    """
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    written = {temporary / name: content for name, content in files.items()}
    try:
        folders = {temporary, *(folder for file in written for folder in _between(temporary, file))}
        for folder in sorted(folders):
            folder.mkdir()
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(_write_new, written, written.values()))
            list(pool.map(_sync_folder, folders))
        return _rename_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def encode(value: Any) -> bytes:
    """Return `value` (dataclasses, enums, paths and plain data) as one line of JSON."""
    return msgspec.json.encode(value, enc_hook=_plain) + b"\n"


def decode(content: bytes, kind: type[T]) -> T:
    """Return the value of type `kind` that `content` holds.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: it holds something else.
    """
    return msgspec.json.decode(content, type=kind, dec_hook=_from_plain)


def read(path: Path, kind: type[T]) -> T | None:
    """Return the value that `path` holds, or None where there is no such file.

    Raises:
        DamagedFile: it holds something else.
    """
    try:
        return decode(path.read_bytes(), kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DamagedFile(f"{path} is damaged, or of another version: {error}") from error


def newest_generation(folder: Path, name: str) -> int:
    """Return the highest n for which `folder` holds a file `name.<n>`, or 0."""
    pattern = re.compile(rf"{re.escape(name)}\.(\d+)")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    return max((int(found[1]) for f in names if (found := pattern.fullmatch(f))), default=0)


def sweep_temporaries(folder: Path, name: str) -> None:
    """Delete temporary files whose names begin with `name`, left by writers that were killed.

    Only for who is alone in writing such files.
    """
    for path in folder.glob(f".{name}*"):
        path.unlink(missing_ok=True)


def is_full(error: BaseException) -> bool:
    """Return whether an error says that a file system, or the user's part of it, is full."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def _write_temporary(path: Path, *content: bytes | memoryview) -> Path:
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        _write_new(temporary, *content)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return temporary


def _write_new(path: Path, *content: bytes | memoryview) -> None:
    with path.open("xb") as file:
        for part in content:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _between(folder: Path, file: Path) -> list[Path]:
    """Return the folders below `folder` that `file` lies in."""
    return [parent for parent in file.parents if parent.is_relative_to(folder)]


def _rename_folder(old: Path, new: Path) -> bool:
    try:
        old.rename(new)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    _sync_folder(new.parent)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no JSON form")


def _from_plain(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise TypeError(f"{kind!r} has no JSON form")

"""Roots that may be used, and those that may not."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.errors import UsageError
from sweeps.folders import CHECKOUT, Root, make_folders, refuse_unusable, root_of


def test_the_default_root_is_in_the_checkout() -> None:
    assert root_of(None).path == CHECKOUT / "runs"


def test_a_relative_root_is_under_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert root_of("r").path == tmp_path / "r"


def test_checking_a_root_writes_nothing(tmp_path: Path) -> None:
    refuse_unusable(Root(tmp_path / "a" / "b"))
    assert os.listdir(tmp_path) == []


def test_a_root_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file is not a folder"):
        refuse_unusable(Root(tmp_path / "file" / "root"))


def test_a_root_where_nothing_can_be_made_is_refused() -> None:
    with pytest.raises(UsageError, match=r"root=/proc/isogrid (cannot be made|.* may not write)"):
        make_folders(Root(Path("/proc/isogrid")))


def test_the_root_of_another_user_is_refused(tmp_path: Path) -> None:
    others = tmp_path if os.geteuid() == 0 else Path("/usr")
    if os.geteuid() == 0:
        os.chown(others, 12345, -1)
    with pytest.raises(UsageError, match="belongs to .*; a root has one user"):
        refuse_unusable(Root(others))


def test_a_folder_without_write_permission_is_refused() -> None:
    with open_folder() as folder:
        folder.chmod(0o555)
        assert "may not write" in _refusal_to_somebody_else(folder / "root")


def test_a_folder_that_cannot_be_looked_into_is_refused() -> None:
    with open_folder() as folder:
        (folder / "closed").mkdir(mode=0o000)
        assert "permission denied" in _refusal_to_somebody_else(folder / "closed" / "root" / "x")


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder whose parents everybody may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _refusal_to_somebody_else(root: Path) -> str:
    """Return what a user who is not root (this one, or `nobody`) is told of `root`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        os.write(writer, _refusal(root).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as said:
        return said.read()


def _refusal(root: Path) -> str:
    try:
        refuse_unusable(root_of(str(root)))
    except UsageError as error:
        return str(error)
    return "accepted"

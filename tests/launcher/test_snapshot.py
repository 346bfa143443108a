"""Snapshots of the code: one for the same code, whole or not at all, mended, pruned; the user's own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launcher.provenance import git as asked_of_git
from launcher.provenance import snapshot
from launcher.provenance.environment import distributions, without_secrets
from launcher.provenance.sources import PACKAGES
from sweeps.folders import CHECKOUT, Root
from tests.launcher.checkouts import git, printed, small_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return small_checkout(tmp_path / "checkout")


@pytest.fixture
def place(tmp_path: Path) -> Root:
    """A root that exists."""
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root")


KILLED_BEFORE_IT_IS_WHOLE = """
import os, signal, sys
from pathlib import Path
from launcher.provenance.snapshot import take
from sweeps.folders import Root
def hook(event, arguments):
    if event == "os.rename":
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
take(Root(Path(sys.argv[1])), checkout=Path(sys.argv[2]))
"""


def names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_packages_are_those_of_the_distribution() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    known = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.removesuffix("*") for pattern in known} == set(PACKAGES)


def test_it_holds_the_packages_and_their_data_and_nothing_else(checkout: Path, place: Root) -> None:
    for waste in ("training/__pycache__/a.pyc", "training/.a.swp", "training/a.py~", "runs/x"):
        (checkout / waste).parent.mkdir(exist_ok=True)
        (checkout / waste).touch()
    (checkout / "training" / "untracked.py").touch()
    taken = snapshot.take(place, checkout=checkout)
    expected = {f"{package}/__init__.py" for package in PACKAGES}
    expected |= {"conf/model/words.bpe.gz", "training/untracked.py", "snapshot.json", "diff.patch"}
    assert names(taken.folder) == expected
    assert place.code.stat().st_mode & 0o077 == 0


def test_the_same_code_is_copied_once_and_other_code_beside_it(checkout: Path, place: Root) -> None:
    clean = snapshot.take(place, checkout=checkout)
    assert snapshot.take(place, checkout=checkout) == clean
    (checkout / "training" / "__init__.py").write_text("edited = True\n")
    dirty = snapshot.take(place, checkout=checkout)
    assert dirty.folder != clean.folder
    assert dirty.commit == f"{clean.commit}+"
    assert (clean.folder / "training" / "__init__.py").read_text() == '"""training"""\n'
    git(checkout, "checkout", "training")
    assert snapshot.take(place, checkout=checkout) == clean
    assert len(list(place.code.iterdir())) == 2


def test_it_says_where_its_code_is_from(checkout: Path, place: Root) -> None:
    (checkout / "training" / "__init__.py").write_text("edited = True\n")
    (checkout / "untracked.txt").touch()
    taken = snapshot.take(place, checkout=checkout)
    known = json.loads((taken.folder / "snapshot.json").read_text())
    assert known["commit"] == git(checkout, "rev-parse", "--short=12", "HEAD") + "+"
    assert (known["branch"], known["untracked"]) == ("main", ["untracked.txt"])
    shutil.rmtree(checkout / "training")
    git(checkout, "checkout", "training")
    git(checkout, "apply", str(taken.folder / "diff.patch"))
    assert (checkout / "training" / "__init__.py").read_text() == "edited = True\n"


def test_it_needs_no_git(checkout: Path, place: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    taken = snapshot.take(place, checkout=checkout)
    assert (taken.commit, len(taken.folder.name)) == ("", 12)
    assert (taken.folder / "diff.patch").read_bytes() == b""


def test_a_diff_of_any_size_is_cut(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_of_git, "MOST_DIFF_BYTES", 100)
    (checkout / "training" / "__init__.py").write_text("line\n" * 1000)
    assert asked_of_git.diff(checkout).endswith(asked_of_git.CUT)
    assert len(asked_of_git.diff(checkout)) < 200


def test_what_a_killed_launcher_left_is_not_used(checkout: Path, place: Root) -> None:
    command = [sys.executable, "-c", KILLED_BEFORE_IT_IS_WHOLE, str(place.path), str(checkout)]
    killed = subprocess.run(command, cwd=CHECKOUT, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = place.code.iterdir()
    assert left.name.startswith(".")
    taken = snapshot.take(place, checkout=checkout)
    assert names(taken.folder) == names(left)


def test_launchers_at_once_make_one(checkout: Path, place: Root) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = set(pool.map(lambda _: snapshot.take(place, checkout=checkout), range(8)))
    assert len(taken) == 1
    assert [path.name for path in place.code.iterdir()] == [taken.pop().folder.name]


def test_what_was_cleaned_away_of_it_is_put_back(checkout: Path, place: Root) -> None:
    taken = snapshot.take(place, checkout=checkout)
    before = names(taken.folder)
    shutil.rmtree(taken.folder / "conf")
    (taken.folder / "training" / "__init__.py").write_text("edited = True\n")
    assert snapshot.take(place, checkout=checkout) == taken
    assert names(taken.folder) == before
    assert (taken.folder / "training" / "__init__.py").read_text() == '"""training"""\n'


def test_old_ones_can_be_deleted(checkout: Path, place: Root) -> None:
    made = []
    for number in range(snapshot.KEPT + 2):
        (checkout / "conf" / "__init__.py").write_text(f"number = {number}\n")
        made.append(snapshot.take(place, checkout=checkout).folder)
        os.utime(made[-1], (number, number))
    assert snapshot.older(place) == made[:2]
    snapshot.delete(place, made[:1])
    assert sorted(place.code.iterdir()) == sorted(made[1:])


def test_code_that_jobs_run_has_no_root_of_its_own(
    place: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = snapshot.take(place)
    monkeypatch.delenv("ISOGRID_ROOT", raising=False)
    asked = (
        "from sweeps.folders import root_of\n"
        "try: print(root_of(None))\n"
        "except Exception as error: print(error)"
    )
    assert printed(taken.folder, asked).endswith("is a copy that jobs run: name the root with root=DIR")


def test_the_users_own_modules_are_copied_with_what_they_need(
    tmp_path: Path, checkout: Path, place: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    (own / "kit").mkdir(parents=True)
    (own / "mine.py").write_text(
        "import json, numpy, kit.part\nfrom pathlib import Path\nVALUE = kit.part.VALUE\n"
        "WORDS = (Path(__file__).parent / 'words.txt').read_text()\n"
    )
    (own / "kit" / "part.py").write_text("import helper\nVALUE = helper.VALUE\n")
    (own / "kit" / "table.bin").write_bytes(b"\0")
    (own / "helper.py").write_text("VALUE = 'old'\n")
    (own / "words.txt").write_text("old words")
    (own / "letter.txt").write_text("not for jobs")
    monkeypatch.syspath_prepend(str(own))
    monkeypatch.setenv("PYTHONPATH", str(own))
    taken = snapshot.take(place, ["mine.Procedure", "training.procedures.clip.Clip"], checkout)
    added = {"mine.py", "kit/part.py", "kit/table.bin", "helper.py", "words.txt"}
    assert names(taken.folder) - names(snapshot.take(place, checkout=checkout).folder) == added
    for path in added:
        (own / path).write_text("raise SystemExit('edited')")
    assert printed(taken.folder, "import mine; print(mine.VALUE, mine.WORDS)") == "old old words"


def test_a_package_that_is_huge_stays_where_it_is(
    tmp_path: Path,
    checkout: Path,
    place: Root,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "huge").mkdir()
    for number in range(2001):
        (tmp_path / "huge" / f"m{number}.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    taken = snapshot.take(place, ["huge.m1.Procedure"], checkout)
    assert not (taken.folder / "huge").exists()
    assert "huge is too large to be copied" in caplog.text


def test_a_linked_folder_that_contains_itself_ends(checkout: Path, place: Root) -> None:
    (checkout / "training" / "again").symlink_to(checkout / "training")
    (checkout / "training" / "more").symlink_to(checkout / "conf")
    taken = snapshot.take(place, checkout=checkout)
    assert (taken.folder / "training" / "more" / "model" / "words.bpe.gz").exists()
    assert not (taken.folder / "training" / "again").exists()


def test_secrets_are_left_out_of_an_environment() -> None:
    secrets = {"WANDB_API_KEY": "a", "hf_token": "b", "MySecret": "c", "DB_PASSWORD": "d"}
    secrets |= {"PASSWD": "e", "AWS_CREDENTIALS_FILE": "f"}
    proxies = {
        "HTTP_PROXY": "http://me:hid@den@proxy:80",
        "INDEX": "https://hidden@host/x",
        "PLAIN": "http://host:80/x y",
    }
    assert without_secrets({**secrets, **proxies, "LANG": "C", "ODD": "\udcff"}) == {
        "HTTP_PROXY": "http://***@proxy:80",
        "INDEX": "https://***@host/x",
        "PLAIN": "http://host:80/x y",
        "LANG": "C",
        "ODD": "\ufffd",
    }


def test_what_is_installed_is_known_by_name_and_version(tmp_path: Path) -> None:
    for name in ("torch-2.6.0+cu124.dist-info", "old_egg-1.2-py3.11.egg-info", "torch", "x.dist-info"):
        (tmp_path / name).mkdir()
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "torch-1.0.dist-info").mkdir()
    path = [str(tmp_path / "none"), str(tmp_path), str(tmp_path / "later")]
    assert distributions(path) == {"torch": "2.6.0+cu124", "old_egg": "1.2"}

"""What the doctor finds on this machine: real folders, names, interfaces and modules."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import ClusterConfig, ClusterKind, ModelConfig
from launcher.doctor.findings import Finding, Subject, Verdict
from launcher.doctor.folder import check_promises, check_root, file_system_of, probe_folder
from launcher.doctor.network import check_host, check_interfaces, check_timeout, missing_interfaces
from launcher.doctor.software import check_modules, check_offline, check_python
from sweeps.folders import Root
from tests.commands import run
from tests.configs import run_config

LOCAL = ClusterConfig(name="local", kind=ClusterKind.local)
SLURM = ClusterConfig(name="mine", kind=ClusterKind.slurm)

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
scratch:/export /p/scratch\\040new gpfs rw 0 0
10.0.0.1@o2ib:/work /work lustre rw 0 0
"""


def subject(cluster: ClusterConfig, root: Path) -> Subject:
    return Subject(cluster=cluster, root=Root(root), timeout_s=30.0)


def bad(findings: list[Finding]) -> list[tuple[str, Verdict]]:
    return [(f.check, f.verdict) for f in findings if f.verdict is not Verdict.ok]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me", "ext4"),
        ("/tmp/pytest", "tmpfs"),
        ("/tmpfile", "ext4"),
        ("/p/scratch new/me/root", "gpfs"),
        ("/work", "lustre"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_a_good_root_has_no_problem_and_nothing_stays_in_it(tmp_path: Path) -> None:
    root = tmp_path / "not" / "made" / "yet"
    findings = list(check_root(subject(LOCAL, root)))
    assert {f.check for f in findings} >= {"root", "rename, link", "clock", "room"}
    assert all(verdict is Verdict.warning for _, verdict in bad(findings))
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_only_this_machine_sees_is_doubted_on_a_cluster() -> None:
    found = {f.check: f for f in check_root(subject(SLURM, Path("/dev/shm/root")))}
    assert found["root"].verdict is Verdict.warning
    assert "/dev/shm/root is on tmpfs, which compute nodes may not see" in found["root"].what
    assert found["rename, link"].verdict is Verdict.ok


def test_a_root_that_cannot_be_written_is_a_problem() -> None:
    *_, finding = check_root(subject(SLURM, Path("/proc/root")))
    assert finding.verdict is Verdict.problem
    assert "root=DIR or ISOGRID_ROOT" in finding.change


def test_a_place_that_takes_no_files_breaks_its_promises() -> None:
    (finding,) = check_promises(Path("/proc/self"))
    assert (finding.check, finding.verdict) == ("rename, link", Verdict.problem)


def test_a_probe_folder_is_removed_whatever_happens(tmp_path: Path) -> None:
    def interrupted() -> None:
        with probe_folder(Root(tmp_path)) as folder:
            (folder / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ("ib0", []),
        ("ib", []),
        ("=ib", ["ib"]),
        ("=ib0,hsn0", []),
        ("hsn0,hsn1,hsn2", ["hsn1", "hsn2"]),
        ("^docker,lo", []),
        ("", []),
    ],
)
def test_interfaces_are_named_as_nccl_takes_them(wanted: str, missing: list[str]) -> None:
    assert missing_interfaces(wanted, ["lo", "ib0", "hsn0"]) == missing


@pytest.mark.parametrize(("is_on_node", "verdict"), [(False, Verdict.warning), (True, Verdict.problem)])
def test_a_missing_interface_is_sure_only_on_a_node(is_on_node: bool, verdict: Verdict) -> None:
    env = {"NCCL_SOCKET_IFNAME": "lo", "GLOO_SOCKET_IFNAME": "ib7"}
    good, missing = check_interfaces(env, ["lo"], is_on_node=is_on_node)
    assert good.verdict is Verdict.ok
    assert (missing.verdict, "there is no ib7" in missing.what) == (verdict, True)


def test_a_host_suffix_that_leads_nowhere_is_named() -> None:
    (good,) = check_host("localhost", "", is_on_node=False)
    (wrong,) = check_host("localhost", ".invalid", is_on_node=False)
    (unknown,) = check_host("no-such-host.invalid", "", is_on_node=False)
    assert good.verdict is Verdict.ok
    assert wrong.what == "localhost.invalid does not resolve, but localhost does"
    assert wrong.change.startswith("set cluster.host_suffix")
    assert (wrong.verdict, unknown.verdict) == (Verdict.problem, Verdict.warning)


@pytest.mark.parametrize(("value", "num_problems"), [("22", 0), ("31", 0), ("50", 1), ("long", 1)])
def test_a_timeout_has_five_bits(value: str, num_problems: int) -> None:
    assert len(list(check_timeout({"NCCL_IB_TIMEOUT": value}))) == num_problems
    assert not list(check_timeout({}))


def with_modules(*modules: str) -> ClusterConfig:
    return replace(SLURM, modules=modules)


def test_modules_are_loaded_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites export `module` as a shell function; this one wants GCC before CUDA."""
    says = '[ "$2" = GCC ] && loaded=1; [ "$2" = CUDA ] && [ -z "$loaded" ] && echo "ERROR: no $2" >&2'
    known = '[ "$2" = GCC ] || [ "$2" = CUDA ] || { echo "unknown: $2" >&2; return 1; }'
    monkeypatch.setenv("BASH_FUNC_module%%", f"() {{ {says}; {known}\n}}")
    (good,) = check_modules(with_modules("GCC", "CUDA"), 30.0)
    (order,) = check_modules(with_modules("CUDA", "GCC"), 30.0)
    (absent,) = check_modules(with_modules("GCC", "CUDA/99"), 30.0)
    assert good.verdict is Verdict.ok
    assert order.what == "CUDA does not load: ERROR: no CUDA"
    assert absent.what == "CUDA/99 does not load: unknown: CUDA/99"
    assert "`module avail CUDA/99`" in absent.change


def test_a_shell_without_modules_is_a_problem_only_where_some_are_wanted() -> None:
    (finding,) = check_modules(with_modules("CUDA"), 30.0)
    assert finding.what == "scripts of this shell have no `module` command"
    assert not list(check_modules(SLURM, 30.0))


def test_python_that_cannot_import_what_a_rank_does_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcuda.so is missing')")
    cluster = replace(SLURM, env={"PYTHONPATH": str(tmp_path)})
    (finding,) = check_python(cluster, is_on_node=False)
    assert finding.verdict is Verdict.problem
    assert "cannot train: ImportError: libcuda.so is missing" in finding.what


def test_what_a_model_would_fetch_must_be_in_the_cache(tmp_path: Path) -> None:
    env = {"HF_HOME": str(tmp_path)}
    runs = [run_config(model=ModelConfig(name="ViT-B-16-SigLIP")), run_config()]
    (missing,) = check_offline(env, runs)
    assert missing.verdict is Verdict.problem
    assert missing.change == "fetch it here first: hf download timm/ViT-B-16-SigLIP"
    (tmp_path / "hub" / "models--timm--ViT-B-16-SigLIP").mkdir(parents=True)
    (unsure,) = check_offline(env, runs)
    (good,) = check_offline({**env, "HF_HUB_OFFLINE": "1"}, runs)
    assert (unsure.verdict, good.verdict) == (Verdict.warning, Verdict.ok)


def test_the_command_needs_no_sweep_and_ends_with_a_status(root: Path) -> None:
    done = run("launcher", "doctor", "format=json", root=root)
    report = json.loads(done.stdout)
    assert (done.returncode, report["problems"]) == (0, 0), done.stdout
    assert {"check", "verdict", "what", "change"} == set(report["findings"][0])
    assert not root.exists()
    poor = run("launcher", "doctor", "cluster=slurm", root=root, env={"PATH": "/nowhere"})
    assert poor.returncode == 1
    assert "✗ clients" in poor.stdout
    assert "run on a login node of the cluster" in poor.stdout


def test_the_command_refuses_what_it_does_not_know(root: Path) -> None:
    done = run("launcher", "doctor", "cluster.acount=x", root=root)
    assert (done.returncode, "Did you mean account" in done.stderr) == (2, True), done.stderr
    assert done.stderr.count(os.linesep) == 1

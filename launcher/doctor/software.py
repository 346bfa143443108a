"""What a job's environment holds: modules, Python with torch, and all that must not be fetched.

Modules and Python are tried as a batch script has them: in bash, without what an enclosing job leaks.
"""

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conf.schema import ClusterConfig, ModelConfig, RunConfig
from launcher.doctor.findings import Finding, ok, problem, warning
from launcher.machines.batch import environment_lines
from launcher.machines.slurm_client import clean_environment
from sweeps.folders import CHECKOUT

IMPORT_S = 120.0
"""Torch takes long to import from a parallel file system that has not seen it for a while."""

WHAT_A_RANK_IMPORTS = """
import json, torch, training.model
platform = torch.version.cuda or torch.version.hip
print(json.dumps([torch.__version__, platform, torch.cuda.device_count()]))
"""
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
HUB = "hf-hub:"
HUB_KEYS = ("hf_tokenizer_name", "hf_model_name")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
INSTALL = "install with: pip install -c constraints.txt -e '.[train]'"


def check_modules(cluster: ClusterConfig, timeout_s: float) -> Iterator[Finding]:
    """Load the preset's modules, one after another."""
    if not cluster.modules:
        return
    if _bash("type module", timeout_s).returncode:
        yield problem(
            "modules",
            "scripts of this shell have no `module` command",
            "source the site's module setup in your shell's profile, or set cluster.modules=[]",
        )
        return
    for number, module in enumerate(cluster.modules, 1):
        message = _refusal(cluster.modules[:number], timeout_s)
        if message:
            change = (
                f"correct it in cluster.modules; `module avail {shlex.quote(module)}` lists what is"
            )
            yield problem("modules", f"{module} does not load: {message}", change)
            return
    yield ok("modules", f"{', '.join(cluster.modules)} loaded")


def check_python(cluster: ClusterConfig, *, is_on_node: bool) -> Iterator[Finding]:
    """Import what a rank imports, in the environment that a job gets."""
    script = "\n".join(
        [
            *environment_lines(cluster),
            f"exec {shlex.join([sys.executable, '-c', WHAT_A_RANK_IMPORTS])}",
        ]
    )
    done = _bash(script, IMPORT_S)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield problem("python", f"{sys.executable} cannot train: {last}", INSTALL)
        return
    version, platform, num_devices = json.loads(done.stdout.splitlines()[-1])
    shown = f"torch {version}, {platform or 'for CPUs only'}"
    if cluster.gpus_per_node and is_on_node:
        yield _devices_finding(shown, num_devices, cluster.gpus_per_node)
    elif cluster.gpus_per_node and not platform:
        what = f"{shown}, but cluster.gpus_per_node={cluster.gpus_per_node}"
        yield warning("python", what, "install the torch that the site names for its GPUs")
    else:
        yield ok("python", f"{shown}, by {sys.executable}")


def check_offline(env: Mapping[str, str], runs: Sequence[RunConfig]) -> Iterator[Finding]:
    """Look whether all is here that open_clip would fetch: compute nodes may have no internet."""
    package = _package("open_clip")
    if package is None:
        return  # `check_python` says so
    if not (package / VOCABULARY).exists():
        yield problem("offline", f"{package / VOCABULARY} is missing", INSTALL)
        return
    wanted = sorted({name for run in runs for name in hub_names(run.model, package)})
    missing = [name for name in wanted if not (_hub_cache(env) / _cached(name)).exists()]
    if missing:
        change = f"fetch it here first: hf download {missing[0]}"
        yield problem("offline", f"{', '.join(missing)} is not in {_hub_cache(env)}", change)
    elif wanted and not any(env.get(name) == "1" for name in OFFLINE):
        what = f"{', '.join(wanted)} is cached, but jobs look for newer ones"
        yield warning("offline", what, f"set cluster.env.{OFFLINE[0]} to '1'")
    else:
        yield ok("offline", "nothing has to be fetched")


def hub_names(model: ModelConfig, package: Path) -> set[str]:
    """Return the names on the Hugging Face Hub that a model refers to.

    Args:
        model: as configured.
        package: open_clip's folder, which describes the models that it knows by name.
    """
    if model.name.startswith(HUB):
        return {model.name.removeprefix(HUB)}
    described: Any = model.config
    path = package / "model_configs" / f"{model.name}.json"
    if described is None:
        described = json.loads(path.read_text()) if path.exists() else {}
    text = described.get("text_cfg", {})
    return {text[key] for key in HUB_KEYS if text.get(key)}


def _devices_finding(shown: str, found: int, wanted: int) -> Finding:
    if found in (1, wanted):  # one where Slurm shows each rank its own
        return ok("python", f"{shown}, sees {found} of {wanted} GPUs")
    what = f"{shown}, sees {found} of {wanted} GPUs"
    return problem("python", what, "load the GPU's modules, or install the torch that fits them")


def _refusal(modules: Sequence[str], timeout_s: float) -> str:
    """Return why the last of some modules does not load, or nothing if it does.

    Old versions of `module` say so on standard error only, and succeed.
    """
    done = _bash("\n".join(f"module load {shlex.quote(m)} || exit 1" for m in modules), timeout_s)
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    wrong = [line for line in said if "error" in line.lower()]
    if done.returncode:
        return (wrong or said or ["no message"])[0]
    return wrong[0] if wrong else ""


def _bash(script: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    command = ["/bin/bash", "-c", script]
    try:
        return subprocess.run(
            command,
            cwd=CHECKOUT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        said = f"did not end in {timeout_s:g} s"
        return subprocess.CompletedProcess(command, returncode=124, stdout="", stderr=said)


def _package(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def _hub_cache(env: Mapping[str, str]) -> Path:
    """Return where huggingface_hub keeps what it fetched, by its documented variables."""
    known = {**os.environ, **env}
    if "HF_HUB_CACHE" in known:
        return Path(known["HF_HUB_CACHE"])
    cache = Path(known.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(known.get("HF_HOME", cache / "huggingface")) / "hub"


def _cached(name: str) -> str:
    return f"models--{name.replace('/', '--')}"

"""A procedure of a user's own, in files of their own, trains without a change to any of ours."""

from pathlib import Path

import pytest

from sweeps.folders import Root
from tests.commands import OWN_CONF, ROOM, run
from training.telemetry.metrics import metrics_path, read_moments

PROCEDURE = '''
"""An image autoencoder: no text, no contrast, no model of open_clip's."""

import torch

class Autoencoder:
    def __init__(self, config, width):
        self.image_size, self.width = config.config["side"], width

    def build(self, seed):
        torch.manual_seed(seed)
        numbers = 3 * self.image_size**2
        return torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(numbers, self.width),
            torch.nn.Linear(self.width, numbers),
        )

    def tokenizer(self):
        return lambda texts: torch.zeros(len(texts), 1, dtype=torch.int64)

    def losses(self, model, samples, world):
        (errors,) = samples.through(lambda chunk: (self.errors(model, chunk.images),))
        return {"reconstruction_loss": errors.mean()}

    def errors(self, model, images):
        return (model(images) - images.flatten(1)).square().mean(dim=1)

    def shown(self, model):
        return {"weight": float(model[1].weight.detach().norm())}
'''

CONFIGS = {
    "model/small.yaml": "{name: small, config: {side: 32}}",
    "procedure/own.yaml": "{_target_: own_procedures.Autoencoder, options: {width: 16}}",
    "eval/none.yaml": "{name: none, datasets: {}, evals: []}",
    "sweep/drawings.yaml": """
        name: drawings
        set: {data: tiny, eval: none, hooks: [], procedure: own, global_batch_size: 32, optim.lr: 3e-3}
        blocks: [{axes: {model: [small], samples_seen: [1920]}}]
    """,
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a user's files."""
    for name, text in {**CONFIGS, "own_procedures.py": PROCEDURE}.items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "own"


@pytest.mark.slow
def test_a_procedure_from_outside_trains_on_two_ranks(root: Path, own: Path) -> None:
    search = f"{OWN_CONF[:-1]},file://{own}]"
    layout = ("resources.num_ranks=2", "resources.accumulation=2", ROOM)
    done = run("launcher", search, "sweep=drawings", *layout, root=root, env={"PYTHONPATH": str(own)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 done" in done.stdout
    (folder,) = (Root(root).segment(path.name) for path in (root / "segments").iterdir())
    first, *_, last = read_moments(metrics_path(folder, 1))
    assert last.shown.keys() == {"weight"}
    assert last.losses["reconstruction_loss"] < first.losses["reconstruction_loss"]

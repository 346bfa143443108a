"""clip_benchmark's command line, given REMEDY, MODELS and its own arguments.

MODELS is a folder of model configs that open_clip is to know besides its own; REMEDY is the file that
makes torchvision importable beside a torch without CUDA. Its linear probe insists on a GPU: here
`.cuda()` leaves everything where it is. After a probe, a line of JSON: the accuracy of scikit-learn's
logistic regression on the features that the probe left, by its C.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

STRENGTHS = (1.0, 100.0)


class Cpu(str):
    """The device `cpu`, which passes for `cuda` where a probe asks."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Say yes to both."""
        return str(other) in ("cpu", "cuda")

    __hash__ = str.__hash__


if __name__ == "__main__":
    remedy, models, *arguments = sys.argv[1:]
    runpy.run_path(remedy)["import_torchvision"]()

    import open_clip
    import torch
    from clip_benchmark import cli
    from clip_benchmark.metrics import linear_probe
    from sklearn.linear_model import LogisticRegression

    open_clip.add_model_config(models)
    changed: Any = torch
    changed.nn.Module.cuda = changed.Tensor.cuda = lambda self: self
    evaluate = linear_probe.evaluate
    linear_probe.evaluate = lambda *given, **more: evaluate(*given, **{**more, "device": Cpu("cpu")})
    sys.argv = ["clip_benchmark", *arguments]
    cli.main()
    for folder in Path("features").glob("*"):
        x, y, x_test, y_test = (
            torch.load(folder / f"{kind}_{split}.pt").numpy()
            for split in ("train", "test")
            for kind in ("features", "targets")
        )
        accuracies = {}
        for strength in STRENGTHS:
            regression = LogisticRegression(C=strength, tol=1e-8, max_iter=20_000).fit(x, y)
            accuracies[str(strength)] = regression.score(x_test, y_test)
        print(json.dumps({"sklearn": accuracies}))

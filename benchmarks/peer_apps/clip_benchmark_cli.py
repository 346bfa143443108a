"""clip_benchmark's own command line, given REMEDY, MODELS and its arguments.

MODELS is a folder of model configs that open_clip is to know besides its own; REMEDY is the file that
makes torchvision importable beside a torch without CUDA.
"""

import runpy
import sys

if __name__ == "__main__":
    remedy, models, *arguments = sys.argv[1:]
    runpy.run_path(remedy)["import_torchvision"]()

    import open_clip
    from clip_benchmark import cli

    open_clip.add_model_config(models)
    sys.argv = ["clip_benchmark", *arguments]
    cli.main()

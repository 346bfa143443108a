"""open_clip's own trainer, given REMEDY, MODELS and its own arguments.

MODELS is a folder of model configs that it is to know besides its own; REMEDY is the file that makes
torchvision importable beside a torch without CUDA.
"""

import runpy
import sys

if __name__ == "__main__":
    remedy, models, *arguments = sys.argv[1:]
    runpy.run_path(remedy)["import_torchvision"]()

    import open_clip
    from open_clip_train.main import main

    open_clip.add_model_config(models)
    main(arguments)

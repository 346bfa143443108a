"""What can be measured of a checkpoint: a class each, which an eval names by `_target_`."""

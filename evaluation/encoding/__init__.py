"""Features of images and texts, by the models of checkpoints."""

"""Hydra's configuration groups (YAML) and their typed shape (`conf.schema`)."""

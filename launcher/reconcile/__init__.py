"""A pass: observe what is, plan what is missing, apply it, tell the hooks."""

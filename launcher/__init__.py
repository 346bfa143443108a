"""Make it so: observe what is, plan what is missing, apply it; watch over what runs."""

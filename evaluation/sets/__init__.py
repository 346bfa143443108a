"""Test sets: where their files lie, how they are decoded, and as evaluators see them."""

"""Work items, who executes them, and how that ended."""

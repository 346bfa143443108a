"""One law of one set of points: its frontier, its fit, and how far that is to be believed."""

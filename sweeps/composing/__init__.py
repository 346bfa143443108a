"""From a command line to the cells of its grid, and their typed configs."""

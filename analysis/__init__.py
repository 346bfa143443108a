"""From the results table to scaling laws: select, frontier, fit, uncertainty, figures, report."""

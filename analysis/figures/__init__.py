"""Figures that print, as SVG and PNG: laws, comparisons, learning curves, residuals, runs."""

"""Small symmetric systems, many at once."""

import numpy as np

from analysis.arrays import Floats

SMALLEST = 1e-200


def solved(matrix: Floats, vector: Floats, *, ridge: float) -> Floats:
    """Return M⁻¹v, M (…, l, l) and v (…, l); scaled to a unit diagonal, M has `ridge` added to it."""
    diagonal = np.einsum("...ll->...l", matrix)
    scale = np.sqrt(np.where(diagonal > SMALLEST, diagonal, 1.0))
    unit = matrix / (scale[..., :, None] * scale[..., None, :])
    unit = unit + (ridge + (diagonal <= SMALLEST))[..., None, :] * np.eye(matrix.shape[-1])
    return np.linalg.solve(unit, (vector / scale)[..., None])[..., 0] / scale

"""The arrays that fits are made of: many small problems of one shape, side by side."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
"""Row numbers."""

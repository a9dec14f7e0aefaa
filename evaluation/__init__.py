"""Accuracy on recordings with known answers. `python -m evaluation` prints all figures beside their goals."""

from __future__ import annotations

import os

# One thread, as in workers, and before numpy is imported anywhere.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

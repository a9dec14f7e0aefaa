"""Tests. On one thread: numpy looks at this when it is first imported, and its threads only fight each other here."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

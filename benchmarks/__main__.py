"""Run all benchmarks in sequence: `make bench`, or `python -m benchmarks api uploads` for some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NOT_ALONE = {
    "__init__",
    "__main__",
    "large_library",
    "library_index",
    "stack",
    "transcription",
    "webhook_app",
    "webhook_parts",
}
"""transcription is left out because it needs a corpus on its command line."""


def main() -> int:
    """Run the named benchmarks, or all; return how many failed."""
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_ALONE)
    wanted = sys.argv[1:] or known
    unknown = set(wanted) - set(known)
    if unknown:
        sys.stderr.write(f"No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(known)}\n")
        return 2
    return sum(bool(subprocess.call([sys.executable, "-m", f"benchmarks.{name}"])) for name in wanted)


if __name__ == "__main__":
    sys.exit(main())

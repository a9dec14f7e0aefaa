"""`python -m tests.fuzz [--examples 300] [--database sqlite|postgresql] [-- arguments of schemathesis]`."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.run import DATABASES, fuzz


def main() -> int:
    """Fuzz on one database or on both, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="per operation")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: one after the other")
    parser.add_argument("more", nargs="*", help="further arguments of schemathesis, after --")
    asked = parser.parse_args()
    outcomes = [fuzz(name, asked.examples, *asked.more) for name in asked.database or DATABASES]
    for outcome in outcomes:
        verdict = "no failures" if outcome.exit_code == 0 else "FAILED"
        sys.stdout.write(f"{outcome.database}: {verdict} in {outcome.seconds:.0f} s\n")
    return max(outcome.exit_code for outcome in outcomes)


if __name__ == "__main__":
    raise SystemExit(main())

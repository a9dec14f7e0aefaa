"""How fast search is in a large library of two users who share some of it.

    python -m benchmarks.search [--recordings 100000] [--database sqlite|postgresql|URL] [--times 100]

Writes the library (`benchmarks/search_library.py`; 100,000 recordings of 120 segments take 15 minutes and 15 GB), then
starts its own Redis and gunicorn and asks over one connection. A URL is that of a library written by an earlier run.
Also measured: what one more recording costs to index, and the index's size. PostgreSQL is a throw-away cluster with
32 MB of shared buffers, so that what is quick here is quick anywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import search_library as library
from benchmarks.stack import Server, machine, print_table

GOAL_P95_MS = 150
QUESTIONS = {
    "a rare word": {"q": library.RARE},
    "a common word": {"q": library.COMMON},
    "an absent word": {"q": library.ABSENT},
    "a word of 1 %": {"q": library.MIDDLING},
    "a common word, 100 results": {"q": library.COMMON, "per_page": 100},
    "a common word, page 500": {"q": library.COMMON, "page": 500},
    "two words, common and rare": {"q": f"{library.COMMON} {library.RARE}"},
    "a beginning of 2 letters": {"q": "ba*"},
    "a phrase of common words": {"q": f'"{library.COMMON} and budget"'},
    "a common word with a tag": {"q": library.COMMON, "tag": "tag 3"},
    "a common word among the starred": {"q": library.COMMON, "starred": "true"},
}
GOALS = {"a rare word", "a common word", "an absent word"}


def ask(port: int, token: str, query: dict[str, object], times: int) -> tuple[list[float], dict]:
    """Ask again and again; return the milliseconds each answer took, and one of them."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    path = f"/api/v1/search?{urlencode(query)}"
    taken, found = [], {}
    for _ in range(times + 3):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, body
        found = json.loads(body)
    connection.close()
    return taken[3:], found


def speakr(server: Server, *arguments: str) -> str:
    """Run an operator's command."""
    command = [sys.executable, "-m", "speakr", *arguments]
    return subprocess.run(
        command, env=server.environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def sizes(url: str) -> list[list[str]]:
    """Tell the sizes of the index and of what it is made from."""
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        query = "SELECT sum(pgsize) FROM dbstat WHERE name = :name"
        names = {
            "the index": "search_index_data",
            "its words": "search_terms",
            "its texts": "search_documents",
        }
    else:
        query = "SELECT pg_total_relation_size(CAST(:name AS regclass)) - (CASE WHEN :name = 'search_terms' THEN pg_relation_size('ix_search_terms_lexemes') ELSE 0 END)"
        names = {
            "the index": "ix_search_terms_lexemes",
            "its words": "search_terms",
            "its texts": "search_documents",
        }
    names["for comparison: segments"] = "segments"
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM recordings")) or 1
        rows = [
            [name, f"{size / 1e6:.0f}", f"{size / count / 1000:.1f}"]
            for name, table in names.items()
            for size in [connection.scalar(text(query), {"name": table}) or 0]
        ]
    engine.dispose()
    return rows


def index_again(url: str, times: int) -> list[float]:
    """Change and index some recordings, each in a transaction of its own; return the milliseconds each took."""
    from sqlalchemy import text

    from speakr.app import create_app
    from speakr.db import db, unit_of_work
    from speakr.services import search_index

    os.environ["DATABASE_URL"] = url
    with create_app().app_context():
        ids = db.session.scalars(
            text("SELECT id FROM recordings ORDER BY id LIMIT :times"), {"times": times}
        ).all()
        taken = []
        for recording_id in ids:
            began = time.perf_counter()
            with unit_of_work() as session:
                session.execute(
                    text("UPDATE recordings SET notes = :notes WHERE id = :id"),
                    {"notes": f"changed {time.time()}", "id": recording_id},
                )
                search_index.index(recording_id)
            taken.append((time.perf_counter() - began) * 1000)
    return taken


def p95(taken: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(taken, n=20)[18]


def measure(server: Server, times: int) -> list[list[str]]:
    """Ask everything, a hundred times each."""
    token = speakr(server, "create-token", "bench0")
    rows = []
    for name, query in QUESTIONS.items():
        taken, found = ask(server.port, token, query, times)
        pagination = found["pagination"]
        total = f"{pagination['total']}{'' if pagination['total_is_exact'] else '+'}"
        goal = str(GOAL_P95_MS) if name in GOALS else ""
        rows.append([name, total, f"{statistics.median(taken):.1f}", f"{p95(taken):.1f}", goal])
        print(f"  {name}: {rows[-1][2:4]}", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--recordings", type=int, default=10_000)
    options.add_argument("--database", default="sqlite")
    options.add_argument("--times", type=int, default=100)
    options.add_argument("--fill", default="", help=argparse.SUPPRESS)
    options.add_argument("--index-again", default="", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.fill:
        print(library.fill(asked.fill, asked.recordings))
        return
    if asked.index_again:
        taken = index_again(asked.index_again, asked.times)
        print(f"{statistics.median(taken):.1f} {p95(taken):.1f}")
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-b-")))
        is_new = asked.database in {"sqlite", "postgresql"}
        url = stack.enter_context(library.database(asked.database, folder)) if is_new else str(asked.database)
        server = Server(folder, url)

        def again(*arguments: str) -> str:
            command = [sys.executable, "-m", "benchmarks.search", *arguments]
            return subprocess.run(
                command, env=server.environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout.strip()

        notes = []
        if is_new:
            seconds = float(again("--fill", url, "--recordings", str(asked.recordings)))
            notes.append(
                f"The migration indexed {asked.recordings} recordings in {seconds:.0f} s "
                f"({seconds / asked.recordings * 1000:.1f} ms each)."
            )
        with server:
            rows = measure(server, asked.times)
            median, worst = again("--index-again", url, "--times", str(asked.times)).split()
        notes.append(f"Changing a recording's notes with its index: median {median} ms, p95 {worst} ms.")
        size_rows = sizes(url)
        count = asked.recordings if is_new else "existing"
        print_table(
            f"{machine()}; {count} recordings of {library.SEGMENTS} segments, {server.database_name}, {asked.times} times each",
            ["search for", "results", "median ms", "p95 ms", "goal p95: at most"],
            rows,
        )
        print_table("Sizes", ["what", "MB", "kB per recording"], size_rows)
        print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()

"""Cost of the search index of a large library: its size, and the time that a change of one recording takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks.stack import Server

_PARTS = {
    "sqlite": {
        "the index": "search_index_data",
        "its words": "search_terms",
        "its texts": "search_documents",
        "for comparison: segments": "segments",
    },
    "postgresql": {
        "the index": "ix_search_terms_lexemes",
        "its words": "search_terms",
        "its texts": "search_documents",
        "for comparison: segments": "segments",
    },
}
_SIZE = {
    "sqlite": "SELECT sum(pgsize) FROM dbstat WHERE name = :name",
    "postgresql": (
        "SELECT CASE WHEN relkind = 'i' THEN pg_relation_size(oid) ELSE pg_table_size(oid) END"
        " FROM pg_class WHERE oid = CAST(:name AS regclass)"
    ),
}


def sizes(url: str) -> list[list[str]]:
    """Return the sizes of the index and of the tables it indexes."""
    engine = create_engine(url)
    kind = engine.dialect.name
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM recordings")) or 1
        rows = [
            [part, f"{size / 1e6:.0f}", f"{size / count / 1000:.1f}"]
            for part, name in _PARTS[kind].items()
            for size in [connection.scalar(text(_SIZE[kind]), {"name": name}) or 0]
        ]
    engine.dispose()
    return rows


def postgres_pid(url: str) -> int | None:
    """Return the first process of a PostgreSQL server, if the database is on this machine."""
    engine = create_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            return None
        with engine.connect() as connection:
            folder = connection.scalar(text("SHOW data_directory"))
        return int((Path(str(folder)) / "postmaster.pid").read_text().split()[0])
    except OSError:
        return None
    finally:
        engine.dispose()


def index_again(server: Server, times: int) -> tuple[list[float], float]:
    """Change and index some recordings in a separate process; return the milliseconds each took, and those of the CPU."""
    command = [sys.executable, "-m", "benchmarks.library_index", str(times)]
    output = subprocess.run(command, env=server.environment, check=True, stdout=subprocess.PIPE, text=True)
    taken, cpu = json.loads(output.stdout)
    return taken, cpu


def _index_again(times: int) -> tuple[list[float], float]:
    from speakr.app import create_app
    from speakr.db import db, unit_of_work
    from speakr.services.search import indexing

    with create_app().app_context():
        ids = db.session.scalars(
            text("SELECT id FROM recordings ORDER BY id LIMIT :times"), {"times": times}
        ).all()
        db.session.rollback()
        taken, cpu = [], time.process_time()
        for recording_id in ids:
            began = time.perf_counter()
            with unit_of_work() as session:
                session.execute(
                    text("UPDATE recordings SET notes = :notes WHERE id = :id"),
                    {"notes": f"changed {time.time()}", "id": recording_id},
                )
                indexing.index(recording_id)
            taken.append((time.perf_counter() - began) * 1000)
        return taken, (time.process_time() - cpu) * 1000 / times


if __name__ == "__main__":
    print(json.dumps(_index_again(int(sys.argv[1]))))

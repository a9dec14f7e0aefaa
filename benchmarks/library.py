"""Speed of lists, search and figures in a large library of two owners who share some of it with a third user.

python -m benchmarks.library [--recordings 100000] [--database sqlite|postgresql|URL] [--keep FOLDER] [--times 100]

Writes the library (`benchmarks/large_library.py`; 100,000 recordings of 120 segments take some minutes and 12 GB), then
starts its own Redis and gunicorn and sends requests over one connection. A library in a kept folder is written once and
used again; a URL is that of one written by an earlier run. PostgreSQL is a cluster of its own with 32 MB of shared
buffers, so its figures hold for small servers too. CPU is that of the web process and the database together: unlike the
time, it does not depend on other processes of the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks import large_library, library_index
from benchmarks.stack import Server, machine, print_table, rss_bytes
from tests.servers import postgres_server

HEAD = ["request", "of", "median ms", "p95 ms", "max ms", "CPU ms", "goal p95"]
LIST_GOAL_MS, SEARCH_GOAL_MS, STATS_GOAL_MS, MEMORY_GOAL_MB = 25, 150, 15, 250
DEEP_PAGE = 1_000
_WARM_UP = 3
_STATS_REMEMBERED_SECONDS = 2.1
_IDLE_SECONDS = 10

_COMMON, _RARE = large_library.COMMON, large_library.RARE
LISTS: dict[str, dict[str, object]] = {
    "list, first page": {},
    "list of 100": {"per_page": 100},
    "list by title": {"sort_by": "title", "sort_order": "asc"},
    "list, with a tag": {"tag": "tag 3"},
    "list, failed ones": {"status": "failed"},
    "list, completed ones": {"status": "completed"},
    "list, starred ones": {"starred": "true"},
    "list, of one week": {"date_from": "2026-02-01", "date_to": "2026-02-07"},
    "list, q in many titles": {"q": "meeting"},
    "list, q in few titles": {"q": "meeting 77"},
    "list, q in no title": {"q": large_library.ABSENT},
    "list, q and a tag": {"q": "meeting 7", "tag": "tag 3"},
}
SHARED_LISTS: dict[str, dict[str, object]] = {
    "shared list, first page": {"shared": "true"},
    "shared list, of 100": {"shared": "true", "per_page": 100},
    "shared list, failed ones": {"shared": "true", "status": "failed"},
    "shared list, q": {"shared": "true", "q": "meeting 7"},
}
QUESTIONS: dict[str, dict[str, object]] = {
    "a rare word": {"q": _RARE},
    "a common word": {"q": _COMMON},
    "an absent word": {"q": large_library.ABSENT},
    "a word of 1 %": {"q": large_library.MIDDLING},
    "a common word, 100 results": {"q": _COMMON, "per_page": 100},
    "a common word, page 500": {"q": _COMMON, "page": 500},
    "two words, common and rare": {"q": f"{_COMMON} {_RARE}"},
    "a beginning of 2 letters": {"q": "ba*"},
    "a phrase of common words": {"q": f'"{_COMMON} and budget"'},
    "a common word with a tag": {"q": _COMMON, "tag": "tag 3"},
    "a common word among the starred": {"q": _COMMON, "starred": "true"},
}
GOALS_OF_READER = ("a rare word", "a common word", "an absent word", "a word of 1 %")


@dataclass
class Asking:
    """A client with one connection, and table rows for its responses."""

    server: Server
    database_pid: int | None
    token: str
    times: int

    def __post_init__(self) -> None:
        self.last_sent = 0.0
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port)

    def get(self, path: str, query: dict[str, object] | None = None) -> Any:
        """Send one GET request."""
        return json.loads(self.send("GET", f"/api/v1/{path}{'?' if query else ''}{urlencode(query or {})}"))

    def send(self, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
        """Send a request and return the body of its response."""
        if time.monotonic() - self.last_sent > _IDLE_SECONDS:
            self.connection.close()  # the server has closed it
        self.last_sent = time.monotonic()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        read = answer.read()
        assert answer.status == 200, (path, answer.status, read[:500])
        return read

    def row(
        self, name: str, path: str, query: dict[str, object] | None = None, *, goal: int | None = None
    ) -> list[str]:
        """Repeat a request and return a row."""
        for _ in range(_WARM_UP):
            found = self.get(path, query)
        return self.report(name, _of(found), [(path, query)] * self.times, goal)

    def report(
        self,
        name: str,
        amount: str,
        asked: Sequence[tuple[str, dict[str, object] | None]],
        goal: int | None,
        *,
        pause: float = 0,
    ) -> list[str]:
        """Send these requests and return a row."""
        taken = []
        cpu = self.cpu_seconds()
        for path, query in asked:
            time.sleep(pause)
            began = time.perf_counter()
            self.get(path, query)
            taken.append((time.perf_counter() - began) * 1000)
        cpu = (self.cpu_seconds() - cpu) / len(asked) * 1000
        return row_of(name, amount, taken, cpu, goal)

    def walk(self, query: dict[str, object], page: int) -> tuple[list[str], list[str]]:
        """Go to a page by cursors; return rows for the way and for the last page."""
        cursor, way, last = "", [], 1
        cpu = self.cpu_seconds()
        while last < page:
            last += 1
            began = time.perf_counter()
            found = self.get("recordings", query | ({"cursor": cursor} if cursor else {}))
            way.append((time.perf_counter() - began) * 1000)
            if not found["pagination"]["has_next"]:
                break
            cursor = found["pagination"]["next_cursor"]
        cpu = (self.cpu_seconds() - cpu) / len(way) * 1000
        kind = "shared list" if "shared" in query else "list"
        return (
            row_of(f"{kind}, pages 1 to {last - 1} by cursor", _of(found), way, cpu, LIST_GOAL_MS),
            self.row(
                f"{kind}, page {last} by cursor",
                "recordings",
                query | {"cursor": cursor},
                goal=LIST_GOAL_MS,
            ),
        )

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        database = self.server.cpu_seconds_below(self.database_pid) if self.database_pid else 0
        return self.server.web_cpu_seconds() + database


def row_of(name: str, amount: str, taken: list[float], cpu: float, goal: int | None) -> list[str]:
    """Return a row of the table; also print it at once, because all of them take minutes."""
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[18] if len(taken) > 1 else taken[0]
    figures = [f"{statistics.median(taken):.1f}", f"{p95:.1f}", f"{max(taken):.1f}", f"{cpu:.1f}"]
    row = [name, amount, *figures, "" if goal is None else f"{goal}{'' if p95 <= goal else ', missed'}"]
    print("  " + " | ".join(row), file=sys.stderr, flush=True)
    return row


def _of(found: Any) -> str:
    pagination = found.get("pagination", {}) if isinstance(found, dict) else {}
    return f"{pagination.get('total', '')}{'' if pagination.get('total_is_exact', True) else '+'}"


def measure_owner(owner: Asking) -> list[list[str]]:
    """Send the requests of the owner of half the library."""
    rows = [
        owner.row(name, "recordings", query, goal=LIST_GOAL_MS if name == "list, first page" else None)
        for name, query in LISTS.items()
    ]
    pages = owner.get("recordings")["pagination"]["total_pages"]
    deep = min(DEEP_PAGE, pages)
    rows += owner.walk({}, deep)
    rows.append(owner.row(f"list, page {deep} by number", "recordings", {"page": deep}))
    rows.append(owner.row("list, last page by number", "recordings", {"page": pages}))
    first = owner.get("recordings", {"per_page": 100})["recordings"]
    rows.append(
        owner.report(
            "detail with all texts",
            "",
            [(f"recordings/{first[n % 100]['id']}", None) for n in range(owner.times)],
            None,
        )
    )
    rows += [
        owner.row(
            f"search for {name}",
            "search",
            query,
            goal=SEARCH_GOAL_MS if name in GOALS_OF_READER[:3] else None,
        )
        for name, query in QUESTIONS.items()
    ]
    rows.append(owner.row("stats", "stats", goal=STATS_GOAL_MS))
    rows.append(
        owner.report(
            "stats, not cached",
            "",
            [("stats", None)] * max(10, owner.times // 10),
            STATS_GOAL_MS,
            pause=_STATS_REMEMBERED_SECONDS,
        )
    )
    rows += [owner.row(name, name) for name in ("speakers", "tags", "folders")]
    return rows


def measure_reader(reader: Asking) -> list[list[str]]:
    """Send the requests of a user with whom a part of the library is shared."""
    rows = [
        reader.row(name, "recordings", query, goal=LIST_GOAL_MS if name.endswith("first page") else None)
        for name, query in SHARED_LISTS.items()
    ]
    rows += reader.walk({"shared": "true"}, DEEP_PAGE)
    shown = reader.get("recordings", {"shared": "true", "per_page": 100})["recordings"]
    rows.append(
        reader.report(
            "detail of a shared one",
            "",
            [(f"recordings/{shown[n % 100]['id']}", None) for n in range(reader.times)],
            None,
        )
    )
    rows += [
        reader.row(
            f"reader's search for {name}",
            "search",
            QUESTIONS[name],
            goal=SEARCH_GOAL_MS,
        )
        for name in GOALS_OF_READER
    ]
    rows.append(reader.row("reader's stats", "stats", goal=STATS_GOAL_MS))
    return rows


def rename(owner: Asking) -> list[list[str]]:
    """Rename a speaker who is in many recordings, and back."""
    speakers = {known["name"]: known for known in owner.get("speakers")["speakers"]}
    known = speakers["Ann"]
    taken, cpu = [], owner.cpu_seconds()
    for name in ("Anna", "Ann"):
        began = time.perf_counter()
        owner.send("PUT", f"/api/v1/speakers/{known['id']}", {"name": name})
        taken.append((time.perf_counter() - began) * 1000)
    cpu = (owner.cpu_seconds() - cpu) / len(taken) * 1000
    return [row_of("renaming a speaker", f"{known['use_count']}", taken, cpu, None)]


def measure_memory(server: Server, token: str) -> list[list[str]]:
    """List the largest pages over eight connections at once; return the web processes' memory."""
    before = _web_memory(server)

    def load() -> None:
        asking = Asking(server, None, token, 1)
        for page in range(1, 26):
            asking.get("recordings", {"per_page": 100, "page": page})
            asking.get("search", {"per_page": 100, "q": _COMMON, "page": page})

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    goal = f"{MEMORY_GOAL_MB}"
    return [
        ["web process after all of the above", f"{before:.0f}", goal],
        ["after 400 full pages over 8 connections", f"{_web_memory(server):.0f}", goal],
    ]


def _web_memory(server: Server) -> float:
    return max(rss_bytes(pid) for pid in server.pids_below(server.web.pid)) / 2**20


@contextlib.contextmanager
def library(kind: str, recordings: int, kept: Path | None) -> Iterator[str]:
    """Yield the URL of a library; write it unless an earlier run did."""
    with contextlib.ExitStack() as stack:
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-l-")))
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "sqlite":
            url = f"sqlite:///{folder}/speakr.db"
        else:
            url = stack.enter_context(postgres_server(kept))
        written = folder / "recordings"
        if not written.exists():
            began = time.monotonic()
            large_library.write(
                url,
                recordings,
                lambda what: print(f"  {time.monotonic() - began:.0f} s: {what}", file=sys.stderr),
            )
            print(f"\nThe library was written in {time.monotonic() - began:.0f} s.")
            written.write_text(str(recordings))
        assert int(written.read_text()) == recordings, f"{folder} has {written.read_text()} recordings"
        yield url


def create_token(server: Server, user: str) -> str:
    """Create a token on the command line."""
    command = [sys.executable, "-m", "speakr", "create-token", user]
    made = subprocess.run(command, env=server.environment, check=True, capture_output=True, text=True)
    return made.stdout.strip()


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--recordings", type=int, default=10_000)
    options.add_argument("--database", default="sqlite")
    options.add_argument("--keep", type=Path, default=None)
    options.add_argument("--times", type=int, default=100)
    asked = options.parse_args()
    is_url = asked.database not in {"sqlite", "postgresql"}
    with (
        contextlib.nullcontext(asked.database)
        if is_url
        else library(asked.database, asked.recordings, asked.keep) as url,
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(Path(folder), url) as server,
    ):
        postgres = library_index.postgres_pid(url)
        owner, reader = (
            Asking(server, postgres, create_token(server, user), asked.times)
            for user in (large_library.OWNERS[0], large_library.READER)
        )
        rows = [*measure_owner(owner), *measure_reader(reader)]
        memory = measure_memory(server, owner.token)
        print_table("Memory", ["what", "MiB", "goal: at most"], memory)
        rows += rename(owner)
        rows.append(
            row_of(
                "changing notes, with the index", "", *library_index.index_again(server, asked.times), None
            )
        )
        print_table(
            f"{machine()}; {asked.recordings} recordings of {large_library.SEGMENTS} segments, "
            f"{server.database_name}, {asked.times} times each",
            HEAD,
            rows,
        )
        print_table("Sizes", ["what", "MB", "kB per recording"], library_index.sizes(url))


if __name__ == "__main__":
    main()

"""Search: what the words of a recording are, kept in step with its texts by `services/search_index.py`.

The index itself is the database's own kind and is made by a migration: on SQLite an FTS5 table `search_index` over
`search_terms`, kept in step by triggers, on PostgreSQL a GIN index over the same column.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.models.recordings import LISTING_INDEX

SQLITE_INDEX = "search_index"
POSTGRESQL_INDEX = "ix_search_terms_lexemes"


class SearchTerms(Base):
    """The distinct words of a recording, as keys between blanks. A narrow table, for the index leads to its rows."""

    __tablename__ = "search_terms"
    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int]
    """The recording's owner, copied, so that a search reads only rows of that user."""
    terms: Mapped[str] = mapped_column(Text)


class SearchStale(Base):
    """A recording whose texts changed since, and which is brought in step later.

    Not a flag in the row of words: SQLite would rewrite the whole row.
    """

    __tablename__ = "search_stale"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    mark: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Random, new with each change: what was computed from texts of an earlier mark is thrown away."""


class SearchDocument(Base):
    """A recording's texts with normalised words, a line for a line: phrases are looked for here, and quotes."""

    __tablename__ = "search_documents"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    title: Mapped[str] = mapped_column(Text)
    participants: Mapped[str] = mapped_column(Text)
    transcript: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)
    notes: Mapped[str] = mapped_column(Text)


def is_described_here(name: str | None, kind: str, _parents: Any) -> bool:
    """Tell Alembic which of a database's names are ours to compare (its `include_name`)."""
    if kind == "index":
        return name not in {POSTGRESQL_INDEX, LISTING_INDEX}
    # FTS5 keeps its index in tables beside its own.
    return (
        kind != "table" or name is None or not (name == SQLITE_INDEX or name.startswith(SQLITE_INDEX + "_"))
    )

"""Errors that an operator can fix, reported in one sentence instead of a traceback."""

from __future__ import annotations

from speakr.domain.errors import SpeakrError
from speakr.settings import SettingsError


class OperatorError(Exception):
    """An error that the operator can fix; the message says how."""


def sentence_for(error: BaseException) -> str | None:
    """Return the sentence for the operator, or None for an error of the program, which keeps its traceback."""
    if isinstance(error, OperatorError | SettingsError):
        return str(error)
    if isinstance(error, SpeakrError):
        return error.message
    # Their classes are imported only when needed, to keep the supervisor small.
    library = type(error).__module__.partition(".")[0]
    if library == "sqlalchemy":
        return _database_sentence(error)
    if library == "redis":
        return f"Redis does not answer ({_first_line(error)}). Is REDIS_URL right, and does the server run?"
    return None


def _database_sentence(error: BaseException) -> str | None:
    from sqlalchemy import exc  # noqa: PLC0415 - see sentence_for

    if isinstance(error, exc.OperationalError):
        cause = _first_line(error.orig or error)
        if "no such table" in cause:
            return "The database has no tables yet; make them with: speakr migrate"
        return f"The database does not answer ({cause}). Is DATABASE_URL right, and does the server run?"
    if isinstance(error, exc.ProgrammingError) and type(error.orig).__name__ == "UndefinedTable":
        return "The database has no tables yet; make them with: speakr migrate"
    if isinstance(error, exc.ArgumentError | exc.NoSuchModuleError):
        return (
            "DATABASE_URL is not a database address SQLAlchemy can read; "
            "an example: postgresql+psycopg://user:password@host/speakr"
        )
    return None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__

"""The embedding model that all workers must use: one row of the database, so that hosts do not replace each other's vectors.

Maintenance writes it when its own model changes. Without the row, each worker uses its own model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.models import SystemSetting

_SETTING = "embedding_model_in_use"
"""A row in the table of the administrator's settings; their lists show only known names, so not this one."""

_declared: str | None = None
"""The model that this process wrote last. Two maintenance processes with different models write once each."""


@dataclass(frozen=True, slots=True)
class WantedModel:
    """A model as stored with vectors, and the bytes of each of its vectors; 0 if not known yet."""

    model: str
    vector_bytes: int = 0


def read() -> WantedModel:
    """Return the model that workers must use; this process's own if there is no row."""
    return _stored() or WantedModel(get_backends().embedding_model)


def declare() -> None:
    """Write this process's model, or remove the row if it has none; nothing if its model is the same as before.

    Call it outside of any transaction.
    """
    global _declared  # noqa: PLW0603 - what this process wrote
    own = get_backends().embedding_model
    if own == _declared == "":
        return
    stored = _stored()
    release()
    if own == _declared and stored is not None:
        return
    if own != ("" if stored is None else stored.model):
        with unit_of_work():
            _write(WantedModel(own))
    _declared = own


def note_size(model: str, vector_bytes: int) -> None:
    """Store the size of a model's vectors, in the transaction that stores vectors.

    A provider may change a model without changing its name. Passages with vectors of another size then count as missing.
    """
    wanted = read()
    if wanted.model == model and wanted.vector_bytes != vector_bytes:
        _write(WantedModel(model, vector_bytes))


def _stored() -> WantedModel | None:
    found = db.session.scalar(select(SystemSetting.value).where(SystemSetting.name == _SETTING))
    if found is None:
        return None
    return WantedModel(str(found["value"]["model"]), int(found["value"]["vector_bytes"]))


def _write(wanted: WantedModel) -> None:
    if not wanted.model:
        db.session.execute(delete(SystemSetting).where(SystemSetting.name == _SETTING))
        return
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    value = {"model": wanted.model, "vector_bytes": wanted.vector_bytes}
    insert = dialect.insert(SystemSetting).values(name=_SETTING, value={"value": value})
    db.session.execute(
        insert.on_conflict_do_update(
            index_elements=[SystemSetting.name], set_={"value": insert.excluded.value}
        )
    )

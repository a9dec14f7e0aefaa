"""SUMMARIZE: write a summary of a transcript, and a title for a recording that has none."""

from __future__ import annotations

from speakr import conflicts
from speakr.backends import get_backends
from speakr.connectors.language.base import SummaryRequest
from speakr.db import release, unit_of_work
from speakr.domain.summaries import Title
from speakr.services.jobs import claims
from speakr.services.language import language_model, summaries
from speakr.services.recordings import sources


def run(held: claims.Claim) -> None:
    """Summarise a recording. The earlier summary stays until the new one is complete."""
    material = sources.summary_material(held)
    release()
    request = SummaryRequest(
        lines=material.lines,
        instructions=material.instructions,
        language=material.language,
        spoken_language=material.spoken_language,
    )
    with unit_of_work():
        claims.report(held, "Summarising", 10)
    with language_model.spending(material.owner_id) as spent:
        writer = get_backends().writer()
        summary = writer.summarize(request)
        spent.add(summary.usage)
        with unit_of_work():
            claims.report(held, "Finding a title", 80)
        title = writer.write_title(request) if material.wants_title else Title(text="")
        spent.add(title.usage)
        conflicts.in_unit(
            lambda: summaries.store(
                held, summary, title.text, spent.usage, material.segment_ids, revision=material.revision
            )
        )

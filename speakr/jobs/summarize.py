"""SUMMARIZE: read the whole transcript, write a summary, and a title for a recording that has none."""

from __future__ import annotations

from speakr.backends import get_backends
from speakr.connectors.language.base import SummaryRequest, Title, Usage
from speakr.db import release, unit_of_work
from speakr.domain.errors import JobError
from speakr.services import language_model, summaries
from speakr.services.jobs import claims
from speakr.services.recordings import sources


def run(held: claims.Claim) -> None:
    """Summarise a recording. The summary that was there stays until the new one is complete."""
    material = sources.summary_material(held)
    release()
    request = SummaryRequest(
        lines=language_model.to_lines(material.segments),
        instructions=material.instructions,
        language=material.language,
        spoken_language=material.spoken_language,
    )
    with unit_of_work():
        claims.report(held, "Summarising", 10)
    writer = get_backends().make_writer()
    spent = Usage()
    try:
        summary = writer.summarize(request)
        spent += summary.usage
        with unit_of_work():
            claims.report(held, "Finding a title", 80)
        title = writer.write_title(request) if material.wants_title else Title(text="")
        spent += title.usage
        with unit_of_work():
            summaries.store(
                held, summary, title.text, spent, material.segment_ids, revision=material.revision
            )
    except JobError as error:
        language_model.count_lost(material.owner_id, spent.total + error.tokens_spent)
        raise

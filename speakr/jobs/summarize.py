"""SUMMARIZE: read the whole transcript, write a summary, and a title for a recording that has none."""

from __future__ import annotations

from speakr.backends import plugged
from speakr.connectors.language.base import Line, SummaryRequest, Title
from speakr.db import release, unit_of_work
from speakr.services import summaries
from speakr.services.jobs import claims
from speakr.services.recordings import sources


def run(held: claims.Claim) -> None:
    """Summarise a recording. The summary that was there stays until the new one is complete."""
    material = sources.summary_material(held)
    release()
    request = SummaryRequest(
        lines=[Line(segment.speaker, segment.text, segment.start) for segment in material.segments],
        instructions=material.instructions,
        language=material.language,
    )
    with unit_of_work():
        claims.report(held, "Summarising", 10)
    writer = plugged().make_writer()
    summary = writer.summarize(request)
    with unit_of_work():
        claims.report(held, "Finding a title", 80)
    title = writer.write_title(request) if material.wants_title else Title(text="")
    with unit_of_work():
        summaries.store(held, summary, title.text, summary.usage + title.usage)

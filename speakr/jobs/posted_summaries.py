"""SUMMARIZE_TEXT: write a summary of a posted text in the requested format, and find its topics."""

from __future__ import annotations

from speakr import conflicts
from speakr.backends import get_backends
from speakr.connectors.language.base import ExtractRequest, LanguageConnector, SummaryRequest
from speakr.db import release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.insights import Insights
from speakr.domain.posted_texts import (
    MAX_TOPICS,
    SummaryFormat,
    count_words,
    instructions_for,
    statements_of,
    write_summary,
)
from speakr.domain.summaries import Summary
from speakr.services.jobs import claims
from speakr.services.language import language_model, posted_summaries
from speakr.services.language.posted_summaries import Material, Written


def run(held: claims.Claim) -> None:
    """Summarise a posted text; a worker that takes over begins anew."""
    material = posted_summaries.material(held)
    release()
    with unit_of_work():
        claims.report(held, "Summarising", 10)
    with language_model.spending(held.user_id) as spent:
        writer = get_backends().writer()
        summary = writer.summarize(
            SummaryRequest(
                lines=material.lines,
                instructions=instructions_for(material.format, material.max_words),
                language=material.language,
            )
        )
        spent.add(summary.usage)
        with unit_of_work():
            claims.report(held, "Finding topics", 60)
        found = writer.extract(ExtractRequest(lines=material.lines, moment=now(), language=material.language))
        spent.add(found.usage)
        written = _written(material, writer, summary, found)
        conflicts.in_unit(lambda: posted_summaries.store(held, written, spent.usage))


def _written(material: Material, writer: LanguageConnector, summary: Summary, found: Insights) -> Written:
    if writer.is_extractive:
        statements = _picked(material.format, summary, found)
    else:
        statements = statements_of(summary.markdown, material.format)
    text = write_summary(statements, material.format, material.max_words)
    return Written(
        summary=text,
        topics=[topic.name for topic in found.topics[:MAX_TOPICS]],
        words=count_words(text),
        engine=summary.engine,
    )


def _picked(form: SummaryFormat, summary: Summary, found: Insights) -> list[str]:
    """Return the sentences that an extractive engine has picked; it follows no instructions."""
    points = [point.text for point in found.key_points]
    if form is SummaryFormat.KEY_POINTS and points:
        return points
    return [summary.evidence[line].text for line in sorted(summary.evidence)]

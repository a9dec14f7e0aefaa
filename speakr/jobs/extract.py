"""EXTRACT: store the key points, action items, chapters, topics and dated events of a transcript."""

from __future__ import annotations

from speakr import conflicts
from speakr.backends import get_backends
from speakr.connectors.language.base import ExtractRequest
from speakr.db import release, unit_of_work
from speakr.services.jobs import claims
from speakr.services.language import insights, language_model
from speakr.services.recordings import sources


def run(held: claims.Claim) -> None:
    """Extract insights from a recording's transcript. The earlier ones stay until the new ones are complete."""
    material = sources.insight_material(held)
    release()
    request = ExtractRequest(
        lines=material.lines,
        moment=material.moment,
        language=material.language,
        spoken_language=material.spoken_language,
    )
    with unit_of_work():
        claims.report(held, "Extracting key points and events", 10)
    with language_model.spending(material.owner_id) as spent:
        found = get_backends().writer().extract(request)
        spent.add(found.usage)
        conflicts.in_unit(lambda: insights.store(held, found, material.segment_ids, material.revision))

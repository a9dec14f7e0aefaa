"""Accuracy of insights: dates, chapters, citations, and the detection of false statements.

All run on scripted talks with known answers. The models are stand-ins behind a real server: one reports correctly, the other
mixes in false statements of seven kinds.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence

from evaluation.chat_stand_in import chat_server
from evaluation.report import Figure, Table, at_least, at_most
from evaluation.scripted_chapters import SUBJECTS, talk_about
from evaluation.scripted_dates import MOMENT, NOT_PLANTED, PLANTED, written
from evaluation.scripted_talk import LIES, Fact, answer_with, lie, long_talk, numbers_shown, true_claim
from speakr.connectors.language.base import ExtractRequest, SummaryRequest
from speakr.connectors.language.chapters import find_chapters
from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.connectors.language.lines import one_line
from speakr.domain.insights import Insights
from speakr.domain.statements import NumberedLine, Source, Statement

HOURS = 5.0
SMALL_CONTEXT_TOKENS = 8000
CLAIMS, CLAIMS_AT_ONCE = 420, 20
TEN_MINUTES = 600.0


def measure() -> list[Table]:
    """Return all figures; no corpus is needed."""
    return [
        Table(
            "Language: dates, chapters, citations", [*_dates(), *_chapters(), *_citations(), *_false_claims()]
        )
    ]


def _dates() -> Iterator[Figure]:
    right = sum(written(said) == [meant] for said, meant in PLANTED)
    false = sum(bool(written(said)) for said in NOT_PLANTED)
    yield Figure(
        "planted dates resolved",
        100 * right / len(PLANTED),
        " %",
        at_least(100),
        note=f"{len(PLANTED)} sentences",
    )
    yield Figure(
        "dates found where there are none",
        false,
        "",
        at_most(0),
        0,
        f"{len(NOT_PLANTED)} sentences with bait",
    )


def _chapters() -> Iterator[Figure]:
    """Detect changes of subject in talks of two lengths, some with a pause before each change."""
    changes = hits = false = talks = 0
    seconds = 0.0
    for seed, order in enumerate(itertools.permutations(SUBJECTS, 3)):
        lines, true = talk_about(list(order), (30, 60)[seed % 2], seed, pause=(0.0, 2.0)[seed % 3 == 0])
        found = [chapter.line for chapter in find_chapters(lines)][1:]
        right = [at for at in found if any(abs(at - change) <= 1 for change in true)]
        talks, changes, hits = talks + 1, changes + len(true), hits + len(right)
        false += len(found) - len(right)
        seconds += lines[-1].start
    yield Figure(
        "changes of subject found within one sentence",
        100 * hits / changes,
        " %",
        at_least(100),
        note=f"{changes} in {talks} talks",
    )
    yield Figure(
        "other chapters in ten minutes",
        false / (seconds / TEN_MINUTES),
        "",
        at_most(1),
        2,
        f"{false} in {seconds / 3600:.1f} hours",
    )


def _citations() -> Iterator[Figure]:
    """Count the quotes of the embedded engine and of a model that are at the cited place."""
    sources: list[tuple[Source, Sequence[NumberedLine]]] = []
    talks = [talk_about(list(SUBJECTS), 30, 1, pause=1.0)[0], long_talk(0.5)[0]]
    embedded = EmbeddedLanguageConnector()
    for lines in talks:
        found = embedded.extract(ExtractRequest(lines=lines, moment=MOMENT))
        summary = embedded.summarize(SummaryRequest(lines=lines))
        sources += [(source, lines) for source in _sources(found, summary.evidence.values())]
    yield _resolved("citations of the embedded engine resolved", sources)

    lines, facts = long_talk(HOURS)
    with chat_server(lambda shown: _report(shown, facts), context_tokens=SMALL_CONTEXT_TOKENS) as model:
        found = model.extract(ExtractRequest(lines=lines, moment=MOMENT))
        summary = model.summarize(SummaryRequest(lines=lines))
    yield _resolved("citations of a chat model resolved", [(source, lines) for source in _sources(found, ())])
    note = f"{len(lines)} segments, {HOURS:.0f} hours, a model with {SMALL_CONTEXT_TOKENS} tokens"
    for what, read in (("insights", found.lines_read), ("summary", summary.lines_read)):
        yield Figure(f"coverage, {what}", read / len(lines), "", at_least(1), 3, note)


def _report(shown: str, facts: Sequence[Fact]) -> str:
    """Answer like an honest model: one fact per part, with its line and words."""
    numbers = numbers_shown(shown)
    if not numbers:  # notes on parts, which the model must merge
        return "They spoke of many things."
    fact = facts[numbers[len(numbers) // 2] - 1]
    return answer_with(key_points=[true_claim(fact)], topics=[{"name": fact.thing, "lines": [fact.line + 1]}])


def _sources(found: Insights, others: Iterable[Statement]) -> Iterator[Source]:
    claims = [*found.key_points, *others]
    claims += [item.claim for item in found.action_items] + [event.claim for event in found.events]
    for claim in claims:
        yield from claim.sources
    for topic in found.topics:
        yield from topic.sources


def _resolved(name: str, sources: Sequence[tuple[Source, Sequence[NumberedLine]]]) -> Figure:
    good = sum(
        bool(source.quote)
        and 0 <= source.line < len(lines)
        and source.quote in one_line(lines[source.line].text)
        for source, lines in sources
    )
    share = 100 * good / len(sources) if sources else 0.0
    return Figure(name, share, " %", at_least(100), note=f"{len(sources)} quotes")


def _false_claims() -> Iterator[Figure]:
    """Let a model write as many false as true statements, and count the marked ones."""
    lines, facts = long_talk(1.0, seed=3)
    rng = random.Random(5)  # noqa: S311 - the choice of statements is no secret
    claims: list[tuple[str | None, dict[str, object]]] = []
    for at in rng.sample(range(5, len(lines) - 5), CLAIMS):
        kind = LIES[len(claims) // 2 % len(LIES)] if len(claims) % 2 == 0 else None
        claims.append((kind, lie(kind, facts[at], lines) if kind else true_claim(facts[at])))
    marked: dict[str, list[bool]] = {kind: [] for kind in LIES}
    believed: list[bool] = []
    for first in range(0, len(claims), CLAIMS_AT_ONCE):
        part = claims[first : first + CLAIMS_AT_ONCE]
        kinds = {str(claim["text"]): kind for kind, claim in part}
        written_down = answer_with(action_items=[claim for _, claim in part])
        with chat_server(lambda _, said=written_down: said, context_tokens=128_000) as model:  # type: ignore[misc]
            found = model.extract(ExtractRequest(lines=lines, moment=MOMENT))
        for item in found.action_items:
            kind = kinds[item.claim.text]
            if kind is None:
                believed.append(item.claim.is_verified)
            else:
                marked[kind].append(not item.claim.is_verified)
    marks = [mark for each in marked.values() for mark in each]
    worst = min(marked, key=lambda kind: sum(marked[kind]) / max(1, len(marked[kind])))
    yield Figure(
        "false claims of a lying model marked",
        100 * sum(marks) / len(marks),
        " %",
        at_least(95),
        note=f"{len(marks)} of {len(LIES)} kinds; «{worst}» worst, {sum(marked[worst])} of {len(marked[worst])}",
    )
    yield Figure(
        "true claims marked all the same",
        100 * (1 - sum(believed) / len(believed)),
        " %",
        note=f"{len(believed)} claims",
    )

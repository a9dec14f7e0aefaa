"""The built-in language engine: it selects sentences, phrases and passages and writes no text of its own."""

from __future__ import annotations

import math
from typing import Self

from speakr.connectors.language.base import ChatRequest, ExtractRequest, IdentifyRequest, SummaryRequest
from speakr.connectors.language.extractive_answers import answer_from_lines
from speakr.connectors.language.extractive_insights import find_insights
from speakr.connectors.language.function_words import function_words
from speakr.connectors.language.introductions import find_names
from speakr.connectors.language.keyphrases import find_key_phrases
from speakr.connectors.language.lexrank import pick_sentences
from speakr.connectors.language.lines import clock_time
from speakr.connectors.language.sentences import find_words, split_sentences
from speakr.connectors.language.titles import shorten
from speakr.domain.conversation import ChatAnswer
from speakr.domain.insights import Insights
from speakr.domain.speakers import Identification
from speakr.domain.statements import Statement
from speakr.domain.summaries import Summary, Title
from speakr.settings import Settings

NOTICE = (
    "*Extractive summary: sentences picked from the transcript on this server, without a language model.*"
)
MIN_SENTENCES = 3
MAX_SENTENCES = 12
MAX_KEY_PHRASES = 8
TITLE_PHRASES = 2
MAX_TITLE_LENGTH = 80


class EmbeddedLanguageConnector:
    """Extract summaries and answers without network, key or model.

    It follows no instructions and does not translate: a summary is in the language that was spoken.
    """

    name = "embedded"
    is_extractive = True

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:  # noqa: ARG003 - the signature all factories share
        """Make the connector; it has no configuration."""
        return cls()

    def summarize(self, request: SummaryRequest) -> Summary:
        """Pick the central sentences and the key phrases; a transcript without a word gives an empty summary."""
        markdown, evidence = _write_summary(request)
        return Summary(
            markdown=markdown,
            evidence=evidence,
            engine=f"{self.name}/lexrank",
            is_extractive=True,
            lines_read=len(request.lines),
        )

    def write_title(self, request: SummaryRequest) -> Title:
        """Take what was spoken about repeatedly, else the first sentence that says something, else nothing."""
        sentences = split_sentences(request.lines)
        words = [find_words(sentence.text) for sentence in sentences]
        stop = function_words(words)
        phrases = find_key_phrases((sentence.text for sentence in sentences), stop, TITLE_PHRASES)
        repeated = [phrase.text for phrase in phrases if phrase.count > 1]
        if repeated:
            return Title(text=shorten(_capitalize(", ".join(repeated)), MAX_TITLE_LENGTH))
        for sentence, its_words in zip(sentences, words, strict=True):
            if not stop.issuperset(its_words):
                return Title(text=shorten(_capitalize(sentence.text.rstrip(".。")), MAX_TITLE_LENGTH))
        return Title(text="")

    def extract(self, request: ExtractRequest) -> Insights:
        """Pick sentences, tasks and dates by rules."""
        return find_insights(request, f"{self.name}/rules")

    def chat(self, request: ChatRequest) -> ChatAnswer:
        """Quote what was said about the words of the question, or say that nothing was."""
        text, sources = answer_from_lines(request)
        return ChatAnswer(
            text=text, sources=sources, engine=f"{self.name}/bm25", lines_read=len(request.lines)
        )

    def identify_speakers(self, request: IdentifyRequest) -> Identification:
        """Take names from introductions and from how people address each other, where they are clear."""
        return Identification(names=find_names(request))


def _write_summary(request: SummaryRequest) -> tuple[str, dict[int, Statement]]:
    sentences = split_sentences(request.lines)
    if not sentences:
        return "", {}
    words = [find_words(sentence.text) for sentence in sentences]
    stop = function_words(words)
    content = [[word for word in each if word not in stop] for each in words]
    count = min(MAX_SENTENCES, max(MIN_SENTENCES, math.isqrt(len(sentences))))
    # Small talk may hold no content word at all; then its beginning has to stand for it.
    chosen = pick_sentences(content, count) or list(range(min(count, len(sentences))))
    bullets = [f"- [{clock_time(sentences[at].start)}] {sentences[at].text}" for at in chosen]
    paragraphs = [NOTICE, "\n".join(bullets)]
    phrases = find_key_phrases((sentence.text for sentence in sentences), stop, MAX_KEY_PHRASES)
    if phrases:
        paragraphs.append("**Keywords:** " + ", ".join(phrase.text for phrase in phrases))
    first = len(NOTICE.splitlines()) + 1
    evidence = {
        first + row: Statement(sentences[at].text, sentences[at].sources(), is_verified=True)
        for row, at in enumerate(chosen)
    }
    return "\n\n".join(paragraphs) + "\n", evidence


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]

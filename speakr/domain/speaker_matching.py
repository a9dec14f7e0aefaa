"""Labels of speakers when recordings become one: one label per known person, and no label for two people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from speakr.domain.transcript import numbered_label


@dataclass(frozen=True, slots=True)
class NamedSpeaker:
    """The name behind a label. `confirmed`: a person gave it; `speaker_id`: of the owner's speaker, if there is one."""

    name: str
    speaker_id: int | None
    confirmed: bool


@dataclass(frozen=True, slots=True)
class LabelledPart:
    """The labels of one recording, in order of appearance, and the names of some of them."""

    labels: Sequence[str]
    names: Mapping[str, NamedSpeaker]


@dataclass(frozen=True, slots=True)
class MatchedLabels:
    """The new label of each label, per part, and the names of new labels."""

    labels: Sequence[Mapping[str, str]]
    names: Mapping[str, NamedSpeaker]


def match_labels(parts: Sequence[LabelledPart]) -> MatchedLabels:
    """Give speakers of the same name one label, and every speaker without a name a label of their own.

    A label stays as it is unless an earlier part uses it for another speaker.
    """
    taken: set[str] = set()
    by_name: dict[str, str] = {}
    names: dict[str, NamedSpeaker] = {}
    found = []
    for part in parts:
        labels: dict[str, str] = {}
        for label in dict.fromkeys(part.labels):
            named = part.names.get(label)
            known = None if named is None else by_name.get(named.name)
            new = known or _free(label, taken)
            taken.add(new)
            labels[label] = new
            if named is not None:
                by_name[named.name] = new
                names[new] = _better(names.get(new), named)
        found.append(labels)
    return MatchedLabels(found, names)


def _better(known: NamedSpeaker | None, other: NamedSpeaker) -> NamedSpeaker:
    """Return what two parts know about one name."""
    if known is None:
        return other
    return replace(
        known,
        speaker_id=other.speaker_id if known.speaker_id is None else known.speaker_id,
        confirmed=known.confirmed or other.confirmed,
    )


def _free(label: str, taken: set[str]) -> str:
    return label if label not in taken else next(new for new in _numbered() if new not in taken)


def _numbered() -> Iterator[str]:
    number = 0
    while True:
        yield numbered_label(number)
        number += 1


def labels_in_order(*texts: Iterable[str]) -> list[str]:
    """Return the labels of several texts, each once, in order of appearance."""
    return list(dict.fromkeys(label for text in texts for label in text))

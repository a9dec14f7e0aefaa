"""Words that carry grammar and no subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

ASKING_WORDS = frozenset(
    """anybody anyone audio call conversation describe discuss discussed discussing explain happen happened
    interview main major meeting mention mentioned overview point points recap recording somebody someone speak
    speaker speakers spoke spoken summarise summarize summary talk talked talking tell told topic topics
    transcript""".split()  # noqa: SIM905 - one can read and edit this; not a list of quoted strings
)
"""Words by which people ask about any recording; they do not say what to look for."""

ENGLISH_FUNCTION_WORDS = frozenset(
    """a about actually after again all also am an and any are as at back be because been before being but by
    came can can't come could course did didn't do does doesn't doing don't done down each else even every
    few first for from get getting give go goes going gone good got great had has have haven't having he
    he'll he's her here here's him his how i i'd i'll i'm i've if in into is isn't it it'll it's its just kind
    know last let let's like little look lot made make many may maybe me mean might more most mr mrs much
    must my need never next no not nothing now of off oh ok okay on once one only or other our out over own
    people perhaps put quite rather really right said same say saying says see shall she she's should since
    so some something sort still stuff such sure take than thank thanks that that's the their them then there
    there's these they they'll they're they've thing things think this those though through time to too two
    uh um under until up upon us very want was wasn't way we we'd we'll we're we've well went were what
    what's when where which while who whom whose why will with without won't would wouldn't yeah yes yet
    you you'd you'll you're you've your yours""".split()  # noqa: SIM905 - one can read and edit this; not a list of 260 quoted strings
)
_ENGLISH_SHARE = 0.2
_MAX_FUNCTION_WORD_LENGTH = 4
_FUNCTION_WORD_SHARE = 0.004
_MAX_FUNCTION_WORDS = 60


def function_words(sentences: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return the words that carry grammar and no subject.

    English has a list. Any other language shows them by itself: they are short and there are few of them,
    used all the time.
    """
    counts = Counter(word for words in sentences for word in words)
    total = counts.total()
    if sum(counts[word] for word in ENGLISH_FUNCTION_WORDS) >= _ENGLISH_SHARE * total:
        return ENGLISH_FUNCTION_WORDS
    return frozenset(
        word
        for word, count in counts.most_common(_MAX_FUNCTION_WORDS)
        if count > 1 and count >= _FUNCTION_WORD_SHARE * total and len(word) <= _MAX_FUNCTION_WORD_LENGTH
    )

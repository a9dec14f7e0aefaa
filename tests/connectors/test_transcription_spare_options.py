"""Options of PocketSphinx, the spare of the embedded engine: hotwords, swear words, noise."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.recordings import OWN, entries, samples_of
from speakr.connectors.transcription import hotwords, noise, pronunciation
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.connectors.transcription.plain_text import write_text
from speakr.connectors.transcription.profanity import mask
from speakr.connectors.transcription.sphinx import SphinxRecogniser
from speakr.domain.transcript import Hints, Span, Word
from tests.connectors.conftest import MakeChunk, read_clip

NO_MODELS = Path("/nowhere")


def test_a_hotword_is_recognised_and_spelled_as_given():
    connector = EmbeddedConnector(NO_MODELS)
    entry = next(entry for entry in entries(OWN) if "tolmers" in entry.get("names", ()))
    samples = samples_of(OWN, entry)
    chunk = AudioChunk(samples, 0.0, (Span(0.0, samples.size / SAMPLE_RATE),))
    (with_hotwords,) = connector.transcribe(
        chunk, Hints(hotwords="TolMers, DashWood"), lambda _: None
    ).segments
    assert "TolMers" in with_hotwords.text
    assert "tolmers" in [word.text for word in with_hotwords.words]
    (untold,) = connector.transcribe(chunk, Hints(), lambda _: None).segments
    assert "tolmers" not in untold.text.lower()


def test_words_it_knows_by_itself_change_nothing(make_chunk: MakeChunk):
    chunk = make_chunk("librivox_0880")
    with_hotwords, untold = (
        EmbeddedConnector(NO_MODELS).transcribe(chunk, Hints(hotwords=hotwords), lambda _: None).segments
        for hotwords in ("meeting, budget, man, Mr, not, young, the, a, disposed", None)
    )
    assert with_hotwords == untold


def test_words_are_read_out_of_any_list():
    read = hotwords.read_hotwords("Zaphod Beeblebrox, O'Neill;\n x 42 zaphod <b>naïve")
    assert read["zaphod"] == "Zaphod"
    assert "o'neill" in read
    assert "x" not in read
    assert (
        len(hotwords.read_hotwords(" ".join(f"w{'a' * (at % 30)}b{'c' * (at // 30)}" for at in range(900))))
        == 200
    )
    assert hotwords.read_hotwords("a" * 500) == {}


def test_words_with_accents_stay_whole_and_are_known_without_them():
    listed = "José, Müller; Łukasz Søren — Zoë O’Brien Jean-Réné Straße Jose\u0301"  # noqa: RUF001
    assert hotwords.read_hotwords(listed) == {
        "jose": "José",
        "muller": "Müller",
        "lukasz": "Łukasz",
        "soren": "Søren",
        "zoe": "Zoë",
        "o'brien": "O’Brien",  # noqa: RUF001
        "jean-rene": "Jean-Réné",
        "strasse": "Straße",
    }
    assert hotwords.read_hotwords("Иван 田中") == {}


def test_a_word_is_spelled_as_the_user_does_with_or_without_accents():
    known = hotwords.read_hotwords("José, O’Brien")  # noqa: RUF001
    spelled = [hotwords.spelled(text, known) for text in ("“Jose,”", "José's", "o'brien.", "Joseph")]
    assert spelled == ["“José,”", None, "O’Brien.", None]  # noqa: RUF001


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("zaphod", "Z AE F AH D"),
        ("quilter", "K W IH L T ER"),
        ("hello", "HH EH L OW"),
        ("1234", ""),
        ("", ""),
    ],
)
def test_pronunciations(word: str, phones: str):
    assert pronunciation.Pronouncer().pronounce(word) == phones


def test_without_the_weights_hotwords_are_as_good_as_the_dictionary(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pronunciation, "WEIGHTS_SHA256", "another")
    monkeypatch.setattr(hotwords, "_pronouncer", None)

    taught: list[str] = []

    class Decoder:
        def lookup_word(self, _: str) -> None:
            return None

        def add_word(self, word: str, *_: object, **__: object) -> None:
            taught.append(word)

    hotwords.boost(Decoder(), ["zaphod"])
    assert taught == []


def test_spelling_wins_over_rules():
    words = [Word("ibm", 0, 1), Word("and", 1, 2), Word("mcdonald", 2, 3)]
    assert write_text(words, {"ibm": "IBM", "mcdonald": "McDonald"}) == "IBM and McDonald."


@pytest.mark.parametrize(
    ("recognized", "written"),
    [
        ("shit", "s**t"),
        ("fucking", "f*****g"),
        ("shift", "shift"),
        ("scunthorpe", "scunthorpe"),
        ("Shit!", "S**t!"),
    ],
)
def test_swear_words_are_masked_and_their_neighbours_are_not(recognized: str, written: str):
    assert mask(Word(recognized, 1.0, 2.0, 0.4)) == Word(written, 1.0, 2.0, 0.4)


# -- noise


def pink(count: int, seed: int = 5) -> np.ndarray:
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1))
    shaped = np.fft.irfft(spectrum, count)
    return shaped / shaped.std()


def noisy(name: str, decibel: float) -> tuple[np.ndarray, np.ndarray, tuple[Span, ...]]:
    clip = np.concatenate([np.zeros(SAMPLE_RATE), read_clip(name).astype(float), np.zeros(SAMPLE_RATE)])
    level = np.sqrt(np.mean(clip[SAMPLE_RATE:-SAMPLE_RATE] ** 2)) / 10 ** (decibel / 20)
    mixed = clip + pink(clip.size) * level
    span = Span(1.0, clip.size / SAMPLE_RATE - 1.0)
    return clip, np.clip(mixed, -32768, 32767).astype(np.int16), (span,)


def test_noisy_recordings_are_distinguished_from_clean_ones():
    for name in ("goforward", "cards_001", "librivox_0880"):
        _, mixed, spans = noisy(name, 8.0)
        assert noise.signal_to_noise_db(mixed, spans, 0.0) < noise.NOISY_BELOW_DB
        plain = read_clip(name)
        whole = (Span(0.0, plain.size / SAMPLE_RATE),)
        assert noise.signal_to_noise_db(plain, whole, 0.0) > noise.NOISY_BELOW_DB
    assert noise.signal_to_noise_db(plain, (), 0.0) == float("inf")
    assert noise.signal_to_noise_db(plain[:10], (Span(0, 1),), 0.0) == float("inf")


def test_noise_goes_and_speech_stays_where_it_was():
    if noise._library() is None:
        pytest.skip("there is no RNNoise library for this platform")
    clip, mixed, _ = noisy("librivox_0880", 10.0)
    clean = noise.denoise(mixed)
    assert clean.size == mixed.size
    pause = slice(SAMPLE_RATE // 2, SAMPLE_RATE)
    gained = 20 * np.log10(mixed[pause].astype(float).std() / max(clean[pause].astype(float).std(), 1e-3))
    assert 15 < gained < 20.5  # a little is left on purpose
    lags = range(-40, 41)
    middle = clip[SAMPLE_RATE : 3 * SAMPLE_RATE]
    match = [
        float(np.dot(middle, clean[SAMPLE_RATE + lag : 3 * SAMPLE_RATE + lag].astype(float))) for lag in lags
    ]
    assert abs(lags[int(np.argmax(match))]) <= 1
    assert np.array_equal(clean, noise.denoise(mixed))  # a repeated transcription gives the same text


def test_only_noisy_chunks_are_changed(monkeypatch: pytest.MonkeyPatch, make_chunk: MakeChunk):
    asked: list[int] = []
    monkeypatch.setattr(noise, "denoise", lambda samples: asked.append(samples.size) or samples)
    _, mixed, spans = noisy("goforward", 5.0)
    recogniser = SphinxRecogniser()
    recogniser.prepared(AudioChunk(mixed, 0.0, spans))
    assert asked == [mixed.size]
    recogniser.prepared(make_chunk("goforward"))
    SphinxRecogniser(denoises=False).prepared(AudioChunk(mixed, 0.0, spans))
    assert len(asked) == 1


def test_without_the_library_noise_is_left_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(noise, "_LIBRARIES", ())
    noise._library.cache_clear()
    _, mixed, _ = noisy("goforward", 5.0)
    assert noise.denoise(mixed) is mixed
    noise._library.cache_clear()
    assert "pyrnnoise" not in sys.modules

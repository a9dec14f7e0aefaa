"""Finding speech with the real model."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from speakr.domain.errors import MediaToolFailed, PermanentJobError
from speakr.domain.transcript import Span
from speakr.media import speech
from speakr.media.base import SAMPLE_RATE
from speakr.media.decode import decode
from speakr.media.speech import SpeechFinder, SpeechModelMissing, find_speech, locate_model, read_pcm
from tests.media.conftest import TEN_HOURS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def detected(data: Path, tmp_path: Path):
    """Decode one of the recordings beside the tests."""

    def decoded(name: str) -> np.memmap:
        decode(data / name, tmp_path / f"{name}.pcm", TEN_HOURS)
        return read_pcm(tmp_path / f"{name}.pcm")

    return decoded


def talk(detected) -> np.ndarray:
    """Two people with two seconds of silence before, between and after them."""
    pause = np.zeros(2 * SAMPLE_RATE, np.int16)
    return np.concatenate([pause, detected("librivox_0870.flac"), pause, detected("cards_005.flac"), pause])


def test_a_fan_is_not_speech(detected) -> None:
    assert find_speech(detected("nospeech_fan.flac")) == []


def test_silence_is_not_speech() -> None:
    assert find_speech(np.zeros(SAMPLE_RATE, np.int16)) == []
    assert find_speech(np.zeros(0, np.int16)) == []


def test_speech_is_found_where_it_is(detected) -> None:
    samples = talk(detected)
    spans = find_speech(samples)
    assert all(span.start < span.end for span in spans)
    assert all(before.end <= after.start for before, after in pairwise(spans))
    first = [span for span in spans if span.end < 9.6]
    second = [span for span in spans if span.start > 10.4]
    assert first + second == spans
    assert 2.0 <= first[0].start <= 2.6
    assert 8.6 <= first[-1].end <= 9.3
    assert sum(span.duration for span in first) > 5.5
    assert 11.0 <= second[0].start <= 11.6
    assert second[-1].end <= 15.0


def test_the_size_of_a_block_changes_nothing(detected) -> None:
    samples = talk(detected)
    whole = SpeechFinder(block_frames=100_000)
    expected = whole.probabilities(samples)
    assert expected.max() > 0.9
    assert expected.min() < 0.1
    for frames in (1, 3, 64, 512):
        finder = SpeechFinder(block_frames=frames)
        np.testing.assert_allclose(finder.probabilities(samples), expected, atol=1e-5)
        assert finder.find(samples) == whole.find(samples)


def test_it_finds_what_the_streaming_model_finds(detected) -> None:
    """The package ships the model twice; the one for single frames is what its makers document."""
    import onnxruntime

    samples = detected("cards_005.flac")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(locate_model().with_name("silero_vad_16k_op15.onnx")), options)
    state, context, expected = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32), []
    padded = np.pad(samples.astype(np.float32) / 32768, (0, -len(samples) % 512))
    for frame in padded.reshape(-1, 1, 512):
        window = np.concatenate([context, frame], axis=1)
        value, state = session.run(None, {"input": window, "state": state, "sr": np.array(SAMPLE_RATE)})
        context = window[:, -64:]
        expected.append(value[0, 0])
    np.testing.assert_allclose(SpeechFinder().probabilities(samples), expected, atol=1e-5)


def test_nothing_is_kept_between_recordings(detected) -> None:
    finder = SpeechFinder()
    clip = detected("cards_005.flac")
    alone = finder.probabilities(clip)
    finder.probabilities(detected("librivox_0870.flac"))
    np.testing.assert_array_equal(finder.probabilities(clip), alone)


def test_the_callers_samples_are_left_alone(detected) -> None:
    samples = np.array(detected("cards_005.flac"))
    before = samples.copy()
    find_speech(samples)
    np.testing.assert_array_equal(samples, before)


def test_a_mapped_recording_does_not_pile_up_in_memory(tmp_path: Path) -> None:
    pcm = tmp_path / "pcm"
    pcm.write_bytes(np.random.default_rng(2).integers(-50, 50, 240 * SAMPLE_RATE, np.int16).tobytes())
    samples = read_pcm(pcm)
    find_speech(samples)
    assert mapped_kilobytes(pcm) < 1024  # of 7.5 MB
    assert int(samples[100:200].size) == 100
    samples.sum()
    assert mapped_kilobytes(pcm) > 7000  # so the measure does measure


def mapped_kilobytes(path: Path) -> int:
    """Return how much of a mapped file is in this process's memory (`man 5 proc_pid_smaps`)."""
    text = Path("/proc/self/smaps").read_text()
    entry = text[text.index(str(path)) :]
    found = re.search(r"^Rss:\s+(\d+) kB", entry, re.MULTILINE)
    assert found
    return int(found[1])


def test_the_package_of_the_model_is_never_imported() -> None:
    program = (
        "import sys, numpy; from speakr.media.speech import find_speech;"
        "find_speech(numpy.zeros(16000, numpy.int16)); print([m for m in sys.modules if m.startswith(('silero', 'torch'))])"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert output.stdout == "[]\n"
    assert output.stderr == ""


def test_a_missing_package_gives_a_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SpeechModelMissing, match="is not installed") as caught:
        SpeechFinder()
    assert caught.value.slug == "speech_model_missing"
    assert isinstance(caught.value, PermanentJobError)


def test_a_missing_or_changed_model_gives_a_clear_message(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    with pytest.raises(SpeechModelMissing, match="is not installed"):
        SpeechFinder(model)
    model.write_bytes(locate_model().read_bytes() + b"\0")
    with pytest.raises(SpeechModelMissing, match="not the one this version was made for") as caught:
        SpeechFinder(model)
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("size", [0, 33])
def test_torn_audio_is_not_read(tmp_path: Path, size: int) -> None:
    pcm = tmp_path / "pcm"
    pcm.write_bytes(bytes(size))
    with pytest.raises(MediaToolFailed, match="damaged"):
        read_pcm(pcm)


def test_long_talk_is_cut_into_spans_that_touch(detected) -> None:
    clip = detected("librivox_0870.flac")[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2]
    spans = find_speech(np.tile(clip, 8))
    assert max(span.duration for span in spans) <= 20
    assert sum(span.duration for span in spans) > 0.9 * 8 * len(clip) / SAMPLE_RATE
    assert isinstance(spans[0], Span)

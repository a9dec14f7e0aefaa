"""The voice encoder gives what PyTorch gives with the same weights, and its file cannot run anything."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from speakr.media.voices import encoder as encoders
from speakr.media.voices import weights
from speakr.media.voices.checkpoint import read_checkpoint
from speakr.media.voices.encoder import VoiceEncoder, encoder
from speakr.media.voices.mel import mel_spectrogram
from speakr.media.voices.weights import VoiceModelMissing
from tests.voices.conftest import DATA, read_clip

REFERENCES = json.loads((DATA / "voice_vectors.json").read_text())
"""Computed with PyTorch 2.15 and librosa 0.11: `clip@first frame` -> sums of mel frames, and the vector."""


def _window(name: str) -> np.ndarray:
    clip, first = name.split("@")
    return mel_spectrogram(read_clip(DATA / clip) / np.float32(32768))[int(first) : int(first) + 160]


@pytest.mark.parametrize("name", REFERENCES)
def test_vectors_are_those_of_the_original(name: str) -> None:
    window = _window(name)
    assert window[::40].sum(axis=1) == pytest.approx(REFERENCES[name]["mel_row_sums"], rel=1e-4)
    (vector,) = encoder().embed([window])
    assert vector == pytest.approx(REFERENCES[name]["vector"], abs=1e-5)


def test_a_vector_does_not_depend_on_its_company(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = [_window(name) for name in REFERENCES]
    together = encoder().embed(windows)
    monkeypatch.setattr(encoders, "BATCH_WINDOWS", 1)
    assert encoder().embed(windows) == pytest.approx(together, abs=1e-6)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)
    assert encoder().embed([]).shape == (0, 256)


def test_the_package_and_its_dependencies_are_never_imported() -> None:
    encoder()
    assert {"resemblyzer", "torch", "librosa"} & set(sys.modules) == set()


class _Exploit:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_that_would_run_something_is_refused(protocol: int) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"system has no place in a checkpoint"):
        read_checkpoint(pickle.dumps(_Exploit(), protocol))


def test_any_other_pickle_is_refused() -> None:
    raw = io.BytesIO()
    pickle.dump({"model_state": {}}, raw)
    with pytest.raises(pickle.UnpicklingError, match="no checkpoint"):
        read_checkpoint(raw.getvalue())


def test_a_changed_or_missing_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pretrained.pt"
    monkeypatch.setattr(encoders, "locate_model", lambda: path)
    with pytest.raises(VoiceModelMissing, match="not installed"):
        VoiceEncoder()
    path.write_bytes(b"something else")
    with pytest.raises(VoiceModelMissing, match="not the one"):
        VoiceEncoder()


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    assert "requirements-models.txt" in (weights.unavailable_reason.__wrapped__() or "")
    monkeypatch.undo()
    assert weights.unavailable_reason.__wrapped__() is None

"""The embedding models of this server: what is meant is found, in other words and other languages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.corpus_of_meaning import IN_OTHER_LANGUAGES, PARAPHRASES, SENTENCES
from speakr.connectors.embedding import make_embedding_connector, model_of
from speakr.connectors.embedding.embedded import ALL_LANGUAGES, ENGLISH, EmbeddedEmbeddingConnector
from speakr.domain.errors import ConnectorRejected
from speakr.model_files.catalogue import SENTENCES as MINILM
from speakr.model_files.catalogue import SENTENCES_IN_LANGUAGES
from speakr.model_files.store import shared_folder
from speakr.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="module")
def engine() -> EmbeddedEmbeddingConnector:
    return EmbeddedEmbeddingConnector(shared_folder(), ALL_LANGUAGES)


def vectors(engine: Any, texts: list[str]) -> Any:
    return np.stack([np.frombuffer(vector, "<f2") for vector in engine.embed(texts)]).astype(np.float32)


@pytest.mark.parametrize(("asked", "least"), [(PARAPHRASES, 19), (IN_OTHER_LANGUAGES, 12)])
def test_the_sentence_with_the_same_meaning_is_nearest(engine: Any, asked: Any, least: int) -> None:
    scores = vectors(engine, [question for question, _ in asked]) @ vectors(engine, list(SENTENCES)).T
    assert (scores.argmax(axis=1) == [answer for _, answer in asked]).sum() >= least


@pytest.mark.parametrize(
    "text", ["", " ", "\u0000", "🎈", "a" * 10_000, "日本語の文章です。", "\ud7ff", "word " * 3000]
)
def test_any_text_has_a_vector_of_length_one(engine: Any, text: str) -> None:
    (vector,) = vectors(engine, [text])
    assert vector.shape == (384 + 512,)
    assert abs(np.linalg.norm(vector) - 1) < 0.01


def test_a_vector_depends_on_its_own_text_only(engine: Any) -> None:
    alone = engine.embed(["The dog barked."])
    assert engine.embed(["Something else, which is longer.", "The dog barked."])[1:] == alone


def test_english_alone_is_enough(tmp_path: Path, settings_with: MakeSettings) -> None:
    shutil.copytree(shared_folder() / MINILM.name, tmp_path / MINILM.name)
    settings = settings_with(models_dir=str(tmp_path))
    made: Any = make_embedding_connector(settings)
    assert made.model == ENGLISH
    assert model_of(settings).startswith(f"{ENGLISH}#")
    assert vectors(made, ["one"]).shape == (1, 384)


def test_without_models_there_is_no_engine(tmp_path: Path, settings_with: MakeSettings) -> None:
    settings = settings_with(models_dir=str(tmp_path))
    assert model_of(settings) == ""
    assert make_embedding_connector(settings) is None


def test_the_setting_off_means_none(settings_with: MakeSettings) -> None:
    assert make_embedding_connector(settings_with(embedding_model="off")) is None


def test_with_a_damaged_multilingual_model_english_is_left(
    tmp_path: Path, settings_with: MakeSettings
) -> None:
    for model in (MINILM, SENTENCES_IN_LANGUAGES):
        shutil.copytree(shared_folder() / model.name, tmp_path / model.name)
    damaged = tmp_path / SENTENCES_IN_LANGUAGES.name / "weights.npz"
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    settings = settings_with(models_dir=str(tmp_path))
    assert model_of(settings).startswith(f"{ENGLISH}#")
    assert vectors(make_embedding_connector(settings), ["one"]).shape == (1, 384)


def test_the_stored_name_changes_with_the_server_and_fits_the_column(settings_with: MakeSettings) -> None:
    names = {
        model_of(settings_with(embedding_model="m" * 119 + end, embedding_base_url=url))
        for end in "ab"
        for url in ("https://one.test/v1", "https://two.test/v1", "https://two.test/v1/")
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {120}


@pytest.mark.parametrize("damage", ["truncated", "other", "missing"])
def test_a_damaged_model_is_refused(tmp_path: Path, damage: str) -> None:
    for model in (MINILM, SENTENCES_IN_LANGUAGES):
        shutil.copytree(shared_folder() / model.name, tmp_path / model.name)
    path = tmp_path / MINILM.name / "model.onnx"
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-1000] if damage == "truncated" else whole[:-1] + b"\x01")
    with pytest.raises(ConnectorRejected, match="cannot be loaded"):
        EmbeddedEmbeddingConnector(tmp_path, ALL_LANGUAGES).embed(["text"])


def test_a_model_that_fails_on_a_text_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from speakr.connectors.embedding.minilm import MiniLM

    class Fail(Exception):
        """As ONNX Runtime's, which are no RuntimeError."""

    def fail(*_: object) -> None:
        raise Fail("out of memory")

    monkeypatch.setattr(MiniLM, "vector", fail)
    with pytest.raises(ConnectorRejected, match="failed on this text"):
        EmbeddedEmbeddingConnector(shared_folder(), ENGLISH).embed(["text"])


def test_nothing_is_loaded_before_the_first_text() -> None:
    program = (
        "import sys, speakr.app;"
        "from speakr.connectors.embedding import make_embedding_connector;"
        "from speakr.settings import Settings;"
        "assert make_embedding_connector(Settings(secret_key='x' * 32)) is not None;"
        "assert not {'numpy', 'onnxruntime', 'sentencepiece', 'tokenizers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

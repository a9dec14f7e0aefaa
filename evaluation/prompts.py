"""Make a corpus of human speech in Spanish, French, Italian and Russian from the voice prompts of Asterisk.

    python -m evaluation.prompts FOLDER

The prompts are packages of Debian, with their texts: recorded by Allison Smith, June Wallack and others, CC BY-SA 3.0
(Russian: CC BY 3.0). They are downloaded by `apt-get` and checked against their SHA-256; nothing is installed. A
recording is eight prompts of one language, half a second apart.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np

from evaluation.languages import KIND
from evaluation.recordings import Entry, Samples
from speakr.media.base import SAMPLE_RATE

VERSION: Final = "1.6.1-1"
PACKAGES: Final = {
    "es": (
        "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
        "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
    ),
    "fr": (
        "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
        "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
    ),
    "it": (
        "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
        "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
    ),
    "ru": (
        "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
        "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
    ),
}
"""Language to the SHA-256 of the package with the texts and of that with the recordings."""
PER_RECORDING: Final = 8
RECORDINGS: Final = 6
MIN_LETTERS: Final = 60
"""Shorter prompts are single words of announcements."""


def main() -> int:
    """Write the corpus."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.prompts", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, (folder / "manifest.jsonl").open("w") as manifest:
        for language in PACKAGES:
            root = _unpacked(language, Path(place))
            for entry in _recordings(language, root, folder):
                manifest.write(json.dumps(entry, ensure_ascii=False) + "\n")
    print(f"Written to {folder}")
    return 0


def _unpacked(language: str, place: Path) -> Path:
    """Download and unpack the packages of a language."""
    root = place / language
    for name, expected in zip(("", "-g722"), PACKAGES[language], strict=True):
        package = f"asterisk-core-sounds-{language}{name}"
        _run("apt-get", "download", "-qq", f"{package}={VERSION}", place=place)
        (deb,) = place.glob(f"{package}_*.deb")
        if hashlib.sha256(deb.read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{deb.name} is another file than expected.")
        _run("dpkg-deb", "-x", str(deb), str(root), place=place)
    return root


def _run(*command: str, place: Path) -> None:
    subprocess.run(command, cwd=place, check=True)  # noqa: S603 - two tools of Debian


def _recordings(language: str, root: Path, folder: Path) -> Iterator[Entry]:
    """Write the recordings of a language; yield their entries."""
    files = {path.stem: path for path in root.rglob("*.g722")}
    texts = _texts(root)
    names = [name for name in sorted(files) if name in texts]
    for at in range(min(RECORDINGS, len(names) // PER_RECORDING)):
        # Neighbours in the alphabet say nearly the same.
        chosen = names[at :: len(names) // PER_RECORDING][:PER_RECORDING]
        name = f"{language}_{at + 1}"
        pause = np.zeros(SAMPLE_RATE // 2, np.int16)
        samples = np.concatenate([piece for each in chosen for piece in (_read(files[each]), pause)])
        _write(folder / f"{name}.wav", samples)
        text = " ".join(texts[each] for each in chosen)
        yield {
            "id": name,
            "file": f"{name}.wav",
            "kind": KIND,
            "language": language,
            "human": True,
            "text": text,
        }


def _texts(root: Path) -> dict[str, str]:
    """Return the texts of prompts that are sentences without digits, by name; the first of those with the same text."""
    (path,) = root.rglob("core-sounds-*.txt.gz")
    texts: dict[str, str] = {}
    for line in gzip.decompress(path.read_bytes()).decode("utf-8", "replace").splitlines():
        name, _, text = line.partition(":")
        text = re.sub(r"\[.*?\]|\(.*?\)", "", text).strip()
        if len(text) >= MIN_LETTERS and not re.search(r"\d", text) and text not in texts.values():
            texts[name.strip()] = text
    return texts


def _read(path: Path) -> Samples:
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1).astype(np.int16) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


def _write(path: Path, samples: Samples) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])


if __name__ == "__main__":
    sys.exit(main())

"""Join the two halves of Whisper base and rewrite its weights as int8.

    whisper_base.py SOURCES OUT

CTranslate2 quantizes a float16 model each time it loads it. Done once, the file is half as large, loads in a third of
the time and needs half the memory meanwhile. Each row of a matrix gets one scale, as CTranslate2 itself does it:
127 / the largest absolute value. What is no matrix becomes float32.

Runs alone, with numpy only. Every step is one IEEE 754 operation per number, so the bytes do not depend on versions.

Source: CTranslate2, `ModelSpec._serialize` (python/ctranslate2/specs/model_spec.py), binary version 6.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

PARTS = ("model.bin.part1", "model.bin.part2")
JOINED_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of model.bin in the hub's repository Systran/faster-whisper-base, revision ebe41f70."""
OTHER_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
TYPES = {0: "<f4", 1: "|i1", 2: "<i2", 3: "<i4", 4: "<f2"}
"""The types of numbers in a model file, by their codes."""
CODES = {name: code for code, name in TYPES.items()}
MAX_INT8 = 127

Array = npt.NDArray[np.generic]


def main(sources: Path, out: Path) -> None:
    """Write model.bin and the three files beside it."""
    joined = b"".join((sources / name).read_bytes() for name in PARTS)
    if hashlib.sha256(joined).hexdigest() != JOINED_SHA256:
        raise SystemExit("The halves of the model do not make the published file.")
    with (out / "model.bin").open("wb") as file:
        convert(joined, file)
    for name in OTHER_FILES:
        shutil.copyfile(sources / name, out / name)


def convert(model: bytes, file: BinaryIO) -> None:
    """Write a float16 model as int8."""
    reader = Reader(model)
    version, name, revision = reader.number(), reader.text(), reader.number()
    arrays = [each for _ in range(reader.number()) for each in quantized(reader.text(), reader.array())]
    aliases = [(reader.text(), reader.text()) for _ in range(reader.number())]
    if reader.position != len(model):
        raise SystemExit("The model has an unknown format.")
    file.write(struct.pack("<I", version) + packed_text(name) + struct.pack("<II", revision, len(arrays)))
    for label, values in arrays:
        shape = struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
        size = struct.pack("<BI", CODES[values.dtype.str], values.nbytes)
        file.write(packed_text(label) + shape + size + values.tobytes())
    file.write(struct.pack("<I", len(aliases)))
    file.writelines(packed_text(alias) + packed_text(target) for alias, target in aliases)


def quantized(name: str, values: Array) -> Iterator[tuple[str, Array]]:
    """Yield a float16 matrix as int8 with its scales, other float16 numbers as float32, anything else as it is."""
    if values.dtype != np.float16:
        yield name, values
        return
    exact = values.astype("<f4")
    if not name.endswith("/weight") or values.ndim != 2:  # noqa: PLR2004 - a matrix
        yield name, exact
        return
    largest = np.abs(exact).max(axis=1)
    largest[largest == 0] = MAX_INT8
    scale = (np.float32(MAX_INT8) / largest).astype("<f4")
    yield name, np.rint(exact * scale[:, None]).astype("|i1")
    yield f"{name}_scale", scale


def packed_text(text: str) -> bytes:
    """Return a text as the format has it: its length with the zero at its end, in two bytes, and the bytes."""
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


class Reader:
    """Reads a model file from its beginning."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self.position = 0

    def number(self) -> int:
        """Return the next four bytes as a number."""
        return self._take("<I")

    def text(self) -> str:
        """Return the next text."""
        length = self._take("<H")
        start, self.position = self.position, self.position + length
        return self._model[start : self.position - 1].decode()

    def array(self) -> Array:
        """Return the next array."""
        shape = [self.number() for _ in range(self._take("<B"))]
        kind = np.dtype(TYPES[self._take("<B")])
        size = self.number()
        start, self.position = self.position, self.position + size
        found: Array = np.frombuffer(self._model, kind, size // kind.itemsize, start).reshape(shape)
        return found

    def _take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._model, self.position)
        self.position += struct.calcsize(form)
        return int(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

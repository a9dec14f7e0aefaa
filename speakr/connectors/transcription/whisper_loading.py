"""Load faster-whisper and its models, in work horses only.

CTranslate2 starts threads when a model is made. They do not exist in a forked child, whose first transcription would
wait for them for ever. So nothing here may run in a process that forks later.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path
from typing import Any, Final

import structlog

from speakr.connectors.transcription.memory_errors import is_out_of_memory
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable

logger = structlog.get_logger(__name__)

NOT_INSTALLED: Final = "The Whisper engine is not installed; `pip install --require-hashes -r requirements-languages.txt` adds it."
OLD_PROCESSOR: Final = "This processor cannot run the Whisper engine: it lacks SSE 4.1."
NO_MEMORY: Final = "The server has too little memory to load the Whisper model now."
_NEEDED_FLAG: Final = "sse4_1"
"""CTranslate2's least on x86-64; without it the process would end with SIGILL."""


def unusable_reason(cpu_info: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return why this machine cannot run Whisper, as a sentence; None if it can. Nothing is imported."""
    if importlib.util.find_spec("faster_whisper") is None or importlib.util.find_spec("ctranslate2") is None:
        return NOT_INSTALLED
    if platform.machine() in {"x86_64", "AMD64"} and not _has_flag(cpu_info, _NEEDED_FLAG):
        return OLD_PROCESSOR
    return None


def _has_flag(cpu_info: Path, flag: str) -> bool:
    """Return whether the processor has a flag; True where the system does not say."""
    try:
        lines = [line for line in cpu_info.read_text().splitlines() if line.startswith("flags")]
    except OSError:
        return True
    return not lines or flag in lines[0].split()


def load_model(folder: Path, name: str, *, device: str, compute_type: str, threads: int) -> Any:
    """Return a model that is ready to transcribe.

    device, compute_type: as CTranslate2 names them, or `auto`; threads: of the processor.

    Raises:
        ConnectorRejected: the library is missing or cannot run here, or the files are no model.
        ConnectorUnavailable: there is not enough memory now.
    """
    if (reason := unusable_reason()) is not None:
        raise ConnectorRejected(reason)
    # Several OpenMP threads beside ONNX Runtime's can wait for each other when the process ends.
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # noqa: TID251 - read by a library that is loaded below
    try:
        import faster_whisper  # noqa: PLC0415 - not before a fork
    except (ImportError, OSError, MemoryError) as error:
        logger.exception("whisper_not_loaded")
        if is_out_of_memory(error):
            raise ConnectorUnavailable(NO_MEMORY) from error
        raise ConnectorRejected(NOT_INSTALLED) from error
    device, compute_type = _choose_device(device, compute_type)
    try:
        return faster_whisper.WhisperModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
        )
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        logger.exception("whisper_model_not_loaded", model=name)
        if is_out_of_memory(error):
            raise ConnectorUnavailable(NO_MEMORY) from error
        raise ConnectorRejected(
            f"The Whisper model {name[:60]} cannot be loaded on {device} as {compute_type}."
        ) from error


def _choose_device(device: str, compute_type: str) -> tuple[str, str]:
    import ctranslate2  # noqa: PLC0415 - comes with faster-whisper

    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if compute_type != "auto":
        return device, compute_type
    wanted = "float16" if device == "cuda" else "int8"
    known = ctranslate2.get_supported_compute_types(device)
    return device, wanted if wanted in known else "default"

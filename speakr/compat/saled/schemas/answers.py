"""Responses: states, progress, segments, models."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from speakr.services.accounts import opaque_ids
from speakr.services.jobs.progress import Progress
from speakr.services.speech.engines import ModelRow
from speakr.services.speech.model_names import short

RECORDING = "recording"
SUMMARY = "posted summary"
"""What the numbers in job ids count."""
_NUMBERED = re.compile(r"SPEAKER_(\d+)")
UNKNOWN_JOB = "Transcription job not found or expired"


def status(made: Progress) -> dict[str, Any]:
    """Return the state of a job."""
    return {
        "job_id": opaque_ids.encode(RECORDING, made.recording_id),
        "status": state_of(made),
        "progress": made.percent,
        "updated_at": made.updated_at.timestamp(),
        "message": message_of(made),
    }


def state_of(made: Progress) -> str:
    """Return Saled's word for a state; the text is there before the summary."""
    if not made.is_over:
        return "processing"
    return "completed" if made.is_transcribed else "failed"


def message_of(made: Progress) -> str:
    """Return a sentence for users."""
    if made.is_transcribed:
        return "Transcription completed"
    if made.is_over:
        return made.error or "Transcription failed"
    if not made.chunk_count:
        return "Waiting for transcription"
    return f"Processing chunk {_current(made)}/{made.chunk_count} ({made.percent}%)"


def unknown(job_id: str) -> dict[str, Any]:
    """Return the state of a job that the caller may not see, or that there is not."""
    state = {"job_id": job_id, "status": "not_found", "progress": 0}
    return {**state, "updated_at": time.time(), "message": UNKNOWN_JOB}


def frame(made: Progress) -> dict[str, Any]:
    """Return the status frame of the live WebSocket."""
    return {
        "type": "status",
        "status": state_of(made),
        "message": message_of(made),
        "progress": made.percent,
        "chunk_info": {
            "current_chunk": max(1, _current(made)),
            "total_chunks": max(1, made.chunk_count),
            "chunk_progress": 100 if made.is_transcribed else 0,
        },
    }


def unknown_frame() -> dict[str, Any]:
    """Return the only frame about such a job."""
    chunks = {"current_chunk": 0, "total_chunks": 0, "chunk_progress": 0}
    return {
        "type": "status",
        "status": "not_found",
        "message": UNKNOWN_JOB,
        "progress": 0,
        "chunk_info": chunks,
    }


def _current(made: Progress) -> int:
    return min(made.chunks_done + 1, made.chunk_count)


def segment(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return a segment. Speakr does not rate speakers, so the confidence is that of the words."""
    start, end = float(kept["start"]), float(kept["end"])
    return {
        "start": round(start, 3),
        "end": round(end, 3),
        "text": kept["text"].strip(),
        "speaker": speaker(kept["speaker"]),
        "speaker_confidence": float(kept["confidence"] or 0.0),
        "start_display": _display(start),
        "end_display": _display(end),
    }


def speaker(label: str) -> str:
    """Return a label, counted from 1; those of unknown form are the first speaker."""
    numbered = _NUMBERED.fullmatch(label or "")
    return f"SPEAKER_{int(numbered[1]) + 1 if numbered else 1}"


def _display(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def debug(made: Progress, segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is stored of a job."""
    return {
        **status(made),
        "cached_segments": len(segments),
        "latest_time": segments[-1]["end"] if segments else 0.0,
        "chunks_done": made.chunks_done,
        "total_chunks": made.chunk_count,
        "attempts": made.attempts,
    }


def models(rows: Sequence[ModelRow], usual: Collection[str]) -> list[dict[str, Any]]:
    """Return the models of the engine in use, and the usual names that stand for its default."""
    known = {short(row.name) for row in rows}
    found = [_model(row, row.name, row.description) for row in rows]
    for default in (row for row in rows if row.is_default):
        text = f"Stands for {default.name}: {default.description}"
        found += [_model(default, name, text) for name in usual if name not in known]
    return found


def _model(row: ModelRow, name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "full_name": row.full_name,
        "is_downloaded": row.is_downloaded is not False,
        "size_mb": round((row.size_bytes or 0) / 1_000_000, 1),
        "description": description,
    }

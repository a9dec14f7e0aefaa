"""Responses: states, progress, segments, models."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from speakr.domain.clips import ClipResult
from speakr.domain.errors import NotFound
from speakr.domain.jobs import ACTIVE
from speakr.services.accounts import opaque_ids
from speakr.services.jobs.progress import Progress
from speakr.services.language.posted_chat import PostedAnswer
from speakr.services.language.posted_summaries import View
from speakr.services.speech.engines import ModelRow
from speakr.services.speech.model_names import short
from speakr.services.speech.retranscription import confidence_of

_RECORDING, _SUMMARY = "recording", "posted summary"
"""What the numbers in job ids count."""
_NUMBERED = re.compile(r"SPEAKER_(\d+)")
UNKNOWN_JOB = "Transcription job not found or expired"


def job_id_of(recording_id: int) -> str:
    """Return the id of the job that transcribes a recording."""
    return opaque_ids.encode(_RECORDING, recording_id)


def recording_of(job_id: str) -> int:
    """Return the number of a job's recording; 0, which no recording has, for an unknown id."""
    return opaque_ids.decode(_RECORDING, job_id) or 0


def summary_id_of(view: View) -> str:
    """Return the id of the job that writes a summary."""
    return opaque_ids.encode(_SUMMARY, view.job.id)


def summary_of(job_id: str) -> int:
    """Return the number of a job's summary; 0, which no summary has, for an unknown id."""
    return opaque_ids.decode(_SUMMARY, job_id) or 0


def status(made: Progress) -> dict[str, Any]:
    """Return the state of a job."""
    return {
        "job_id": job_id_of(made.recording_id),
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
            "chunk_progress": 100 if made.is_transcribed else made.chunk_percent,
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


def segments(kept: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return those segments that have words."""
    return [segment(each) for each in kept if each["text"].strip()]


def speaker(label: str) -> str:
    """Return a label, counted from 1; those of unknown form are the first speaker."""
    numbered = _NUMBERED.fullmatch(label or "")
    return f"SPEAKER_{int(numbered[1]) + 1 if numbered else 1}"


def _display(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def result(
    segments: Sequence[Mapping[str, Any]], language: str | None, seconds: float | None
) -> dict[str, Any]:
    """Return a transcript."""
    return {
        "segments": segments,
        "text": " ".join(each["text"] for each in segments),
        "language": language or "",
        "audio_duration": float(seconds or 0.0),
    }


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


def summary(view: View) -> dict[str, Any]:
    """Return a summary; raises `NotFound` until it is written."""
    written = view.written
    if written is None:
        raise NotFound(f"The summary is not ready: {_state_of_summary(view)}")
    return {
        "summary": written.summary,
        "topics": list(written.topics),
        "length": written.words,
        "model_used": written.engine,
    }


def summary_status(view: View) -> dict[str, Any]:
    """Return the state of a summary."""
    job = view.job
    return {
        "status": _state_of_summary(view),
        "message": job.error_message or job.message or "",
        "progress": job.progress,
    }


def _state_of_summary(view: View) -> str:
    if view.written is not None:
        return "completed"
    return "processing" if view.job.state in ACTIVE else "failed"


def chat(answer: PostedAnswer) -> dict[str, Any]:
    """Return an answer and the tokens that it took."""
    used = answer.usage
    return {
        "message": {"role": "assistant", "content": answer.text},
        "model_used": answer.engine,
        "usage": {
            "prompt": used.prompt_tokens,
            "completion": used.completion_tokens,
            "total": used.prompt_tokens + used.completion_tokens,
        },
    }


def clip(segment_id: str, result: ClipResult) -> dict[str, Any]:
    """Return the transcript of a clip."""
    return {
        "segment_id": segment_id,
        "text": result.text,
        "confidence": confidence_of(result) or 0.0,
        "speaker": None,
        "model_used": result.model,
    }

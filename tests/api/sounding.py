"""Recordings in which every word has a tone of its own, for the tests of what merges and cuts them."""

from __future__ import annotations

import hashlib
import io
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from speakr.backends import get_backends
from speakr.db import db, release
from speakr.jobs import runner
from speakr.models import Job, Recording
from speakr.storage.base import new_key
from tests.api.corrections import V1, spoken
from tests.conftest import Person
from tests.fakes import MemoryJobNotifier

RATE = 16_000
Samples = npt.NDArray[np.int16]


def tones(words: Sequence[tuple[float, float, float]], seconds: float, rate: int = RATE) -> Samples:
    """Return sound in which each (start, end, frequency) sounds over a little noise."""
    sound = np.random.default_rng(round(seconds * 1000)).normal(0, 40, round(seconds * rate))
    for start, end, frequency in words:
        first, last = round(start * rate), round(end * rate)
        sound[first:last] += 8_000 * np.sin(2 * np.pi * frequency * np.arange(last - first) / rate)
    return sound.astype(np.int16)


def as_wav(samples: Samples, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def stored(data: bytes) -> dict[str, Any]:
    """Store audio; return the columns that say so."""
    key = new_key("audio")
    sink = get_backends().storage.create(key)
    sink.write(data)
    sink.commit()
    return {"storage_key": key, "file_size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def sounding(
    person: Person, said: Sequence[tuple[str, str]], *, frequency: float = 300.0, **values: Any
) -> tuple[int, Samples]:
    """Write a recording of these (speaker, text); word `n` of all sounds at `frequency` + 50 n Hz."""
    places = [(at, n) for at, (_, text) in enumerate(said) for n, _ in enumerate(text.split())]
    words = [
        (at * 10.0 + n, at * 10.0 + n + 0.8, frequency + 50 * number) for number, (at, n) in enumerate(places)
    ]
    sound = tones(words, len(said) * 10.0)
    return spoken(person, said, **{**stored(as_wav(sound)), **values}), sound


def sound_of(recording_id: int, tmp_path: Path) -> tuple[Samples, int]:
    """Decode the audio of a recording; return its samples, shape (n,), and their rate."""
    release()
    key = db.session.get_one(Recording, recording_id).storage_key
    assert key is not None
    path = tmp_path / "sound"
    with get_backends().storage.open(key) as blob:
        path.write_bytes(blob.read())
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=stream.rate)
        pieces = [
            out.to_ndarray()[0] for frame in container.decode(stream) for out in resampler.resample(frame)
        ]
        return np.concatenate(pieces), stream.rate


def loudest(samples: Samples, rate: int, start: float, end: float) -> float:
    """Return the frequency, in Hz, of the tone between two times."""
    piece = samples[round(start * rate) : round(end * rate)].astype(float)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(piece.size)))
    return float(np.argmax(spectrum) * rate / piece.size)


def words_with_times(person: Person, recording_id: int, **query: Any) -> list[tuple[str, float, float]]:
    answer = person.get(f"{V1}/{recording_id}/transcript", query_string={"words": "true", **query})
    assert answer.status_code == 200, answer.json
    return [
        (word["word"], word["start"], word["end"])
        for segment in answer.json["segments"]
        for word in segment["words"]
    ]


def merge(person: Person, *ids: int, **body: Any) -> Any:
    return person.post(f"{V1}/merge", json={"recording_ids": list(ids), **body})


def merged(person: Person, work: Callable[[], Any], *ids: int, **body: Any) -> int:
    """Merge recordings and do the work; return the id of the new one."""
    answer = merge(person, *ids, **body)
    assert answer.status_code == 202, answer.json
    work()
    return int(answer.json["id"])


def cut(person: Person, recording_id: int, at: Any, **body: Any) -> Any:
    return person.post(f"{V1}/{recording_id}/cut", json={"at": at, **body})


def halves(person: Person, work: Callable[[], Any], recording_id: int, at: float, **body: Any) -> list[int]:
    """Cut a recording and do the work; return the ids of the new ones."""
    answer = cut(person, recording_id, at, **body)
    assert answer.status_code == 202, answer.json
    work()
    return [int(each["id"]) for each in answer.json["recordings"]]


def detail(person: Person, recording_id: int) -> Any:
    answer = person.get(f"{V1}/{recording_id}")
    assert answer.status_code == 200, answer.json
    return answer.json


def work_off(notifier: MemoryJobNotifier) -> None:
    while notifier.notifications:
        runner.run(notifier.notifications.pop(0)[1])


def jobs_of(recording_id: int) -> list[Job]:
    release()
    return list(db.session.query(Job).filter_by(recording_id=recording_id).order_by(Job.id))

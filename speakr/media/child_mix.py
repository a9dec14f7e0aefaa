"""Adding up sound in the process that opens untrusted media: channels of one track, and several tracks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph


class Mixer:
    """Makes one channel of several as a weighted sum, and samples of one rate and format of any.

    FFmpeg's own mixing refuses channels of which it does not know where their loudspeakers stand.
    """

    def __init__(self, frame: AudioFrame, weights: Sequence[float], *, sample_format: str, rate: int) -> None:
        self._graph = graph = Graph()
        source = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
        total = "".join(f"{weight:+.6f}*c{channel}" for channel, weight in enumerate(weights))
        mix = graph.add("pan", f"mono|c0={total}")
        form = graph.add("aformat", sample_rates=str(rate), sample_fmts=sample_format, channel_layouts="mono")
        sink = graph.add("abuffersink")
        source.link_to(mix)
        mix.link_to(form)
        form.link_to(sink)
        graph.configure()

    def resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        """Take a frame, or None at the end; return what is ready."""
        self._graph.push(frame)
        return _ready(self._graph)


class Blend:
    """Adds up tracks of interleaved integer samples of one form; `samples` of each are counted from 0."""

    def __init__(self, tracks: int, *, sample_format: str, layout: str, rate: int) -> None:
        self._form, self._layout, self._rate = sample_format, layout, rate
        self._graph = graph = Graph()
        self._inputs = [
            graph.add(
                "abuffer",
                sample_rate=str(rate),
                sample_fmt=sample_format,
                channel_layout=layout,
                time_base=f"1/{rate}",
            )
            for _ in range(tracks)
        ]
        self._samples = [0] * tracks
        total = graph.add("amix", inputs=str(tracks), duration="longest", normalize="0")
        form = graph.add("aformat", sample_rates=str(rate), sample_fmts=sample_format, channel_layouts=layout)
        sink = graph.add("abuffersink")
        for number, source in enumerate(self._inputs):
            source.link_to(total, 0, number)
        total.link_to(form)
        form.link_to(sink)
        graph.configure()

    def add(self, track: int, data: bytes, block: int) -> list[bytes]:
        """Take the next samples of a track; return the sum as far as all tracks are known. block: bytes of a sample."""
        frame = AudioFrame(self._form, self._layout, len(data) // block)
        frame.planes[0].update(data)
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts = self._samples[track]
        self._samples[track] += frame.samples
        self._inputs[track].push(frame)
        return self._bytes(block)

    def end(self, track: int, block: int) -> list[bytes]:
        """End a track."""
        self._inputs[track].push(None)
        return self._bytes(block)

    def _bytes(self, block: int) -> list[bytes]:
        return [bytes(memoryview(out.planes[0])[: out.samples * block]) for out in _ready(self._graph)]


def _ready(graph: Graph) -> list[AudioFrame]:
    ready: list[AudioFrame] = []
    while True:
        try:
            ready.append(graph.pull())  # type: ignore[arg-type]  # sound, since the sources are
        except (av.BlockingIOError, av.EOFError):
            return ready

"""Decode a recording into sources: each is one channel of sound, and has its own speech.

Usually there is one source. Several audio tracks, and the sides of a call, are sources of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from speakr.domain.errors import UnusableMedia
from speakr.domain.recordings import Channels, Warned
from speakr.domain.transcript import Span
from speakr.jobs.plan import PlannedSource
from speakr.media.base import SAMPLE_RATE, AudioTrack, DecodedAudio
from speakr.media.chunks import plan_chunks, seams

logger = structlog.get_logger(__name__)

# numpy is imported in the work horse only, like the speech libraries.

MAX_CHANNELS: Final = 8
"""More channels of one track are never separated."""
MAX_LENGTHS: Final = 4
"""All tracks together may be so many times as long as a recording may be. What is longer is not decoded."""


class DecodeTrack(Protocol):
    """Decodes one track; see `media.decode.decode_track`."""

    def __call__(
        self,
        source: Path,
        pcm: Path,
        max_seconds: float,
        *,
        track: int | None = None,
        max_channels: int,
        weights: Sequence[float] = (),
    ) -> DecodedAudio:
        """Write the samples of a track to `pcm`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSource:
    """One channel of sound in a file of its own, and the speech in it. `channel` is None if it is a mix of all."""

    track: int
    channel: int | None
    path: Path
    duration_seconds: float
    spans: Sequence[Span] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedAudio:
    """The sources that are transcribed, and what the recording's tracks are, in the form of the API."""

    sources: Sequence[SoundSource]
    tracks: Sequence[Mapping[str, Any]]
    duration_seconds: float
    warnings: Sequence[str]
    skipped_seconds: float


@dataclass(frozen=True, slots=True)
class Preparation:
    """How to decode: `max_seconds` for each track, `channels` as the user asked, and the tools."""

    max_seconds: float
    channels: Channels
    decode_track: DecodeTrack
    find_speech: Callable[[Path], list[Span]]
    on_decoded: Callable[[], None] = lambda: None
    """Called after each track and after each comparison of two; what it raises ends the preparation."""

    def prepare(self, media: Path, folder: Path) -> PreparedAudio:
        """Decode all tracks of a file into a folder, and find the speech in them.

        Raises:
            UnusableMedia: no track can be decoded, or one is too long.
            MediaToolFailed: decoding failed for a reason that need not be the file's.
        """
        decoded: list[DecodedAudio] = []
        sources: list[SoundSource] = []
        for each, path in self._decode_all(media, folder):
            self.on_decoded()
            decoded.append(each)
            for source in self._sources(media, each, path):
                if sources and not source.spans and source.channel is None:
                    source.path.unlink()
                sources.append(source)
        speaking = [source for source in sources if source.spans]
        copies = _copies(speaking, self.on_decoded)
        used = [source for at, source in enumerate(speaking) if at not in copies]
        used += [source for source in sources if self._keeps_its_place(source, used)]
        used.sort(key=lambda source: (source.track, source.channel or 0))
        of_copies = {speaking[copy].track: speaking[origin].track for copy, origin in copies.items()}
        tracks = decoded[0].tracks
        are_decoded = {each.track for each in decoded}
        return PreparedAudio(
            sources=used or sources[:1],
            tracks=list(_described(tracks, are_decoded, sources, used, of_copies)),
            duration_seconds=max(source.duration_seconds for source in used or sources[:1]),
            warnings=_warnings(decoded, tracks, self.channels),
            skipped_seconds=round(sum(each.skipped_seconds for each in decoded), 3),
        )

    def _keeps_its_place(self, source: SoundSource, used: Sequence[SoundSource]) -> bool:
        """Return whether a silent channel counts, so that the channel after it keeps its speaker's number."""
        is_asked_for = self.channels is Channels.SEPARATE and source.channel is not None and not source.spans
        return is_asked_for and any(other.track == source.track for other in used)

    def _decode_all(self, media: Path, folder: Path) -> Iterator[tuple[DecodedAudio, Path]]:
        first = self._decode(media, folder / "track", None)
        yield first, folder / "track"
        left_seconds = MAX_LENGTHS * self.max_seconds - first.duration_seconds
        for number, track in enumerate(first.tracks):
            if number == first.track or not track.is_decodable or left_seconds < self.max_seconds:
                continue
            path = folder / f"track-{number}"
            try:
                decoded = self._decode(media, path, number)
                left_seconds -= decoded.duration_seconds
                yield decoded, path
            except UnusableMedia as error:
                if error.slug == "too_long":
                    raise
                logger.warning("track_not_decoded", track=number, reason=error.slug)

    def _decode(self, media: Path, path: Path, track: int | None) -> DecodedAudio:
        most = MAX_CHANNELS if self.channels is Channels.SEPARATE else 2
        return self.decode_track(media, path, self.max_seconds, track=track, max_channels=most)

    def _sources(self, media: Path, decoded: DecodedAudio, path: Path) -> Iterator[SoundSource]:
        """Yield the sources of one decoded track, with their speech. The decoded file is used up."""
        whole = SoundSource(
            track=decoded.track, channel=None, path=path, duration_seconds=decoded.duration_seconds
        )
        if decoded.channels == 1:
            yield self._with_speech(whole)
            return
        if not decoded.is_sample and (sides := self._sides(decoded, whole)):
            path.unlink()
            yield from sides
            return
        yield self._with_speech(self._mixed(media, decoded, whole))

    def _sides(self, decoded: DecodedAudio, whole: SoundSource) -> list[SoundSource]:
        """Return the channels as sources, or nothing if they are to be mixed."""
        from speakr.media import channels, same_sound  # noqa: PLC0415

        path = whole.path
        if self.channels is Channels.MIX:
            return []
        is_call = self.channels is Channels.SEPARATE or (
            not channels.are_same(channels.covariance(path, decoded.channels))
            and channels.is_call(channels.levels(path, decoded.channels))
        )
        if not is_call:
            return []
        targets = [path.with_name(f"{path.name}.{channel}") for channel in range(decoded.channels)]
        channels.write_channels(path, targets)
        sides = [
            self._with_speech(replace(whole, channel=channel, path=target))
            for channel, target in enumerate(targets)
        ]
        if self.channels is Channels.SEPARATE:
            return sides
        left, right = (same_sound.Voice(side.path, side.spans, 0) for side in sides)
        sides = [
            replace(sides[0], spans=same_sound.without_cross_talk(left, right)),
            replace(sides[1], spans=same_sound.without_cross_talk(right, left)),
        ]
        speaking = [side for side in sides if side.spans]
        return speaking if len(speaking) > 1 else [replace(side, channel=None) for side in speaking]

    def _mixed(self, media: Path, decoded: DecodedAudio, whole: SoundSource) -> SoundSource:
        """Return the mix of all channels, in which none cancels another."""
        from speakr.media import channels  # noqa: PLC0415

        path = whole.path
        weights = channels.mixing_weights(channels.covariance(path, decoded.channels))
        mixed = path.with_name(f"{path.name}.mix")
        duration_seconds = decoded.duration_seconds
        if decoded.is_sample:
            again = self.decode_track(
                media, mixed, self.max_seconds, track=decoded.track, max_channels=1, weights=weights
            )
            duration_seconds = again.duration_seconds
        else:
            channels.write_mix(path, decoded.channels, weights, mixed)
        path.unlink()
        return replace(whole, path=mixed, duration_seconds=duration_seconds)

    def _with_speech(self, source: SoundSource) -> SoundSource:
        return replace(source, spans=self.find_speech(source.path))


def cut_sources(
    sources: Sequence[SoundSource], target_seconds: float, max_seconds: float
) -> tuple[list[list[Span]], list[PlannedSource], list[int]]:
    """Cut each source into chunks. Return those of all sources, the sources, and the positions of cuts inside speech."""
    pieces: list[list[Span]] = []
    planned: list[PlannedSource] = []
    joints: list[int] = []
    first_sample = 0
    for source in sources:
        samples = round(source.duration_seconds * SAMPLE_RATE)
        planned.append(
            PlannedSource(
                first_sample=first_sample,
                samples=samples,
                first_chunk=len(pieces),
                is_one_speaker=source.channel is not None,
            )
        )
        own = plan_chunks(source.spans, target_seconds, max_seconds)
        joints += [len(pieces) + at for at in seams(own)]
        pieces += own
        first_sample += samples
    return pieces, planned, joints


def _copies(speaking: Sequence[SoundSource], on_compared: Callable[[], None]) -> dict[int, int]:
    """Return which sources say the same as others, by their numbers. `on_compared` may end the search by raising."""
    if len({source.track for source in speaking}) <= 1:
        return {}
    from speakr.media import same_sound  # noqa: PLC0415

    return same_sound.without_copies(
        [same_sound.Voice(source.path, source.spans, source.track) for source in speaking], on_compared
    )


def _described(
    tracks: Sequence[AudioTrack],
    decoded: set[int],
    sources: Sequence[SoundSource],
    used: Sequence[SoundSource],
    copies: Mapping[int, int],
) -> Iterator[dict[str, Any]]:
    """Yield the tracks in the form of the API (`TrackOut`). copies: by track, the one that says the same."""
    for number, track in enumerate(tracks):
        own = [source for source in used if source.track == number]
        has_speech = any(source.spans for source in sources if source.track == number)
        yield {
            **track.to_json(number),
            "is_silent": not has_speech if number in decoded else None,
            "is_used": any(source.spans for source in own),
            "same_as": copies.get(number) if has_speech and not own else None,
            "is_split": any(source.channel is not None for source in own),
        }


def _warnings(decoded: Sequence[DecodedAudio], tracks: Sequence[AudioTrack], channels: Channels) -> list[str]:
    found = {
        Warned.DAMAGED: any(each.bad_packet_count for each in decoded),
        Warned.CUT_OFF: any(each.is_cut_off for each in decoded),
        Warned.TRACK_NOT_DECODED: len(decoded) < max(len(tracks), *(each.track_count for each in decoded)),
        Warned.CHANNELS_MIXED: channels is Channels.SEPARATE and any(each.is_sample for each in decoded),
    }
    return [code.value for code, applies in found.items() if applies]

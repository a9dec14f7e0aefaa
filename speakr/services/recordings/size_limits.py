"""The limits on the size of an upload, and the error for larger files."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.domain.errors import TooLarge
from speakr.services.system import system_settings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """The largest file in MiB: as audio, or as a video of which only the audio is kept."""

    audio_mb: int
    video_mb: int

    @property
    def max_bytes(self) -> int:
        """Return the size above which any file is too large; a size alone does not distinguish audio from video."""
        return max(self.audio_mb, self.video_mb) * MIB

    def require_fits(self, size_bytes: int, *, is_audio_kept_only: bool) -> None:
        """Raise `TooLarge` when a file exceeds the limit for its kind."""
        if size_bytes > (self.video_mb if is_audio_kept_only else self.audio_mb) * MIB:
            raise self.too_large(is_audio_kept_only=is_audio_kept_only)

    def too_large(self, *, is_audio_kept_only: bool | None = None) -> TooLarge:
        """Return the documented error; without a kind, that for a file over every limit."""
        if is_audio_kept_only is None:
            is_audio_kept_only = self.video_mb > self.audio_mb
        limit_mb = self.video_mb if is_audio_kept_only else self.audio_mb
        return TooLarge(
            f"The file is larger than the {limit_mb} MB this server accepts.",
            max_size_mb=self.audio_mb,
            effective_limit_mb=limit_mb,
            audio_only_mode=is_audio_kept_only,
        )

    def sound_too_large(self, size_bytes: int) -> TooLarge:
        """Return the error for a video whose audio track exceeds the limit for audio."""
        return TooLarge(
            f"The audio track of this video is larger than {self.audio_mb} MB.",
            max_size_mb=self.audio_mb,
            extracted_audio_mb=round(size_bytes / MIB, 1),
            audio_only_mode=True,
            chunking_enabled=True,
        )


def current() -> SizeLimits:
    """Return the current limits in one query."""
    found = system_settings.get_several("max_file_size_mb", "max_audio_only_video_size_mb")
    return SizeLimits(found["max_file_size_mb"], found["max_audio_only_video_size_mb"])

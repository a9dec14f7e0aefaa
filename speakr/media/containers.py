"""The containers and codecs that Speakr opens, with their media types and extensions.

Everything here goes by what FFmpeg found in the bytes; file names are never asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_EBML_DOC_TYPE = b"\x42\x82"
"""Element id of the DocType in the header of Matroska and WebM (RFC 8794, section 11.2.4)."""

HEAD_BYTES = 64
"""How much of a file `doc_type` and `looks_like_media` want to see."""

_SIGNATURES = (
    (0, b"RIFF"), (0, b"OggS"), (0, b"fLaC"), (0, b"ID3"), (0, b"FORM"), (0, b"caff"), (0, b"#!AMR"),
    (0, b"\x1aE\xdf\xa3"), (0, b"0&\xb2u\x8ef\xcf\x11"), (4, b"ftyp"), (4, b"moov"),
)  # fmt: skip
"""Where and how the containers people send begin: what starts so and cannot be opened is damaged media."""

_DICTATION = tuple(bytes([version]) + kind for version in (1, 2, 3, 6, 7) for kind in (b"dss", b"ds2"))
"""How the files of dictation machines begin (Digital Speech Standard)."""

_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]")
"""Lists of addresses. FFmpeg knows some of them only by the ending of the name, which it never sees here."""


@dataclass(frozen=True, slots=True)
class Container:
    """How a container is announced: media type and usual extension, without and with a picture."""

    name: str
    audio: tuple[str, str]
    video: tuple[str, str]


def _both(name: str, media_type: str, extension: str | None = None) -> Container:
    return Container(name, (media_type, extension or name), (media_type, extension or name))


_CONTAINERS: Mapping[str, Container] = {
    container.name: container
    for container in (
        _both("aac", "audio/aac"),
        _both("ac3", "audio/ac3"),
        _both("aiff", "audio/aiff"),
        _both("amr", "audio/amr"),
        _both("ape", "audio/x-ape"),
        _both("au", "audio/basic"),
        _both("caf", "audio/x-caf"),
        _both("eac3", "audio/eac3"),
        _both("flac", "audio/flac"),
        _both("flv", "video/x-flv"),
        _both("mov", "video/quicktime"),
        _both("mp3", "audio/mpeg"),
        _both("tta", "audio/x-tta"),
        _both("w64", "audio/x-w64"),
        _both("wav", "audio/wav"),
        _both("wv", "audio/x-wavpack"),
        _both("avi", "video/x-msvideo"),
        _both("mpeg", "video/mpeg", "mpg"),
        _both("mpegts", "video/mp2t", "ts"),
        Container("3gp", ("audio/3gpp", "3gp"), ("video/3gpp", "3gp")),
        Container("3g2", ("audio/3gpp2", "3g2"), ("video/3gpp2", "3g2")),
        Container("asf", ("audio/x-ms-wma", "wma"), ("video/x-ms-wmv", "wmv")),
        Container("matroska", ("audio/x-matroska", "mka"), ("video/x-matroska", "mkv")),
        Container("mp4", ("audio/mp4", "m4a"), ("video/mp4", "mp4")),
        Container("ogg", ("audio/ogg", "ogg"), ("video/ogg", "ogv")),
        Container("webm", ("audio/webm", "webm"), ("video/webm", "webm")),
    )
}

_BY_CODEC: Mapping[tuple[str, str], tuple[str, str]] = {
    ("amr", "amr_wb"): ("audio/amr-wb", "awb"),
    ("ogg", "opus"): ("audio/ogg", "opus"),  # RFC 7845, section 9
}

DEMUXERS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "eac3", "flac", "flv", "matroska", "mov",
    "mp3", "mpeg", "mpegts", "ogg", "tta", "w64", "wav", "wv",
)  # fmt: skip
"""FFmpeg's names of the containers we open. Playlists and picture sequences are not among them, nor is
anything else that names further files."""

DECODERS = (
    "aac", "aac_latm", "ac3", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_swf", "adpcm_yamaha", "alac",
    "amrnb", "amrwb", "ape", "dca", "eac3", "flac", "g722", "g723_1", "g726", "g726le", "gsm", "gsm_ms", "ilbc",
    "libopencore_amrnb", "libopencore_amrwb", "libopus", "libvorbis", "mace3", "mace6", "mp1", "mp1float", "mp2",
    "mp2float", "mp3", "mp3float", "nellymoser", "opus", "pcm_alaw", "pcm_bluray", "pcm_dvd", "pcm_f32be",
    "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_mulaw", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le",
    "pcm_s32be", "pcm_s32le", "pcm_s64le", "pcm_s8", "pcm_u8", "qcelp", "qdm2", "qdmc", "speex", "truehd",
    "truespeech", "tta", "vorbis", "wavpack", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice",
)  # fmt: skip
"""FFmpeg's names of the decoders we run: sound only. The decoders of pictures, by far the larger part of
what has ever been broken in FFmpeg, stay closed even while a video is being looked at."""

_HOMES: Mapping[str, tuple[str, ...]] = {
    "aiff": ("pcm_s16be", "pcm_s24be"),
    "amr": ("amr_nb", "amr_wb"),
    "asf": ("wmav1", "wmav2"),
    "flac": ("flac",),
    "ipod": ("aac", "alac"),  # FFmpeg's name of M4A
    "mp3": ("mp3",),
    "ogg": ("opus", "vorbis"),
    "wav": (
        "adpcm_ima_wav", "adpcm_ms", "pcm_alaw", "pcm_f32le", "pcm_mulaw", "pcm_s16le", "pcm_s24le", "pcm_s32le",
        "pcm_u8",
    ),
}  # fmt: skip

MUXERS: Mapping[str, str] = {codec: muxer for muxer, codecs in _HOMES.items() for codec in codecs}
"""Codec -> the container in which its bare sound is best at home; any other goes into Matroska."""

OTHER_MUXER = "matroska"

_IN_MP4 = ("aac", "ac3", "alac", "eac3", "flac", "mp3", "opus")
LATE_CODECS: Mapping[str, tuple[str, ...]] = {
    "mp4": _IN_MP4,
    "mov": (
        *_IN_MP4,
        "adpcm_ima_wav",
        "pcm_alaw",
        "pcm_f32le",
        "pcm_mulaw",
        "pcm_s16be",
        "pcm_s16le",
        "pcm_s24be",
        "pcm_s24le",
        "pcm_s32le",
    ),
}
"""Muxer -> the codecs that it takes. Its files can say that the sound begins later than the file."""


def doc_type(head: bytes) -> str | None:
    """Read the DocType (`matroska` or `webm`) from the first bytes of a file, if it is there."""
    at = head.find(_EBML_DOC_TYPE)
    if not head.startswith(b"\x1aE\xdf\xa3") or at < 0 or at + 3 > len(head):
        return None
    length = head[at + 2] & 0x7F
    return head[at + 3 : at + 3 + length].decode("ascii", "replace")


def looks_like_media(head: bytes) -> bool:
    """Return True if a file begins like media: if it cannot be opened, it is damaged and not of another kind."""
    return any(head[at:].startswith(signature) for at, signature in _SIGNATURES)


def looks_like_dictation(head: bytes) -> bool:
    """Return True if a file begins like one of a dictation machine: DSS or DS2."""
    return head.startswith(_DICTATION)


def looks_like_playlist(head: bytes) -> bool:
    """Return True if a file begins like a playlist."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLISTS)


def container_of(demuxer: str, *, brand: str | None, doc: str | None) -> Container:
    """Name the container more exactly than FFmpeg does, which opens whole families with one demuxer.

    demuxer: FFmpeg's name; brand: the major brand of an ISO file (ISO/IEC 14496-12, section 4.3), None
    for QuickTime files older than brands; doc: the EBML DocType.

    Raises:
        KeyError: it is none of the containers we open.
    """
    family = demuxer.partition(",")[0]
    if family == "mov":
        family = _iso_family((brand or "qt").strip().lower())
    elif family == "matroska" and doc == "webm":
        family = "webm"
    return _CONTAINERS[family]


def _iso_family(brand: str) -> str:
    if brand == "qt":
        return "mov"
    if brand.startswith("3g2"):
        return "3g2"
    return "3gp" if brand.startswith("3g") else "mp4"


def media_type_of(container: Container, codec: str, *, has_video: bool) -> tuple[str, str]:
    """Return media type and extension (without the dot) of a file with this content."""
    if has_video:
        return container.video
    return _BY_CODEC.get((container.name, codec), container.audio)

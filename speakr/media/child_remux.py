"""The process that copies the sound out of untrusted videos. `sandbox.py` runs it by path, like `child.py`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

if TYPE_CHECKING:
    from speakr.media import child
else:
    # Python runs this file in isolated mode, where neither Speakr nor the files beside it can be imported.
    _spec = importlib.util.spec_from_file_location("child", Path(__file__).with_name("child.py"))
    child = sys.modules["child"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(child)


def remux(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy all audio tracks, as they are, into a container that suits them and keeps their times."""
    kept, tally = 0, child.Tally()
    with child.opened(order) as container, open(order["sink_fd"], "wb") as sink:  # noqa: PTH123 - a descriptor, not a path
        streams = list(container.streams.audio)
        known = order["decoders"].split(",")
        if not streams:
            raise child.Refused("no_audio_stream")
        if any(child.decoder_of(stream) not in known for stream in streams):
            raise child.Refused("not_to_be_copied")
        child.skip_others(container, streams)
        start = child.beginning(container)
        with av.open(sink, "w", format=_muxer(order, streams, start)) as target:
            copies = _copies(target, streams)
            for packet in child.packets(container, streams, tally):
                if packet.size == 0 or packet.dts is None or packet.time_base is None:
                    continue
                shift = round(start / packet.time_base)
                packet.dts -= shift
                packet.pts = packet.dts if packet.pts is None else packet.pts - shift
                packet.stream = copies[packet.stream_index]
                try:
                    target.mux(packet)
                except av.FFmpegError:
                    tally.count_bad()
                else:
                    kept += 1
    if not kept:
        raise child.Refused("undecodable")
    return {"packets": kept, "bad": tally.bad}


def _copies(target: OutputContainer, streams: Sequence[AudioStream]) -> dict[int, AudioStream]:
    copies = {}
    for stream in streams:
        try:
            copies[stream.index] = copy = target.add_stream_from_template(stream)
        except ValueError:  # a codec that no container but its own will have
            raise child.Refused("not_to_be_copied") from None
        if len(streams) > 1:
            title = stream.metadata.get("title") or stream.metadata.get("handler_name", "")
            language = stream.metadata.get("language", "und")
            # MP4 calls the title of a track its handler's name.
            copy.metadata.update({"language": language, "title": title, "handler_name": title})
    return copies


def _muxer(order: Mapping[str, Any], streams: Sequence[AudioStream], start: float) -> str:
    """Choose the container: it must have room for all tracks, and for silence before the first sound."""
    codecs = {child.codec_of(stream) for stream in streams}
    is_late = min(child.first_second(stream) for stream in streams) - start > child.MIN_LEAD_SECONDS
    homes = {order["muxers"].get(codec, order["other_muxer"]) for codec in codecs}
    if len(streams) == 1 and not is_late:
        return str(homes.pop())
    if homes == {"ipod"}:
        return "ipod"
    if not is_late:
        return str(order["other_muxer"])
    for muxer in ("mp4", "mov"):  # the family that can say that its sound begins later
        if codecs.issubset(order["late_codecs"][muxer]):
            return muxer
    raise child.Refused("not_to_be_copied")


if __name__ == "__main__":
    child.main({"remux": remux})

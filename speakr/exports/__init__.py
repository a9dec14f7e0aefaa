"""Transcripts in the formats of others. Pure functions from segments to text, one file per format."""

from collections.abc import Mapping

from speakr.exports.base import Exporter
from speakr.exports.segments import SEGMENTS
from speakr.exports.srt import SRT
from speakr.exports.text import TEXT
from speakr.exports.vtt import VTT

EXPORTERS: Mapping[str, Exporter] = {exporter.name: exporter for exporter in (SEGMENTS, TEXT, SRT, VTT)}
"""Every format by the name that clients ask for."""

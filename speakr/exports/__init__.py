"""Write transcripts in standard formats: pure functions from segments to text or bytes, one module per format."""

from collections.abc import Mapping

from speakr.exports.base import Exporter
from speakr.exports.srt import SRT
from speakr.exports.text import TEXT
from speakr.exports.vtt import VTT

EXPORTERS: Mapping[str, Exporter] = {exporter.name: exporter for exporter in (TEXT, SRT, VTT)}
"""Name that clients use -> format. API, client and documentation take their formats from here."""

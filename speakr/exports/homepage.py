"""A `services.yaml` for gethomepage, whose widget `customapi` shows figures of this server."""

from __future__ import annotations

import json

MEDIA_TYPE = "text/yaml"
TOKEN_PLACEHOLDER = "your-token"  # noqa: S105 - what stands where a token belongs

_SERVICES = """\
- Recordings:
    - Speakr:
        icon: mdi-microphone
        href: {address}
        widget:
          type: customapi
          url: {stats}
          refreshInterval: 30000
          headers:
            Authorization: Bearer {token}
          display: list
          mappings:
            - field: recordings.completed
              label: Completed
              format: number
            - field: recordings.processing
              label: Processing
              format: number
            - field: recordings.failed
              label: Failed
              format: number
            - field: queue.jobs_queued
              label: Waiting
              format: number
            - field: queue.oldest_waiting_seconds
              label: Longest wait
              format: number
              scale: 1/60
              suffix: min
            - field: storage.used_human
              label: Storage
            - field: activity.recordings_today
              label: Today
              format: number
            - field: activity.last_transcription_human
              label: Last transcript
    - Newest recordings:
        icon: mdi-playlist-music
        widget:
          type: customapi
          url: {recordings}
          refreshInterval: 30000
          headers:
            Authorization: Bearer {token}
          display: dynamic-list
          mappings:
            items: recordings
            name: title
            label: status
"""


def services(base_url: str) -> str:
    """Return the file for the server at this address (no final slash), with a placeholder for the token."""
    # A JSON string is a valid YAML scalar for any content; the address may come from a request's Host header.
    return _SERVICES.format(
        address=json.dumps(base_url),
        stats=json.dumps(f"{base_url}/api/v1/stats"),
        recordings=json.dumps(f"{base_url}/api/v1/recordings?per_page=5"),
        token=TOKEN_PLACEHOLDER,
    )

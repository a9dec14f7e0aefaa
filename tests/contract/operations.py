"""Every documented operation, its ids as `{}`, below `/api/v1` unless it says otherwise."""

from __future__ import annotations

OPERATIONS = [
    tuple(line.split())
    for line in """
    GET /stats
    GET /users/me
    POST /recordings/upload
    GET /recordings
    GET /recordings/{}
    PATCH /recordings/{}
    DELETE /recordings/{}
    GET /recordings/{}/transcript
    GET /recordings/{}/summary
    PUT /recordings/{}/summary
    GET /recordings/{}/notes
    PUT /recordings/{}/notes
    GET /recordings/{}/status
    POST /recordings/{}/regenerate_title
    GET /tags
    POST /tags
    PUT /tags/{}
    DELETE /tags/{}
    POST /recordings/{}/tags
    DELETE /recordings/{}/tags/{}
    GET /speakers
    POST /speakers
    PUT /speakers/{}
    DELETE /speakers/{}
    GET /recordings/{}/speakers
    PUT /recordings/{}/speakers/assign
    POST /recordings/{}/speakers/identify
    POST /recordings/{}/transcribe
    POST /recordings/{}/summarize
    POST /recordings/{}/chat
    GET /recordings/{}/events
    GET /recordings/{}/events/ics
    GET /recordings/{}/audio
    PATCH /recordings/batch
    DELETE /recordings/batch
    POST /recordings/batch/transcribe
    GET /folders
    POST /folders
    GET /folders/{}
    PATCH /folders/{}
    PUT /folders/{}
    DELETE /folders/{}
    GET /transcription
    PUT /settings/auto-summarization
    GET /tokens
    POST /tokens
    PATCH /tokens/{}
    DELETE /tokens/{}
    GET /webhooks
    POST /webhooks
    GET /webhooks/{}
    PATCH /webhooks/{}
    DELETE /webhooks/{}
    POST /webhooks/{}/rotate-secret
    POST /webhooks/{}/test
    GET /webhooks/{}/deliveries
    GET /webhooks/{}/deliveries/{}
    POST /webhooks/{}/deliveries/{}/replay
    """.strip().splitlines()
]

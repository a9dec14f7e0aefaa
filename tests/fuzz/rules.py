"""Rules about existing data. A request of the right shape may break one and is then rightly answered with 400.

The check `positive_data_acceptance` takes every such answer for a failure, because no JSON Schema can express these
rules. So they are listed, each with what the answer depends on; any other 400 to a request that follows the description
remains a failure, for then the description is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "audio_deleted": "retention may have taken the sound",
    "cannot_split": "which words a segment has",
    "cursor_invalid": "a cursor is opaque: only the server knows which ones it gave",
    "empty_body": "a body without any field that counts has a right shape, for unknown fields are ignored",
    "empty_file": "how many bytes the file has",
    "idempotency_key_reused": "a key is bound to the request that came with it first",
    "invalid_url": "which hosts and ports may be reached is the operator's decision",
    "name_not_resolved": "whether a host has an address",
    "name_taken": "names are unique among those that are there",
    "not_media": "whether the bytes are audio",
    "no_embedding_model": "whether the operator has configured one",
    "no_speakers": "the recording has a transcript without speaker labels",
    "no_text": "text or segments is needed, with words in it",
    "no_transcription": "the recording has no transcript yet",
    "segments_out_of_order": "the times of the segments",
    "share_with_oneself": "whose recording it is",
    "undecodable": "whether the bytes are audio",
    "unsupported_format": "whether the bytes are audio",
    "unusable_media": "whether the bytes are audio",
    "user_exists": "names and addresses are unique among those that are there",
}
"""Codes of a 400 -> on what the answer depends."""

WAITS_FOR_WORKER = {"retranscribeRange", "retranscribeSegment", "transcribeFile"}
"""Operations that answer when a worker has done the work, or with 503 `busy`."""

FIELDS_COMPARED: Mapping[tuple[str, str], str] = {
    ("addMember", "user_id"): "user_id or username is needed",
    ("addTags", "tag_ids"): "tag_ids, tag_id or tags is needed",
    (
        "assignSpeakers",
        "speaker_map",
    ): "labels are those of the recording, names are read without unseen characters",
    ("continueUpload", "Upload-Checksum"): "the hash must have the length of its kind",
    ("correctSegment", "end"): "must not be before start",
    ("correctSegment", "speaker"): "is counted without blanks",
    ("correctTranscript", "end"): "must not be before start",
    ("correctTranscript", "segments"): "a segment may be named once, and must be one of this transcript",
    ("correctTranscript", "speaker"): "is counted without blanks",
    ("correctTranscript", "text"): "text or segments is needed, and not both",
    ("createAccount", "storage_quota_mb"): "must not contradict storage_quota_bytes",
    ("createAccount", "transcription_budget_minutes"): "must not contradict transcription_budget_seconds",
    ("createSpeaker", "name"): "is counted without blanks and unseen characters",
    ("createUpload", "Upload-Checksum"): "the hash must have the length of its kind",
    ("createUpload", "Upload-Metadata"): "values are UTF-8 in Base64",
    ("createWebhook", "folder_ids"): "must be folders that are there",
    (
        "createWebhook",
        "headers",
    ): "are named as headers are; OpenAPI 3.0 has no words for what keys look like",
    ("cutRecording", "at"): "must be inside the recording",
    ("createWebhook", "tag_ids"): "must be tags that are there",
    ("deleteSegments", "last"): "must not be before first",
    ("listEvents", "before"): "must be an event of the caller",
    ("mergeSegments", "last"): "must be after first",
    ("mergeSpeaker", "into_id"): "must be another speaker than the one in the path",
    ("refreshTokens", "refresh_token"): "is needed unless a cookie has it",
    ("renameSpeaker", "name"): "is counted without blanks and unseen characters",
    ("replaceInTranscripts", "find"): "is counted without blanks",
    ("replaceInTranscripts", "recording_ids"): "recording_ids, tag_id or folder_id is needed",
    ("retranscribeRange", "end"): "must be after start, and inside the recording",
    ("search", "field"): "only transcripts are searched by meaning",
    ("search", "q"): "how many words a question has",
    ("setSpeakerOfSegments", "first_word"): "must not be after last_word in one segment",
    ("setSpeakerOfSegments", "last"): "must not be before first",
    ("setSpeakerOfSegments", "last_word"): "must be a word of the segment",
    ("setSpeakerOfSegments", "speaker"): "is counted without blanks",
    ("shareRecording", "user_id"): "user_id or username is needed",
    ("splitSegment", "word"): "word or time is needed, and not both",
    ("splitSpeaker", "name"): "is counted without blanks and unseen characters",
    ("splitSpeaker", "recording_ids"): "must be recordings in which the speaker is named",
    ("updateAccount", "storage_quota_mb"): "must not contradict storage_quota_bytes",
    ("updateAccount", "transcription_budget_minutes"): "must not contradict transcription_budget_seconds",
    ("updateWebhook", "folder_ids"): "must be folders that are there",
    (
        "updateWebhook",
        "headers",
    ): "are named as headers are; OpenAPI 3.0 has no words for what keys look like",
    ("updateWebhook", "tag_ids"): "must be tags that are there",
    ("updateCurrentUser", "current_password"): "must be the password of the account",
}
"""Operation and field of a 400 with the code `invalid` -> what JSON Schema cannot say of it."""

COMPARED: Mapping[str, str] = {
    "min_speakers": "must not be above max_speakers",
    "default_min_speakers": "must not be above default_max_speakers",
}
"""The same, whatever the operation."""

"""The tables, one file per noun. Imported together so that every relationship resolves."""

from speakr.models.calendar_events import CalendarEvent
from speakr.models.clips import Clip
from speakr.models.deliveries import Delivery, WebhookSequence
from speakr.models.emails import Email
from speakr.models.events import Event
from speakr.models.folders import Folder
from speakr.models.groups import Group, GroupMembership
from speakr.models.idempotency_keys import IdempotencyKey
from speakr.models.insights import Insight, SummaryEvidence
from speakr.models.jobs import Job, JobBlob, JobChunk
from speakr.models.notices import Notice
from speakr.models.posted_summaries import PostedSummary
from speakr.models.recording_passages import RecordingPassage
from speakr.models.recording_shares import RecordingShare
from speakr.models.recordings import Recording
from speakr.models.search import SearchDocument, SearchStale, SearchTerms
from speakr.models.segments import Segment
from speakr.models.sessions import Session
from speakr.models.speakers import RecordingSpeaker, RecordingVoice, Speaker
from speakr.models.system_settings import SystemSetting
from speakr.models.tags import RecordingTag, Tag
from speakr.models.templates import Template
from speakr.models.tokens import ApiToken
from speakr.models.transcript_revisions import RecognizedTranscript, TranscriptFollowUp, TranscriptRevision
from speakr.models.unwanted_blobs import UnwantedBlob
from speakr.models.uploads import Upload, UploadPart, UploadSource
from speakr.models.usage_days import UsageDay
from speakr.models.users import User
from speakr.models.webhooks import Webhook

__all__ = [
    "ApiToken",
    "CalendarEvent",
    "Clip",
    "Delivery",
    "Email",
    "Event",
    "Folder",
    "Group",
    "GroupMembership",
    "IdempotencyKey",
    "Insight",
    "Job",
    "JobBlob",
    "JobChunk",
    "Notice",
    "PostedSummary",
    "RecognizedTranscript",
    "Recording",
    "RecordingPassage",
    "RecordingShare",
    "RecordingSpeaker",
    "RecordingTag",
    "RecordingVoice",
    "SearchDocument",
    "SearchStale",
    "SearchTerms",
    "Segment",
    "Session",
    "Speaker",
    "SummaryEvidence",
    "SystemSetting",
    "Tag",
    "Template",
    "TranscriptFollowUp",
    "TranscriptRevision",
    "UnwantedBlob",
    "Upload",
    "UploadPart",
    "UploadSource",
    "UsageDay",
    "User",
    "Webhook",
    "WebhookSequence",
]

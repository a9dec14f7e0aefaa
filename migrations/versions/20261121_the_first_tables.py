"""The first tables

Revision ID: cc5f2ca1478b
Revises: 
"""

import sqlalchemy as sa
from alembic import op

import speakr.db

revision = 'cc5f2ca1478b'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('groups',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('description', sa.String(length=500), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_groups')),
    sa.UniqueConstraint('name', name=op.f('uq_groups_name')),
    sqlite_autoincrement=True
    )
    op.create_table('system_settings',
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('value', sa.JSON(none_as_null=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_system_settings'))
    )
    op.create_table('unwanted_blobs',
    sa.Column('storage_key', sa.String(length=120), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('storage_key', name=op.f('pk_unwanted_blobs'))
    )
    op.create_table('users',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(length=80), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=True),
    sa.Column('name', sa.String(length=120), nullable=True),
    sa.Column('job_title', sa.String(length=120), nullable=True),
    sa.Column('company', sa.String(length=120), nullable=True),
    sa.Column('password_hash', sa.String(length=200), nullable=True),
    sa.Column('is_admin', sa.Boolean(), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('email_verified', sa.Boolean(), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('preferences', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('token_budget', sa.Integer(), nullable=True),
    sa.Column('transcription_budget_seconds', sa.Integer(), nullable=True),
    sa.Column('storage_quota_bytes', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('email', name=op.f('uq_users_email')),
    sa.UniqueConstraint('username', name=op.f('uq_users_username')),
    sqlite_autoincrement=True
    )
    op.create_table('api_tokens',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('prefix', sa.String(length=12), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('scopes', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('expires_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('last_used_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('revoked_at', speakr.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_api_tokens_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('sha256', name=op.f('uq_api_tokens_sha256')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('api_tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_tokens_user_id'), ['user_id'], unique=False)

    op.create_table('events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=True),
    sa.Column('type', sa.Enum('recording.created', 'recording.transcription.started', 'recording.transcription.completed', 'recording.transcription.failed', 'recording.summary.completed', 'recording.summary.failed', 'recording.events.extracted', 'recording.updated', 'recording.deleted', 'webhook.test', name='eventtype', native_enum=False, length=40), nullable=False),
    sa.Column('occurred_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('data', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('replayed_from', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_events_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_events')),
    sa.UniqueConstraint('uuid', name=op.f('uq_events_uuid')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.create_index('ix_events_user_id', ['user_id', 'id'], unique=False)

    op.create_table('group_memberships',
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.Enum('admin', 'member', name='grouprole', native_enum=False, length=40), nullable=False),
    sa.Column('joined_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_group_memberships_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_group_memberships_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('group_id', 'user_id', name=op.f('pk_group_memberships'))
    )
    with op.batch_alter_table('group_memberships', schema=None) as batch_op:
        batch_op.create_index('ix_group_memberships_user', ['user_id', 'group_id'], unique=False)

    op.create_table('idempotency_keys',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('operation', sa.String(length=120), nullable=False),
    sa.Column('owner', sa.String(length=32), nullable=False),
    sa.Column('locked_until', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=True),
    sa.Column('response_status', sa.Integer(), nullable=True),
    sa.Column('response_body', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_idempotency_keys_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_idempotency_keys')),
    sa.UniqueConstraint('user_id', 'key', name=op.f('uq_idempotency_keys_user_id_key')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('idempotency_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_idempotency_keys_created_at'), ['created_at'], unique=False)

    op.create_table('speakers',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('last_used_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_speakers_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_speakers')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('speakers', schema=None) as batch_op:
        batch_op.create_index('uq_speakers_user_id_name', ['user_id', 'name'], unique=True)

    op.create_table('templates',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('transcript', 'naming', 'export', name='templatekind', native_enum=False, length=40), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('is_default', sa.Boolean(), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('updated_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_templates_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_templates')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('templates', schema=None) as batch_op:
        batch_op.create_index('uq_templates_default', ['user_id', 'kind'], unique=True, sqlite_where=sa.text('is_default'), postgresql_where=sa.text('is_default'))
        batch_op.create_index('uq_templates_user_id_kind_name', ['user_id', 'kind', 'name'], unique=True)

    op.create_table('usage_days',
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('tokens', sa.BigInteger(), nullable=False),
    sa.Column('transcribed_seconds', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_usage_days_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'day', name=op.f('pk_usage_days'))
    )
    op.create_table('webhooks',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('url', sa.String(length=500), nullable=False),
    sa.Column('allow_http', sa.Boolean(), nullable=False),
    sa.Column('events', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('tag_ids', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('folder_ids', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('payload', sa.Enum('full', 'thin', name='payloadstyle', native_enum=False, length=40), nullable=False),
    sa.Column('headers_sealed', sa.Text(), nullable=True),
    sa.Column('is_ordered', sa.Boolean(), nullable=False),
    sa.Column('max_in_flight', sa.Integer(), nullable=True),
    sa.Column('max_per_second', sa.Integer(), nullable=True),
    sa.Column('when_paused', sa.Enum('hold', 'drop', name='whenpaused', native_enum=False, length=40), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('auto_paused', sa.Boolean(), nullable=False),
    sa.Column('pause_reason', sa.String(length=200), nullable=True),
    sa.Column('paused_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('consecutive_failures', sa.Integer(), nullable=False),
    sa.Column('secret_sealed', sa.String(length=400), nullable=False),
    sa.Column('previous_secret_sealed', sa.String(length=400), nullable=True),
    sa.Column('previous_secret_until', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('silent_until', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('updated_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('last_delivery_at', speakr.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_webhooks_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_webhooks_user_id'), ['user_id'], unique=False)

    op.create_table('deliveries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('webhook_id', sa.Integer(), nullable=False),
    sa.Column('event_uuid', sa.String(length=36), nullable=False),
    sa.Column('event_type', sa.Enum('recording.created', 'recording.transcription.started', 'recording.transcription.completed', 'recording.transcription.failed', 'recording.summary.completed', 'recording.summary.failed', 'recording.events.extracted', 'recording.updated', 'recording.deleted', 'webhook.test', name='eventtype', native_enum=False, length=40), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('status', sa.Enum('pending', 'success', 'failed', 'permanent_failure', name='deliverystatus', native_enum=False, length=40), nullable=False),
    sa.Column('attempt_count', sa.Integer(), nullable=False),
    sa.Column('next_attempt_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('claimed_until', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('duration_ms', sa.Integer(), nullable=True),
    sa.Column('response_status', sa.Integer(), nullable=True),
    sa.Column('response_body_preview', sa.String(length=2000), nullable=True),
    sa.Column('error_message', sa.String(length=500), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('delivered_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('replayed_as', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['webhook_id'], ['webhooks.id'], name=op.f('fk_deliveries_webhook_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.create_index('ix_deliveries_due', ['webhook_id', 'next_attempt_at', 'id'], unique=False, sqlite_where=sa.text("status IN ('pending', 'failed')"), postgresql_where=sa.text("status IN ('pending', 'failed')"))
        batch_op.create_index('ix_deliveries_open', ['webhook_id', 'id'], unique=False, sqlite_where=sa.text("status IN ('pending', 'failed')"), postgresql_where=sa.text("status IN ('pending', 'failed')"))
        batch_op.create_index('ix_deliveries_webhook', ['webhook_id', 'id'], unique=False)

    op.create_table('notices',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('webhook.paused', name='noticekind', native_enum=False, length=40), nullable=False),
    sa.Column('text', sa.String(length=500), nullable=False),
    sa.Column('webhook_id', sa.Integer(), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('read_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('mailed_at', speakr.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_notices_user_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['webhook_id'], ['webhooks.id'], name=op.f('fk_notices_webhook_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('notices', schema=None) as batch_op:
        batch_op.create_index('ix_notices_user_id', ['user_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_notices_webhook_id'), ['webhook_id'], unique=False)

    op.create_table('folders',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('color', sa.String(length=7), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('group_id', sa.Integer(), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('custom_prompt', sa.Text(), nullable=True),
    sa.Column('default_language', sa.String(length=16), nullable=True),
    sa.Column('default_min_speakers', sa.Integer(), nullable=True),
    sa.Column('default_max_speakers', sa.Integer(), nullable=True),
    sa.Column('default_hotwords', sa.Text(), nullable=True),
    sa.Column('default_initial_prompt', sa.Text(), nullable=True),
    sa.Column('default_transcription_model', sa.String(length=120), nullable=True),
    sa.Column('protect_from_deletion', sa.Boolean(), nullable=False),
    sa.Column('retention_days', sa.Integer(), nullable=True),
    sa.Column('auto_share_on_apply', sa.Boolean(), nullable=False),
    sa.Column('share_with_group_lead', sa.Boolean(), nullable=False),
    sa.Column('naming_template_id', sa.Integer(), nullable=True),
    sa.Column('export_template_id', sa.Integer(), nullable=True),
    sa.CheckConstraint('(user_id IS NULL) <> (group_id IS NULL)', name=op.f('ck_folders_one_owner')),
    sa.ForeignKeyConstraint(['export_template_id'], ['templates.id'], name=op.f('fk_folders_export_template_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_folders_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['naming_template_id'], ['templates.id'], name=op.f('fk_folders_naming_template_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_folders_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_folders')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('folders', schema=None) as batch_op:
        batch_op.create_index('uq_folders_group_id_name', ['group_id', 'name'], unique=True)
        batch_op.create_index('uq_folders_user_id_name', ['user_id', 'name'], unique=True)

    op.create_table('tags',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=50), nullable=False),
    sa.Column('color', sa.String(length=7), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('group_id', sa.Integer(), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('custom_prompt', sa.Text(), nullable=True),
    sa.Column('default_language', sa.String(length=16), nullable=True),
    sa.Column('default_min_speakers', sa.Integer(), nullable=True),
    sa.Column('default_max_speakers', sa.Integer(), nullable=True),
    sa.Column('default_hotwords', sa.Text(), nullable=True),
    sa.Column('default_initial_prompt', sa.Text(), nullable=True),
    sa.Column('default_transcription_model', sa.String(length=120), nullable=True),
    sa.Column('protect_from_deletion', sa.Boolean(), nullable=False),
    sa.Column('retention_days', sa.Integer(), nullable=True),
    sa.Column('auto_share_on_apply', sa.Boolean(), nullable=False),
    sa.Column('share_with_group_lead', sa.Boolean(), nullable=False),
    sa.Column('naming_template_id', sa.Integer(), nullable=True),
    sa.Column('export_template_id', sa.Integer(), nullable=True),
    sa.CheckConstraint('(user_id IS NULL) <> (group_id IS NULL)', name=op.f('ck_tags_one_owner')),
    sa.ForeignKeyConstraint(['export_template_id'], ['templates.id'], name=op.f('fk_tags_export_template_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_tags_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['naming_template_id'], ['templates.id'], name=op.f('fk_tags_naming_template_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_tags_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tags')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('tags', schema=None) as batch_op:
        batch_op.create_index('uq_tags_group_id_name', ['group_id', 'name'], unique=True)
        batch_op.create_index('uq_tags_user_id_name', ['user_id', 'name'], unique=True)

    op.create_table('recordings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('folder_id', sa.Integer(), nullable=True),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('participants', sa.String(length=1000), nullable=True),
    sa.Column('status', sa.Enum('PENDING', 'PROCESSING', 'SUMMARIZING', 'COMPLETED', 'FAILED', name='recordingstatus', native_enum=False, length=40), nullable=False),
    sa.Column('error_code', sa.String(length=60), nullable=True),
    sa.Column('error_message', sa.String(length=500), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('updated_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('completed_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('meeting_date', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('original_filename', sa.String(length=255), nullable=False),
    sa.Column('mime_type', sa.String(length=100), nullable=False),
    sa.Column('file_size', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('storage_key', sa.String(length=120), nullable=True),
    sa.Column('has_video', sa.Boolean(), nullable=False),
    sa.Column('keep_audio_only', sa.Boolean(), nullable=False),
    sa.Column('audio_duration', sa.Double(), nullable=True),
    sa.Column('is_inbox', sa.Boolean(), nullable=False),
    sa.Column('is_highlighted', sa.Boolean(), nullable=False),
    sa.Column('deletion_exempt', sa.Boolean(), nullable=False),
    sa.Column('has_transcription', sa.Boolean(), nullable=False),
    sa.Column('has_summary', sa.Boolean(), nullable=False),
    sa.Column('language', sa.String(length=16), nullable=True),
    sa.Column('transcription_engine', sa.String(length=120), nullable=True),
    sa.Column('summary_engine', sa.String(length=120), nullable=True),
    sa.Column('processing_time_seconds', sa.Double(), nullable=True),
    sa.Column('transcription_duration_seconds', sa.Double(), nullable=True),
    sa.Column('summarization_duration_seconds', sa.Double(), nullable=True),
    sa.Column('hints', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('summary', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['folder_id'], ['folders.id'], name=op.f('fk_recordings_folder_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recordings_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recordings')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('recordings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recordings_folder_id'), ['folder_id'], unique=False)
        batch_op.create_index('ix_recordings_user_completed', ['user_id', 'completed_at'], unique=False)
        # A PostgreSQL index takes no more than 2,704 bytes of a row.
        long_texts = ['title', 'participants'] if op.get_bind().dialect.name == 'sqlite' else []
        batch_op.create_index('ix_recordings_user_created', ['user_id', 'created_at', 'id', 'status', 'is_inbox', 'is_highlighted', 'folder_id', *long_texts], unique=False)
        batch_op.create_index('ix_recordings_user_meeting', ['user_id', 'meeting_date', 'id'], unique=False)
        batch_op.create_index('ix_recordings_user_sha256', ['user_id', 'sha256'], unique=False)
        batch_op.create_index('ix_recordings_user_size', ['user_id', 'file_size', 'id'], unique=False)
        batch_op.create_index('ix_recordings_user_status', ['user_id', 'status', 'id'], unique=False)
        batch_op.create_index('ix_recordings_user_sums', ['user_id', 'status', 'storage_key', 'file_size'], unique=False)
        batch_op.create_index('ix_recordings_user_title', ['user_id', 'title', 'id'], unique=False)
        batch_op.create_index('ix_recordings_user_updated', ['user_id', 'updated_at', 'id'], unique=False)

    op.create_table('calendar_events',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('start_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('end_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('location', sa.String(length=200), nullable=True),
    sa.Column('attendees', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('reminder_minutes', sa.Integer(), nullable=True),
    sa.Column('has_time', sa.Boolean(), nullable=False),
    sa.Column('is_extracted', sa.Boolean(), nullable=False),
    sa.Column('is_verified', sa.Boolean(), nullable=False),
    sa.Column('sources', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_calendar_events_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calendar_events')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('calendar_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_calendar_events_recording_id'), ['recording_id'], unique=False)

    op.create_table('insights',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('content', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('engine', sa.String(length=120), nullable=False),
    sa.Column('is_extractive', sa.Boolean(), nullable=False),
    sa.Column('coverage', sa.Double(), nullable=False),
    sa.Column('last_segment_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_insights_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_insights')),
    sqlite_autoincrement=True
    )
    op.create_table('summary_evidence',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('summary_sha256', sa.String(length=64), nullable=False),
    sa.Column('lines', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('coverage', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_summary_evidence_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_summary_evidence')),
    sqlite_autoincrement=True
    )
    op.create_table('jobs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('transcribe', 'summarize', 'extract', name='jobkind', native_enum=False, length=40), nullable=False),
    sa.Column('state', sa.Enum('queued', 'running', 'succeeded', 'failed', 'cancelled', name='jobstate', native_enum=False, length=40), nullable=False),
    sa.Column('options', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('plan', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('progress', sa.Integer(), nullable=False),
    sa.Column('message', sa.String(length=200), nullable=True),
    sa.Column('error_code', sa.String(length=60), nullable=True),
    sa.Column('error_message', sa.String(length=500), nullable=True),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('worker', sa.String(length=80), nullable=True),
    sa.Column('lease_expires_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('crashes', sa.Integer(), nullable=False),
    sa.Column('losses', sa.Integer(), nullable=False),
    sa.Column('cancel_requested', sa.Boolean(), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('queued_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('not_before', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('rung_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('ring_count', sa.Integer(), nullable=False),
    sa.Column('started_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('finished_at', speakr.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_jobs_recording_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_jobs_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.create_index('ix_jobs_state', ['state', 'queued_at', 'id'], unique=False)
        batch_op.create_index('ix_jobs_user', ['user_id', 'id'], unique=False)
        batch_op.create_index('ix_jobs_user_state', ['user_id', 'state'], unique=False)
        batch_op.create_index('ix_jobs_recording', ['recording_id', 'id'], unique=False)
        batch_op.create_index('uq_jobs_active', ['recording_id', 'kind'], unique=True, sqlite_where=sa.text("state IN ('queued', 'running')"), postgresql_where=sa.text("state IN ('queued', 'running')"))

    op.create_table('recording_shares',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('can_edit', sa.Boolean(), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_recording_shares_recording_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recording_shares_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recording_shares')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('recording_shares', schema=None) as batch_op:
        batch_op.create_index('ix_recording_shares_user', ['user_id', 'recording_id'], unique=False)
        batch_op.create_index('uq_recording_shares', ['recording_id', 'user_id'], unique=True)

    op.create_table('recording_speakers',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('speaker_id', sa.Integer(), nullable=True),
    sa.Column('confirmed', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_recording_speakers_recording_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['speaker_id'], ['speakers.id'], name=op.f('fk_recording_speakers_speaker_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('recording_id', 'label', name=op.f('pk_recording_speakers'))
    )
    with op.batch_alter_table('recording_speakers', schema=None) as batch_op:
        batch_op.create_index('ix_recording_speakers_speaker', ['speaker_id'], unique=False)

    op.create_table('recording_voices',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('vector', sa.LargeBinary(), nullable=False),
    sa.Column('seconds', sa.Float(), nullable=False),
    sa.Column('model', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_recording_voices_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', 'label', name=op.f('pk_recording_voices'))
    )
    op.create_table('recording_passages',
    sa.Column('recording_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('position', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('first_segment_id', sa.BigInteger(), nullable=False),
    sa.Column('last_segment_id', sa.BigInteger(), nullable=False),
    sa.Column('start', sa.Double(), nullable=False),
    sa.Column('end', sa.Double(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('model', sa.String(length=120), nullable=False),
    sa.Column('vector', sa.LargeBinary(), nullable=False),
    sa.Column('is_current', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_recording_passages_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', 'position', name=op.f('pk_recording_passages'))
    )
    if op.get_bind().dialect.name == 'postgresql':
        # Beside their rows as long as they fit into a page: all of somebody's are read for each question.
        op.execute('ALTER TABLE recording_passages ALTER COLUMN vector SET STORAGE MAIN')
    op.create_table('recording_tags',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('tag_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_recording_tags_recording_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tag_id'], ['tags.id'], name=op.f('fk_recording_tags_tag_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', 'tag_id', name=op.f('pk_recording_tags'))
    )
    with op.batch_alter_table('recording_tags', schema=None) as batch_op:
        batch_op.create_index('ix_recording_tags_tag', ['tag_id', 'recording_id'], unique=False)

    op.create_table('segments',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('start', sa.Double(), nullable=False),
    sa.Column('end', sa.Double(), nullable=False),
    sa.Column('speaker', sa.String(length=120), nullable=False),
    sa.Column('confidence', sa.Double(), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('raw_text', sa.Text(), nullable=True),
    sa.Column('overlap', sa.Boolean(), nullable=False),
    sa.Column('words', sa.JSON(none_as_null=True), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_segments_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_segments')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('segments', schema=None) as batch_op:
        batch_op.create_index('ix_segments_recording_position', ['recording_id', 'position'], unique=True)

    op.create_table('job_chunks',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('spans', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('state', sa.Enum('pending', 'running', 'done', name='chunkstate', native_enum=False, length=40), nullable=False),
    sa.Column('result', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('note', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('worker', sa.String(length=80), nullable=True),
    sa.Column('lease_expires_at', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('crashes', sa.Integer(), nullable=False),
    sa.Column('losses', sa.Integer(), nullable=False),
    sa.Column('claim_count', sa.Integer(), nullable=False),
    sa.Column('finished_at', speakr.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_chunks_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job_chunks')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('job_chunks', schema=None) as batch_op:
        batch_op.create_index('ix_job_chunks_job_position', ['job_id', 'position'], unique=True)
        batch_op.create_index('ix_job_chunks_state', ['state'], unique=False)


    if op.get_bind().dialect.name == "postgresql":
        # Rows of these change several times. By default the dead ones are swept at a fifth of the table, and until
        # then lists look at each recording's row to see whether it lives, and the dispatcher at each delivery's.
        for table in ("recordings", "jobs", "job_chunks", "deliveries"):
            op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02)")


def downgrade() -> None:
    with op.batch_alter_table('job_chunks', schema=None) as batch_op:
        batch_op.drop_index('ix_job_chunks_state')
        batch_op.drop_index('ix_job_chunks_job_position')

    op.drop_table('job_chunks')
    with op.batch_alter_table('segments', schema=None) as batch_op:
        batch_op.drop_index('ix_segments_recording_position')

    op.drop_table('segments')
    with op.batch_alter_table('recording_tags', schema=None) as batch_op:
        batch_op.drop_index('ix_recording_tags_tag')

    op.drop_table('recording_tags')
    op.drop_table('recording_passages')
    op.drop_table('recording_voices')
    with op.batch_alter_table('recording_speakers', schema=None) as batch_op:
        batch_op.drop_index('ix_recording_speakers_speaker')

    op.drop_table('recording_speakers')
    with op.batch_alter_table('recording_shares', schema=None) as batch_op:
        batch_op.drop_index('uq_recording_shares')
        batch_op.drop_index('ix_recording_shares_user')

    op.drop_table('recording_shares')
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_index('uq_jobs_active', sqlite_where=sa.text("state IN ('queued', 'running')"), postgresql_where=sa.text("state IN ('queued', 'running')"))
        batch_op.drop_index('ix_jobs_user_state')
        batch_op.drop_index('ix_jobs_user')
        batch_op.drop_index('ix_jobs_state')
        batch_op.drop_index('ix_jobs_recording')

    op.drop_table('jobs')
    op.drop_table('summary_evidence')
    op.drop_table('insights')
    with op.batch_alter_table('calendar_events', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_calendar_events_recording_id'))

    op.drop_table('calendar_events')
    with op.batch_alter_table('recordings', schema=None) as batch_op:
        batch_op.drop_index('ix_recordings_user_updated')
        batch_op.drop_index('ix_recordings_user_title')
        batch_op.drop_index('ix_recordings_user_sums')
        batch_op.drop_index('ix_recordings_user_status')
        batch_op.drop_index('ix_recordings_user_size')
        batch_op.drop_index('ix_recordings_user_sha256')
        batch_op.drop_index('ix_recordings_user_meeting')
        batch_op.drop_index('ix_recordings_user_created')
        batch_op.drop_index('ix_recordings_user_completed')
        batch_op.drop_index(batch_op.f('ix_recordings_folder_id'))

    op.drop_table('recordings')
    with op.batch_alter_table('tags', schema=None) as batch_op:
        batch_op.drop_index('uq_tags_user_id_name')
        batch_op.drop_index('uq_tags_group_id_name')

    op.drop_table('tags')
    with op.batch_alter_table('folders', schema=None) as batch_op:
        batch_op.drop_index('uq_folders_user_id_name')
        batch_op.drop_index('uq_folders_group_id_name')

    op.drop_table('folders')
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_index('ix_deliveries_webhook')
        batch_op.drop_index('ix_deliveries_open', sqlite_where=sa.text("status IN ('pending', 'failed')"), postgresql_where=sa.text("status IN ('pending', 'failed')"))
        batch_op.drop_index('ix_deliveries_due', sqlite_where=sa.text("status IN ('pending', 'failed')"), postgresql_where=sa.text("status IN ('pending', 'failed')"))

    op.drop_table('deliveries')
    op.drop_table('notices')
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_webhooks_user_id'))

    op.drop_table('webhooks')
    op.drop_table('usage_days')
    with op.batch_alter_table('templates', schema=None) as batch_op:
        batch_op.drop_index('uq_templates_user_id_kind_name')
        batch_op.drop_index('uq_templates_default', sqlite_where=sa.text('is_default'), postgresql_where=sa.text('is_default'))

    op.drop_table('templates')
    with op.batch_alter_table('speakers', schema=None) as batch_op:
        batch_op.drop_index('uq_speakers_user_id_name')

    op.drop_table('speakers')
    with op.batch_alter_table('idempotency_keys', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_idempotency_keys_created_at'))

    op.drop_table('idempotency_keys')
    with op.batch_alter_table('group_memberships', schema=None) as batch_op:
        batch_op.drop_index('ix_group_memberships_user')

    op.drop_table('group_memberships')
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_index('ix_events_user_id')

    op.drop_table('events')
    with op.batch_alter_table('api_tokens', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_api_tokens_user_id'))

    op.drop_table('api_tokens')
    op.drop_table('users')
    op.drop_table('unwanted_blobs')
    op.drop_table('system_settings')
    op.drop_table('groups')

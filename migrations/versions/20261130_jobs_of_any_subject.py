"""Jobs of any subject: the recording is optional, uniqueness is a key, working blobs are rows

Revision ID: 8d2f6b0c41ae
Revises: 9b1d7c40e6a2
"""

import sqlalchemy as sa
from alembic import op

revision = '8d2f6b0c41ae'
down_revision = '9b1d7c40e6a2'
branch_labels = None
depends_on = None

IS_ACTIVE = sa.text("state IN ('queued', 'running')")

JOBS = sa.table(
    'jobs',
    sa.column('id', sa.Integer),
    sa.column('state', sa.String),
    sa.column('plan', sa.JSON(none_as_null=True)),
)
BLOBS = sa.table('job_blobs', sa.column('storage_key', sa.String), sa.column('job_id', sa.Integer))


def upgrade() -> None:
    op.create_table('job_blobs',
    sa.Column('storage_key', sa.String(length=120), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_blobs_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('storage_key', name=op.f('pk_job_blobs'))
    )
    op.create_index(op.f('ix_job_blobs_job_id'), 'job_blobs', ['job_id'])
    note_blobs(op.get_bind())
    op.add_column('jobs', sa.Column('dedupe_key', sa.String(length=120), nullable=True))
    op.execute("UPDATE jobs SET dedupe_key = kind || '\\:recording-' || recording_id")
    op.drop_index('uq_jobs_active', table_name='jobs')
    change_jobs({'recording_id': True, 'dedupe_key': False})
    op.create_index('uq_jobs_active', 'jobs', ['dedupe_key'], unique=True, sqlite_where=IS_ACTIVE, postgresql_where=IS_ACTIVE)
    op.drop_column('recordings', 'summary_engine')


def note_blobs(connection) -> None:
    """Note the decoded audio of jobs that wait or run; they go on with it after the upgrade."""
    for job in connection.execute(sa.select(JOBS).where(IS_ACTIVE, JOBS.c.plan.is_not(None))).all():
        if job.plan.get('pcm_key'):
            connection.execute(BLOBS.insert().values(storage_key=job.plan['pcm_key'], job_id=job.id))
        if not job.plan.get('is_cut'):  # from now on there is no plan before the audio is cut
            connection.execute(JOBS.update().where(JOBS.c.id == job.id).values(plan=None))


def change_jobs(nullable: dict[str, bool]) -> None:
    connection = op.get_bind()
    if connection.dialect.name != 'sqlite':
        for column, is_nullable in nullable.items():
            op.alter_column('jobs', column, nullable=is_nullable)
        return
    if connection.exec_driver_sql('PRAGMA foreign_keys').scalar():
        raise RuntimeError('with foreign keys in force this would delete the chunks of all jobs')
    last_id = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").scalar()
    with op.batch_alter_table('jobs', recreate='always', table_kwargs={'sqlite_autoincrement': True}) as batch_op:
        for column, is_nullable in nullable.items():
            batch_op.alter_column(column, nullable=is_nullable)
    # The new table counts from the ids that are left; those of deleted jobs must not be used again either.
    connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'jobs'")
    connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', ?)", (last_id or 0,))
    for table in ('jobs', 'job_chunks'):
        if connection.exec_driver_sql(f'PRAGMA foreign_key_check({table})').first():
            raise RuntimeError(f'a row of {table} refers to nothing')


def downgrade() -> None:
    op.add_column('recordings', sa.Column('summary_engine', sa.String(length=120), nullable=True))
    op.drop_index('uq_jobs_active', table_name='jobs')
    keep_blobs(op.get_bind())
    # What the earlier version cannot know: work without a recording, and several jobs of a kind on one recording.
    op.execute('DELETE FROM jobs WHERE recording_id IS NULL')
    op.execute(
        "DELETE FROM jobs WHERE state IN ('queued', 'running') AND id NOT IN ("
        "SELECT min(id) FROM jobs WHERE state IN ('queued', 'running') GROUP BY recording_id, kind)"
    )
    op.execute('DELETE FROM job_chunks WHERE job_id NOT IN (SELECT id FROM jobs)')
    op.drop_index(op.f('ix_job_blobs_job_id'), table_name='job_blobs')
    op.drop_table('job_blobs')
    op.drop_column('jobs', 'dedupe_key')
    change_jobs({'recording_id': False})
    op.create_index('uq_jobs_active', 'jobs', ['recording_id', 'kind'], unique=True, sqlite_where=IS_ACTIVE, postgresql_where=IS_ACTIVE)


def keep_blobs(connection) -> None:
    rows = sa.select(JOBS, BLOBS.c.storage_key).join(BLOBS, BLOBS.c.job_id == JOBS.c.id)
    for job in connection.execute(rows).all():
        plan = {**(job.plan or {}), 'pcm_key': job.storage_key, 'is_cut': job.plan is not None}
        connection.execute(JOBS.update().where(JOBS.c.id == job.id).values(plan=plan))

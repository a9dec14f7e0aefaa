"""Search: the words of every recording, and an index over them

Revision ID: 5e4c1a7d20b9
Revises: cc5f2ca1478b
"""

import sqlalchemy as sa
from alembic import op

from speakr.domain.search import Field, document, lines_of

revision = '5e4c1a7d20b9'
down_revision = 'cc5f2ca1478b'
branch_labels = None
depends_on = None

BATCH = 200

SQLITE = (
    # The words are ready, so the tokenizer need only split at blanks; their places in the text are not kept.
    # Beginnings of two and three letters, behind the field's, are asked for often and would collect many words.
    """CREATE VIRTUAL TABLE search_index USING fts5(
        terms, content='search_terms', content_rowid='recording_id', tokenize='ascii', detail=none, columnsize=0,
        prefix='3 4'
    )""",
    "INSERT INTO search_index(search_index) VALUES ('rebuild')",
    """CREATE TRIGGER search_terms_inserted AFTER INSERT ON search_terms BEGIN
        INSERT INTO search_index(rowid, terms) VALUES (new.recording_id, new.terms);
    END""",
    """CREATE TRIGGER search_terms_deleted AFTER DELETE ON search_terms BEGIN
        INSERT INTO search_index(search_index, rowid, terms) VALUES ('delete', old.recording_id, old.terms);
    END""",
    """CREATE TRIGGER search_terms_updated AFTER UPDATE OF terms ON search_terms WHEN old.terms <> new.terms BEGIN
        INSERT INTO search_index(search_index, rowid, terms) VALUES ('delete', old.recording_id, old.terms);
        INSERT INTO search_index(rowid, terms) VALUES (new.recording_id, new.terms);
    END""",
)

POSTGRESQL = (
    # Not the text search parser but the words as they are. The cost keeps the planner from computing this for
    # row after row, which it otherwise prefers for common words, for it does not count reading the long texts.
    """CREATE FUNCTION search_lexemes(terms text) RETURNS tsvector
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
        AS $$ BEGIN RETURN array_to_tsvector(string_to_array(terms, ' ')); END $$""",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "CREATE INDEX ix_search_terms_lexemes ON search_terms USING gin (search_lexemes(terms))",
    # ANALYZE reads 300 rows for each step of this, and these rows are long.
    "ALTER INDEX ix_search_terms_lexemes ALTER COLUMN 1 SET STATISTICS 10",
)


def upgrade() -> None:
    terms = op.create_table('search_terms',
    sa.Column('recording_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('terms', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_search_terms_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_search_terms'))
    )
    op.create_table('search_stale',
    sa.Column('recording_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_search_stale_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_search_stale'))
    )
    documents = op.create_table('search_documents',
    sa.Column('recording_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('participants', sa.Text(), nullable=False),
    sa.Column('transcript', sa.Text(), nullable=False),
    sa.Column('summary', sa.Text(), nullable=False),
    sa.Column('notes', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_search_documents_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_search_documents'))
    )
    fill(op.get_bind(), terms, documents)
    for statement in SQLITE if op.get_bind().dialect.name == 'sqlite' else POSTGRESQL:
        op.execute(statement)


def fill(connection, terms: sa.Table, documents: sa.Table) -> None:
    """Take in the recordings that are there already; before the index is made, for that is quicker."""
    last = 0
    while rows := connection.execute(
        sa.text(
            'SELECT id, user_id, title, participants, summary, notes FROM recordings'
            ' WHERE id > :last ORDER BY id LIMIT :batch'
        ),
        {'last': last, 'batch': BATCH},
    ).all():
        first, last = rows[0].id, rows[-1].id
        spoken: dict[int, list[str]] = {}
        for recording_id, position, text in connection.execute(
            sa.text(
                'SELECT recording_id, position, text FROM segments'
                ' WHERE recording_id BETWEEN :first AND :last ORDER BY recording_id, position'
            ),
            {'first': first, 'last': last},
        ):
            said = spoken.setdefault(recording_id, [])
            said += [''] * (position - len(said))
            said.append(text)
        made = {
            row.id: document(
                row.user_id,
                {
                    **{field: lines_of(getattr(row, field)) for field in Field if field is not Field.TRANSCRIPT},
                    Field.TRANSCRIPT: spoken.get(row.id, []),
                },
            )
            for row in rows
        }
        owners = {row.id: row.user_id for row in rows}
        connection.execute(
            terms.insert(),
            [{'recording_id': n, 'user_id': owners[n], 'terms': doc.keys} for n, doc in made.items()],
        )
        connection.execute(
            documents.insert(),
            [{'recording_id': n} | {field.value: doc.texts[field] for field in Field} for n, doc in made.items()],
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        for name in ('inserted', 'deleted', 'updated'):
            op.execute(f'DROP TRIGGER search_terms_{name}')
        op.execute('DROP TABLE search_index')
    op.drop_table('search_documents')
    op.drop_table('search_stale')
    op.drop_table('search_terms')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION search_lexemes(text)')

"""`correct` and its commands: corrections of transcripts."""

from __future__ import annotations

from pathlib import Path

import click

from speakr.client.commands.terminal import Misused, moment, one_line, server, show_json, table, tell

_ID = click.argument("recording_id", metavar="ID", type=click.IntRange(1))
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")


@click.group()
def correct() -> None:
    """Correct transcripts, and undo it."""


@correct.command("text")
@_ID
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def text(recording_id: int, file: Path) -> None:
    """Replace the text of a transcript by a corrected one, which is what `speakr transcript ID` prints."""
    try:
        corrected = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Misused(f"{click.format_filename(file)} cannot be read as UTF-8 text.") from None
    with server() as speakr:
        done = speakr.correct_transcript(recording_id, text=corrected)
    tell(f"Revision {done['revision']}: {done['words_added']} words added, {done['words_removed']} removed.")


@correct.command("replace")
@click.argument("find", metavar="FIND")
@click.argument("replace", metavar="REPLACE")
@click.option("--recording", "recording_ids", type=click.IntRange(1), multiple=True, help="May be repeated.")
@click.option("--tag-id", type=click.IntRange(1), help="Your recordings with this tag.")
@click.option("--folder-id", type=click.IntRange(1), help="Your recordings in this folder.")
@click.option("--match-case", is_flag=True, help="Upper and lower case differ.")
@click.option("--in-words", is_flag=True, help="Also inside of words.")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; else it is only shown.")
def replace_(
    find: str,
    replace: str,
    *,
    recording_ids: tuple[int, ...],
    tag_id: int | None,
    folder_id: int | None,
    match_case: bool,
    in_words: bool,
    is_applied: bool,
) -> None:
    """Find and replace words in transcripts."""
    places = {"recording_ids": list(recording_ids) or None, "tag_id": tag_id, "folder_id": folder_id}
    where = {name: value for name, value in places.items() if value is not None}
    if len(where) != 1:
        raise Misused("Say where to look: --recording, --tag-id or --folder-id.")
    after: int | None = 0
    with server() as speakr:
        while after is not None:
            found = speakr.replace_in_transcripts(
                find,
                replace,
                preview=not is_applied,
                match_case=match_case,
                whole_words=not in_words,
                after_id=after,
                **where,
            )
            for each in found["recordings"]:
                tell(f"{each['id']} {one_line(each['title'])}: {each['error'] or each['matches']}")
                for place in each["examples"]:
                    tell(f"    - {one_line(place['before'])}\n    + {one_line(place['after'])}")
            after = found["next_after"]


@correct.command("retranscribe")
@_ID
@click.argument("index", metavar="INDEX", type=click.IntRange(0))
@click.option("--apply", "is_applied", is_flag=True, help="Put the new text into the transcript.")
@click.option("--language", help="The language that is spoken, such as en.")
@_AS_JSON
def retranscribe(
    recording_id: int, index: int, *, is_applied: bool, language: str | None, as_json: bool
) -> None:
    """Transcribe one segment again, counted from 0, and print its old and new text."""
    options = {} if language is None else {"language": language}
    with server() as speakr:
        found = speakr.retranscribe_segment(recording_id, index, apply=is_applied, **options)
    if as_json:
        show_json(found)
        return
    tell(f"- {one_line(found['old_text'])}\n+ {one_line(found['text'])}")
    if found["applied"]:
        tell(f"Revision {found['revision']}.")


@correct.command("range")
@_ID
@click.argument("start", metavar="START", type=click.FloatRange(0))
@click.argument("end", metavar="END", type=click.FloatRange(0))
@click.option("--language", help="The language that is spoken, such as en.")
@_AS_JSON
def retranscribe_range(
    recording_id: int, start: float, end: float, *, language: str | None, as_json: bool
) -> None:
    """Transcribe a range again, in seconds, and print its text; the transcript stays as it is."""
    options = {} if language is None else {"language": language}
    with server() as speakr:
        found = speakr.retranscribe_range(recording_id, start, end, **options)
    if as_json:
        show_json(found)
        return
    tell(one_line(found["text"]))


@correct.command("history")
@_ID
@_AS_JSON
def history(recording_id: int, *, as_json: bool) -> None:
    """List who changed a transcript and when, newest first."""
    with server() as speakr:
        found = speakr.transcript_history(recording_id)
    if as_json:
        show_json(found)
        return
    table(
        [
            (
                str(each["revision"]),
                moment(each["created_at"]),
                each["kind"],
                one_line(each["username"]),
                f"+{each['words_added']} -{each['words_removed']}",
            )
            for each in found["revisions"]
        ]
    )


@correct.command("undo")
@_ID
def undo(recording_id: int) -> None:
    """Undo the last change of a transcript."""
    with server() as speakr:
        tell(f"Revision {speakr.undo_correction(recording_id)['revision']}.")


@correct.command("redo")
@_ID
def redo(recording_id: int) -> None:
    """Redo what was undone."""
    with server() as speakr:
        tell(f"Revision {speakr.redo_correction(recording_id)['revision']}.")

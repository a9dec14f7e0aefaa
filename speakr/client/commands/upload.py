"""`upload`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from speakr.client.api import Speakr
from speakr.client.commands.sending import left_out, upload_options
from speakr.client.commands.terminal import Failed, one_line, sentence, server, show_json, tell, warn
from speakr.client.config import uploads_folder
from speakr.client.errors import ApiError, ClientError, FileTrouble
from speakr.client.watching import ABOUT_THE_FILE

_BAD_REQUEST = 400


class FileOrUrl(click.Path):
    """A readable file as a path, or an http(s) URL as text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path or the URL."""
        is_url = isinstance(value, str) and value.lower().startswith(("http://", "https://"))
        return value if is_url else super().convert(value, param, ctx)


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=FileOrUrl(exists=True, dir_okay=False, readable=True, path_type=Path),
)
@click.option("--wait", is_flag=True, help="Wait until all are transcribed; exit code 1 if one fails.")
@click.option("--title", help="Title; for one file only.")
@click.option("--resume", is_flag=True, help="Send in pieces, as files over 64 MiB always are.")
@upload_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")
def upload(
    files: tuple[Path | str, ...],
    *,
    wait: bool,
    title: str | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Upload recordings. Large ones are sent in pieces: if this ends too soon, the same command goes on.

    What begins with http:// or https:// is fetched by the server.
    """
    if title is not None and len(files) > 1:
        raise click.UsageError("--title is for one file; give the others titles later.")
    failed = 0
    with server() as speakr:
        answers = []
        for file in files:
            try:
                answers.append(_send(speakr, file, title=title, resumable=resume or None, **options))
            except (ClientError, OSError) as error:
                if not _concerns_only(error, is_url=isinstance(file, str)):
                    raise
                failed += 1
                name = file if isinstance(file, str) else file.name
                warn(
                    f"{one_line(name)}: {sentence(error) if isinstance(error, ClientError) else error.strerror}"
                )
                continue
            _report(answers[-1], is_final=not wait, as_json=as_json)
            for trouble in left_out(speakr, answers[-1]["id"], options):
                warn(trouble)
        if wait:
            failed += sum(not _wait(speakr, answer["id"], as_json=as_json) for answer in answers)
    if failed:
        raise Failed(f"{failed} of {len(files)} failed.")


def _concerns_only(error: Exception, *, is_url: bool) -> bool:
    """Tell whether the next file may fare better."""
    if isinstance(error, ApiError):
        return error.code in ABOUT_THE_FILE or (is_url and error.status == _BAD_REQUEST)
    return isinstance(error, FileTrouble | OSError)


def _send(speakr: Speakr, file: Path | str, **options: Any) -> dict[str, Any]:
    if isinstance(file, str):
        return _have_fetched(speakr, file, **options)
    label = one_line(file.name)
    with click.progressbar(
        length=file.stat().st_size, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        return speakr.upload(
            file,
            progress=lambda sent, _: bar.update(sent - bar.pos),
            remember_in=uploads_folder(),
            **options,
        )


def _have_fetched(speakr: Speakr, url: str, *, resumable: bool | None, **options: Any) -> dict[str, Any]:
    del resumable  # the server does what is needed
    with click.progressbar(
        length=1, label=one_line(url), file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def show(state: dict[str, Any]) -> None:
            bar.length = state["size_bytes"] or 1
            bar.update(min(state["received_bytes"], bar.length) - bar.pos)

        return speakr.upload_from_url(url, on_state=show, **options)


def _report(answer: dict[str, Any], *, is_final: bool, as_json: bool) -> None:
    """Tell what was taken in; on standard output if there is no more to come."""
    if not is_final:
        warn(f"Recording {answer['id']} is queued: {one_line(answer['title'])}")
    elif as_json:
        show_json(answer)
    else:
        tell(f"Recording {answer['id']} is queued: {one_line(answer['title'])}")
    if "duplicate_warning" in answer:
        warn(f"Recording {answer['duplicate_warning']['existing_recording_id']} has the same content.")


def _wait(speakr: Speakr, recording_id: int, *, as_json: bool) -> bool:
    with click.progressbar(
        length=100,
        label=f"Recording {recording_id}",
        item_show_func=lambda found: one_line(found) if found else None,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        status = speakr.wait(
            recording_id,
            on_status=lambda found: bar.update(found["progress"] - bar.pos, found["message"]),
        )
    is_done: bool = status["status"] == "COMPLETED"
    if as_json:
        show_json(speakr.recording(recording_id))
    elif is_done:
        title = speakr.recording(recording_id, with_texts=False)["title"]
        tell(f"Recording {recording_id} is done: {one_line(title)}")
    if not is_done:
        warn(f"Recording {recording_id} failed: {status['error_message']} ({status['error_code']})")
    return is_done

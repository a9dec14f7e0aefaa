"""The commands of the client. Each is imported when it is called, for `speakr up` shares the command line."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "login": "speakr.client.commands.login:login",
    "logout": "speakr.client.commands.login:logout",
    "whoami": "speakr.client.commands.login:whoami",
    "verify-email": "speakr.client.commands.login:verify_email",
    "upload": "speakr.client.commands.upload:upload",
    "watch": "speakr.client.commands.watch:watch",
    "list": "speakr.client.commands.recordings:list_",
    "show": "speakr.client.commands.recordings:show",
    "transcript": "speakr.client.commands.texts:transcript",
    "correct": "speakr.client.commands.correct:correct",
    "merge": "speakr.client.commands.merging:merge",
    "cut": "speakr.client.commands.merging:cut",
    "summary": "speakr.client.commands.texts:summary",
    "insights": "speakr.client.commands.insights:insights",
    "search": "speakr.client.commands.search:search",
    "webhooks": "speakr.client.commands.webhooks:webhooks",
}

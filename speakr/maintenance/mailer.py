"""Send notices by mail, if the operator has configured a mail server."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import structlog

from speakr.db import release, unit_of_work
from speakr.services.accounts import mailing
from speakr.services.accounts.mailing import NoticeEmail

logger = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 5.0
AGAIN_SECONDS = 60.0
"""Seconds to wait after a failure of the mail server."""

_PORTS = {"smtp": 25, "smtps": 465}


class Mailer:
    """Sends mails over SMTP. A crash may lose a mail but no notice, because notices are rows."""

    def __init__(self, smtp_url: str, sender: str) -> None:
        self._server = urlsplit(smtp_url)
        self._sender = sender
        self._not_before = 0.0

    def deliver(self) -> None:
        """Send all due mails. Blocks while the mail server is slow; opens its own units of work."""
        if not self._server.hostname or time.monotonic() < self._not_before:
            return
        letters = mailing.letters()
        release()
        for letter in letters:
            with unit_of_work():
                is_ours = mailing.claim(letter)
            if is_ours and not self._send(letter):
                with unit_of_work():
                    mailing.put_back(letter.notice_ids)
                self._not_before = time.monotonic() + AGAIN_SECONDS
                return

    def _send(self, letter: NoticeEmail) -> bool:
        """Send a mail; return True if it needs no further attempt."""
        try:
            connection = self._connected()
            try:
                connection.send_message(_message(letter, self._sender))
            finally:
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    connection.quit()  # an accepted mail stays accepted, however the session ends
        except smtplib.SMTPRecipientsRefused as error:
            statuses = [status for status, _ in error.recipients.values()]
            logger.warning("mail_refused", notices=list(letter.notice_ids), statuses=statuses)
            return all(status >= 500 for status in statuses)  # noqa: PLR2004 - a permanent failure (RFC 5321 4.2.1)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            logger.warning("mail_not_sent", kind=type(error).__name__)
            return False
        return True

    def _connected(self) -> smtplib.SMTP:
        host, port = self._server.hostname or "", self._server.port or _PORTS[self._server.scheme]
        if self._server.scheme == "smtps":
            context = ssl.create_default_context()
            connection: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=ssl.create_default_context())
        if self._server.username:
            connection.login(unquote(self._server.username), unquote(self._server.password or ""))
        return connection


def _message(letter: NoticeEmail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, letter.address
    message["Subject"] = "Speakr: a webhook is paused"
    message["Date"], message["Message-ID"] = (
        formatdate(),
        make_msgid(domain=sender.rpartition("@")[2].strip("> ")),
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(letter.texts) + "\n")
    return message

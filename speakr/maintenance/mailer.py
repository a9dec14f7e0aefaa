"""Send e-mails, if the operator has configured a mail server."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import formatdate, make_msgid
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog

from speakr.db import release, unit_of_work
from speakr.services.accounts import mailing
from speakr.services.accounts.mailing import ClaimedEmail
from speakr.telemetry.log_throttle import LogThrottle

logger = structlog.get_logger(__name__)

CONNECT_SECONDS = 15.0
"""For the connection and the greeting, which some servers delay by several seconds."""
ANSWER_SECONDS = 60.0
"""For each further answer. RFC 5321, section 4.5.3.2, allows servers minutes, but other e-mails wait meanwhile."""
QUIT_SECONDS = 5.0
AGAIN_SECONDS = 30.0
"""Seconds without any mail after the mail server could not be used."""
ROUND_SECONDS = 10.0
"""No e-mail is begun later in a round: new notices are gathered between rounds."""

_AT_ONCE = 100
_PORTS = {"smtp": 25, "smtps": 465}
_PERMANENT = 500
"""Replies from here on are permanent failures (RFC 5321, section 4.2.1)."""


class UnencryptedLogin(Exception):
    """The mail server offers no STARTTLS, and the password must not be sent without encryption."""


class _Outcome(Enum):
    SENT = auto()
    REFUSED = auto()
    """This e-mail was refused; a later attempt may succeed."""
    REFUSED_FOR_GOOD = auto()
    LOST = auto()
    """The connection broke while this e-mail was being sent."""
    UNKNOWN = auto()
    """The whole e-mail was sent, but no answer came: the server may have accepted it."""


class _Connection(smtplib.SMTP):
    """A connection that knows whether the end of a message was sent."""

    has_sent_message = False

    def send(self, s: Any) -> None:
        super().send(s)
        if isinstance(s, bytes) and s.endswith(b"\r\n.\r\n"):
            self.has_sent_message = True


class _TlsConnection(smtplib.SMTP_SSL, _Connection):
    """The same with TLS from the first byte."""


class Mailer:
    """Sends e-mails over SMTP. What is wrong with one e-mail delays no other; trouble of the server delays all briefly."""

    def __init__(self, smtp_url: str, sender: str, *, allows_plaintext_login: bool = False) -> None:
        self._server = urlsplit(smtp_url)
        self._sender = sender
        self._allows_plaintext_login = allows_plaintext_login
        self._not_before = 0.0
        self._log_throttle = LogThrottle()

    def deliver(self) -> None:
        """Send what is due, users in turn. Blocks while the mail server is slow; opens its own units of work."""
        if not self._server.hostname or time.monotonic() < self._not_before:
            return
        has_notices = mailing.has_notices()
        release()
        if has_notices:
            with unit_of_work():
                mailing.gather()
        found = mailing.due(_AT_ONCE)
        release()
        ends_at = time.monotonic() + ROUND_SECONDS
        for email_id in found:
            if time.monotonic() >= ends_at or not self._deliver(email_id):
                return

    def _deliver(self, email_id: int) -> bool:
        """Send one e-mail unless another process does; return whether the mail server is usable."""
        with unit_of_work():
            claimed = mailing.claim(email_id)
        if claimed is None:
            return True
        try:
            message = _message(claimed, self._sender)
        except Exception as error:  # noqa: BLE001 - Python's parser raises IndexError, AttributeError and more for odd addresses
            self._give_up(claimed, error)
            return True
        try:
            connection = self._connect()
        except (smtplib.SMTPException, OSError, ValueError, UnencryptedLogin) as error:
            with unit_of_work():
                mailing.put_back(claimed)
            self._pause(error)
            return False
        outcome = self._send(connection, claimed, message)
        with unit_of_work():
            if outcome is _Outcome.SENT:
                mailing.sent(claimed)
            elif outcome is _Outcome.UNKNOWN:
                mailing.perhaps_sent(claimed)
            else:
                mailing.refused(claimed, is_final=outcome is _Outcome.REFUSED_FOR_GOOD)
        return outcome not in {_Outcome.LOST, _Outcome.UNKNOWN}

    def _give_up(self, email: ClaimedEmail, error: Exception) -> None:
        logger.warning("mail_not_supported", email_id=email.id, kind=type(error).__name__)
        with unit_of_work():
            mailing.refused(email, is_final=True)

    def _pause(self, error: Exception) -> None:
        self._not_before = time.monotonic() + AGAIN_SECONDS
        reason = str(error) if isinstance(error, UnencryptedLogin) else type(error).__name__
        if self._log_throttle.allow(reason):
            logger.warning("mail_server_unusable", reason=reason)

    def _send(self, connection: _Connection, email: ClaimedEmail, message: EmailMessage) -> _Outcome:
        try:
            # The address once more: a header may be read as several addresses.
            connection.send_message(message, to_addrs=[email.address])
        except smtplib.SMTPRecipientsRefused as error:
            statuses = [status for status, _ in error.recipients.values()]
            logger.warning("mail_refused", email_id=email.id, statuses=statuses)
            is_final = all(status >= _PERMANENT for status in statuses)
            return _Outcome.REFUSED_FOR_GOOD if is_final else _Outcome.REFUSED
        except (smtplib.SMTPNotSupportedError, ValueError) as error:
            # The address has letters that this server cannot send (SMTPUTF8, RFC 6531), or is none.
            logger.warning("mail_not_supported", email_id=email.id, kind=type(error).__name__)
            return _Outcome.REFUSED_FOR_GOOD
        except smtplib.SMTPResponseException as error:
            logger.warning("mail_refused", email_id=email.id, statuses=[error.smtp_code])
            return _Outcome.REFUSED
        except (smtplib.SMTPException, OSError) as error:
            self._pause(error)
            return _Outcome.UNKNOWN if connection.has_sent_message else _Outcome.LOST
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                _set_timeout(connection, QUIT_SECONDS)
                connection.quit()  # an accepted mail stays accepted, however the session ends
        return _Outcome.SENT

    def _connect(self) -> _Connection:
        host, port = self._server.hostname or "", self._server.port or _PORTS[self._server.scheme]
        if self._server.scheme == "smtps":
            context = ssl.create_default_context()
            connection: _Connection = _TlsConnection(host, port, timeout=CONNECT_SECONDS, context=context)
        else:
            connection = _Connection(host, port, timeout=CONNECT_SECONDS)
        _set_timeout(connection, ANSWER_SECONDS)
        try:
            self._secure_and_log_in(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _secure_and_log_in(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        is_encrypted = self._server.scheme == "smtps"
        if not is_encrypted and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
            is_encrypted = True
        if not self._server.username:
            return
        if not is_encrypted and not self._allows_plaintext_login:
            raise UnencryptedLogin(
                "The mail server offers no STARTTLS, so the password of SPEAKR_SMTP_URL was not sent. Use smtps://, a server "
                "with STARTTLS, or SPEAKR_SMTP_ALLOW_PLAINTEXT=yes."
            )
        connection.login(unquote(self._server.username), unquote(self._server.password or ""))


def _set_timeout(connection: smtplib.SMTP, seconds: float) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(seconds)


def _message(email: ClaimedEmail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, email.address
    message["Subject"] = email.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("> "))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(email.text)
    message.as_bytes(policy=SMTPUTF8)  # raises what sending it would raise
    return message

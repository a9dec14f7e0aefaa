"""A mail server of a few lines: it keeps what it is sent, or refuses it."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
import time
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any, Self

_ANSWERS = {"DATA": "354 go on", "QUIT": "221 bye"}


class MailServer(socketserver.ThreadingTCPServer):
    """`with MailServer() as server:`; `server.answers` may say otherwise what a command is answered with.

    A key such as `RCPT a@b.example` answers for one mailbox; the answer `hang up` closes the connection.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, extensions: tuple[str, ...] = (), certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.letters: list[tuple[str, Message]] = []
        self.answers: dict[str, str] = {}
        self.delays: dict[str, threading.Event | float] = {}
        """Before `greeting`, and before the answer to the `text`: seconds, or an event that ends the delay."""
        self.extensions = extensions
        self.certificate = certificate
        self.logins: list[tuple[str, bool]] = []
        """User names that logged in, each with whether the connection was encrypted."""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    @property
    def recipients(self) -> list[str]:
        return [to for to, _ in self.letters]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Talk(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        self.is_encrypted = False
        with contextlib.suppress(OSError):  # a client may end the connection at any time
            self._talk()

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _talk(self) -> None:
        self._delay("greeting")
        self._say("220 mail")
        to = ""
        while line := self.rfile.readline().decode().strip():
            command = line.split()[0].upper()
            if command == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
            answers = self.server.answers
            answer = answers.get(f"{command} {to}", answers.get(command, _ANSWERS.get(command, "250 ok")))
            if answer == "hang up":
                return
            if command == "EHLO":
                self._say_extensions()
                continue
            if command == "STARTTLS":
                self._encrypt()
                continue
            if command == "AUTH":
                name = base64.b64decode(line.split()[2]).split(b"\0")[1].decode()
                self.server.logins.append((name, self.is_encrypted))
                answer = answers.get("AUTH", "235 welcome")
            self._say(answer)
            if command == "DATA" and answer.startswith("354"):
                body = b""
                while (piece := self.rfile.readline()) != b".\r\n":
                    body += piece
                self.server.letters.append((to, message_from_bytes(body)))
                self._delay("text")
                self._say("250 kept")
            if command == "QUIT":
                return

    def _delay(self, name: str) -> None:
        delay = self.server.delays.get(name, 0)
        if isinstance(delay, threading.Event):
            delay.wait(30)
        elif delay:
            time.sleep(delay)

    def _say_extensions(self) -> None:
        offered = ["mail", *self.server.extensions]
        if self.is_encrypted:
            offered.remove("STARTTLS")
        for name in offered[:-1]:
            self._say(f"250-{name}")
        self._say(f"250 {offered[-1]}")

    def _encrypt(self) -> None:
        self._say("220 go on")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.is_encrypted = True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

"""A mail server of a few lines: it keeps what it is sent, or refuses it."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from typing import Any, Self

_ANSWERS = {"DATA": "354 go on", "QUIT": "221 bye"}


class MailServer(socketserver.ThreadingTCPServer):
    """`with MailServer() as server:`; `server.answers` may say otherwise what a command is answered with."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.letters: list[tuple[str, Message]] = []
        self.answers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Talk(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        self._say("220 mail")
        to = ""
        while line := self.rfile.readline().decode().strip():
            command = line.split()[0].upper()
            if command == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
            answer = self.server.answers.get(command, _ANSWERS.get(command, "250 ok"))
            self._say(answer)
            if command == "DATA" and answer.startswith("354"):
                body = b""
                while (piece := self.rfile.readline()) != b".\r\n":
                    body += piece
                self.server.letters.append((to, message_from_bytes(body)))
                self._say("250 kept")
            if command == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

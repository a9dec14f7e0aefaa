"""The address of an embedded server.

The supervisor listens and the web process inherits the socket, so that clients wait and are not refused
while a web process restarts, and no other process can take the port meanwhile.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from speakr.operations.errors import OperatorError

DEFAULT_PORT = 8899
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A listening socket and how to reach it from this machine."""

    socket: socket.socket
    is_second_choice: bool = False
    """The default port was taken, so the system chose one."""

    @property
    def port(self) -> int:
        """The port listened on."""
        number: int = self.socket.getsockname()[1]
        return number

    @property
    def url(self) -> str:
        """The base URL for callers on this machine."""
        address: str = self.socket.getsockname()[0]
        if ipaddress.ip_address(address).is_unspecified:
            address = "::1" if ":" in address else "127.0.0.1"
        return f"http://{f'[{address}]' if ':' in address else address}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can call."""
        return ipaddress.ip_address(self.socket.getsockname()[0]).is_loopback


def listen(host: str, port: int | None) -> ListeningSocket:
    """Listen on the given port; with None on the default port or, if that is taken, on a free one.

    Raises:
        OperatorError: the given port is taken or not allowed, or the host is not on this machine.

    """
    wished = DEFAULT_PORT if port is None else port
    address: tuple[Any, ...]
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, wished, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError):
        raise OperatorError(f"{host} is not an address of this machine.") from None
    try:
        return ListeningSocket(_bind(family, address))
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise OperatorError(_sentence(host, wished, error)) from None
    any_port = (address[0], 0, *address[2:])
    return ListeningSocket(_bind(family, any_port), is_second_choice=True)


def _bind(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Otherwise a restart would have to wait for connections in TIME_WAIT.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken; choose another one with --port (make run PORT=...)."
    if error.errno == errno.EACCES:
        return f"Port {port} needs privileges this user does not have; choose one above 1023 with --port."
    return f"{host} port {port} cannot be listened on: {(error.strerror or 'unknown error').lower()}."

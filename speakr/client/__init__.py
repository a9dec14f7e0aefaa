"""The client of a Speakr server, for Python and the command line.

It uses the REST API only, so it is also an example of its use.
"""

from speakr.client.api import Speakr
from speakr.client.errors import ApiError, ClientError, FileTrouble, TookTooLong, Unreachable

__all__ = ["ApiError", "ClientError", "FileTrouble", "Speakr", "TookTooLong", "Unreachable"]

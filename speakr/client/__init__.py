"""The client: a Speakr server somewhere else, from Python and from the command line.

It knows the REST API and nothing of the server's insides, so it may be read as an example of its use.
"""

from speakr.client.api import Speakr
from speakr.client.errors import ApiError, ClientError, FileTrouble, TookTooLong, Unreachable

__all__ = ["ApiError", "ClientError", "FileTrouble", "Speakr", "TookTooLong", "Unreachable"]

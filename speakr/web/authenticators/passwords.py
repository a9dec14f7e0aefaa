"""The password check of every login."""

from __future__ import annotations

from speakr.services.accounts import users
from speakr.web.rate_limits import RateClass, count


def check_password(username: str, password: str) -> users.CheckedPassword:
    """Check a password and count the guess against the client's address.

    Raises:
        NotAuthenticated: the name or the password is wrong.
        RateLimited: too many guesses in this minute.

    """
    count(RateClass.PASSWORD)  # before the guess is checked, so that no guess is free
    return users.check_password(username, password)

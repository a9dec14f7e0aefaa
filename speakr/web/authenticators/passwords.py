"""The password check of every login."""

from __future__ import annotations

from speakr.services.accounts import users
from speakr.web.rate_limits import count_guess, guessed_right


def check_password(username: str, password: str) -> users.CheckedPassword:
    """Check a password and count the guess against the client's address and the account.

    Raises:
        NotAuthenticated: the name or the password is wrong.
        RateLimited: too many guesses from this address or at this account.

    """
    count_guess(username)  # before the guess is checked, so that no guess is free
    checked = users.check_password(username, password)
    guessed_right(username)
    return checked

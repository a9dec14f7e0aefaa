"""What a stolen table of password hashes is worth."""

from __future__ import annotations

import argon2

from speakr.services.accounts import users


def test_hashes_cost_what_rfc_9106_recommends() -> None:
    """Section 4, the second recommended option: argon2id, 3 passes over 64 MiB, 4 lanes."""
    for stored in (users.hashed("correct horse battery"), users._DUMMY_HASH):
        found = argon2.extract_parameters(stored)
        assert (found.type, found.time_cost, found.memory_cost, found.parallelism) == (
            argon2.Type.ID,
            3,
            65536,
            4,
        )
        assert (found.salt_len, found.hash_len) == (16, 32)

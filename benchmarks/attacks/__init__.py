"""Attacks on a server of this machine, and what another client notices of them."""

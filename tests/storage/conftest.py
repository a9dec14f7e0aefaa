"""The three backends, each in a place of its own: a folder, a real S3 server on a free port, a dictionary."""

import secrets
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from speakr import backends as plumbing
from speakr.backends import Backends
from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.models import User
from speakr.services.system import maintenance, orphans
from speakr.storage.base import Storage
from speakr.storage.local import LocalStorage
from speakr.storage.memory import MemoryStorage
from tests.conftest import Person


@pytest.fixture(scope="session")
def s3_url():
    """Serve S3 on a free port for the length of the session."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def _use_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def s3_credentials(monkeypatch):
    """For tests that make a client of their own."""
    _use_credentials(monkeypatch)


@pytest.fixture(scope="session")
def s3_client(s3_url):
    """One client for the session (making one takes a third of a second), with a bucket."""
    from speakr.storage.s3 import S3Storage

    with pytest.MonkeyPatch.context() as monkeypatch:
        _use_credentials(monkeypatch)
        client = S3Storage("shared", "", s3_url).client
    client.create_bucket(Bucket="shared")
    yield client
    client.close()


@pytest.fixture
def s3_storage(s3_client):
    """A prefix of its own for every test."""
    from speakr.storage.s3 import S3Storage

    storage = S3Storage("shared", f"some/{secrets.token_hex(8)}", None)
    storage.client = s3_client
    return storage


@pytest.fixture
def local_storage(tmp_path):
    return LocalStorage(tmp_path / "blobs", 0)


@pytest.fixture(params=["local", "memory", "s3"])
def storage(request):
    """Each backend in turn."""
    if request.param == "memory":
        return MemoryStorage()
    return request.getfixturevalue(f"{request.param}_storage")


@pytest.fixture
def owner(alice: Person, storage: Storage, backends: Backends, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A user of long standing, on a server with this storage."""
    monkeypatch.setattr(plumbing, "_backends", replace(backends, storage=storage))
    monkeypatch.setattr(orphans, "_unreported", type(orphans._unreported)())
    with unit_of_work() as session:
        session.get_one(User, alice.id).created_at = now() - timedelta(days=100)
    return alice


@pytest.fixture
def maintenance_rounds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make rounds short, and note each."""
    rounds: list[float] = []
    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(maintenance, "run_maintenance", lambda: rounds.append(time.monotonic()))
    return rounds

"""Signatures, checked by the libraries and by the few lines a receiver would write."""

import base64
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from speakr.domain.clock import now
from speakr.domain.events import EventType
from speakr.domain.signatures import (
    delivery_headers,
    new_secret,
    speakr_signature,
    standard_secret,
    standard_signature,
)

EVENT_ID = "2d1f9c1e-6a53-4a8b-9f0e-0d7b8a5f3c21"

secrets_drawn = st.binary(min_size=32, max_size=32).map(
    lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")
)
json_bodies = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
).map(lambda value: json.dumps({"data": value}, ensure_ascii=False, separators=(",", ":")).encode())


def headers_for(body, secrets, attempted_at=None):
    return delivery_headers(
        event_id=EVENT_ID,
        event_type=EventType.RECORDING_CREATED,
        body=body,
        secrets=secrets,
        attempted_at=attempted_at or now(),
    )


def accepted_by_a_receiver(secret, body, headers):
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(headers["Speakr-Signature"], expected)


@given(body=json_bodies, secret=secrets_drawn)
def test_every_body_is_verified_by_the_standard_library_and_by_hand(body, secret):
    headers = headers_for(body, [secret])
    assert Webhook(standard_secret(secret)).verify(body, headers) == json.loads(body)
    assert accepted_by_a_receiver(secret, body, headers)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"data":{}}', b'"' + b"x" * 256 * 1024 + b'"', '"\u0000\U0001f600"'.encode()]
)
def test_empty_large_and_odd_bodies(body):
    secret = new_secret()
    Webhook(standard_secret(secret)).verify(body, headers_for(body, [secret]), json_parse=False)


@given(body=st.binary(min_size=1), secret=secrets_drawn, flip=st.integers(min_value=0))
def test_one_changed_byte_breaks_both_signatures(body, secret, flip):
    headers = headers_for(body, [secret])
    changed = bytearray(body)
    changed[flip % len(body)] ^= 1
    assert not accepted_by_a_receiver(secret, bytes(changed), headers)
    timestamp = int(headers["webhook-timestamp"])
    again = standard_signature(secret, message_id=EVENT_ID, timestamp=timestamp, body=bytes(changed))
    assert again != headers["webhook-signature"]


def test_known_answers():
    """RFC 4231 has the key `Jefe`; the second value was computed with openssl."""
    assert speakr_signature("Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    expected = hmac.new(b"key", b'evt.1700000000.{"a":1}', hashlib.sha256).digest()
    signature = standard_signature("key", message_id="evt", timestamp=1_700_000_000, body=b'{"a":1}')
    assert signature == "v1," + base64.b64encode(expected).decode()


def test_the_complete_header_set():
    moment = datetime(2026, 3, 1, 12, 0, 59, 999_999, tzinfo=UTC)
    headers = headers_for(b"{}", ["s3cret"], moment)
    assert list(headers) == [
        "Content-Type",
        "User-Agent",
        "Speakr-Signature",
        "Speakr-Delivery-Id",
        "Speakr-Event",
        "Speakr-Timestamp",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "Speakr-Webhook/1.0"
    assert headers["Speakr-Event"] == "recording.created"
    assert headers["Speakr-Delivery-Id"] == headers["webhook-id"] == EVENT_ID
    assert headers["Speakr-Timestamp"] == "2026-03-01T12:00:59Z"
    assert headers["webhook-timestamp"] == str(int(moment.timestamp()))
    assert all(type(value) is str for value in headers.values())


def test_during_a_rotation_both_secrets_verify():
    old, new, body = new_secret(), new_secret(), b'{"id":"x"}'
    headers = headers_for(body, [old, new])
    for secret in (old, new):
        assert Webhook(standard_secret(secret)).verify(body, headers) == {"id": "x"}
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert accepted_by_a_receiver(old, body, headers)
    assert not accepted_by_a_receiver(new, body, headers)


def test_another_secret_is_rejected():
    body = b"{}"
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_secret(new_secret())).verify(body, headers_for(body, [new_secret()]))


def test_an_old_attempt_is_rejected_and_a_fresh_one_of_the_same_delivery_accepted():
    secret, body = new_secret(), b"{}"
    stale = headers_for(body, [secret], now() - timedelta(minutes=10))
    fresh = headers_for(body, [secret])
    verifier = Webhook(standard_secret(secret))
    with pytest.raises(WebhookVerificationError, match="too old"):
        verifier.verify(body, stale)
    verifier.verify(body, fresh)
    assert stale["webhook-id"] == fresh["webhook-id"]
    assert stale["Speakr-Signature"] == fresh["Speakr-Signature"]


def test_secrets():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 43 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)
    secret = made.pop()
    shown = standard_secret(secret)
    assert shown.startswith("whsec_")
    assert base64.b64decode(shown.removeprefix("whsec_")) == secret.encode()


def _random_body(dice: random.Random) -> bytes:
    """Return a JSON body; some are empty, some as long as a body may be."""
    longest = dice.choice([0, 0, 10, 200, 5_000, 250_000 if dice.random() < 0.02 else 100])
    alphabets = [
        "ab ",
        "\u00e9\u00df",
        "\u6c49\u8a9e",
        "\U0001f399\U0001f50a",
        '\\"\n\t\x7f',
        "\u2028\ufeff\u202e",
    ]
    text = "".join(dice.choices("".join(alphabets), k=dice.randint(0, longest)))
    return json.dumps({"data": {"title": text} if longest else {}}, ensure_ascii=dice.random() < 0.5).encode()


def test_a_thousand_random_bodies_are_verified_by_both_libraries_and_by_hand() -> None:
    from svix.webhooks import Webhook as SvixWebhook

    dice = random.Random(20260301)  # noqa: S311 - bodies, not secrets
    for _ in range(1_000):
        secret, body = new_secret(), _random_body(dice)
        headers = headers_for(body, [secret])
        assert Webhook(standard_secret(secret)).verify(body, headers) == json.loads(body)
        SvixWebhook(standard_secret(secret)).verify(body, headers)
        assert accepted_by_a_receiver(secret, body, headers)


def test_svix_refuses_what_was_changed() -> None:
    from svix.webhooks import Webhook as SvixWebhook
    from svix.webhooks import WebhookVerificationError as SvixError

    secret = new_secret()
    with pytest.raises(SvixError):
        SvixWebhook(standard_secret(secret)).verify(b'{"a":2}', headers_for(b'{"a":1}', [secret]))

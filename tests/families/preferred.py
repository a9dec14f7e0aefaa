"""The toy API with a webhook that its users set with a preference."""

from __future__ import annotations

from dataclasses import replace

from speakr.domain.flat_recordings import FlatField
from speakr.domain.webhooks import AccountWebhook
from tests.families.toy import FAMILY as TOY

PREFERENCE = "toy_webhook_url"
FAMILY = replace(
    TOY,
    account_webhook=AccountWebhook(
        preference=PREFERENCE, keys={"number": FlatField.ID, "said": FlatField.TEXT}
    ),
)

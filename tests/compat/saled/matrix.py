"""Who may call the routes of Saled."""

from __future__ import annotations

from typing import Any

from tests.matrix.families import FamilyRows
from tests.matrix.policies import ANYBODY, Case, fixed

PREFIX = "/saled"
_JOB = f"{PREFIX}/api/transcribe"


def wrong_shape(answer: Any) -> list[str]:
    """Return what is wrong with a failure: `{detail}` with a sentence, or a list for missing fields."""
    body = answer.get_json(silent=True) if answer.mimetype == "application/json" else None
    if not isinstance(body, dict) or set(body) != {"detail"} or not isinstance(body["detail"], str | list):
        return [f"not an object with a detail: {answer.data[:200]!r}"]
    return [] if body["detail"] else ["an empty detail"]


ROWS = FamilyRows(
    prefix=PREFIX,
    public={
        f"GET {PREFIX}/",
        f"GET {PREFIX}/health",
        f"GET {PREFIX}/openapi.json",
        f"GET {PREFIX}/docs/",
        f"GET {PREFIX}/docs/<path:path>",
    },
    routes={
        f"GET {_JOB}/models": [Case(ANYBODY)],
        f"GET {_JOB}/jobs": [Case(ANYBODY)],
        f"POST {_JOB}/": [Case(ANYBODY, is_upload=True)],
        f"POST {PREFIX}/api/summary/": [Case(ANYBODY, fixed(full_text="We met. We agreed on a plan."))],
        f"GET {PREFIX}/api/chat/models": [Case(ANYBODY)],
        f"POST {PREFIX}/api/chat/": [
            Case(
                ANYBODY,
                fixed(
                    full_text="The plan costs ten euros.", messages=[{"role": "user", "content": "Costs?"}]
                ),
            )
        ],
    },
    # Their ids are computed: `test_strangers.py`.
    elsewhere={
        *(f"GET {_JOB}/{name}/<job_id>" for name in ("status", "result", "debug", "live")),
        f"GET {PREFIX}/api/summary/<job_id>",
        f"GET {PREFIX}/api/summary/status/<job_id>",
        f"POST {PREFIX}/api/retranslate/segment",
        f"POST {PREFIX}/api/retranslate/segment-from-full",
    },
    status_without_credential=403,
    wrong_shape=wrong_shape,
)

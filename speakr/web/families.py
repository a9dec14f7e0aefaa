"""API families: groups of routes under one prefix with their own credentials, error format, limits and CORS policy.

`speakr/app.py` lists the families. The longest prefix that matches a request's path decides which family the
request belongs to, routed or not; a path under no prefix belongs to the first family, the native API.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Flask, Response, current_app, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from werkzeug.exceptions import BadRequest, HTTPException

from speakr.domain.errors import SpeakrError
from speakr.domain.webhooks import AccountWebhook
from speakr.settings import Settings
from speakr.web import failures
from speakr.web.authenticators.base import Authenticator
from speakr.web.cors import CorsPolicy, origins_of
from speakr.web.documents import Documents, serve

_KEY = "speakr_families"
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFamily:
    """One API as its clients know it."""

    name: str
    """Unique; part of endpoint names and of the keys of its own rate classes."""
    prefix: str
    """The beginning of its paths, for example `/api/v1`: with a leading slash and without a final one."""
    authenticators: tuple[Authenticator, ...]
    """Tried in order; the first that finds a credential decides. If none does: 401."""
    render: failures.Renderer
    """Renders every failure under the prefix, also of paths and methods without a route."""
    blueprints: tuple[Blueprint, ...] = ()
    """Registered under `prefix`; their names need to be unique within the family only."""
    register: Callable[[Flask], None] | None = None
    """Registers what is not a plain blueprint. Its routes must begin with `prefix`."""
    rates: Mapping[str, int | str] = field(default_factory=dict)
    """Rate classes of its own -> requests per minute, or the name of the setting that holds them."""
    cors: CorsPolicy = field(default_factory=CorsPolicy)
    documents: Documents | None = None
    """Its OpenAPI document and the page that shows it; None serves neither."""
    account_webhook: AccountWebhook | None = None
    """A webhook that its users set with a preference; the native API shows and changes the preference."""
    challenge: str | None = 'Bearer realm="speakr"'
    """The `WWW-Authenticate` header of a 401 (RFC 9110, section 11.6.1); None sends none."""
    credential_hint: str = "A credential is required."
    """The message of a 401 for a request without any credential."""

    def __post_init__(self) -> None:
        """Refuse a prefix that could match no path."""
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"family {self.name}: {self.prefix!r} is not a prefix such as /api/v1")


@dataclass(frozen=True, slots=True)
class MountedFamily:
    """A family together with what this server's settings define for it."""

    family: ApiFamily
    origins: frozenset[str]
    """Web pages that may call it; `*` is any."""
    per_minute: Mapping[str, int]
    """Its own rate classes -> requests per minute."""


class _Families:
    def __init__(self, mounted: Sequence[MountedFamily]) -> None:
        self._first = mounted[0]
        self.account_webhooks = _account_webhooks([each.family for each in mounted])
        self._longest_first = sorted(mounted, key=lambda each: len(each.family.prefix), reverse=True)

    def of_path(self, path: str) -> MountedFamily:
        for mounted in self._longest_first:
            prefix = mounted.family.prefix
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in {"", "/"}:
                return mounted
        return self._first


def _account_webhooks(families: Sequence[ApiFamily]) -> Mapping[str, AccountWebhook]:
    declared = [family.account_webhook for family in families if family.account_webhook is not None]
    found = {webhook.preference: webhook for webhook in declared}
    if len(found) < len(declared):
        raise ValueError(f"two API families have the same preference for a webhook: {sorted(found)}")
    return found


def account_webhooks() -> Mapping[str, AccountWebhook]:
    """Return the account webhooks of all families by their preferences."""
    families: _Families = current_app.extensions[_KEY]
    return families.account_webhooks


def current() -> MountedFamily:
    """Return the family that the request belongs to."""
    return of_path(request.path)


def of_path(path: str) -> MountedFamily:
    """Return the family that a path, or the rule of a route, belongs to."""
    families: _Families = current_app.extensions[_KEY]
    return families.of_path(path)


def init_app(app: Flask, families: Sequence[ApiFamily], settings: Settings) -> None:
    """Register the routes of all families and answer failures in their formats.

    Raises:
        ValueError: two families share a name or a prefix, or a route is not under its family's prefix.

    """
    for what in ("name", "prefix"):
        values = [getattr(family, what) for family in families]
        if len(set(values)) < len(values):
            raise ValueError(f"two API families have the same {what}: {sorted(values)}")
    registry = _Families([_mount(family, settings) for family in families])
    app.extensions[_KEY] = registry
    app.register_error_handler(SpeakrError, _on_speakr_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(ParseException, _on_malformed_chunks)
    for family in families:
        count_before = sum(1 for _ in app.url_map.iter_rules())
        _register(app, family)
        added = itertools.islice(app.url_map.iter_rules(), count_before, None)
        strayed = sorted(rule.rule for rule in added if registry.of_path(rule.rule).family is not family)
        if strayed:
            raise ValueError(f"family {family.name}: not under its prefix: {', '.join(strayed)}")


def _mount(family: ApiFamily, settings: Settings) -> MountedFamily:
    per_minute = {
        rate: limit if isinstance(limit, int) else int(getattr(settings, limit))
        for rate, limit in family.rates.items()
    }
    return MountedFamily(family, origins_of(family.cors, settings), per_minute)


def _register(app: Flask, family: ApiFamily) -> None:
    for blueprint in family.blueprints:
        app.register_blueprint(
            blueprint,
            name=f"{family.name}_{blueprint.name}",
            url_prefix=family.prefix + (blueprint.url_prefix or ""),
        )
    if family.register is not None:
        family.register(app)
    if family.documents is not None:
        serve(app, family.name, family.prefix, family.documents)


def _on_speakr_error(error: SpeakrError) -> Response:
    family = current().family
    return _answer(family, failures.of_domain_error(error, family.challenge))


def _on_http_error(error: HTTPException) -> Response:
    return _answer(current().family, failures.of_http_error(error))


def _on_malformed_chunks(_error: ParseException) -> Response:
    """Answer a body whose chunks break RFC 9112, section 7.1, wherever it was read. gunicorn then closes the connection."""
    return _on_http_error(BadRequest("The chunks of the body are malformed."))


def _answer(family: ApiFamily, failure: failures.Failure) -> Response:
    response = family.render(failure)
    for name, value in failure.headers.items():
        response.headers[name] = value
    return response

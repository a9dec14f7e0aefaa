"""Verification of e-mail addresses: with a token, and as a page that the link in the e-mail opens."""

from __future__ import annotations

from html import escape
from typing import Any

from flask import Blueprint, Response, request
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.users import UserOut, VerificationOut, VerifyEmailIn
from speakr.api.users import shown
from speakr.db import unit_of_work
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Scope
from speakr.services.accounts import email_codes, email_verification
from speakr.services.accounts.email_texts import VERIFICATION_PATH
from speakr.web.identity import actor, needs, public
from speakr.web.rate_limits import RateClass, count

blp = noun("email_verification", "Verification of e-mail addresses")
page = Blueprint("email_verification_page", __name__)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@blp.route("/users/me/email/verification")
class Verification(MethodView):
    """An e-mail with a code."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="requestEmailVerification")
    @blp.response(202, VerificationOut)
    def post(self) -> Any:
        """Send an e-mail with a code to your address, which is not verified yet."""
        with unit_of_work():
            email = email_verification.request(actor())
            return {"email": email.address, "expires_at": email.created_at + email_codes.LIFETIME}


@blp.route("/users/me/email/verify")
class Verify(MethodView):
    """A code from an e-mail."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="verifyEmail")
    @blp.arguments(VerifyEmailIn)
    @blp.response(200, UserOut)
    def post(self, form: dict[str, Any]) -> Any:
        """Verify your e-mail address with the code that was sent to it. Each code works once."""
        count(RateClass.BAD_TOKEN)  # before the code is checked, so that no guess is free
        with unit_of_work():
            return shown(email_verification.verify(form["code"].strip(), actor()))


@page.get(VERIFICATION_PATH)
@public
def ask() -> Response:
    """Show a button: mail programs open links by themselves, so opening one must not verify anything."""
    code = request.args.get("code", "")
    if email_codes.id_in(code) is None:
        return _page("This link is not complete. Copy all of it from the e-mail.", status=404)
    form = (
        f'<form method="post" action=""><input type="hidden" name="code" value="{escape(code)}">'
        "<button>Confirm my e-mail address</button></form>"
    )
    return _page("Confirm that this Speakr server may send e-mail to you.", form)


@page.post(VERIFICATION_PATH)
@public
def confirm() -> Response:
    """Verify the address that a code was sent to. The code is the credential."""
    count(RateClass.BAD_TOKEN)  # before the code is checked, so that no guess is free
    try:
        with unit_of_work():
            user = email_verification.verify(request.form.get("code", ""))
    except NotFound as error:
        return _page(error.message, status=404)
    return _page(f"{user.email} is confirmed. You can close this page.")


def _page(text: str, more: str = "", *, status: int = 200) -> Response:
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Speakr</title>'
        f"<p>{escape(text)}</p>{more}</html>\n"
    )
    return Response(body, status, _HEADERS, mimetype="text/html")

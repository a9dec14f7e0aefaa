"""The guard: which hosts an outbound request may go to.

The same judgement is passed three times: when a user saves an address (`check_url`), when its name is
resolved for sending, and on the concrete address just before connecting (`speakr.egress.client`).
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

import structlog

from speakr.domain.errors import Invalid
from speakr.egress.addresses import LOOPBACK, METADATA, Closed, IpAddress, Opening, closed
from speakr.egress.urls import WebUrl, ascii_host, parse_url
from speakr.settings import Settings, SettingsError

logger = structlog.get_logger(__name__)

SETTING = "WEBHOOK_INTRANET_HOST_ALLOWLIST"
FETCH_SETTING = "SPEAKR_FETCH_HOST_ALLOWLIST"
LOOKUP_TIMEOUT_SECONDS = 5.0

Lookup = Callable[[str, int], Sequence[str]]
"""Blocking name look-up: (host, port) to addresses as text. Raises `NameNotResolved`."""

_METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.tencentyun.com",
    }
)
"""Closed by name as well: a proxy looks names up by itself, from where it stands."""

_PATTERN_SIGNS = frozenset("^$*+?()[]{}|\\")


class AddressRefused(Invalid):
    """The host leads to an address that may not be called. Trying again cannot help."""

    code = "address_refused"


UNUSABLE = (
    "This address cannot be used: this server finds no public address for its host. The log has the reason. An "
    f"administrator can open hosts of the own network with {SETTING} (webhooks) or {FETCH_SETTING} (files)."
)
"""The one refusal for ordinary users. If it differed, they could ask which names and addresses the network has."""


class NameNotResolved(Invalid):
    """The host name has no address now: a bad request while saving, a passing network error while sending."""

    code = "name_not_resolved"
    is_passing = True
    """Whether another attempt may help: False if the name server answered that there is no address."""


@dataclass(frozen=True, slots=True)
class CheckedUrl:
    """An address that may be saved, and where it led when it was checked."""

    url: WebUrl
    addresses: tuple[IpAddress, ...]


@dataclass(frozen=True, slots=True)
class AllowList:
    """Exact host names and networks that may be called although they are not public.

    A listed name opens private addresses. Loopback and reserved ranges open only when they are listed
    themselves (as a network, or by the name `localhost`); metadata, link-local, multicast and unspecified
    addresses never do.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    setting: str = SETTING
    """The setting that holds the list; messages name it."""

    @classmethod
    def parse(cls, text: str, *, setting: str = SETTING) -> Self:
        """Read the setting: host names, addresses and CIDR ranges between commas or spaces.

        Raises `SettingsError` for anything else; patterns are refused because they match more than was meant.
        """
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in filter(None, re.split(r"[,\s]+", text)):
            network = _network(entry, setting)
            if network is None:
                hosts.add(_exact_host(entry, setting))
            else:
                networks.append(network)
        return cls(hosts=frozenset(hosts), networks=tuple(networks), setting=setting)

    def closed(self, host: str, address: IpAddress) -> Closed | None:
        """Say why `address`, reached through `host`, may not be called; None when it may."""
        why = METADATA if host in _METADATA_NAMES else closed(address)
        if why is None and _is_local_name(host):
            why = LOOPBACK  # whatever a name server says of it (RFC 6761 6.3)
        if why is None or why.opening is Opening.NEVER:
            return why
        if any(address in network for network in self.networks):
            return None
        if host in self.hosts and (why.opening is Opening.BY_NAME or _is_own_loopback(host, address)):
            return None
        return why

    def judge(self, host: str, answers: Iterable[str]) -> tuple[IpAddress, ...]:
        """Return the addresses of a host, all of them callable.

        Raises `AddressRefused` when one of them may not be called, `NameNotResolved` when there is none.
        """
        addresses = tuple(dict.fromkeys(ip_address(answer) for answer in answers))
        if not addresses:
            raise name_not_resolved(host, is_passing=False)
        for address in addresses:
            self.admit(host, address)
        return addresses

    def admit(self, host: str, address: IpAddress) -> None:
        """Let one concrete address pass, or raise `AddressRefused`."""
        why = self.closed(host, address)
        if why is not None:
            raise _address_refused(host, why, self.setting)


def without_reason(error: AddressRefused | NameNotResolved) -> AddressRefused:
    """Return a refusal that is the same for all hosts, and log the reason for administrators."""
    logger.info("address_refused", code=error.slug, reason=error.message)
    return AddressRefused(UNUSABLE, errors={"url": [UNUSABLE]})


def fetch_allow_list(settings: Settings) -> AllowList:
    """Return what users may fetch files from although it is not public.

    Raises `SettingsError`; `backends.connect` calls it, so a wrong list stops the start of a process.
    """
    return AllowList.parse(settings.fetch_allowed_hosts, setting=FETCH_SETTING)


def check_url(
    text: str,
    *,
    allow_http: bool,
    allow_list: AllowList,
    lookup: Lookup | None = None,
    timeout_seconds: float = LOOKUP_TIMEOUT_SECONDS,
) -> CheckedUrl:
    """Check an address that a user wants to save: parse it, resolve it, judge every address it leads to.

    Raises `Invalid` when it cannot be read, as `NameNotResolved` when it leads nowhere and as
    `AddressRefused` when it leads somewhere closed; the message is for the user.
    """
    url = parse_url(text, allow_http=allow_http)
    if url.literal is not None:
        answers: Sequence[str] = (url.host,)
    else:
        answers = _look_up_within(timeout_seconds, lookup or system_lookup, url)
    return CheckedUrl(url=url, addresses=allow_list.judge(url.host, answers))


def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver; every address it knows, IPv4 and IPv6."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise name_not_resolved(host, is_passing=error.errno not in _NO_SUCH_NAME) from None
    except (OSError, UnicodeError):
        raise name_not_resolved(host) from None
    return [str(entry[4][0]) for entry in found]


_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def name_not_resolved(host: str, *, is_passing: bool = True) -> NameNotResolved:
    """Make the error for a name without an address."""
    message = f"The host name {host} could not be resolved."
    error = NameNotResolved(message, errors={"url": [message]})
    error.is_passing = is_passing
    return error


def _look_up_within(seconds: float, lookup: Lookup, url: WebUrl) -> Sequence[str]:
    """Look a name up, but not for longer than `seconds`: the system's resolver has no such bound."""
    outcome: list[Sequence[str] | Exception] = []

    def ask() -> None:
        try:
            outcome.append(lookup(url.host, url.port))
        except Exception as error:  # noqa: BLE001 - carried over to the asking thread and raised there
            outcome.append(error)

    thread = threading.Thread(target=ask, name="egress-lookup", daemon=True)
    thread.start()
    thread.join(seconds)
    answer = outcome[0] if outcome else name_not_resolved(url.host)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _address_refused(host: str, why: Closed, setting: str) -> AddressRefused:
    # The resolved address stays unsaid: the names and numbers of the network behind us are not the user's.
    if why.opening is Opening.NEVER:
        hint = f"Such addresses stay closed, also when they are listed in {setting}."
    else:
        hint = f"An administrator can open it by listing {why.opening.value} in {setting}."
    message = f"{host} is {why.kind}, and only public addresses may be called. {hint}"
    return AddressRefused(message, errors={"url": [message]})


def _is_own_loopback(host: str, address: IpAddress) -> bool:
    """`localhost` always means loopback (RFC 6761 6.3), so listing that name lists loopback itself."""
    return address.is_loopback and _is_local_name(host)


def _is_local_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _network(entry: str, setting: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry)
    except ValueError:
        pass
    if "/" not in entry:
        return None
    try:
        meant = ip_network(entry, strict=False)
    except ValueError:
        raise SettingsError(
            f"{setting}: {entry!r} is not a network such as 192.168.1.0/24; a URL or path cannot be listed."
        ) from None
    raise SettingsError(f"{setting}: {entry!r} has host bits set; write {str(meant)!r}.")


def _exact_host(entry: str, setting: str) -> str:
    signs = sorted(_PATTERN_SIGNS.intersection(entry))
    if signs:
        raise SettingsError(
            f"{setting}: {entry!r} looks like a pattern ({' '.join(signs)}). List exact host names and "
            "CIDR ranges, for example: n8n.lan, 192.168.1.0/24."
        )
    if ":" in entry:
        raise SettingsError(f"{setting}: {entry!r} has a port or scheme; list the host name alone.")
    try:
        return ascii_host(entry)
    except Invalid:
        raise SettingsError(f"{setting}: {entry!r} is not a host name or a CIDR range.") from None

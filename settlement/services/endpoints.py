"""Endpoints: where a capability is executed, and how it is called (SPEC §8). The supplier's owner says so, or an operator.

An address inside a network, or without TLS, is for operators to name: whoever else could make the venue call its own neighbours.
The supplier's row is locked first, as in all that changes what a supplier can do.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.db import transaction

from rights.domain.issuance import Refusal
from rights.kernel.clock import to_datetime
from rights.kernel.ids import public
from rights.models import Capability
from rights.services.journal import NewEvent
from rights.services.refusals import SupplyRefusedError, supply_refused
from rights.services.registry import remember_all
from rights.services.suppliers import locked_supplier
from settlement.domain import endpoint_events
from settlement.domain.addresses import address_fault
from settlement.models import Endpoint
from settlement.models.request import ADAPTERS
from settlement.services.secrets import seal

TIMEOUT_MS = (100, 600_000)
ATTEMPTS = (1, 5)
MOST_SECRET = 2000
MOST_MODEL = 120
WITH_ADDRESS = frozenset({"openai"})
BY_OPERATOR = frozenset({"command"})  # what runs on the venue's own machines


class Setup(msgspec.Struct, frozen=True):
    """How an endpoint is called. `secret` None: as it was; empty: none. Milliseconds; `inside` only on an operator's word."""

    adapter: str
    base_url: str = ""
    model: str = ""
    secret: str | None = None
    timeout_ms: int = 30_000
    max_attempts: int = 2
    inside: bool = False


def setup_refusals(said: Setup, *, is_operator: bool) -> list[Refusal]:
    """Everything wrong with a setup; empty when it can be taken."""
    may_be_inside = said.inside and (is_operator or settings.ENDPOINTS_INSIDE)
    fault = ""
    if said.adapter in WITH_ADDRESS:
        fault = address_fault(said.base_url, may_be_inside=may_be_inside)
    elif said.base_url:
        fault = f"{said.adapter} has no address"
    checks = [
        (said.adapter in ADAPTERS, "endpoint_adapter", "adapter", f"an adapter is one of {', '.join(ADAPTERS)}"),
        (said.adapter not in BY_OPERATOR or is_operator, "endpoint_adapter", "adapter", f"only an operator sets up {said.adapter}"),
        (not fault, "endpoint_address", "base_url", fault),
        (may_be_inside or not said.inside, "endpoint_address", "inside", "only an operator lets an address be inside a network"),
        (len(said.model) <= MOST_MODEL and said.model.isprintable(), "endpoint_setup", "model", "a model is named in 120 characters"),
        (_is_token(said.secret or ""), "endpoint_setup", "secret", f"a secret is at most {MOST_SECRET} visible ASCII characters"),
        (TIMEOUT_MS[0] <= said.timeout_ms <= TIMEOUT_MS[1], "endpoint_setup", "timeout_ms", f"{TIMEOUT_MS[0]} to {TIMEOUT_MS[1]} ms"),
        (ATTEMPTS[0] <= said.max_attempts <= ATTEMPTS[1], "endpoint_setup", "max_attempts", f"{ATTEMPTS[0]} to {ATTEMPTS[1]} attempts"),
        (said.adapter != "command" or said.model in runtimes(), "endpoint_setup", "model", "the settings know no such command"),
    ]
    return [Refusal(code, words, field) for holds, code, field, words in checks if not holds]


def runtimes() -> Mapping[str, list[str]]:
    """The local commands that the settings let be run, by name."""
    found: Mapping[str, list[str]] = settings.COMMAND_RUNTIMES
    return found


@transaction.atomic
def register_endpoint(*, capability_id: str, said: Setup, endpoint_id: str, is_operator: bool, actor: str, now_us: int) -> Endpoint:
    """The capability's new endpoint, active. Raises SupplyRefusedError `endpoint_adapter`, `endpoint_address`, `endpoint_setup`,
    `endpoint_exists`, `source_retired`.
    """
    refusals = setup_refusals(said, is_operator=is_operator)
    if refusals:
        raise SupplyRefusedError(refusals)
    capability = _locked_capability(capability_id)
    if capability.retired_at is not None:
        raise supply_refused("source_retired", "the capability is retired")
    _check_free(capability)
    row = Endpoint.objects.create(
        uuid=endpoint_id,
        capability=capability,
        **_columns(said),
        secret=seal(said.secret or "", endpoint_uuid=endpoint_id),
        created_at=to_datetime(now_us),
    )
    payload = endpoint_events.registered(capability=str(capability.uuid), said=_told(row))
    _remember(row, endpoint_events.REGISTERED, payload, actor, now_us)
    return row


@transaction.atomic
def change_endpoint(
    *, endpoint_id: str, said: Setup, status: str, is_operator: bool, actor: str, now_us: int, reason: str | None = None
) -> Endpoint:
    """Call the endpoint so from now on, or (`paused`) not at all. Raises as `register_endpoint`, and Endpoint.DoesNotExist.

    What an operator let be inside stays so while its address stays; another address is judged anew. A secret is kept for the host it was
    said for: elsewhere it has to be said again.
    """
    found = Endpoint.objects.get(uuid=endpoint_id)
    capability = _locked_capability(str(found.capability.uuid))
    row = Endpoint.objects.select_for_update(no_key=True).get(pk=found.pk)
    refusals = setup_refusals(said, is_operator=is_operator or _is_kept(row, said))
    if refusals:
        raise SupplyRefusedError(refusals)
    if row.secret and said.secret is None and _goes_to(said.adapter, said.base_url) != _goes_to(row.adapter, row.base_url):
        raise supply_refused("endpoint_setup", "the secret was said for another host or adapter: say it anew", "secret")
    if status == "active" and row.status != "active":
        _check_free(capability)
    for name, value in _columns(said).items():
        setattr(row, name, value)
    if said.secret is not None:
        row.secret = seal(said.secret, endpoint_uuid=str(row.uuid))
    row.status = status
    row.save()
    payload = endpoint_events.changed(said=_told(row), status=status, is_secret_new=said.secret is not None, reason=reason)
    _remember(row, endpoint_events.CHANGED, payload, actor, now_us)
    return row


def setup_of(row: Endpoint) -> Setup:
    """The setup as it stands, its secret left as it is."""
    return Setup(row.adapter, row.base_url, row.model, None, row.timeout_ms, row.max_attempts, row.inside)


def _locked_capability(capability_id: str) -> Capability:
    """The capability, its supplier locked. Raises Capability.DoesNotExist."""
    supplier = locked_supplier(str(Capability.objects.select_related("supplier").get(uuid=capability_id).supplier.uuid))
    return Capability.objects.get(uuid=capability_id, supplier=supplier)


def _goes_to(adapter: str, base_url: str) -> tuple[str, str, str | None, int | None]:
    """Who gets the secret of an endpoint: adapter, scheme, host and port."""
    parts = urlsplit(base_url)
    return adapter, parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _is_kept(row: Endpoint, said: Setup) -> bool:
    """Whether what only an operator may say stays as it was said."""
    is_same = (said.adapter, said.base_url.rstrip("/")) == (row.adapter, row.base_url) and said.inside <= row.inside
    return is_same and (row.adapter not in BY_OPERATOR or said.model == row.model)


def _check_free(capability: Capability) -> None:
    if capability.endpoints.filter(status="active").exists():
        raise supply_refused("endpoint_exists", "the capability has an active endpoint; pause that one first")


def _columns(said: Setup) -> dict[str, object]:
    return {
        "adapter": said.adapter,
        "base_url": said.base_url.rstrip("/"),
        "model": said.model,
        "timeout_ms": said.timeout_ms,
        "max_attempts": said.max_attempts,
        "inside": said.inside,
    }


def _told(row: Endpoint) -> endpoint_events.Payload:
    return endpoint_events.setup(
        adapter=row.adapter,
        base_url=row.base_url,
        model=row.model,
        timeout_ms=row.timeout_ms,
        max_attempts=row.max_attempts,
        inside=row.inside,
        with_secret=bool(row.secret),
    )


def _is_token(text: str) -> bool:
    return len(text) <= MOST_SECRET and all("!" <= letter <= "~" for letter in text)


def _remember(row: Endpoint, kind: str, payload: endpoint_events.Payload, actor: str, now_us: int) -> None:
    remember_all([NewEvent(kind, "endpoint", public("end", str(row.uuid)), payload)], actor=actor, now_us=now_us)

"""Keys of the caller's account. People make keys; a key can't make another, so a stolen one dies when it is revoked."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.problems import Problem
from exchange.domain.amounts import decimal_text
from exchange.models import ApiKey
from exchange.models.access import SCOPES
from exchange.selectors import keys as key_rows
from exchange.selectors.keys import KeyRow
from exchange.services import keys
from exchange.services.idempotency import Done
from exchange.services.keys import KeyLimits
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import bare
from settlement.services.ledger import cash_asset

_ANY = frozenset(SCOPES)
_SCOPES = {scope: scope for scope in SCOPES}
_LIMITS = ("networks", "classes", "max_order_notional", "max_daily_notional", "approval_above")
MOST_NETWORKS, MOST_CLASSES = 20, 50


def _shown(row: KeyRow) -> dict[str, Any]:
    return {
        "id": f"key_{row.uuid}",
        "kind": row.kind,
        "label": row.label,
        "scopes": row.scopes,
        "expires_at": None if row.expires_us is None else rfc3339(row.expires_us),
        "revoked_at": None if row.revoked_us is None else rfc3339(row.revoked_us),
        "created_at": rfc3339(row.created_us),
        "networks": row.networks,
        "classes": row.classes,
        "max_order_notional": _money(row.max_order_minor),
        "max_daily_notional": _money(row.max_daily_minor),
        "approval_above": _money(row.approval_above_minor),
    }


def _money(minor: int | None) -> str | None:
    return None if minor is None else decimal_text(minor, cash_asset().scale)


def _row(key: ApiKey) -> KeyRow:
    expires, revoked = (None if moment is None else to_us(moment) for moment in (key.expires_at, key.revoked_at))
    limits = (list(key.networks), list(key.classes), key.max_order_minor, key.max_daily_minor, key.approval_above_minor)
    return KeyRow(key.pk, str(key.uuid), key.kind, key.label, list(key.scopes), expires, revoked, to_us(key.created_at), *limits)


def _network(value: object, field: str) -> str:
    """An address or a range of them, as it is usually written."""
    written = fields.text(value, field, high=43)
    try:
        return str(ip_network(written, strict=False))
    except ValueError:
        raise fields.FieldError(field, "must be an address or a network such as 192.0.2.0/24") from None


def _limits(body: Mapping[str, Any]) -> KeyLimits:
    """What the key is trusted with less than its scopes."""
    scale = cash_asset().scale

    def money(name: str) -> int | None:
        return None if body.get(name) is None else fields.decimal_scaled(body[name], name, scale)

    return KeyLimits(
        networks=tuple(fields.items(body.get("networks", []), "networks", 0, MOST_NETWORKS, _network)),
        classes=tuple(fields.items(body.get("classes", []), "classes", 0, MOST_CLASSES, fields.symbol)),
        max_order_minor=money("max_order_notional"),
        max_daily_minor=money("max_daily_notional"),
        approval_above_minor=money("approval_above"),
    )


class KeysView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": _ANY}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("The account's keys, newest first", "Key", listed=True),
        "POST": Doc("Make a bearer key; its token is shown once", "NewKey", body="KeyRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request) -> Response:
        limit, before = self.query.limit(), self.query.cursor("keys", "i")
        given = {"before_id": int(before[0])} if before else {}
        found = key_rows.keys(account_id=self.principal.account_id, limit=limit, **given)
        return page(found, limit, "keys", lambda row: (row.id,), _shown)

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", ("kind", "label", "scopes", "expires_at", *_LIMITS), ("scopes",))
        fields.choice(body.get("kind", "bearer"), "kind", {"bearer": "bearer"})
        label = fields.text(body.get("label", ""), "label", low=0, high=80)
        scopes = fields.items(body["scopes"], "scopes", 1, len(SCOPES), lambda value, field: fields.choice(value, field, _SCOPES))
        expires_us = None if body.get("expires_at") is None else fields.moment_us(body["expires_at"], "expires_at")
        if expires_us is not None and expires_us <= self.now_us:
            raise fields.FieldError("expires_at", "must be in the future", "out_of_range")
        limits = _limits(body)
        principal = self.principal
        if principal.key_id is not None:
            raise Problem("forbidden", "a key can't make keys: log in as a member")
        beyond = sorted(set(scopes) - principal.scopes)
        if beyond:
            raise Problem("scope_missing", f"nobody can pass on scopes they lack: {', '.join(beyond)}")

        def act() -> Done:
            new = keys.create(
                account_id=principal.account_id,
                scopes=set(scopes),
                label=label,
                expires_us=expires_us,
                limits=limits,
                now_us=self.now_us,
            )
            shown = _shown(_row(new.key))
            # The token is kept nowhere, so a repeated request can't show it again.
            return Done(201, {**shown, "token": new.token}, kept={**shown, "token": None})

        return self.once(act)


class KeyView(ApiView):
    scopes: ClassVar = {"DELETE": _ANY}
    docs: ClassVar = {"DELETE": Doc("Revoke a key; its sockets close", "Key")}

    def delete(self, _request: Request, key_id: str) -> Response:
        principal, uuid = self.principal, bare("key", key_id)
        if uuid is not None and principal.key_uuid not in {None, uuid}:
            raise Problem("forbidden", "a key can revoke only itself: log in as a member")
        key = keys.revoke(account_id=principal.account_id, key_uuid=uuid, now_us=self.now_us) if uuid else None
        if key is None:
            raise not_found()
        return Response(_shown(_row(key)))

"""Acts on rights that lie in other hands, as proposals: reassign, finalize, burn, replace (SPEC §2).

Each does what its role allows, and takes a second person because it takes from a holder what is his. What was looked at is part of the
proposal: a right that has changed hands or grown by the time of approval is another matter, and is refused as `right_changed`.
"""

import orjson

from exchange.services.authority import check_role_of
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.reassign import reassign_right
from exchange.services.two_persons import Consent, Kind, Payload
from rights.domain.manifest import read_manifest
from rights.kernel.ids import bare, public
from rights.models import Account, Right
from rights.services.row import Seen
from settlement.services import issuance
from settlement.services.replace import replace_right

REASSIGN, FINALIZE, BURN, REPLACE = "reassign", "finalize", "burn", "replace"


def may_alone(*, right: Right, participant_id: int) -> bool:
    """Whether its end takes nothing from anybody else: it is in the participant's own hands, or nothing remains of it."""
    return right.remaining_units == 0 or right.holder.participant_id == participant_id


def seen_of(right: Right) -> Seen:
    """The right as it was looked at."""
    return Seen(right.holder_id, right.remaining_units)


def ending_payload(*, right: Right, ref: str | None = None) -> dict[str, str | None]:
    """Finalizing (`ref`: what it was settled by) or burning."""
    payload: dict[str, str | None] = {
        "holder": public("acc", str(right.holder.uuid)),
        "right": public("rgt", str(right.pk)),
        "units": str(right.remaining_units),
    }
    return payload if ref is None else payload | {"ref": ref}


def reassign_payload(*, right: Right, taker: Account) -> dict[str, str | None]:
    return ending_payload(right=right) | {"to": public("acc", str(taker.uuid))}


def replace_payload(*, right: Right, document: object, kind: str) -> dict[str, str | None]:
    return ending_payload(right=right) | {"kind": kind, "manifest": read_manifest(document).text}


def _right(payload: Payload) -> tuple[Right, Seen]:
    """The right, and what was seen of it when this was proposed."""
    uuid, holder = bare("rgt", payload["right"] or ""), _account(payload["holder"])
    right = Right.objects.select_related("issuer", "holder").filter(pk=uuid).first() if uuid else None
    if right is None:
        raise OperatorRefusal("right_unknown", f"there is no right {payload['right']}")
    return right, Seen(holder.pk, int(payload["units"] or ""))


def _account(public_id: str | None) -> Account:
    uuid = bare("acc", public_id or "")
    account = Account.objects.filter(uuid=uuid).first() if uuid else None
    if account is None:
        raise OperatorRefusal("account_unknown", f"there is no account {public_id}")
    return account


def _reassign(payload: Payload, consent: Consent) -> str:
    right, seen = _right(payload)
    check_role_of(actor=consent.by, role="registry_admin", issuer_id=right.issuer_id)
    reassign_right(
        right_id=str(right.pk),
        seen=seen,
        taker=_account(payload["to"]),
        reason=consent.reason,
        mint=consent.mint,
        actor=consent.by,
        now_us=consent.now_us,
        approved_by=consent.approved_by,
    )
    return f"{seen.units} units went over"


def _finalize(payload: Payload, consent: Consent) -> str:
    right, seen = _right(payload)
    check_role_of(actor=consent.by, role="finalizer", issuer_id=right.issuer_id)
    issuance.finalize_right(
        right_id=str(right.pk),
        ref=payload["ref"] or "",
        reason=consent.reason,
        mint=consent.mint,
        actor=consent.by,
        now_us=consent.now_us,
        seen=seen,
        approved_by=consent.approved_by,
    )
    return "the right is finalized"


def _burn(payload: Payload, consent: Consent) -> str:
    right, seen = _right(payload)
    check_role_of(actor=consent.by, role="burner", issuer_id=right.issuer_id)
    issuance.burn_right(
        right_id=str(right.pk),
        reason=consent.reason,
        mint=consent.mint,
        actor=consent.by,
        now_us=consent.now_us,
        seen=seen,
        approved_by=consent.approved_by,
    )
    return "the right is burned"


def _replace(payload: Payload, consent: Consent) -> str:
    right, seen = _right(payload)
    for role in ("issuer", "finalizer"):
        check_role_of(actor=consent.by, role=role, issuer_id=right.issuer_id)
    _, latter = replace_right(
        right_id=str(right.pk),
        issuer=right.issuer,
        document=orjson.loads(payload["manifest"] or ""),
        kind=payload["kind"] or "",
        reason=consent.reason,
        mint=consent.mint,
        actor=consent.by,
        now_us=consent.now_us,
        anybodys=seen,
        approved_by=consent.approved_by,
    )
    return f"{public('rgt', str(latter.pk))} stands for it"


KINDS: dict[str, Kind] = {
    REASSIGN: Kind("Reassignment", lambda p: f"give {p['right']} with {p['units']} units of {p['holder']} to {p['to']}", _reassign),
    FINALIZE: Kind("Finalizing", lambda p: f"finalize {p['right']} and burn {p['units']} units of {p['holder']}", _finalize),
    BURN: Kind("Burning", lambda p: f"burn {p['right']} with {p['units']} units of {p['holder']}", _burn),
    REPLACE: Kind(
        "Replacement", lambda p: f"replace {p['right']} with {p['units']} units of {p['holder']}", _replace, ("issue", "operate")
    ),
}

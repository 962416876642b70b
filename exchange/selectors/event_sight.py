"""Whose events a caller may see, and what of them (docs/events.md, Who sees what): whoever may look at an object may read its history."""

from collections.abc import Callable, Mapping
from typing import Any

from exchange.models import ListingRequest
from exchange.selectors import consents, packages, registry
from exchange.selectors.requests import visible_requests
from exchange.selectors.settlements import visible_settlements
from exchange.services.identity import Principal
from rights.kernel import rows
from rights.kernel.ids import bare
from rights.models import Capability, RoleGrant, Supplier
from settlement.models import Endpoint, Node

PUBLIC = frozenset({"instrument", "assurance", "issuer", "class", "supplier", "capability", "capacity", "anchor", "venue_key"})
OWN = frozenset({"participant", "account", "member", "holder"})
# Their parties see these as the API shows the objects themselves: with the accounts concerned and the notes.
SHARED = frozenset({"endpoint", "node", "consent", "delegation", "offer", "listing", "role", "key", "holder", "policy", "approval"})
_PARTY = "SELECT 1 FROM exchange_trade WHERE id = %s AND %s IN (buyer_id, seller_id)"
_APPROVAL = "SELECT 1 FROM exchange_orderapproval WHERE uuid = %s AND account_id = %s"
_POLICY = "SELECT 1 FROM exchange_policy WHERE uuid = %s AND account_id = %s"
_KEY = "SELECT 1 FROM exchange_apikey WHERE uuid = %s AND account_id = %s"


def _party(principal: Principal, trade: str) -> bool:
    return rows.fetch_one(_PARTY, [trade, principal.account_id]) is not None


def _key(principal: Principal, key: str) -> bool:
    return rows.fetch_one(_KEY, [key, principal.account_id]) is not None


def _endpoint(principal: Principal, endpoint: str) -> bool:
    return Endpoint.objects.filter(uuid=endpoint, capability__supplier__participant_id=principal.participant_id).exists()


def _approval(principal: Principal, approval: str) -> bool:
    return rows.fetch_one(_APPROVAL, [approval, principal.account_id]) is not None


def _policy(principal: Principal, policy: str) -> bool:
    return rows.fetch_one(_POLICY, [policy, principal.account_id]) is not None


def _request(principal: Principal, request: str) -> bool:
    return visible_requests(principal).filter(pk=request).exists()


def _route(principal: Principal, route: str) -> bool:
    return visible_requests(principal).filter(routes__pk=route).exists()


def _settlement(principal: Principal, settlement: str) -> bool:
    return visible_settlements(principal).filter(pk=settlement).exists()


def _receipt(principal: Principal, receipt: str) -> bool:
    return visible_settlements(principal).filter(receipt_id=receipt).exists()


def _listing(principal: Principal, listing: str) -> bool:
    own = ListingRequest.objects.filter(uuid=listing, issuer__participant_id=principal.participant_id)
    return principal.may("issue") and own.exists()


def _node(principal: Principal, node: str) -> bool:
    return Node.objects.filter(uuid=node, supplier__participant_id=principal.participant_id).exists()


def _role(principal: Principal, role: str) -> bool:
    return RoleGrant.objects.filter(uuid=role, participant_id=principal.participant_id).exists()


# Prefix of an id → the families of its events, and who sees them beside operators and auditors.
_SIGHTS: Mapping[str, tuple[frozenset[str], Callable[[Principal, str], bool]]] = {
    "rgt": (frozenset({"right", "route"}), registry.sees),
    "trd": (frozenset({"trade"}), _party),
    "pkg": (frozenset({"package"}), lambda principal, uuid: packages.visible_packages(principal).filter(uuid=uuid).exists()),
    "dlg": (frozenset({"delegation"}), lambda principal, uuid: packages.visible_delegations(principal).filter(uuid=uuid).exists()),
    "ofr": (frozenset({"offer"}), lambda principal, uuid: packages.visible_offers(principal).filter(uuid=uuid).exists()),
    "cns": (frozenset({"consent"}), lambda principal, uuid: consents.visible_consents(principal).filter(uuid=uuid).exists()),
    "lst": (frozenset({"listing"}), _listing),
    "nod": (frozenset({"node"}), _node),
    "rol": (frozenset({"role"}), _role),
    "key": (frozenset({"key"}), _key),
    "end": (frozenset({"endpoint"}), _endpoint),
    "pol": (frozenset({"policy"}), _policy),
    "req": (frozenset({"request", "route", "execution"}), _request),
    "rte": (frozenset({"route"}), _route),
    "stl": (frozenset({"settlement"}), _settlement),
    "rcp": (frozenset({"receipt"}), _receipt),
    "apv": (frozenset({"approval"}), _approval),
}


def families(principal: Principal, object_id: str, own: frozenset[str]) -> frozenset[str]:
    """Which families of types the caller may see about this object; `own` are the ids and names that are the caller's."""
    if object_id in own:
        return PUBLIC | OWN
    prefix = object_id.partition("_")[0]
    uuid = bare(prefix, object_id)
    if uuid is None or prefix not in _SIGHTS:
        return PUBLIC
    kinds, may_see = _SIGHTS[prefix]
    return kinds if may_see(principal, uuid) else frozenset()


def withheld_names(body: Mapping[str, Any], own: frozenset[str], supplies: Callable[[str], bool]) -> frozenset[str]:
    """The members of this event, wherever they stand, that are not the caller's to know; `supplies` says whose a supplier or capability is."""
    family, payload = body["type"].partition(".")[0], body["payload"]
    if family in SHARED:
        return frozenset()
    hidden = {"note", "participant"}
    if body["type"] == "trade.executed":
        for side, owner in (("buy", "buyer"), ("sell", "seller")):
            if payload[owner] not in own:
                hidden |= {f"{side}_order", f"{side}_fee"}
    if family == "settlement":
        hidden.add("by")  # whose key brought evidence is nobody else's to know
    if family in {"supplier", "capability", "capacity"} and not supplies(body["object"]["id"]):
        hidden |= {"issuers", "reason"}
    return frozenset(hidden)


def supplies(principal: Principal, object_id: str) -> bool:
    """Whether the supplier, or the capability's supplier, is the caller's."""
    if supplier := bare("sup", object_id):
        return Supplier.objects.filter(uuid=supplier, participant_id=principal.participant_id).exists()
    capability = bare("cap", object_id)
    return capability is not None and Capability.objects.filter(uuid=capability, supplier__participant_id=principal.participant_id).exists()

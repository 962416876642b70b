"""One module per kind of object; each adds its kinds here."""

from exchange.replay.kinds import (
    anchors,
    approvals,
    consents,
    endpoints,
    instruments,
    links,
    listings,
    nodes,
    packages,
    people,
    policies,
    proceeds,
    requests,
    roles,
    settlements,
    supply,
)
from exchange.replay.object_states import ObjectKind

KINDS: tuple[ObjectKind, ...] = (
    *supply.KINDS,
    *endpoints.KINDS,
    *consents.KINDS,
    *packages.KINDS,
    *roles.KINDS,
    *instruments.KINDS,
    *people.KINDS,
    *anchors.KINDS,
    *listings.KINDS,
    *links.KINDS,
    *requests.KINDS,
    *settlements.KINDS,
    *nodes.KINDS,
    *policies.KINDS,
    *proceeds.KINDS,
    *approvals.KINDS,
)

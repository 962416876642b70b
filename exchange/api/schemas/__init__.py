"""Every object of the wire as JSON Schema; the OpenAPI document's components, and what tests hold answers against."""

from exchange.api.schemas import (
    anchors,
    consents,
    endpoints,
    listings,
    market,
    nodes,
    packages,
    policies,
    requests,
    rights,
    settlements,
    supply,
    system,
    trading,
)
from exchange.api.schemas.words import Schema

COMPONENTS: dict[str, Schema] = {
    **system.COMPONENTS,
    **market.COMPONENTS,
    **trading.COMPONENTS,
    **rights.COMPONENTS,
    **consents.COMPONENTS,
    **listings.COMPONENTS,
    **supply.COMPONENTS,
    **endpoints.COMPONENTS,
    **packages.COMPONENTS,
    **requests.COMPONENTS,
    **settlements.COMPONENTS,
    **anchors.COMPONENTS,
    **nodes.COMPONENTS,
    **policies.COMPONENTS,
}

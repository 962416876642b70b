"""Anchors and what they prove: for anybody, for hashes give nothing away (docs/anchors.md)."""

import base64
from typing import Any, ClassVar

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.fields import FieldError
from exchange.api.permissions import PUBLIC
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import bare
from rights.models import Anchor, VenueKey
from rights.selectors import anchors


class AnchorsView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("event", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Signed commitments to the registry's memory, newest first; `event`: the one that covers it", "Anchor", listed=True)
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("anchors", "i")
        found = anchors.anchors(limit=limit, before=int(after[0]) if after else None, event_uuid=self.query.public_id("event", "evt"))
        return page(found, limit, "anchors", lambda row: (row.number,), anchors.document)


class AnchorView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("One anchor with the body that was signed", "SignedAnchor")}

    def get(self, _request: Request, anchor_id: str) -> Response:
        row = _named(anchor_id)
        return Response(anchors.document(row) | {"body": row.body, "public_key": row.key.public_key})


class AnchorProofView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("event",)}
    docs: ClassVar = {"GET": Doc("Proof that the anchor covers an event, to be checked without us", "InclusionProof")}

    def get(self, _request: Request, anchor_id: str) -> Response:
        event = self.query.public_id("event", "evt")
        if event is None:
            raise FieldError("event", "is required", "required")
        found = anchors.proof(_named(anchor_id), event)
        if found is None:
            raise not_found()
        return Response(found)


def _named(anchor_id: str) -> Anchor:
    uuid = bare("anc", anchor_id)
    found = anchors.anchor(uuid) if uuid else None
    if found is None:
        raise not_found()
    return found


@require_safe
def venue_keys(_request: HttpRequest) -> JsonResponse:
    """`/.well-known/venue-keys`: every public key the venue has signed with, as JSON Web Keys with their times."""
    return JsonResponse({"keys": [_key(row) for row in anchors.venue_keys()]}, headers={"Cache-Control": "public, max-age=60"})


def _key(row: VenueKey) -> dict[str, Any]:
    x = base64.urlsafe_b64encode(bytes.fromhex(row.public_key)).rstrip(b"=").decode("ascii")
    return {
        "kid": row.key_id,
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "x": x,
        "from": rfc3339(to_us(row.created_at)),
        "until": None if row.retired_at is None else rfc3339(to_us(row.retired_at)),
    }

"""What an issuer may pledge: free capacity of its own suppliers, and of those that offered theirs to it."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import supply_render
from exchange.api.base import ApiView, page
from exchange.api.doc import Doc
from exchange.selectors import supply


class OfferedCapacityView(ApiView):
    scopes: ClassVar = {"GET": "issue"}
    queries: ClassVar = {"GET": ("window_from", "window_to", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Free capacity that the caller's issuers may pledge, by window", "OfferedCapacity", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("offered", "ii")
        from_us = self.query.moment_us("window_from")
        found = supply.offered(
            owner=self.principal.participant_id,
            limit=limit,
            after=(int(after[0]), int(after[1])) if after else None,
            from_us=self.now_us if from_us is None else from_us,
            to_us=self.query.moment_us("window_to"),
        )
        return page(found, limit, "offered", lambda row: (row.start_us, row.id), supply_render.offered)

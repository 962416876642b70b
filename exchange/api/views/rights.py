"""Rights: reads for whoever may look, issuing, and the dry run of a transfer. The rules are the registry's services'."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.selectors import registry
from exchange.services.authority import check_role
from exchange.services.deliverable import register_deliverable
from exchange.services.idempotency import Done
from exchange.services.rules import rules_named
from rights import selectors
from rights.domain.lifecycle import RightStatus
from rights.kernel.ids import Mint, bare, public
from rights.models import Account, Issuer, Right, Series
from settlement.services import issuance

MINT = Mint()
STATUSES = {status.value: status.value for status in RightStatus}


def documents(found: Sequence[Right], now_us: int) -> list[dict[str, Any]]:
    """API.md, Right."""
    symbols = registry.symbols(right.series_id for right in found)
    permits = selectors.standing_permits(found, now_us=now_us)
    manifests = selectors.manifests_of(found)
    return [
        selectors.right_document(right, instruments=symbols.get(right.series_id, []), now_us=now_us, permits=permits, manifests=manifests)
        for right in found
    ]


def with_links(right: Right, now_us: int) -> dict[str, Any]:
    """One right, with what stands for it and what it stands for."""
    return documents([right], now_us)[0] | {"links": selectors.link_documents(right)}


class RightsView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": "issue"}
    queries: ClassVar = {"GET": ("holder", "issuer", "class", "status", "limit", "cursor"), "POST": ("validate_only",)}
    docs: ClassVar = {
        "GET": Doc("Rights the caller may see, newest first; `holder=me`: its own", "Right", listed=True),
        "POST": Doc("Issue a right under an assurance", "Right", body="IssueRequest", status=201, idempotent=True, also={200: "Right"}),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("rights", "u")
        holder = self.query.raw("holder")
        if holder is not None:
            holder = self.principal.account_uuid if holder == "me" else fields.public_id(holder, "holder", "acc")
        found = registry.rights(
            self.principal,
            limit=limit,
            holder_uuid=holder,
            issuer=self.query.text("issuer"),
            class_key=self.query.symbol("class"),
            status=self.query.choice("status", STATUSES),
            after=str(after[0]) if after else None,
        )
        shown = dict(zip((right.pk for right in found), documents(found, self.now_us), strict=True))
        return page(found, limit, "rights", lambda right: (str(right.pk),), lambda right: shown[right.pk])

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", ("manifest", "holder", "activate"), ("manifest",))
        activate = fields.boolean(body.get("activate", True), "activate")
        holder = self._holder(body.get("holder", "me"))
        fields.members(body["manifest"], "manifest", body["manifest"] if isinstance(body["manifest"], dict) else ())
        principal = self.principal

        def act() -> Done:
            issuer = self._issuer(body["manifest"])
            with as_problems(fields_at="manifest."):
                check_role(participant_id=principal.participant_id, role="issuer", issuer_id=issuer.pk)
                right = issuance.issue_right(
                    issuer=issuer,
                    holder=holder,
                    document=body["manifest"],
                    mint=MINT,
                    actor=principal.actor,
                    now_us=self.now_us,
                    activate=activate,
                )
                register_deliverable(series_id=right.series_id, actor=principal.actor, now_us=self.now_us)
            shown = registry.right(principal, str(right.pk))
            return Done(201, with_links(shown or right, self.now_us))

        return self.once(act)

    def _holder(self, given: object) -> Account:
        uuid = self.principal.account_uuid if given == "me" else fields.public_id(given, "holder", "acc")
        account = registry.account(uuid)
        if account is None:
            raise fields.FieldError("holder", "is no holder here", "unknown_value")
        return account

    def _issuer(self, manifest: dict[str, Any]) -> Issuer:
        """The issuer the manifest names, if the caller acts for it. A malformed name is the manifest's own fault."""
        named = manifest.get("issuer")
        slug = named.get("id") if isinstance(named, dict) else None
        mine = Issuer.objects.select_related("participant").filter(participant_id=self.principal.participant_id)
        issuer = mine.filter(slug=slug).first() if isinstance(slug, str) else mine.first()
        if issuer is None:
            raise fields.FieldError("manifest.issuer.id", "is no issuer the caller acts for", "unknown_value")
        return issuer


class OneRight(ApiView):
    """Views of one right."""

    def right(self, right_id: str) -> Right:
        uuid = bare("rgt", right_id)
        found = registry.right(self.principal, uuid) if uuid else None
        if found is None:
            raise not_found()
        return found

    def shown(self, uuid: str) -> dict[str, Any]:
        found = registry.right(self.principal, uuid)
        return with_links(found, self.now_us) if found else {"id": public("rgt", uuid)}

    def is_operator(self) -> bool:
        return self.principal.may("operate")

    def is_issuer_of(self, right: Right) -> bool:
        return self.principal.may("issue") and right.issuer.participant_id == self.principal.participant_id


class RightView(OneRight):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("One right: its terms, its state, what every gate says now", "Right")}

    def get(self, _request: Request, right_id: str) -> Response:
        return Response(with_links(self.right(right_id), self.now_us))


class EligibilityView(OneRight):
    scopes: ClassVar = {"GET": "read"}
    queries: ClassVar = {"GET": ("instrument",)}
    docs: ClassVar = {"GET": Doc("May the right be delivered into this book? One verdict per dimension", "Eligibility")}

    def get(self, _request: Request, right_id: str) -> Response:
        right = self.right(right_id)
        rules = rules_named(self.query.required_symbol("instrument"))
        if rules is None:
            raise not_found()
        series = Series.objects.select_related("compute_class").get(pk=rules.series_id)
        verdicts = [msgspec.to_builtins(verdict) for verdict in selectors.eligibility(right, series, rules.delivery_rule)]
        eligible = all(verdict["passed"] for verdict in verdicts)
        return Response({"instrument": rules.symbol, "delivery_rule": rules.delivery_rule, "eligible": eligible, "verdicts": verdicts})


class TransferChecksView(OneRight):
    scopes: ClassVar = {"POST": "read"}
    actions: ClassVar = {"POST": "read"}
    docs: ClassVar = {
        "POST": Doc("Ask every gate about a transfer; nothing moves", "TransferCheck", body="TransferCheckRequest", errors=("not_found",))
    }

    def post(self, _request: Request) -> Response:
        names = ("right_id", "units", "buyer")
        body = fields.members(self.body, "", names, names)
        fields.public_id(body["right_id"], "right_id", "rgt")
        units = fields.whole(body["units"], "units", low=1)
        buyer_uuid = fields.public_id(body["buyer"], "buyer", "acc")
        right, buyer = self.right(body["right_id"]), registry.account(buyer_uuid)
        if buyer is None:
            raise not_found()
        verdicts = selectors.gates_of(right, now_us=self.now_us, units=units, taker=buyer)
        gates = [msgspec.to_builtins(verdict) for verdict in verdicts]
        return Response({"allowed": all(gate["passed"] for gate in gates), "gates": gates})

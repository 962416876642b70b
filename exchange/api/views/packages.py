"""Packages and block offers over REST (SPEC §6)."""

from typing import Any, ClassVar

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.views.consents import optional, taker_of
from exchange.api.views.rights import MINT
from exchange.models import ApiKey, BlockOffer
from exchange.selectors import packages as selectors
from exchange.services import block_offers
from exchange.services.idempotency import Done
from exchange.services.identity import Principal
from rights.domain.package import MOST_PARTS, TIERS, TYPES, PartFacts
from rights.kernel.ids import bare, public
from rights.models import Account, Package
from settlement.models import Asset
from settlement.services import packages as services

_TYPES = {kind: kind for kind in TYPES}
_TIERS = {tier: tier for tier in TIERS[1:]}
_PART = ("right_id", "units", "tier", "branch")


def _part(value: object, field: str) -> PartFacts:
    found = fields.members(value, field, _PART, ("right_id", "units"))
    return PartFacts(
        fields.public_id(found["right_id"], f"{field}.right_id", "rgt"),
        fields.whole(found["units"], f"{field}.units", low=1),
        "" if found.get("tier") is None else fields.choice(found["tier"], f"{field}.tier", _TIERS),
        "" if found.get("branch") is None else fields.text(found["branch"], f"{field}.branch", high=40),
    )


def _parts(value: object) -> list[PartFacts]:
    return fields.items(value, "parts", 1, MOST_PARTS, _part)


def _label(value: object) -> str:
    return fields.text(value, "label", high=120)


def _composition(body: dict[str, Any], kind: str) -> services.Composition:
    return services.Composition(
        kind,
        _label(body["label"]),
        _parts(body["parts"]),
        optional(body, "policy", fields.mapping, {}),
        optional(body, "rules", fields.mapping, {}),
    )


class PackagesView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": "transfer"}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("The caller's packages, newest first", "Package", listed=True),
        "POST": Doc("Compose a package; its parts are locked", "Package", body="PackageRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("packages", "i")
        found = selectors.visible_packages(self.principal)
        if after:
            found = found.filter(pk__lt=int(after[0]))
        return page(list(found.order_by("-pk")[: limit + 1]), limit, "packages", lambda row: (row.pk,), selectors.package_document)

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", ("type", "label", "parts", "policy", "rules"), ("type", "label", "parts"))
        composition = _composition(body, fields.choice(body["type"], "type", _TYPES))

        def act() -> Done:
            with as_problems():
                row = services.create_package(
                    holder=Account.objects.get(pk=self.principal.account_id),
                    composition=composition,
                    package_id=MINT.uuid(self.now_us),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, selectors.package_document(selectors.visible_packages(self.principal).get(pk=row.pk)))

        return self.once(act)


class OnePackage(ApiView):
    """Views of one package."""

    def package(self, package_id: str) -> Package:
        uuid = bare("pkg", package_id)
        row = selectors.visible_packages(self.principal).filter(uuid=uuid).first() if uuid else None
        if row is None:
            raise not_found()
        return row

    def own(self, package_id: str) -> Package:
        row = self.package(package_id)
        if row.holder_id != self.principal.account_id:
            raise not_found()
        return row

    def shown(self, row: Package) -> dict[str, Any]:
        return selectors.package_document(selectors.visible_packages(self.principal).get(pk=row.pk))


class PackageView(OnePackage):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("One package", "Package")}

    def get(self, _request: Request, package_id: str) -> Response:
        return Response(selectors.package_document(self.package(package_id)))


class PackageAmendView(OnePackage):
    scopes: ClassVar = {"POST": "transfer"}
    docs: ClassVar = {"POST": Doc("Another label, policy, rules or parts", "Package", body="PackageAmendment", idempotent=True)}

    def post(self, _request: Request, package_id: str) -> Response:
        body = fields.members(self.body, "", ("label", "parts", "policy", "rules"), ("label", "parts"))
        row = self.own(package_id)
        composition = _composition(body, row.type)

        def act() -> Done:
            with as_problems():
                services.amend_package(
                    package_id=str(row.uuid),
                    holder_id=self.principal.account_id,
                    composition=composition,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(200, self.shown(row))

        return self.once(act)


class PackageSplitView(OnePackage):
    scopes: ClassVar = {"POST": "transfer"}
    docs: ClassVar = {
        "POST": Doc("Take parts of a package into a new one", "PackageSplit", body="PackageSplitRequest", status=201, idempotent=True)
    }

    def post(self, _request: Request, package_id: str) -> Response:
        body = fields.members(self.body, "", ("label", "parts"), ("label", "parts"))
        label, parts = _label(body["label"]), _parts(body["parts"])
        row = self.own(package_id)

        def act() -> Done:
            with as_problems():
                left, child = services.split_package(
                    package_id=str(row.uuid),
                    holder_id=self.principal.account_id,
                    parts=parts,
                    label=label,
                    child_id=MINT.uuid(self.now_us),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, {"package": self.shown(left), "child": self.shown(child)})

        return self.once(act)


class PackageTransferView(OnePackage):
    scopes: ClassVar = {"POST": "transfer"}
    docs: ClassVar = {
        "POST": Doc(
            "Give the whole package to another holder", "PackageTransferred", body="PackageTransferRequest", status=201, idempotent=True
        )
    }

    def post(self, _request: Request, package_id: str) -> Response:
        body = fields.members(self.body, "", ("to",), ("to",))
        taker = taker_of(body["to"], "to")
        row = self.own(package_id)
        if taker.pk == row.holder_id:
            raise fields.FieldError("to", "holds it already")

        def act() -> Done:
            with as_problems():
                moved = services.transfer_package(
                    package_id=str(row.uuid),
                    holder_id=self.principal.account_id,
                    taker=taker,
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            received = [{"right_id": public("rgt", a), "received_right_id": public("rgt", b)} for a, b in moved.receives.items()]
            answer = {"package_id": package_id, "to": public("acc", str(taker.uuid)), "entry_id": moved.entry_id, "received": received}
            return Done(201, answer)

        return self.once(act)


class PackageFinalizeView(OnePackage):
    scopes: ClassVar = {"POST": "transfer"}
    docs: ClassVar = {"POST": Doc("Take a package apart; its units are free again", "Package", body="Reasoned", idempotent=True)}

    def post(self, _request: Request, package_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = fields.text(body["reason"], "reason", high=500)
        row = self.own(package_id)

        def act() -> Done:
            with as_problems():
                services.finalize_package(
                    package_id=str(row.uuid),
                    holder_id=self.principal.account_id,
                    reason=reason,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(200, self.shown(row))

        return self.once(act)


def _without_bounds(principal: Principal, verb: str) -> None:
    """An offer's price and classes are nothing that the bounds of orders speak of, on either side of it."""
    if principal.key_id is not None and ApiKey.objects.filter(pk=principal.key_id, bounded=True).exists():
        raise Problem("forbidden", f"a key with bounds {verb} no offer: log in as a member, or use a key without bounds")


class BlockOffersView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": "trade"}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Open block offers and the caller's own, newest first", "BlockOffer", listed=True),
        "POST": Doc(
            "Offer a whole package at a fixed price",
            "BlockOffer",
            body="BlockOfferRequest",
            status=201,
            idempotent=True,
            errors=("not_found",),
        ),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("offers", "i")
        found = selectors.visible_offers(self.principal)
        if after:
            found = found.filter(pk__lt=int(after[0]))
        return page(list(found.order_by("-pk")[: limit + 1]), limit, "offers", lambda row: (row.pk,), selectors.offer_document)

    def post(self, _request: Request) -> Response:
        names = ("package_id", "price", "currency", "expires_at", "buyer")
        body = fields.members(self.body, "", names, ("package_id", "price", "expires_at"))
        package = fields.public_id(body["package_id"], "package_id", "pkg")
        code = fields.text(body.get("currency", "USD"), "currency", high=8)
        currency = Asset.objects.filter(code=code, kind="cash").first()
        if currency is None:
            raise fields.FieldError("currency", "is no currency here", "unknown_value")
        terms = block_offers.Terms(
            price_minor=fields.decimal_scaled(body["price"], "price", currency.scale, low=1, high=10**16),
            currency=currency,
            expires_us=fields.moment_us(body["expires_at"], "expires_at"),
            buyer=optional(body, "buyer", taker_of),
        )
        if not Package.objects.filter(uuid=package, holder_id=self.principal.account_id).exists():
            raise not_found()

        def act() -> Done:
            _without_bounds(self.principal, "makes")
            with as_problems():
                row = block_offers.make_offer(
                    seller=Account.objects.get(pk=self.principal.account_id),
                    package_id=package,
                    terms=terms,
                    fee_bps=settings.BLOCK_FEE_BPS,
                    offer_id=MINT.uuid(self.now_us),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, selectors.offer_document(selectors.visible_offers(self.principal).get(pk=row.pk)))

        return self.once(act)


class OneOffer(ApiView):
    """Views of one block offer."""

    def offer(self, offer_id: str) -> BlockOffer:
        uuid = bare("ofr", offer_id)
        row = selectors.visible_offers(self.principal).filter(uuid=uuid).first() if uuid else None
        if row is None:
            raise not_found()
        return row

    def shown(self, row: BlockOffer) -> dict[str, Any]:
        return selectors.offer_document(selectors.visible_offers(self.principal).get(pk=row.pk))


class BlockOfferView(OneOffer):
    scopes: ClassVar = {"GET": "read", "DELETE": "trade"}
    docs: ClassVar = {"GET": Doc("One block offer", "BlockOffer"), "DELETE": Doc("Withdraw an offer", "BlockOffer", idempotent=True)}

    def get(self, _request: Request, offer_id: str) -> Response:
        return Response(selectors.offer_document(self.offer(offer_id)))

    def delete(self, _request: Request, offer_id: str) -> Response:
        row = self.offer(offer_id)
        if row.seller_id != self.principal.account_id:
            raise not_found()

        def act() -> Done:
            with as_problems():
                block_offers.withdraw_offer(offer_id=str(row.uuid), actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.shown(row))

        return self.once(act)


class BlockOfferAcceptView(OneOffer):
    scopes: ClassVar = {"POST": "trade"}
    docs: ClassVar = {"POST": Doc("Take the package against payment, whole or not at all", "BlockOffer", body="Empty", idempotent=True)}

    def post(self, _request: Request, offer_id: str) -> Response:
        fields.members(self.body, "", ())
        row = self.offer(offer_id)

        def act() -> Done:
            _without_bounds(self.principal, "accepts")
            with as_problems():
                buyer = Account.objects.get(pk=self.principal.account_id)
                block_offers.accept_offer(offer_id=str(row.uuid), buyer=buyer, mint=MINT, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.shown(row))

        return self.once(act)

"""Classes and instruments: what can be traded and by which rules."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, render
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.permissions import PUBLIC
from exchange.selectors import instruments, sheets
from exchange.services.rules import Rules, rules_named

MOST_VERSIONS = 2**31 - 1
PHASES = {name: number for number, name in render.PHASES.items()}


def rules_or_404(symbol: str) -> Rules:
    """The instrument's rules; an unknown or malformed symbol is simply not there."""
    rules = rules_named(symbol) if fields.SYMBOL.fullmatch(symbol) else None
    if rules is None:
        raise not_found()
    return rules


class ClassesView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Compute classes", "ComputeClass", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("classes", "s")
        found = instruments.classes(limit=limit, after=str(after[0]) if after else "")
        return page(found, limit, "classes", lambda row: (row.key,), render.compute_class)


class ClassView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("One compute class", "ComputeClass")}

    def get(self, _request: Request, key: str) -> Response:
        found = instruments.class_named(key)
        if found is None:
            raise not_found()
        return Response(render.compute_class(found))


class InstrumentsView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("class", "phase", "window_from", "window_to", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc(
            "Instruments by symbol",
            "Instrument",
            listed=True,
            description="One leaves the list when its window is over; `phase=closed` shows those too.",
        )
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("instruments", "s")
        found = instruments.instruments(
            now_us=self.now_us,
            limit=limit,
            after=str(after[0]) if after else "",
            class_key=self.query.symbol("class"),
            phase=self.query.choice("phase", PHASES),
            from_us=self.query.moment_us("window_from"),
            to_us=self.query.moment_us("window_to"),
        )
        return page(found, limit, "instruments", lambda row: (row.symbol,), render.instrument)


class InstrumentView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("One instrument: rules, phase, supply", "Instrument")}

    def get(self, _request: Request, symbol: str) -> Response:
        found = instruments.instrument(symbol=symbol, now_us=self.now_us) if fields.SYMBOL.fullmatch(symbol) else None
        if found is None:
            raise not_found()
        return Response(render.instrument(found))


class SheetView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("version",)}
    docs: ClassVar = {"GET": Doc("The disclosure sheet: the newest version, or the one asked for", "Sheet")}

    def get(self, _request: Request, symbol: str) -> Response:
        version = self.query.whole("version", 1, MOST_VERSIONS)
        found = sheets.sheet(symbol=rules_or_404(symbol).symbol, version=version, now_us=self.now_us)
        if found is None:
            raise not_found()
        return Response(render.sheet(symbol, found))

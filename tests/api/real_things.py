"""Makes some generated requests name what is really there, so that they get further than "there is nothing here"."""

import json
import random
import zlib
from typing import Any

from schemathesis import Case
from schemathesis.core import NotSet
from schemathesis.core.parameters import ParameterLocation

from tests.api.cast import Cast, Role
from tests.api.scenes import Scene

_PLACES = ("orders", "orders/batch", "orders/preview")
_OPTIONAL = (
    "type",
    "time_in_force",
    "expire_time",
    "post_only",
    "post_only_action",
    "rights",
    "accept",
    "deadline",
    "self_trade_prevention",
)


def chance_of(case: Case) -> random.Random:
    """The same chance for the same request, so that a failure can be shrunk and repeated."""
    body = None if isinstance(case.body, NotSet) else case.body  # which is written as the place it stands at, another one in every process
    text = repr((case.path_parameters, case.query, case.headers, body))
    return random.Random(zlib.crc32(text.encode("utf-8", "replace")))


def make_real(case: Case, cast: Cast, role: Role, chance: random.Random, *, may_place: bool) -> None:
    """Fill in real values where the request is well-formed, in three of four; orders to be changed are placed for it."""
    if chance.random() < 0.25:
        return
    known = role.known
    if case.operation.path.endswith("/activate"):
        known = known | {"right_id": cast.asleep}
    elif may_place and case.operation.method in {"patch", "delete"} and "trade" in (role.scopes or ()):
        known = known | role.fresh_order()
    for name in _fine(case, ParameterLocation.PATH, case.path_parameters):
        _swap(case.path_parameters, name, known.get(name), chance)
    for name in _fine(case, ParameterLocation.QUERY, case.query):
        if name == "cursor":
            # Nobody guesses one: that of this list, or none.
            path = case.operation.path.removeprefix("/api/v1/")
            case.query.pop("cursor")
            if f"{path} cursor" in role.known and chance.random() < 0.5:
                case.query["cursor"] = role.known[f"{path} cursor"][0]
        else:
            _swap(case.query, name, role.known.get({"instrument": "symbol", "class": "key", "holder": "account"}.get(name, name)), chance)
    if _fine(case, ParameterLocation.BODY, case.body):
        case.body = _body(json.loads(json.dumps(case.body)), case.operation.path.removeprefix("/api/v1/"), role, chance)


def play(case: Case, scene: Scene) -> None:
    """Put a scene's request in the place of the drawn one; no key makes it a repetition of another."""
    case.path_parameters, case.query = dict(scene.path), dict(scene.query)
    case.headers = {}
    if scene.body is not None:
        case.body = json.loads(json.dumps(scene.body))


def _fine(case: Case, place: ParameterLocation, values: Any) -> list[str]:
    """The names in a part of the request that nothing was done to on purpose."""
    part = case.meta.components.get(place) if case.meta else None
    return list(values) if part is not None and part.mode.is_positive and isinstance(values, dict) else []


def _swap(values: dict[str, Any], name: str, known: list[str] | None, chance: random.Random) -> None:
    if known and name in values:
        values[name] = chance.choice(known)


def _body(body: dict[str, Any], path: str, role: Role, chance: random.Random) -> dict[str, Any]:
    if path in _PLACES:
        for order in body.get("operations", [body]):
            _order(order, role, chance)
    elif path.startswith("orders/"):
        _amend(body, chance)
    if "manifest" in body and role.manifests and chance.random() < 0.8:
        body["manifest"] = chance.choice(role.manifests)
        body["manifest"]["resource"]["amount"] = str(chance.choice([1, 1000, 10**6]))
    for name, kind in (("right_id", "right_id"), ("buyer", "account"), ("holder", "account")):
        _swap(body, name, role.known.get(kind), chance)
    if "units" in body:
        body["units"] = str(chance.choice([1, 60, 1000, 10**6]))
    return body


def _order(order: dict[str, Any], role: Role, chance: random.Random) -> None:
    """Fewer options at once, a listed instrument, a price on its tick; orders that are there to be changed."""
    for name in _OPTIONAL:
        if chance.random() < 0.7:
            order.pop(name, None)
    _swap(order, "instrument", role.known.get("symbol"), chance)
    if order.get("op", "place") == "place":
        order["quantity"] = str(chance.randrange(1, 4))
        if order.get("type") == "market":
            order.pop("price", None)
        else:
            order["price"] = f"{chance.randrange(1, 4)}.{chance.randrange(10)}"
    else:
        _amend(order, chance)
        _swap(order, "id", role.known.get("order_id"), chance)
        _swap(order, "client_order_id", role.known.get("client_order_id"), chance)
        if "id" in order and chance.random() < 0.7:
            order.pop("client_order_id", None)


def _amend(change: dict[str, Any], chance: random.Random) -> None:
    for name in ("expire_time", "deadline"):
        if chance.random() < 0.7:
            change.pop(name, None)
    if "quantity" in change:
        change["quantity"] = str(chance.randrange(1, 9))
    if "price" in change:
        change["price"] = f"1.{chance.randrange(100):02d}"

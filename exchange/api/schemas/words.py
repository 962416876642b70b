"""The small types the wire is made of (API.md, conventions), as JSON Schema 2020-12."""

from typing import Any

Schema = dict[str, Any]
_UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$", "description": "A whole number as a string"}
LOTS: Schema = {"type": "string", "pattern": "^([1-9][0-9]{0,11}|1000000000000)$", "description": "Whole lots as a string"}
POSITIVE: Schema = {"type": "string", "pattern": "^[1-9][0-9]{0,18}$", "description": "A positive whole number as a string"}
DECIMAL: Schema = {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", "description": "An exact decimal as a string"}
PRICE: Schema = {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,18})?$", "description": "Quote currency per lot"}
MOMENT: Schema = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
    "description": "RFC 3339, UTC",
    "examples": ["2026-12-01T00:00:00.000000Z"],
}
# As a client may write one: `+00:00` is UTC too, and the years are those in which the venue lives.
GIVEN_MOMENT: Schema = {
    **MOMENT,
    "pattern": r"^2[01][0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,6})?(Z|\+00:00)$",
}
# What a client gives of money; the currency says how many decimals it takes, and none takes more.
MONEY: Schema = {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$", "description": "An exact decimal as a string"}
REASON: Schema = {"type": "string", "minLength": 1, "maxLength": 500, "pattern": r"\S", "description": "Goes on the record"}
SLUG: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
SYMBOL: Schema = {"type": "string", "pattern": "^[A-Z0-9][A-Z0-9.-]{0,63}$", "examples": ["TXT.CHAT.STD.INT.PRV-20261201T00-P1D"]}
CLIENT_ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_:+=/.-]{1,64}$"}
HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
BPS: Schema = {
    "type": "integer",
    "minimum": 0,
    "maximum": 10_000,
    "description": "Basis points; written without a point, as every number here",
}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}


def public_id(prefix: str) -> Schema:
    return {"type": "string", "pattern": f"^{prefix}_{_UUID7}$"}


def one_of(*names: str) -> Schema:
    return {"type": "string", "enum": list(names)}


def maybe(schema: Schema) -> Schema:
    """The schema, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    found = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        found["enum"] = [*schema["enum"], None]
    return found


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def many(schema: Schema, low: int = 0, high: int | None = None) -> Schema:
    found: Schema = {"type": "array", "items": schema}
    if low:
        found["minItems"] = low
    if high is not None:
        found["maxItems"] = high
    return found


def answer(properties: dict[str, Schema], optional: tuple[str, ...] = (), description: str = "") -> Schema:
    """An object we write: more members may come with time."""
    found: Schema = {"type": "object", "properties": properties, "required": [name for name in properties if name not in optional]}
    return {**found, "description": description} if description else found


def request(
    properties: dict[str, Schema], required: tuple[str, ...] = (), description: str = "", one_of: tuple[Schema, ...] = ()
) -> Schema:
    """An object we read: what is not listed is refused. `one_of`: the members that go together, and without which others."""
    found: Schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    if one_of:
        found["oneOf"] = list(one_of)
    return {**found, "description": description} if description else found


def page_of(name: str) -> Schema:
    return answer({"data": many(ref(name)), "next_cursor": maybe(TEXT)})


# What instruments, previews and records say of what may be expected (settlement/domain/record.py).
EXPECTED: dict[str, Schema] = {
    "expected_delivery_bps": {
        **maybe(BPS),
        "description": "Of 10,000 units asked for, those expected to be delivered: whole and degraded work, partial work by its share; null without a record",
    },
    "expected_delivery_lower_bps": {**maybe(BPS), "description": "The lower end of Wilson's interval at 95 %, rounded down"},
    "expected_delivery_sample": {**COUNT, "description": "Requests it rests on, without those their holders called off"},
}

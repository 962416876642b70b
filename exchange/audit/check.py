"""What a check is: a sentence that holds always, and the rows for which it does not."""

from typing import Any

import msgspec


class Check(msgspec.Struct, frozen=True):
    """`sql` selects offending rows (parameters: `%(now)s`, the moment of the audit); or `walk` names a reader of
    the whole journal (`events`, `books`, `anchors`) that reports under this check's name.
    """

    code: str
    name: str
    says: str
    sql: str = ""
    walk: str = ""


class Broken(msgspec.Struct, frozen=True):
    """A check that does not hold: up to 20 of the offending rows, and whether there are more."""

    code: str
    check: str
    says: str
    rows: list[dict[str, Any]]
    more: bool = False

"""docs/fungibility.md, written from the tables it explains (a test compares): `python -m exchange.api.fungibility_page`."""

from rights.domain.dominance import RULES, WINDOW_RULES
from rights.domain.vocabulary import AXES

_HEAD = """# Fungibility: from rights to an instrument

Rights trade in one book only if a buyer can't care which one is delivered (SPEC §3).

The **class** of a right is the SHA-256 of its dimensions, listed below: what is delivered, how well, with which fallbacks, settled how, by
an issuer of which tier, under which limits. Kind, amount, who issued, backing, transfer policy, routing hints and metadata are no part of it.
The **series** is a class in a window, the **instrument** a series with trading rules.

Each instrument has a **delivery rule**. `exact`, the default: rights of its own series. `dominance`: also rights of other series that are at
least as good in every dimension and whose window covers the instrument's. `GET /rights/{id}/eligibility?instrument=` answers per
dimension with a relation: `equal`, `better`, `worse`, `incomparable`, from the right's side. Exact lets `equal` pass, dominance also `better`;
no dimension makes up for another one.

Under dominance a seller's rights are delivered earliest window end first, then oldest; the fill names what was delivered. Which series a book delivers
is registered when it is listed, and again when a series appears (`instrument.deliverable_added`); class, window and rule never change, so
it is never taken back. Why it is so: `docs/adr/0010-dominance-is-an-order-per-dimension.md`.

Written from the tables by `python -m exchange.api.fungibility_page > docs/fungibility.md`.
"""


def page() -> str:
    """The whole document."""
    lines = [_HEAD, "## Dimensions of a class", "", "| dimension | what is better |", "|---|---|"]
    lines += [f"| `{field}` | {rule.words} |" for field, rule in RULES.items()]
    lines += ["", "## The window", "", "| part | what is better |", "|---|---|"]
    lines += [f"| `{field}` | {words} |" for field, words in WINDOW_RULES.items()]
    lines += [
        "",
        "## Vocabulary",
        "",
        "A manifest and a supplier's capability name the same axes in two ways. Also at `GET /api/v1/vocabulary`.",
    ]
    for axis in AXES:
        lines += ["", f"### {axis.name}: `{axis.right_field}` and a capability's `{axis.capability_field}`", "", axis.says, ""]
        lines += ["| in a manifest | canonical in a capability | may be served by |", "|---|---|---|"]
        lines += [
            f"| `{word}` | `{other}` | {', '.join(f'`{w}`' for w in axis.serving[word])} |" for word, other in axis.to_capability.items()
        ]
        lines += ["", "| in a capability | canonical in a manifest |", "|---|---|"]
        lines += [f"| `{word}` | `{other}` |" for word, other in axis.to_right.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the document is what this module prints

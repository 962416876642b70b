"""docs/errors.md, made from the error table, so that the page can't say anything else than GET /errors."""

from exchange.api.error_table import TABLE
from exchange.domain.command import Reason
from rights.domain.gates import CODES

_HEAD = """# Errors

Made by `.venv/bin/python manage.py error_page > docs/errors.md`; a test compares it with the table that the API answers from
(`exchange/api/error_table.py`). `GET /api/v1/errors` is the same table as data.

An error is an RFC 9457 problem, `application/problem+json`:

| member | meaning |
|---|---|
| `code` | one of the codes below; stable, made for programs |
| `status`, `title`, `type` | the HTTP status, the words below, and a link to the code |
| `detail` | words for people about this very request; may change |
| `retryable` | the very same request may succeed later |
| `field_errors` | `{field, code, detail}` for each field that is wrong, all at once; a nested field is written `a.b` |
| `gates` | `{code, passed, detail}` for each verdict of the transfer gate, or of the registry's rules, when one of them refused |
| `request_id` | also the header `X-Request-Id`; name it when you ask the operator |

No answer is not a "no". After a 504, a 503 or a broken connection send the same order with the same `client_order_id` again (other
POSTs: the same `Idempotency-Key`): it is done once, however often it arrives.

`busy` is a definite no to this request: nothing was written, because more commands wait for the book than it may keep waiting. Send the same
again after `Retry-After`. Cancels never get it.
"""
_SECTIONS = (
    ("api", "Requests", "What the API itself says, before any rule of the market is asked."),
    (
        "order",
        "Orders",
        "Why an order or a change of one was refused (422), and the `reason` of orders that ended otherwise than filled; a refused place is an order too, `rejected`.",
    ),
    (
        "gate",
        "Transfer gate",
        "Why a right may not change hands. They stand in `gates`, all that hold at once; each `detail` ends with what would lift it.",
    ),
    (
        "registry",
        "Registry",
        "Why a right may not be issued or changed. They stand in `gates`, under `issuance_refused`, `lifecycle_refused` or `package_refused`.",
    ),
    (
        "policy",
        "Standing policies",
        "Why a policy can't be so, and why a key's order was not let in: it is bound by limits of its own or by an agent's policy.",
    ),
    (
        "supply",
        "Supply",
        "Why a supplier, capacity or an assurance can't be so. They stand in `gates`, under `supply_refused` or `issuance_refused`, with their field in `field_errors`.",
    ),
    (
        "route",
        "Using rights",
        "Why a right can't be used for a request, or a supplier not serve it. They stand in `gates` with `right_id` and `supplier`, under `request_refused`; codes of the gate and the registry may stand beside them.",
    ),
)


def _line(code: str) -> str:
    row = TABLE[code]
    told = row.lifted_by if row.family == "gate" else "yes" if row.retryable else ""
    return f"| `{code}` | {row.status} | {row.title} | {told} |"


def error_page() -> str:
    """The page as Markdown; ends with a line end."""
    parts = [_HEAD]
    for family, title, about in _SECTIONS:
        lines = [_line(row.code) for row in TABLE.values() if row.family == family]
        last = "lifted by" if family == "gate" else "retryable"
        parts.append(f"\n## {title}\n\n{about}\n\n| code | status | meaning | {last} |\n|---|---|---|---|\n" + "\n".join(lines) + "\n")
    reasons = {reason.name.lower() for reason in Reason}
    shared = "".join(f"- `{code}`: {TABLE[code].lifted_by}\n" for code in CODES if code in reasons)
    parts.append(f"\nGate codes that are also reasons of orders, with the same meaning, and what lifts them:\n\n{shared}")
    return "".join(parts)

"""The words of the commands about members: roles in the console, and the scopes they come with."""

from collections.abc import Sequence

from rights.domain.staff import AUDITORS, OPERATORS

ROLES: dict[str, Sequence[str]] = {"operator": (OPERATORS,), "auditor": (AUDITORS,)}
_SCOPES = {
    None: ("read", "trade", "cancel"),
    "operator": ("read", "operate", "audit", "clearing"),
    "auditor": ("read", "audit"),
}


def scopes_of(text: str, role: str | None) -> Sequence[str]:
    """The scopes that are written, comma-separated, or else what the role needs."""
    return listed(text) or _SCOPES[role]


def listed(text: str) -> Sequence[str]:
    """The words between the commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())

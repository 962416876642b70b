"""The payloads of endpoints' events (docs/events.md). The secret is in none of them, only whether there is one."""

from typing import Final

Payload = dict[str, object]

REGISTERED: Final = "endpoint.registered"
CHANGED: Final = "endpoint.changed"


def setup(*, adapter: str, base_url: str, model: str, timeout_ms: int, max_attempts: int, inside: bool, with_secret: bool) -> Payload:
    """How the endpoint is called; `inside`: an operator lets its address be one that is not global."""
    return {
        "adapter": adapter,
        "base_url": base_url,
        "inside": inside,
        "max_attempts": max_attempts,
        "model": model,
        "timeout_ms": timeout_ms,
        "with_secret": with_secret,
    }


def registered(*, capability: str, said: Payload) -> Payload:
    """A new endpoint of the capability (a UUID text), active."""
    return {**said, "capability": f"cap_{capability}"}


def changed(*, said: Payload, status: str, is_secret_new: bool, reason: str | None) -> Payload:
    """Everything of the endpoint as it is now; `secret_changed`: it is called with another secret than before."""
    return {**said, "reason": reason, "secret_changed": is_secret_new, "status": status}

"""What happens by itself to requests as time passes: locks run out, those that wait are tried again, those that waited too long end;
proofs that never came have failed, and what nobody challenged is final.

Those whose executor fell silent end without a charge; for those that no executor has taken the bell rings again.
"""

from exchange.services.redeem_bell import ring_waiting
from rights.kernel.ids import Mint
from settlement.services.cancel import expire_requests_due
from settlement.services.finalize import finalize_due
from settlement.services.pulse import abandoned_due
from settlement.services.receipt import proof_deadlines_due
from settlement.services.route import expire_locks_due, route_again_due


def redeem_due(*, mint: Mint, actor: str, now_us: int) -> int:
    """Do what is due, each request in a transaction of its own; how many requests changed."""
    ring_waiting(now_us=now_us)
    return (
        abandoned_due(mint=mint, actor=actor, now_us=now_us)
        + expire_locks_due(actor=actor, now_us=now_us)
        + expire_requests_due(mint=mint, actor=actor, now_us=now_us)
        + route_again_due(mint=mint, actor=actor, now_us=now_us)
        + proof_deadlines_due(mint=mint, actor=actor, now_us=now_us)
        + finalize_due(mint=mint, actor=actor, now_us=now_us)
    )

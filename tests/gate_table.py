"""Every code of the transfer gate at each of its four doors: what brings it about, or why nothing does."""

from collections.abc import Callable
from typing import Any

import msgspec

from exchange.domain.command import Reason
from exchange.services import expiry
from rights.domain.gate_rules import TAKER_RULES
from tests.gate_acts import (
    END_US,
    HOUR_US,
    at,
    attested,
    burned,
    denies_other,
    finalized,
    frozen,
    locked,
    permitted,
    revoked,
    suspended,
    unattested,
    used_up,
)
from tests.gate_doors import LOT, TAKER, Scene
from tests.gate_proofs import (
    a_lock_up_only_ends,
    an_ask_names_no_taker,
    behind_an_ask_it_does_not_end,
    in_a_package_it_does_not_end,
    no_fresh_units_join_what_rests,
    nothing_becomes_issued_again,
    terms_do_not_change_behind_an_ask,
    units_behind_an_ask_stay,
    units_in_a_package_stay,
)
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT


class Shut(msgspec.Struct):
    """A right under `policy`; then `act`, and the door refuses. `policy` may need to know who is there."""

    policy: dict[str, Any] | Callable[[HonestMarket], dict[str, Any]] = {}
    act: Callable[[Scene], None] = lambda _: None
    activate: bool = True
    giver: str = "holder"

    def scene(self, market: HonestMarket) -> Scene:
        policy = self.policy if isinstance(self.policy, dict) else self.policy(market)
        return Scene(market, activate=self.activate, giver=self.giver, **policy)


class Never(msgspec.Struct):
    """It can't come up at this door: why, and what shows it."""

    why: str
    proof: Callable[[HonestMarket], None]


class Pulled(msgspec.Struct):
    """An ask that was taken rests; then `act`, and matching takes the order out of the book for `reason`, without a trade."""

    reason: Reason
    act: Callable[[Scene], None]
    policy: dict[str, Any] = {}
    by_command: bool = True


class Passed(msgspec.Struct):
    """An ask that was taken rests, `other` might have it; then `act`, and his order goes without. The ask stays for others."""

    policy: dict[str, Any] | Callable[[HonestMarket], dict[str, Any]]
    before: Callable[[Scene], Any] = lambda _: None
    act: Callable[[Scene, Any], Any] = lambda _, __: None
    giver: str = "holder"


NO_TAKER = Never("an ask names no taker; every bidder is judged at the match", an_ask_names_no_taker)
RESERVED = Never("what is behind an ask is reserved, and no act ends a right that is", behind_an_ask_it_does_not_end)
PACKED = Never("what is in a package is locked, and no act ends a right that is", in_a_package_it_does_not_end)
SAME_TERMS = Never("the ask was taken under the same terms; they don't change while units are reserved", terms_do_not_change_behind_an_ask)
# Code → what shuts it at the ask, at a transfer and at a delivery out of a package, where nothing else is said below.
WAYS: dict[str, Shut] = {
    "right_not_active": Shut(activate=False),
    "right_frozen": Shut(act=frozen),
    "right_expired": Shut(act=lambda scene: at(scene, END_US)),
    "right_fully_consumed": Shut(act=used_up),
    "right_finalized": Shut(act=finalized),
    "right_burned": Shut({"pre_activation_transfer": True}, burned, activate=False),
    "not_transferable": Shut({"transferable": False}),
    "units_unavailable": Shut(act=locked),
    "not_splittable": Shut({"splittable": False}),
    "below_min_transfer": Shut({"min_transfer_units": str(2 * LOT)}),
    "locked_up": Shut({"lockup_until": "2026-12-01T12:00:00Z"}),
    "hold_period": Shut({"min_hold_seconds": 86_400}),
    "transfer_cutoff": Shut({"transfer_cutoff_seconds": 7200}, lambda scene: at(scene, END_US - 2 * HOUR_US)),
    "venue_not_allowed": Shut({"venue_deny": ["synthference"]}),
    "giver_suspended": Shut(act=suspended("holder")),
    "taker_suspended": Shut(act=suspended(TAKER)),
    "holder_type_not_eligible": Shut({"eligible_holder_types": ["app"]}),
    "jurisdiction_not_eligible": Shut({"eligible_jurisdictions": ["US"]}),
    "holder_denied": Shut(denies_other),
    "attestation_missing": Shut({"required_attestations": ["kyc"]}),
    "max_holders": Shut({"max_holders": 1}),
    "max_units_per_holder": Shut({"max_units_per_holder": str(LOT - 1)}, giver="issuer"),
    "consent_missing": Shut({"requires_issuer_consent": True}),
    "acknowledgment_missing": Shut({"requires_registry_acknowledgment": True}),
}
AT_THE_ASK = dict.fromkeys([code for code, _, _ in TAKER_RULES if code not in ("consent_missing", "acknowledgment_missing")], NO_TAKER)
IN_A_PACKAGE = {
    "right_fully_consumed": PACKED,
    "right_finalized": PACKED,
    "right_burned": PACKED,
    "units_unavailable": Never("the package's own lock holds its units for this very move", units_in_a_package_stay),
}
AT_THE_FILL: dict[str, Pulled | Passed | Never] = {
    "right_not_active": Never("no right becomes issued that was not", nothing_becomes_issued_again),
    "right_frozen": Pulled(Reason.RIGHT_FROZEN, frozen),
    "right_expired": Pulled(
        Reason.RIGHT_EXPIRED, lambda scene: at(scene, END_US) or (expiry.expire_due(mint=MINT, now_us=scene.market.now_us) and None)
    ),
    "right_fully_consumed": RESERVED,
    "right_finalized": RESERVED,
    "right_burned": RESERVED,
    "not_transferable": SAME_TERMS,
    "units_unavailable": Never("the ask's own reservation holds its units", units_behind_an_ask_stay),
    "not_splittable": SAME_TERMS,
    "below_min_transfer": SAME_TERMS,
    "locked_up": Never("a lock-up ends, and none begins", a_lock_up_only_ends),
    "hold_period": Never("what rests has been held long enough, and nothing fresh joins it", no_fresh_units_join_what_rests),
    "transfer_cutoff": Pulled(
        Reason.TRANSFER_CUTOFF, lambda scene: at(scene, END_US - 2 * HOUR_US), {"transfer_cutoff_seconds": 7200}, by_command=False
    ),
    "venue_not_allowed": SAME_TERMS,
    "giver_suspended": Pulled(Reason.HOLDER_SUSPENDED, suspended("holder")),
    "taker_suspended": Passed({"max_holders": 9}, act=lambda scene, _: suspended(TAKER)(scene)),
    "holder_type_not_eligible": Passed({"eligible_holder_types": ["app"]}),
    "jurisdiction_not_eligible": Passed(
        {"eligible_jurisdictions": ["US"]}, lambda scene: attested(scene, "jurisdiction", "US"), act=unattested
    ),
    "holder_denied": Passed(denies_other),
    "attestation_missing": Passed({"required_attestations": ["kyc"]}, lambda scene: attested(scene, "kyc"), act=unattested),
    "max_holders": Passed({"max_holders": 2}, act=lambda scene, _: scene.give(LOT // 2, "third")),
    "max_units_per_holder": Passed(
        {"max_units_per_holder": str(5 * LOT // 4)}, act=lambda scene, _: scene.give(LOT // 2, TAKER), giver="issuer"
    ),
    "consent_missing": Passed({"requires_issuer_consent": True}, permitted, act=revoked),
    "acknowledgment_missing": Passed(
        {"requires_registry_acknowledgment": True}, lambda scene: permitted(scene, "acknowledgment"), act=revoked
    ),
}


def case_of(code: str, door: str) -> Shut | Pulled | Passed | Never:
    special = {"ask": AT_THE_ASK, "fill": AT_THE_FILL, "transfer": {}, "package": IN_A_PACKAGE}[door]
    return special[code] if code in special else WAYS[code]

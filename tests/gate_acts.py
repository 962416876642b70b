"""What shuts a right's gate, or opens it: each an act on a scene, through the services."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from exchange.services.participants import suspend
from rights.kernel.ids import public
from rights.models import Consent, Participant
from rights.services import attestations, consents
from rights.services import freeze as registry_freeze
from rights.services.locks import Lock
from rights.services.refusals import LifecycleRefusedError
from settlement.services import endings, issuance
from settlement.services.consume import consume_right
from settlement.services.unit_locks import lock_units
from tests.gate_doors import LOT, TAKER, Scene
from tests.honest_market import HonestMarket
from tests.registry_desk import DAY_US, MINT, START_US

END_US = START_US + DAY_US
HOUR_US = 3_600_000_000


def at(scene: Scene, now_us: int) -> None:
    scene.market.now_us = now_us


def frozen(scene: Scene) -> None:
    registry_freeze.freeze_right(right_id=scene.right_id, freeze_reason="compliance", note="a look", **scene.told)


def used_up(scene: Scene) -> None:
    at(scene, START_US)
    consume_right(right_id=scene.right_id, units=2 * LOT, ref="work", mint=MINT, **scene.told)


def finalized(scene: Scene) -> None:
    issuance.finalize_right(right_id=scene.right_id, ref="", reason="over", mint=MINT, **scene.told)


def burned(scene: Scene) -> None:
    issuance.burn_right(right_id=scene.right_id, reason="over", mint=MINT, **scene.told)


def expired(scene: Scene) -> None:
    at(scene, END_US)
    endings.expire_right(right_id=scene.right_id, mint=MINT, **scene.told)


def locked(scene: Scene) -> None:
    lock_units(locks=[Lock(scene.right_id, "dispute", "dsp_1", 2 * LOT)], holder_id=scene.accounts["holder"].pk, now_us=scene.market.now_us)


def suspended(slug: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        participant = Participant.objects.get(pk=scene.accounts[slug].participant_id)  # a fresh one: the test's changes end with it
        suspend(participant=participant, reason="a look", **scene.told)

    return act


def attested(scene: Scene, kind: str, value: str = "") -> str:
    fact = attestations.Fact(kind, "file 7", value)
    row = attestations.attest(account=scene.accounts[TAKER], fact=fact, attestation_id=MINT.uuid(scene.market.now_us), **scene.told)
    return str(row.uuid)


def permitted(scene: Scene, kind: str = "consent") -> Consent:
    return consents.grant_standing(
        issuer=scene.market.desk.issuer,
        kind=kind,
        coverage=consents.Coverage(root_id=scene.right_id),
        taker=scene.accounts[TAKER],
        expires_us=None,
        note="",
        consent_id=MINT.uuid(scene.market.now_us),
        **scene.told,
    )


def revoked(scene: Scene, permit: Consent) -> None:
    consents.revoke_consent(consent_id=str(permit.uuid), note="no more", **scene.told)


def unattested(scene: Scene, attestation: str) -> None:
    attestations.revoke_attestation(attestation_id=attestation, note="no more", **scene.told)


def denies_other(market: HonestMarket) -> dict[str, Any]:
    return {"denied_holders": [public("acc", str(market.accounts[TAKER].uuid))]}


def refused_with(code: str, act: Callable[[], Any]) -> None:
    with pytest.raises(LifecycleRefusedError) as refused, transaction.atomic():
        act()
    assert code in [one.code for one in refused.value.refusals]

"""Whatever happens to rights in use, nothing is lost, nothing is paid twice, and the events alone tell the same (TRUST S1 - S3, L1 - L4).

`USE_HISTORIES` says how many; under `TORTURE` five thousand.
"""

import os

import pytest

from exchange.audit.run import audit
from exchange.replay.run import replay
from rights.models import UnitLock
from settlement.models import Request, Settlement
from tests.integration.settling.use_history import UseHistory
from tests.using_desk import Using

pytestmark = pytest.mark.django_db
HISTORIES = int(os.environ.get("USE_HISTORIES", "5000" if os.environ.get("TORTURE") == "1" else "24"))
IN_ONE_WORLD = 12


@pytest.mark.parametrize("seed", range(HISTORIES // IN_ONE_WORLD + bool(HISTORIES % IN_ONE_WORLD)))
def test_histories_drawn_by_chance(seed: int) -> None:
    desk = Using()
    history = UseHistory(desk, seed)
    for _ in range(IN_ONE_WORLD):
        history.run()
        assert desk.cash("venue:escrow") == 0, history.steps
    assert not UnitLock.objects.filter(released_at=None).exists()
    assert not Settlement.objects.exclude(state="finalized").exists()
    assert set(Request.objects.values_list("state", flat=True)) == {"settled"}
    report = audit(now_us=desk.now_us)
    assert report.broken == [], [(broken.check, broken.rows[:3]) for broken in report.broken]
    told = replay()
    assert told.differences == {}, told.first[:3]
    assert all(step in history.steps for step in ("submitted", "full", "waited", "challenged", "packed")), history.steps

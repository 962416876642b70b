"""An issuer with posted capacity, for tests of the registry: everything through the services."""

from typing import Any

from exchange.services.participants import NewAccount, appoint_issuer, grant_operator_roles, open_participant
from rights.domain.manifest import read_manifest
from rights.kernel.ids import Mint
from rights.models import Account, Assurance, Issuer, Right
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for
from settlement.services.issuance import issue_right
from tests.unit.rights.domain.manifests import chat_day

DAY_US = 86_400_000_000
START_US = 1_796_083_200_000_000  # 2026-12-01, the window of the plain example
NOW_US = START_US - 30 * DAY_US
MINT = Mint()


class Desk:
    """`issuer` may issue `units` of the plain example's class and window; `holder` and `other` may hold."""

    def __init__(self, *, units: int = 100_000_000, **capacity: Any) -> None:
        self.now_us = NOW_US
        self.accounts: dict[str, Account] = {slug: self.open(slug) for slug in ("issuer", "holder", "other")}
        self.issuer: Issuer = appoint_issuer(
            participant=self.accounts["issuer"].participant,
            slug="issuer",
            issuer_type="provider",
            tier=1,
            issuance_path="centralized-coordinator",
            actor="test",
            now_us=NOW_US,
        )
        operator = self.accounts["issuer"].participant  # it runs the venue here too
        grant_operator_roles(participant=operator, mint=MINT, reason="test", actor="test", now_us=NOW_US)
        self.assurance: Assurance = self.assure(gross_units=units, **capacity)

    def open(self, slug: str, holder_type: str = "app") -> Account:
        account = NewAccount(slug, holder_type, "US")
        return open_participant(slug=slug, name=slug, account=account, mint=MINT, actor="test", now_us=NOW_US).accounts.get()

    def assure(self, *, patch: dict[str, Any] | None = None, **capacity: Any) -> Assurance:
        manifest = read_manifest(chat_day(**(patch or {})))
        stated = {
            "mode": manifest.document["assurance"]["mode"],
            "reference": manifest.document["assurance"]["reference"],
            "window_start_us": manifest.window_start_us,
            "window_end_us": manifest.window_end_us,
        }
        return post_assurance(
            issuer=self.issuer,
            compute_class=class_for(manifest=manifest, issuer_tier=self.issuer.tier),
            capacity=Capacity(**{**stated, **capacity}),
            assurance_id=MINT.uuid(self.now_us),
            actor="test",
            now_us=self.now_us,
        )

    def issue(self, units: int = 10_000_000, *, holder: str = "holder", activate: bool = True, **patch: Any) -> Right:
        document = chat_day(**{**patch, "resource": {**patch.get("resource", {}), "amount": str(units)}})
        return issue_right(
            issuer=self.issuer,
            holder=self.accounts[holder],
            document=document,
            mint=MINT,
            actor="test",
            now_us=self.now_us,
            activate=activate,
        )

"""Random histories of everything a right can be and do, over the services and a real database (TRUST L4, E2, G1, G2, G3).

Each history ends with the audit, the replay, and a naive reader of its events (`naive_registry.py`) that judges every move again.
A few histories in CI; five thousand with TORTURE=1, in parts. `HISTORIES` is another number of all, `SEED` another beginning: two
processes with two seeds (`TORTURE=1 HISTORIES=2500 SEED=1 pytest -s …`, and `SEED=2`) do half each, and say after each part what they did.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from exchange.audit.run import audit
from exchange.domain.command import Phase as TradingPhase
from exchange.replay.run import replay
from exchange.services import expiry, freeze
from exchange.services.batch import Outcome, match_once
from exchange.services.block_offers import Terms, accept_offer, expire_offers_due, make_offer
from exchange.services.lane import LaneMemory
from exchange.services.participants import reinstate, suspend
from rights.domain.lifecycle import FreezeReason
from rights.domain.package import PartFacts
from rights.kernel import rows
from rights.kernel.ids import public
from rights.models import Account, Delegation, Package, Participant, Right
from rights.services import attestations, consents
from rights.services.activate import activate_right
from rights.services.delegations import Bounds, Use, delegate, expire_delegations_due, revoke_delegation
from rights.services.split import merge_rights, split_right
from rights.services.venue import venue_account
from settlement.services import issuance, packages
from settlement.services.consume import consume_right
from settlement.services.ledger import cash_asset
from settlement.services.transfer import Part, transfer_units
from tests.honest_market import HonestMarket
from tests.lazy_savepoints import lazy_savepoints
from tests.property.naive_registry import NaiveRegistry
from tests.races import REFUSALS, codes_of, rounds
from tests.registry_desk import DAY_US, MINT, START_US
from tests.shared_market import hold_for_ever

pytestmark = pytest.mark.django_db
LOT = 1_000_000
PARTS = rounds(10, 1)
HISTORIES = -(-int(os.environ.get("HISTORIES", rounds(5000, 12))) // PARTS)  # of each part
SEED = int(os.environ.get("SEED", "1"))
STEPS = 25
WHO = ("holder", "other", "third")
SECOND, HOUR = 1_000_000, 3_600_000_000
PLAIN: dict[str, Any] = {}
POLICIES: tuple[dict[str, Any], ...] = (
    PLAIN,
    {"splittable": False},
    {"min_transfer_units": str(LOT)},
    {"min_hold_seconds": 3600},
    {"transfer_cutoff_seconds": 43_200},
    {"lockup_until": "2026-11-02T00:00:00Z"},
    {"requires_issuer_consent": True},
    {"requires_registry_acknowledgment": True, "max_holders": 3},
    {"max_holders": 2},
    {"max_units_per_holder": str(4 * LOT)},
    {"required_attestations": ["kyc"]},
    {"eligible_jurisdictions": ["DE"]},
    {"pre_activation_transfer": True},
    {"delegable": False, "transferable": False},
    {"denied_holders": ["third"]},
)

people = st.sampled_from(WHO)
places = st.integers(0, 2**16)  # the n-th of whatever there is
lots = st.integers(1, 3)
odd_units = st.integers(1, 3 * LOT)


class Seen(NamedTuple):
    """As much of a right as whoever acts on it has to know."""

    id: str
    holder: int
    remaining: int
    parent: str | None


_RIGHTS = """
SELECT r.id::text, r.holder_id, r.remaining_units, r.parent_id::text FROM rights_right r JOIN rights_terms t ON t.terms_hash = r.terms_hash
WHERE r.series_id = %s"""
_EVERY_RIGHT = """
SELECT r.id, h.uuid, r.status, r.max_units, r.remaining_units FROM rights_right r JOIN rights_account h ON h.id = r.holder_id
"""
_EVERY_BALANCE = """
SELECT s.root_right, a.uuid, b.amount FROM settlement_balance b JOIN settlement_asset s ON s.id = b.asset_id AND s.kind = 'units'
JOIN rights_account a ON a.id = b.account_id AND a.code IS NULL WHERE b.amount <> 0
"""


class Registry(RuleBasedStateMachine):
    """Whoever acts is sometimes refused; what is refused changes nothing, and counts for nothing here."""

    market: ClassVar[HonestMarket]
    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.history = transaction.atomic()
        self.history._from_testcase = True
        self.history.__enter__()
        self.before_us = self.market.now_us
        self.market.lane = LaneMemory()
        self.entering: dict[int, bool] = {}  # who may enter; empty when it may have changed

    def teardown(self) -> None:
        market = self.market
        try:
            self.match()
            naive = NaiveRegistry().read()
            assert naive.faults == []
            self.same_as_the_tables(naive)
            report = audit(now_us=market.now_us)
            assert report.broken == []
            if self.done["histories"] % 10 == 0:  # the audit has walked both journals as well, against the reference engine
                assert replay().differences == {}
            self.done["histories"] += 1
            self.done["moves"] += naive.moves
        finally:
            transaction.set_rollback(True)
            self.history.__exit__(None, None, None)
            market.now_us = market.desk.now_us = self.before_us

    def same_as_the_tables(self, naive: NaiveRegistry) -> None:
        rights = {f"rgt_{pk}": (f"acc_{holder}", status, most, left) for pk, holder, status, most, left in rows.fetch_all(_EVERY_RIGHT)}
        assert rights == {key: (right.holder, right.status, right.max, right.remaining) for key, right in naive.rights.items()}
        held: dict[tuple[str, str], int] = {}
        for right in naive.rights.values():
            held[right.root, right.holder] = held.get((right.root, right.holder), 0) + right.remaining
        found = {(f"rgt_{root}", f"acc_{holder}"): units for root, holder, units in rows.fetch_all(_EVERY_BALANCE)}
        assert found == {key: units for key, units in held.items() if units}

    # what every act shares

    @property
    def told(self) -> dict[str, Any]:
        return {"actor": "command:test", "now_us": self.market.now_us}

    def act(self, name: str, service: Callable[[], Any]) -> Any:
        self.market.now_us += 1000
        try:
            with transaction.atomic():
                found = service()
        except REFUSALS as refusal:
            self.done[f"{name}: refused"] += 1
            for code in codes_of(refusal):
                self.done[code] += 1
            return None
        self.done[name] += 1
        return found

    def match(self) -> None:
        """Whatever waits is one batch; the look that finds nothing more is left to the next."""
        market = self.market
        market.now_us += 1000
        while (matched := match_once(market.lane, book_id=market.book_id, now_us=market.now_us)).outcome is Outcome.MATCHED:
            market.now_us += 1000
            if not matched.more:
                return

    def nth(self, found: Sequence[Any], place: int) -> Any:
        """The n-th of what was found, round and round; None of none."""
        return found[place % len(found)] if found else None

    def rights(self, which: str, *params: Any) -> list[Seen]:
        """What is seen of the rights that are so, by a statement that is planned once."""
        found = rows.fetch_all(f"{_RIGHTS} AND {which} ORDER BY r.id", [self.market.series.pk, *params])
        return [Seen(*row) for row in found]

    def a_right(self, place: int) -> Seen | None:
        """Mostly one that has something left."""
        return self.nth(self.rights("r.remaining_units > 0" if place % 8 else "true"), place // 8)

    def a_row(self, table: str, which: str, place: int) -> Any:
        """The n-th row that is so: its UUID and its number."""
        return self.nth(rows.fetch_all(f"SELECT uuid::text, id FROM {table} WHERE {which} ORDER BY id"), place)

    def account(self, account_id: int) -> Account:
        return next(account for account in self.market.accounts.values() if account.pk == account_id)

    def slug_of(self, account_id: int) -> str:
        return next((slug for slug, account in self.market.accounts.items() if account.pk == account_id), "")

    # the life of rights

    @initialize(
        policies=st.lists(st.sampled_from(POLICIES), min_size=2, max_size=3),
        who=people,
        lots=st.integers(2, 8),
        place=places,
        units=odd_units,
    )
    def begin(self, policies: list[dict[str, Any]], who: str, lots: int, place: int, units: int) -> None:
        """Some rights, and what their first days brought: a deal, a gift, a part in a package, a part somebody may use."""
        for number, policy in enumerate(policies):
            self.issue(policy, who, lots, True)
            self.deal(8 * number + 1, WHO[1 + place % 2], 1)
        self.transfer(place, units, place % 2 == 0, WHO[place % 3])
        self.package(place, place, units)
        self.delegate(place, units, WHO[place % 3], "right")

    @rule(policy=st.sampled_from(POLICIES), who=st.sampled_from((*WHO, "issuer")), lots=st.integers(1, 8), active=st.booleans())
    def issue(self, policy: dict[str, Any], who: str, lots: int, active: bool) -> None:
        desk = self.market.desk
        desk.now_us = self.market.now_us + 1000
        if "denied_holders" in policy:
            policy = {"denied_holders": [public("acc", str(desk.accounts[slug].uuid)) for slug in policy["denied_holders"]]}
        self.act("issue", lambda: desk.issue(lots * LOT, holder=who, activate=active, transfer_policy=policy))

    @rule(place=places)
    def activate(self, place: int) -> None:
        right = self.nth(self.rights("r.status = 'issued'"), place)
        if right:
            self.act("activate", lambda: activate_right(right_id=right.id, **self.told))

    @rule(place=places, units=odd_units)
    def split(self, place: int, units: int) -> None:
        right = self.a_right(place)
        if right:
            child = MINT.uuid(self.market.now_us)
            self.act("split", lambda: split_right(right_id=right.id, units=units, child_id=child, holder_id=right.holder, **self.told))

    @rule(place=places, other=places)
    def merge(self, place: int, other: int) -> None:
        target = self.nth(self.rights("r.parent_id IS NOT NULL"), place)
        source = target and self.nth(self.rights("r.parent_id = %s::uuid AND r.id <> %s::uuid", target.parent, target.id), other)
        if source:
            self.act("merge", lambda: merge_rights(source_id=source.id, target_id=target.id, **self.told))

    @rule(place=places, units=odd_units, whole=st.booleans(), who=st.sampled_from((*WHO, "issuer")))
    def transfer(self, place: int, units: int, whole: bool, who: str) -> None:
        right, taker = self.a_right(place), self.market.accounts[who]
        if right and right.holder != taker.pk:
            part, giver = Part(right.id, right.remaining if whole else units), self.account(right.holder)
            self.act("transfer", lambda: transfer_units(parts=[part], giver=giver, taker=taker, mint=MINT, **self.told))

    @rule(place=places, why=st.sampled_from(list(FreezeReason)))
    def freeze(self, place: int, why: str) -> None:
        right = self.a_right(place)
        if right:
            self.act("freeze", lambda: freeze.freeze_right(right_id=right.id, freeze_reason=why, reason="a look", **self.told))

    @rule(place=places)
    def unfreeze(self, place: int) -> None:
        right = self.nth(self.rights("r.status = 'frozen'"), place)
        if right:
            self.act("unfreeze", lambda: freeze.unfreeze_right(right_id=right.id, reason="on", mint=MINT, **self.told))

    @rule(place=places, units=odd_units, whole=st.booleans())
    def consume(self, place: int, units: int, whole: bool) -> None:
        right = self.a_right(place)
        if right:
            wanted = right.remaining if whole else units
            self.act("consume", lambda: consume_right(right_id=right.id, units=wanted, ref="work", mint=MINT, **self.told))

    @rule(place=places)
    def finalize(self, place: int) -> None:
        right = self.a_right(place)
        if right:
            self.act("finalize", lambda: issuance.finalize_right(right_id=right.id, ref="", reason="over", mint=MINT, **self.told))

    @rule(place=places)
    def burn(self, place: int) -> None:
        right = self.a_right(place)
        if right:
            self.act("burn", lambda: issuance.burn_right(right_id=right.id, reason="over", mint=MINT, **self.told))

    @rule(long_us=st.sampled_from((SECOND, HOUR, DAY_US, 10 * DAY_US)), to=st.sampled_from((None, START_US, START_US + DAY_US - HOUR)))
    def time_passes(self, long_us: int, to: int | None) -> None:
        """The clock moves, and what is due happens."""
        market = self.market
        market.now_us = max(market.now_us + long_us, to or 0)
        told = {"actor": "timetable", "now_us": market.now_us}
        consents.expire_consents_due(**told)
        expire_delegations_due(**told)
        expire_offers_due(**told)
        expiry.expire_due(mint=MINT, now_us=market.now_us)
        self.match()
        expiry.expire_due(mint=MINT, now_us=market.now_us)

    # the book

    @rule(place=places, lots=lots, price=st.integers(99, 101), named=st.booleans())
    def ask(self, place: int, lots: int, price: int, named: bool) -> None:
        right = self.a_right(place)
        slug = self.slug_of(right.holder) if right else ""
        if right and slug in self.market.keys and self.may_enter(slug):
            self.market.place(slug, "sell", lots, price, **({"rights": [right.id]} if named else {}))

    @rule(who=st.sampled_from(("other", "third")), lots=lots, price=st.integers(99, 101))
    def bid(self, who: str, lots: int, price: int) -> None:
        if self.may_enter(who):
            self.market.place(who, "buy", lots, price)

    def may_enter(self, slug: str) -> bool:
        """Whoever is suspended does not get through the door, which stands before the services here."""
        if not self.entering:
            self.entering = dict(rows.fetch_all("SELECT id, status = 'active' FROM rights_participant"))
        return self.entering[self.market.accounts[slug].participant_id]

    @rule()
    def trade(self) -> None:
        self.match()

    @rule(place=places, who=st.sampled_from(("other", "third")), lots=lots)
    def deal(self, place: int, who: str, lots: int) -> None:
        """An ask and a bid that would meet, whatever else is in the book."""
        self.ask(place, lots, 99, True)
        self.bid(who, lots, 101)
        self.match()

    @rule(place=places)
    def cancel(self, place: int) -> None:
        order = self.nth(rows.fetch_all("SELECT id::text, account_id FROM exchange_order WHERE is_open ORDER BY id"), place)
        slug = self.slug_of(order[1]) if order else ""
        if slug and self.may_enter(slug):
            self.market.cancel(slug, order[0])

    # whom the gate asks about

    @rule(kind=st.sampled_from(("consent", "acknowledgment")), who=st.sampled_from((None, *WHO)), long=st.booleans())
    def permit(self, kind: str, who: str | None, long: bool) -> None:
        taker = None if who is None else self.market.accounts[who]
        ends = None if long else self.market.now_us + HOUR
        made = MINT.uuid(self.market.now_us)
        self.act(
            "permit",
            lambda: consents.grant_standing(
                issuer=self.market.desk.issuer,
                kind=kind,
                coverage=consents.Coverage(),
                taker=taker,
                expires_us=ends,
                note="",
                consent_id=made,
                **self.told,
            ),
        )

    @rule(place=places, who=people, kind=st.sampled_from(("consent", "acknowledgment")), units=odd_units)
    def permit_once(self, place: int, who: str, kind: str, units: int) -> None:
        right = self.nth(self.rights("(t.transfer_policy -> 'requires_issuer_consent')::boolean AND r.remaining_units > 0"), place)
        if right:
            asked = consents.Asked(Right.objects.get(pk=right.id), self.market.accounts[who], units, kind)
            row = self.act(
                "ask for consent", lambda: consents.request_consent(asked=asked, consent_id=MINT.uuid(self.market.now_us), **self.told)
            )
            if row:
                self.act("consent", lambda: consents.answer_consent(consent_id=str(row.uuid), granted=True, note="", **self.told))

    @rule(place=places)
    def revoke(self, place: int) -> None:
        row = self.a_row("rights_consent", "state = 'granted'", place)
        if row:
            self.act("revoke", lambda: consents.revoke_consent(consent_id=row[0], note="no more", **self.told))

    @rule(who=people, kind=st.sampled_from(("kyc", "jurisdiction")), long=st.booleans())
    def attest(self, who: str, kind: str, long: bool) -> None:
        fact = attestations.Fact(kind, "file 7", "DE" if kind == "jurisdiction" else "", None if long else self.market.now_us + HOUR)
        made = MINT.uuid(self.market.now_us)
        self.act("attest", lambda: attestations.attest(account=self.market.accounts[who], fact=fact, attestation_id=made, **self.told))

    @rule(place=places)
    def unattest(self, place: int) -> None:
        row = self.a_row("rights_attestation", "revoked_at IS NULL", place)
        if row:
            self.act("unattest", lambda: attestations.revoke_attestation(attestation_id=row[0], note="no more", **self.told))

    @rule(who=people, on=st.booleans())
    def standing(self, who: str, on: bool) -> None:
        participant = Participant.objects.get(pk=self.market.accounts[who].participant_id)
        change = reinstate if on or participant.status == "suspended" else suspend
        self.entering = {}
        self.act("standing", lambda: change(participant=participant, reason="a look", **self.told))

    # packages and delegations

    def a_package(self, place: int) -> Package | None:
        row = self.a_row("rights_package", "state = 'active'", place)
        return row and Package.objects.select_related("holder").get(pk=row[1])

    def a_delegation(self, place: int) -> Delegation | None:
        row = self.a_row("rights_delegation", "state = 'active'", place)
        return row and Delegation.objects.select_related("delegate").get(pk=row[1])

    @rule(place=places, other=places, units=odd_units)
    def package(self, place: int, other: int, units: int) -> None:
        right = self.a_right(place)
        if right:
            with_it = self.rights("r.holder_id = %s AND r.remaining_units > 0 AND r.id <> %s::uuid", right.holder, right.id)
            beside = self.nth(with_it, other)
            parts = [PartFacts(right.id, units), *([PartFacts(beside.id, beside.remaining)] if beside and other % 2 else [])]
            composition = packages.Composition("bundle", "some", parts)
            made, holder = MINT.uuid(self.market.now_us), self.account(right.holder)
            self.act("package", lambda: packages.create_package(holder=holder, composition=composition, package_id=made, **self.told))

    @rule(place=places, who=people, sold=st.booleans())
    def package_moves(self, place: int, who: str, sold: bool) -> None:
        row = self.a_package(place)
        taker = self.market.accounts[who]
        if row and row.holder_id != taker.pk:
            give = {"package_id": str(row.uuid), "holder_id": row.holder_id, "taker": taker, "mint": MINT}
            self.act("package sold", lambda: self.sell(row, who)) if sold else self.act(
                "package given", lambda: packages.transfer_package(**give, **self.told)
            )

    def sell(self, row: Package, who: str) -> None:
        now_us = self.market.now_us
        terms = Terms(5_000_000, cash_asset(), now_us + HOUR, None)
        offer = make_offer(seller=row.holder, package_id=str(row.uuid), terms=terms, fee_bps=20, offer_id=MINT.uuid(now_us), **self.told)
        accept_offer(offer_id=str(offer.uuid), buyer=self.market.accounts[who], mint=MINT, **self.told)

    @rule(place=places)
    def package_ends(self, place: int) -> None:
        row = self.a_package(place)
        if row:
            self.act(
                "package ends",
                lambda: packages.finalize_package(package_id=str(row.uuid), holder_id=row.holder_id, reason="over", **self.told),
            )

    @rule(place=places, units=odd_units, who=people, of=st.sampled_from(("right", "package", "parent")))
    def delegate(self, place: int, units: int, who: str, of: str) -> None:
        found = {
            "right": lambda: (right := self.a_right(place)) and Right.objects.select_related("holder").get(pk=right.id),
            "package": lambda: self.a_package(place),
            "parent": lambda: self.a_delegation(place),
        }[of]()
        if found:
            now_us = self.market.now_us
            self.act(
                f"delegate {of}",
                lambda: delegate(
                    **({"right": None, "package": None, "parent": None} | {of: found}),
                    delegator=found.delegate if of == "parent" else found.holder,
                    to=self.market.accounts[who],
                    bounds=Bounds(units, max(now_us, START_US), START_US + DAY_US, subdelegation_allowed=True),
                    delegation_id=MINT.uuid(now_us),
                    **self.told,
                ),
            )

    @rule(place=places, units=odd_units)
    def use(self, place: int, units: int) -> None:
        row = self.a_delegation(place)
        whose = "r.id IN (SELECT right_id FROM rights_packagepart WHERE package_id = %s)"
        right_id = row and (row.right_id or self.nth([right.id for right in self.rights(whose, row.package_id)], place))
        if row and right_id:
            under = Use(str(row.uuid), row.delegate_id, "text.generation")
            self.act("use", lambda: consume_right(right_id=str(right_id), units=units, ref="work", mint=MINT, under=under, **self.told))

    @rule(place=places)
    def undelegate(self, place: int) -> None:
        row = self.a_row("rights_delegation", "state = 'active'", place)
        if row:
            self.act("undelegate", lambda: revoke_delegation(delegation_id=row[0], reason="over", **self.told))


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[HonestMarket]:
    """A market in continuous trading; every history begins in it and is rolled back."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        hold_for_ever(patch)
        outer = transaction.atomic()
        outer._from_testcase = True
        with outer:
            market = HonestMarket()
            market.phase(TradingPhase.CONTINUOUS)
            market.match()
            for how in ("issued", "consumed", "expired", "burned"):
                venue_account(code=f"units:{how}", now_us=market.now_us)
            Registry.market = market
            with lazy_savepoints():
                yield market
            transaction.set_rollback(True)
        connection.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_histories(part: int, world: HonestMarket) -> None:
    Registry.done.clear()
    told = settings(
        max_examples=HISTORIES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # a history that fails is told as it was: shorter ones cost as much each
    )
    run_state_machine_as_test(seed(SEED * 1000 + part)(Registry), settings=told)
    print(dict(sorted(Registry.done.items())))  # with -s: how often each act was done, and each code refused
    assert Registry.done["histories"] >= HISTORIES
    assert Registry.done["moves"] > 0

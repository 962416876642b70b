"""An empty database becomes a venue that trades: by the command line, the console and two operators, and the audit finds nothing."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.models import Book, Instrument, Proposal, Trade
from exchange.models.book import CommandKind
from exchange.replay.run import replay
from exchange.services import intake, lane, rules
from exchange.services.batch import Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.payload import PlacePayload, encode
from exchange.services.timetable import run_due
from rights.kernel.clock import now_us, to_datetime
from rights.kernel.ids import Mint
from rights.models import Account, Assurance, ComputeClass, Event, Issuer, Participant, Right, Series
from rights.services import reception
from settlement.models import Balance
from settlement.services import deliver
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)
DAY_US = 86_400_000_000
MINT = Mint()


def run(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*words, stdout=out)
    return dict(json.loads(out.getvalue()))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Terms of a right for the day after tomorrow, issued by northgrid itself."""
    start = (now_us() // DAY_US + 2) * DAY_US
    window = {"start": f"{to_datetime(start):%Y-%m-%dT%H:%M:%SZ}", "end": f"{to_datetime(start + DAY_US):%Y-%m-%dT%H:%M:%SZ}"}
    issuer = {"issuer_type": "provider", "id": "northgrid", "issuance_path": "supplier-self"}
    document = chat_day(resource={"amount": "10000000"}, window=window, issuer=issuer)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(document))
    return path


def log_in(made: dict[str, Any], own: str) -> Client:
    """Log in with the one-time password and choose another."""
    client = Client()
    once = made["one_time_password"]
    assert client.post("/login", {"username": made["user"], "password": once}).status_code == 302
    assert client.post("/password", {"old": once, "new": own, "again": own}).status_code == 302
    return client


def two_persons(proposer: Client, approver: Client, address: str, form: dict[str, object]) -> None:
    assert proposer.post(address, form).status_code == 302
    row = Proposal.objects.get(status="open")
    approval = reverse("admin:exchange_proposal_approve", args=[row.pk])
    assert approver.post(approval, {"reason": "looked at it"}).status_code == 302
    row.refresh_from_db()
    assert row.status == "approved"


def place(username: str, side: int, lots: int, ticks: int) -> None:
    """What order entry takes from a logged-in member."""
    user = User.objects.get(username=username)
    account = Account.objects.get(participant=user.membership.participant)
    moment = now_us()
    body = PlacePayload(side=side, type=0, quantity_lots=lots, price_ticks=ticks)
    book_id = Instrument.objects.get().pk
    command = intake.NewCommand(book_id, account.pk, int(CommandKind.PLACE), encode(body), f"user:{user.pk}", MINT.uuid(moment))
    with transaction.atomic():
        intake.submit(commands=[command], now_us=moment)


def test_from_nothing_to_a_trade(manifest: Path) -> None:
    for forget in (rules.forget, reception.forget_policies, lane._uuids.clear, deliver.forget_assets):
        forget()
    assert not Participant.objects.exists()
    ann = log_in(run("create_member", "venue", "ann", "--role", "operator"), "seven tall ships")
    bob = log_in(run("create_member", "venue", "bob", "--role", "operator"), "eleven tall ships")

    opened = run("create_participant", "northgrid", "--name", "Northgrid Compute", "--holder-type", "vault", "--jurisdiction", "US")
    assert opened["participant"] == "northgrid"
    open_page = reverse("admin:rights_participant_open_new")
    form = {"slug": "lumen", "name": "Lumen Apps", "holder_type": "app", "jurisdiction": "US", "reason": "contract 12"}
    assert ann.post(open_page, {**form, "reason": ""}).status_code == 200
    assert ann.post(open_page, form).status_code == 302
    run("create_member", "northgrid", "nora", "--scopes", "read,trade,cancel,issue")
    run("create_member", "lumen", "luis")
    assert run("create_issuer", "northgrid") == {"issuer": "northgrid", "participant": "northgrid", "tier": 1}

    made = run("create_class", "northgrid", str(manifest))
    assert ComputeClass.objects.get().key == made["class"]
    document = json.loads(manifest.read_text())
    capacity = {
        "issuer": Issuer.objects.get().pk,
        "compute_class": ComputeClass.objects.get().pk,
        "mode": document["assurance"]["mode"],
        "reference": document["assurance"]["reference"],
        "window_start_0": document["window"]["start"][:10],
        "window_start_1": "00:00:00",
        "window_end_0": document["window"]["end"][:10],
        "window_end_1": "00:00:00",
        "gross_units": "20000000",
        "haircut_bps": "1000",
        "degradation_plan": "pause-issuance",
        "overbook_bps": "0",
        "reason": "the racks were counted",
    }
    assert ann.post(reverse("admin:rights_assurance_post_new"), capacity).status_code == 302
    assert Assurance.objects.get().gross_units == 20_000_000
    assert run("issue_right", "northgrid", "northgrid", str(manifest))["status"] == "active"

    listing = {
        "series": Series.objects.get().pk,
        "tick": "0.01",
        "collar_low": "0.01",
        "collar_high": "100.00",
        "maker_bps": "0",
        "taker_bps": "10",
        "min_quantity_lots": "1",
        "max_quantity_lots": "1000",
        "reason": "northgrid asked",
    }
    two_persons(ann, bob, reverse("admin:exchange_instrument_list_new"), listing)
    cash = reverse("admin:rights_account_fund", args=[Account.objects.get(participant__slug="lumen").pk])
    two_persons(bob, ann, cash, {"amount": "100.00", "currency": "USD", "reason": "wire 4711"})

    assert run_due(now_us=now_us()).opened == 1
    book, lanes = Book.objects.get(), LaneMemory()
    place("nora", 1, 2, 500)
    place("luis", 0, 2, 500)
    while match_once(lanes, book_id=book.pk, now_us=now_us()).outcome is Outcome.MATCHED:
        pass
    book.refresh_from_db()
    assert book.phase == Phase.CONTINUOUS
    assert Trade.objects.get().quantity_lots == 2
    assert Right.objects.get(holder__participant__slug="lumen").remaining_units == 2_000_000
    assert Balance.objects.get(account__participant__slug="lumen", asset__kind="cash").amount == 90_000_000 - 10_000

    report = audit(now_us=now_us())
    assert report.broken == []
    told = replay()
    assert told.differences == {}
    assert told.state_hash["events"] == told.state_hash["tables"]
    reasons = {event.type for event in Event.objects.all() if '"reason"' in event.body}
    assert {"participant.opened", "member.added", "issuer.appointed", "class.defined", "proposal.approved", "account.funded"} <= reasons
    assert "the racks were counted" in Event.objects.get(type="assurance.posted").body


def refuses(*words: str) -> None:
    with pytest.raises(CommandError):
        run(*words)


def test_what_the_commands_refuse(manifest: Path, tmp_path: Path) -> None:
    run("create_participant", "acme", "--name", "Acme")
    for words in (("acme", "--name", "Again"), ("A b", "--name", "x"), ("b", "--name", " "), ("c", "--name", "x", "--holder-type", "king")):
        refuses("create_participant", *words)
    refuses("create_participant", "d", "--name", "x", "--reason", "")
    assert Participant.objects.exclude(slug="venue").count() == 1
    for words in (("nobody",), ("acme", "--slug", "A b"), ("acme", "--tier", "0"), ("acme", "--issuer-type", "vault")):
        refuses("create_issuer", *words)
    run("create_issuer", "acme", "--slug", "northgrid")
    refuses("create_issuer", "acme", "--slug", "northgrid")
    broken = tmp_path / "broken.json"
    broken.write_text('{"version": "synthference/v0"}')
    for words in (("nobody", str(manifest)), ("northgrid", str(broken)), ("northgrid", str(tmp_path / "none.json"))):
        refuses("create_class", *words)
    assert run("create_class", "northgrid", str(manifest))["new"]
    assert not run("create_class", "northgrid", str(manifest))["new"]
    assert (Issuer.objects.count(), ComputeClass.objects.count()) == (1, 1)


def test_the_same_on_the_console(manifest: Path) -> None:
    run("create_participant", "acme", "--name", "Acme")
    ann = log_in(run("create_member", "venue", "ann", "--role", "operator"), "seven tall ships")
    acme = Participant.objects.get(slug="acme")

    def tried(name: str, form: dict[str, Any], wrong: Callable[[dict[str, Any]], dict[str, Any]], args: list[object] | None = None) -> None:
        """The page opens; with something wrong it refuses; then it does it once and not twice."""
        address = reverse(f"admin:{name}", args=args or [])
        before = Event.objects.count()
        assert ann.get(address).status_code == 200
        assert ann.post(address, {**form, "reason": " "}).status_code == 200
        assert ann.post(address, {**form, **wrong(form)}).status_code in {200, 422}
        assert Event.objects.count() == before
        assert ann.post(address, form).status_code == 302
        assert Event.objects.count() > before

    issuer = {
        "participant": acme.pk,
        "slug": "northgrid",
        "issuer_type": "provider",
        "tier": "2",
        "issuance_path": "supplier-self",
        "reason": "signed",
    }
    tried("rights_issuer_appoint_new", issuer, lambda _: {"issuer_type": "vault"})
    assert Issuer.objects.get().tier == 2
    assert ann.post(reverse("admin:rights_issuer_appoint_new"), issuer).status_code == 422
    shape = {"issuer": Issuer.objects.get().pk, "manifest": manifest.read_text(), "reason": "a new kind of right"}
    tried("rights_computeclass_define_new", shape, lambda form: {"manifest": form["manifest"][:-3]})
    assert ComputeClass.objects.get().dimensions["issuer.tier"] == 2
    assert ann.post(reverse("admin:rights_computeclass_define_new"), shape).status_code == 422
    assert ann.post(reverse("admin:rights_computeclass_define_new"), {**shape, "manifest": "[" * 5000}).status_code == 422
    account = {"account": "second", "holder_type": "vault", "jurisdiction": "DE", "reason": "a book of its own"}
    tried("rights_participant_open_account", account, lambda _: {"holder_type": "king"}, [acme.pk])
    assert acme.accounts.count() == 2

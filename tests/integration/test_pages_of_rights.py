"""The pages of rights and packages on the server's side: what they tell in words, to whom, and in how many queries."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exchange.models import Membership
from exchange.selectors import named
from exchange.web import amounts, manifest_words, right_words
from rights.domain import right_events
from rights.domain.lifecycle import LIFECYCLE, FreezeReason, RightStatus
from rights.domain.manifest import SCHEMA
from rights.domain.package import PartFacts
from rights.kernel.ids import public
from rights.models import RightLink
from rights.services import consents
from rights.services.delegations import Bounds, delegate
from rights.services.freeze import freeze_right
from rights.services.split import split_right
from settlement.services.endings import expire_right
from settlement.services.packages import Composition, create_package
from tests.integration.test_pages import NASTY
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db
PATHS = ("/rights", "/packages", "/packages/new")
SOON_US = START_US + DAY_US - 3_600_000_000  # an hour before the window ends


@pytest.fixture
def desk(monkeypatch):
    for room in ("inventory", "right"):
        monkeypatch.setattr(f"exchange.web.{room}.now_us", lambda: SOON_US)
    return Desk()


def member(desk, slug="holder", scopes=("read", "transfer")) -> Client:
    user = User.objects.create_user(f"{slug}-{'-'.join(scopes)}", password="a good long one")
    Membership.objects.create(user=user, participant=desk.accounts[slug].participant, scopes=list(scopes))
    client = Client()
    client.force_login(user)
    return client


def path_of(right) -> str:
    return f"/rights/{public('rgt', str(right.pk))}"


def words(answer) -> str:
    """The page as it is read: without tags, spaces gathered."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def package(desk, right, units):
    return create_package(
        holder=desk.accounts["holder"],
        composition=Composition("bundle", "Evening", [PartFacts(str(right.pk), units)]),
        package_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )


def test_the_inventory_tells_what_perishes_what_is_locked_and_what_is_lent(desk):
    first, _second = desk.issue(100), desk.issue(50)
    package(desk, first, 30)
    bounds = Bounds(20, NOW_US, START_US + DAY_US)
    parties = {"delegator": desk.accounts["holder"], "to": desk.accounts["other"]}
    delegate(right=first, package=None, parent=None, **parties, bounds=bounds, delegation_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)
    shown = words(member(desk).get("/rights"))
    assert "2 rights 150 tokens 150 tokens end within 24 hours" in shown
    assert "150 tokens 120 30 locked" in shown
    assert "In the bundle “Evening”" in shown
    assert "Others may use it" in shown
    assert "Nothing of yours ends within 24 hours" in words(member(desk, "other").get("/rights"))


def test_what_perishes_is_sorted_and_goes_on_where_it_stopped(desk, monkeypatch):
    monkeypatch.setattr("exchange.web.inventory.AT_ONCE", 1)
    later = {"window": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-03T00:00:00Z"}, "assurance": {"reference": "later"}}
    desk.assure(patch=later, gross_units=100)
    desk.issue(7, **later)
    desk.issue(5)
    client = member(desk)
    first = client.get("/rights", {"within": "7d"})
    assert "5 tokens 5" in words(first)
    assert "7 tokens 7" not in words(first)
    following = re.search(r'href="\?(within=7d&amp;after=[^"]+)"', first.content.decode())[1].replace("&amp;", "&")
    second = words(client.get(f"/rights?{following}"))
    assert "7 tokens 7" in second
    assert "7 tokens 7" not in words(client.get("/rights"))
    assert all("2 rights 12 tokens 5 tokens end within 24 hours" in page for page in (words(first), second))


def test_many_rights_cost_as_many_queries_as_one(desk, django_assert_max_num_queries):
    for _ in range(12):
        desk.issue(10)
    client = member(desk)
    with django_assert_max_num_queries(13):
        client.get("/rights")


def test_what_is_alive_is_summed_once_for_sums_and_list(desk, monkeypatch):
    desk.issue(10)
    client, asked, fetch_all = member(desk), [], named.fetch_all
    monkeypatch.setattr(named, "fetch_all", lambda sql, values: asked.append(sql) or fetch_all(sql, values))
    assert "1 right 10 tokens 10 tokens end within 24 hours" in words(client.get("/rights"))
    assert sum("WITH mine AS" in sql for sql in asked) == 1


def test_the_list_asks_once_what_was_consented_to(desk, django_assert_num_queries):
    client = member(desk)
    needy = {"transfer_policy": {"requires_issuer_consent": True, "requires_registry_acknowledgment": True}}
    desk.issue(10, **needy)
    client.get("/api/v1/rights?holder=me")  # its terms and series are remembered from here on
    with CaptureQueriesContext(connection) as one:
        client.get("/api/v1/rights?holder=me")
    for _ in range(4):
        desk.issue(10, **needy)
    with django_assert_num_queries(len(one)):
        rights = client.get("/api/v1/rights?holder=me").json()["data"]
    shut = [[gate["code"] for gate in right["gates"] if not gate["passed"]] for right in rights]
    assert shut == [["consent_missing", "acknowledgment_missing"]] * 5


def test_a_holder_asks_for_the_word_a_transfer_needs_where_it_is_needed(desk):
    needy = desk.issue(10, transfer_policy={"requires_issuer_consent": True})
    client, taker = member(desk), public("acc", str(desk.accounts["other"].uuid))
    assert "Ask for the issuer&#x27;s consent" in words(client.get(path_of(needy)))
    assert "Ask for the" not in words(client.get(path_of(desk.issue(10))))
    asked = consents.Asked(right=needy, taker=desk.accounts["other"], units=4, kind="consent", note="", deadline_us=None)
    consents.request_consent(asked=asked, consent_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)
    assert f"Consent pending : 4 tokens to {taker}" in words(client.get(path_of(needy)))


def test_a_rights_page_tells_its_terms_state_gates_line_and_history(desk):
    right = desk.issue(100, metadata={"label": "A day of chat"})
    _, child = split_right(right_id=str(right.pk), units=40, child_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)
    package(desk, right, 10)
    answer = member(desk).get(path_of(right))
    shown = words(answer)
    assert "A day of chat Active" in shown
    assert "Free 50 may be sold" in shown
    assert "Locked 10 in packages" in shown
    assert "In the bundle “Evening”: 10 tokens" in shown
    assert "Frozen , when its issuer or a freezer stops it" in shown
    assert "Each holder keeps it at least" in shown
    assert "Split by test" in shown
    assert path_of(child) in answer.content.decode()
    assert json.loads(re.search(r"<code>(\{.*?\n\})</code>", answer.content.decode(), re.DOTALL)[1].replace("&quot;", '"'))["version"]
    of_child = words(member(desk, scopes=("read",)).get(path_of(child)))
    assert f"Root …{str(right.pk)[-17:]} 60 tokens of 60 left" in of_child
    assert "What you can do" not in of_child


@pytest.mark.parametrize("reader", ["other", "holder-without-read", "nobody", "visitor"])
def test_whoever_may_not_see_a_right_finds_nothing(desk, reader):
    right = desk.issue(100)
    if reader == "visitor":
        assert Client().get(path_of(right)).headers["Location"].startswith("/login")
        return
    client = Client()
    if reader == "nobody":
        client.force_login(User.objects.create_user("nobody"))
    else:
        client = member(desk, "other") if reader == "other" else member(desk, "holder", ("trade",))
    hidden, missing = client.get(path_of(right)), client.get(f"/rights/{public('rgt', MINT.uuid(NOW_US))}")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    csrf = re.compile(r'value="[A-Za-z0-9]{64}"')
    pages = [csrf.sub("", answer.content.decode()).replace(answer.request["PATH_INFO"], "") for answer in (hidden, missing)]
    assert pages[0] == pages[1]


def test_an_issuer_sees_what_it_issued_but_not_what_the_holder_does_with_it(desk):
    right = desk.issue(100)
    package(desk, right, 10)
    answer = member(desk, "issuer", ("read", "issue", "transfer")).get(path_of(right))
    shown = words(answer)
    assert "Reserved 10 in asks, packages, in use, or disputed" in shown
    assert "Evening" not in shown
    assert "Give to another holder" not in shown
    assert "Change its label" in shown
    # Who holds or acted is withheld, as in the API.
    assert public("acc", str(desk.accounts["holder"].uuid)) not in answer.content.decode()


def test_a_shut_gate_says_why_and_what_would_lift_it(desk):
    taker = public("acc", str(desk.accounts["other"].uuid))
    right = desk.issue(100, transfer_policy={"denied_holders": [taker], "max_units_per_holder": "100"})
    freeze_right(right_id=str(right.pk), freeze_reason="compliance", note="x", actor="test", now_us=NOW_US)
    shown = words(member(desk).get(path_of(right), {"to": taker, "units": "200"}))
    assert "Frozen (compliance). A freezer has to unfreeze it" in shown
    for reason in ("Too few units are free.", "The right's terms deny it to the taker.", "The taker would hold too many units."):
        assert reason.replace("'", "&#x27;") in shown
    wrong = words(member(desk, scopes=("read",)).get(path_of(right), {"to": "acc_1", "units": "1e3"}))
    assert "is the id of no holder here" in wrong
    assert "is a whole number above zero" in wrong


def test_nonsense_in_an_address_breaks_no_page(desk):
    right = desk.issue(100)
    client = member(desk)
    asked = {"/rights": ("within", "after"), path_of(right): ("to", "units", "instrument", "events", "children"), "/packages": ("of",)}
    for value in NASTY:
        for path, names in asked.items():
            answer = client.get(path, dict.fromkeys(names, value))
            assert answer.status_code == 200, (path, value)
            assert "<script>" not in answer.content.decode().split("</head>")[1]
        assert client.get("/rights/" + value.replace("/", "%2F").replace("\0", "%00")).status_code in {400, 404}


def test_every_page_needs_a_log_in_and_says_so_to_a_user_without_a_participant(desk):
    nobody = Client()
    nobody.force_login(User.objects.create_user("nobody"))
    for path in PATHS:
        assert Client().get(path).headers["Location"] == f"/login?next={path}"
        assert "does not act for a participant" in words(nobody.get(path))
        answer = nobody.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_every_field_step_gate_and_event_has_words():
    def leaves(schema, at=""):
        for name, part in schema["properties"].items():
            yield from leaves(part, f"{at}{name}.") if "properties" in part else [f"{at}{name}"]

    assert set(manifest_words.NAMES) - {"issuer.tier"} == set(leaves(SCHEMA))
    assert set(right_words.NEXT) == {(former, latter) for former, steps in LIFECYCLE.items() for latter in steps}
    assert set(right_words.STATUS) == set(RightStatus)
    assert set(right_words.FREEZE) == set(FreezeReason)
    named = {value for name, value in vars(right_events).items() if name.isupper() and str(value).startswith("right.")}
    assert set(right_words.EVENTS) == named
    assert right_words.other_event("route.locked") == "Route locked"


def test_an_end_says_where_what_was_left_went():
    told = {"policy": "roll", "units": "1070", "carried_units": "1000", "why": "capacity_exhausted"}
    assert right_words.end_words(told) == (
        "1,000 units went over into another right (roll); 70 units burned: that window had no room left for them."
    )
    assert right_words.end_words({**told, "carried_units": "1070", "why": None}) == "1,070 units went over into another right (roll)."
    stale = {**told, "carried_units": "0", "why": "assurance_stale"}
    assert right_words.end_words(stale) == "1,070 units burned: issuing was refused, assurance_stale."
    assert right_words.end_words({**told, "policy": "burn", "carried_units": "0", "why": None}) == "Burned, as its terms say: 1,070 units."
    assert right_words.end_words({**told, "units": "0", "carried_units": "0", "why": None}) == ""
    assert right_words.end_words({"policy": None, "units": None, "carried_units": None, "why": None}) == ""  # its reader may not know


def test_the_page_of_what_rolled_names_what_stands_for_it(desk):
    terms = {"settlement_policy": {"expiry_policy": "roll"}}
    for day in ("01", "02"):
        window = {"start": f"2026-12-{day}T00:00:00Z", "end": f"2026-12-{int(day) + 1:02d}T00:00:00Z"}
        desk.assure(patch={**terms, "window": window}, gross_units=100, stale_after_s=10**7)
    right = desk.issue(100, **terms)
    expire_right(right_id=str(right.pk), mint=MINT, actor="timetable", now_us=START_US + DAY_US)
    latter = RightLink.objects.get().latter
    client = member(desk)
    assert f"Another right stands for it (rolled): {public('rgt', str(latter.pk))}" in words(client.get(path_of(right)))
    assert "100 units went over into another right (roll)." in words(client.get(path_of(right)))
    assert f"It stands for another right (rolled): {public('rgt', str(right.pk))}" in words(client.get(path_of(latter)))


def test_amounts_in_words():
    assert amounts.units_text(1, "tokens") == "1 token"
    assert amounts.units_text(9_007_199_254_740_993, "tokens") == "9,007,199,254,740,993 tokens"
    assert [amounts.span_text(seconds) for seconds in (0, 1, 90, 3_600, 172_800)] == ["none", "1 second", "90 seconds", "1 hour", "2 days"]
    assert [amounts.share_text(bps) for bps in (0, 250, 1, 10_000)] == ["0 %", "2.5 %", "0.01 %", "100 %"]
    assert amounts.moment_text(START_US) == "1 Dec 2026 00:00 UTC"
    assert amounts.moment_text(START_US + 1_000_000) == "1 Dec 2026 00:00:01 UTC"

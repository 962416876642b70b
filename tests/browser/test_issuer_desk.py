"""The issuer's desk, and the operators' side of it. The guide for issuers is walked word by word, with axe on every page of the way."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import ROOT, Venue, log_in
from tests.browser.test_access import broken_in_both, broken_rules

Open = Callable[..., Page]
GUIDE = (ROOT / "docs" / "issuer-guide.md").read_text(encoding="utf-8")
# What the guide says to press (**bold**) and to fill (_field_ `value`), in its order.
_TOKEN = re.compile(r"\*\*(?P<press>[^*]+)\*\*|(?<![*\w])_(?P<field>[^_]+)_ `(?P<value>[^`]+)`")
HEADER = {"Desk", "Markets", "Rights", "Account"}
SHEETS = ("", "/issued", "/listings", "/consents", "/supply")
DIALOGS = {"": "Post an assurance", "/issued": "Issue a right", "/consents": "Let a consent stand"}
CONSOLE = (
    "exchange/listingrequest/",
    "exchange/proposal/",
    "rights/rolegrant/",
    "rights/rolegrant/grant_new",
    "rights/attestation/",
    "rights/attestation/attest_new",
    "rights/consent/",
    "freeze/",
    "freeze/one/",
    "rights/supplier/",
    "rights/assurance/",
)


def chapters() -> dict[str, list[tuple[str, str]]]:
    """Who acts → what he presses and fills, as the guide's chapter on the browser says. Its days are far off: they become next week's."""
    chapter = GUIDE.split("## In the browser, from nothing to a market", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    start = datetime.now(UTC) + timedelta(days=6)
    for place, day in enumerate(("2027-06-01", "2027-06-02")):
        chapter = chapter.replace(day, (start + timedelta(days=place)).strftime("%Y-%m-%d"))
    found: dict[str, list[tuple[str, str]]] = {}
    for part in chapter.split("### ")[1:]:
        who, _, steps = part.partition("\n")
        numbered = "\n".join(line for line in re.split(r"\n(?=\d+\. )", steps.split("\n\nThe rest of", maxsplit=1)[0]))
        found[who.strip()] = [(token["press"] or token["field"], token["value"] or "") for token in _TOKEN.finditer(numbered)]
    return found


class Reader:
    """Does what the guide says, and lets axe look at every page on the way."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: dict[str, list[str]] = {}
        self.seen: set[str] = set()

    def follow(self, steps: list[tuple[str, str]]) -> None:
        for name, value in steps:
            self.fill(name, value) if value else self.press(name)

    def press(self, name: str) -> None:
        named = re.compile(rf"(^|\s){re.escape(name)}(\s.*)?$", re.DOTALL)
        place: Page | Locator = self.page
        if "/admin" not in self.page.url:
            place = self.page.locator("header.bar" if name in HEADER else "main")
        button = place.get_by_role("button", name=named).or_(place.get_by_role("link", name=named)).locator("visible=true")
        button.first.click()
        self.settle()
        self.look()

    def look(self) -> None:
        """Axe, once for each page and each dialog on it."""
        here = self.page.evaluate("() => location.pathname + (document.querySelector('dialog[open]')?.id ?? '')")
        if here not in self.seen:
            self.seen.add(here)
            if found := broken_rules(self.page):
                self.wrong[here] = found

    def fill(self, name: str, value: str) -> None:
        if name == "open":
            self.page.locator("#result_list tbody tr", has_text=value).locator("a").first.click()
            self.settle()
            return
        exact = self.page.get_by_label(re.compile(rf"^\s*{re.escape(name)}( \(\w+\))?\s*\*?\s*$")).locator("visible=true").first
        group = self.page.get_by_role("group", name=name, exact=True).get_by_text(value, exact=True)
        field = exact.or_(group).first
        expect(field).to_be_visible()
        kind = field.evaluate("node => node.tagName")
        if kind == "SELECT":
            field.select_option(value)
        elif kind in {"INPUT", "TEXTAREA"}:
            field.fill(value)
        else:
            field.click()

    def settle(self) -> None:
        """What was asked for is there, and nothing is on its way."""
        self.page.wait_for_load_state("networkidle" if "/admin" in self.page.url else "load")
        expect(self.page.locator(".loading")).to_have_count(0)
        expect(self.page.locator("form[aria-busy]")).to_have_count(0)


@pytest.fixture(scope="module")
def hera(venue: Venue) -> tuple[str, str]:
    """The guide's issuer, appointed as the guide says: the member's name and one-time password."""
    told = GUIDE.split("```sh\n", maxsplit=1)[1].split("```", maxsplit=1)[0]
    printed = ""
    for line in told.strip().splitlines():
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
        done = venue.exchange.manage(*words[2:]).stdout
        printed = done if "one_time_password" in done else printed
    member = json.loads(printed)
    return member["user"], member["one_time_password"]


def test_the_guide_leads_an_issuer_from_nothing_to_a_market(open_page: Open, venue: Venue, hera: tuple[str, str]) -> None:
    steps = chapters()
    page = open_page("/login")
    log_in(page, *hera, "/desk")
    page.get_by_label("Present password").fill(hera[1])
    for label in ("New password, at least twelve characters", "New password again"):
        page.get_by_label(label).fill(venue.password)
    page.get_by_role("button", name="Change it").click()
    page.wait_for_url("**/account")
    issuer = Reader(page)
    issuer.follow(steps["The issuer"])
    request = page.locator("[data-listing]")
    expect(request).to_contain_text("Waiting for a review")
    expect(request).to_contain_text("200 lots")
    one, other = Reader(open_page("/admin/", user="operator")), Reader(open_page("/admin/", user="deputy"))
    one.follow(steps["An operator"])
    expect(one.page.locator("body")).to_contain_text("The request is reviewed.")
    other.follow(steps["Another operator"])
    expect(other.page.locator("body")).to_contain_text("is listed.")
    issuer.follow(steps["The issuer again"])
    expect(page.locator(".outcome")).to_contain_text("Sell order")
    symbol = page.url.rpartition("/")[2]
    assert symbol.startswith("TXT.CHAT.HI.INT.PRV")
    expect(page.locator("sx-orders tbody tr")).to_have_count(1)
    board = open_page("/")
    expect(board.locator(f"tr[data-symbol='{symbol}']")).to_be_visible()
    wrong = {**issuer.wrong, **one.wrong, **other.wrong}
    assert not wrong, wrong


def rules_broken_by_the_desk(page: Page) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    for sheet in SHEETS:
        page.goto(f"/desk{sheet}")
        expect(page.locator(".loading")).to_have_count(0)
        wrong[f"/desk{sheet}"] = broken_in_both(page)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), sheet
        if sheet in DIALOGS:
            page.get_by_role("button", name=DIALOGS[sheet], exact=True).click()
            expect(page.get_by_role("dialog")).to_be_visible()
            expect(page.locator(".loading")).to_have_count(0)
            wrong[f"/desk{sheet}, {DIALOGS[sheet]}"] = broken_in_both(page)
    return wrong


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_of_the_desk_breaks_a_rule_of_axe(open_page: Open, width: int) -> None:
    page = open_page("/desk", user="issuer", width=width, reduced_motion="reduce")
    wrong = rules_broken_by_the_desk(page)
    assert not any(wrong.values()), {path: found for path, found in wrong.items() if found}


@pytest.mark.parametrize("width", [1440, 390])
def test_whoever_issues_nothing_is_told_what_an_issuer_is(open_page: Open, width: int) -> None:
    page = open_page("/desk", user="seller", width=width, reduced_motion="reduce")
    expect(page.get_by_role("main")).to_contain_text("is no issuer")
    expect(page.get_by_role("link", name="Desk", exact=True)).to_have_count(0)
    assert not broken_rules(page)


def test_the_operators_desks_break_no_rule_of_axe_on_a_phone(open_page: Open) -> None:
    page = open_page("/admin/", user="operator", width=390, reduced_motion="reduce")
    wrong: dict[str, list[str]] = {}
    for path in CONSOLE:
        page.goto(f"/admin/{path}")
        page.wait_for_load_state("networkidle")
        wrong[path] = broken_in_both(page)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
    assert not any(wrong.values()), {path: found for path, found in wrong.items() if found}


@pytest.fixture(scope="module")
def api(venue: Venue) -> Callable[..., dict]:
    """The public API with every scope a member can have: `api("issuer", "POST", "/rights", {…})`."""
    tokens: dict[str, str] = {}

    def call(who: str, method: str, path: str, body: dict | None = None) -> dict:
        if who not in tokens:
            made = venue.exchange.manage("create_key", who, "--scopes", "read,issue,transfer,consent").stdout
            tokens[who] = json.loads(made)["token"]
        headers = {"Authorization": f"Bearer {tokens[who]}"}
        answer = httpx.request(method, f"{venue.url}/api/v1{path}", json=body, headers=headers, timeout=20)
        assert answer.status_code < 400, answer.text
        return dict(answer.json())

    return call


@pytest.fixture
def needy(api: Callable[..., dict], venue: Venue) -> dict:
    """A right in the seller's hands that moves only with the issuer's consent; `terms` is its manifest."""
    sold = api("seller", "GET", "/rights?holder=me&status=active&class=TXT.CHAT.STD.INT.PRV&limit=1")["data"][0]
    named = {"version", "kind", "resource", "service", "window", "limits", "fallback_policy", "settlement_policy", "issuer", "assurance"}
    terms = {name: value for name, value in sold.items() if name in named}
    terms["resource"]["amount"] = "1000000"
    terms["transfer_policy"] = {"requires_issuer_consent": True}
    made = api("issuer", "POST", "/rights", {"manifest": terms, "holder": sold["holder"]})
    return {"id": made["id"], "terms": terms}


def test_consents_are_granted_refused_left_to_stand_and_taken_back(open_page: Open, api: Callable[..., dict], needy: dict) -> None:
    taker = api("maker", "GET", "/rights?holder=me&limit=1")["data"][0]["holder"]
    deadline = (datetime.now(UTC) + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ask = {"right_id": needy["id"], "taker": taker, "note": "for a pilot", "deadline_at": deadline}
    first, second = (api("seller", "POST", "/consents", ask | {"units": units})["id"] for units in ("10", "20"))
    page = open_page("/desk/consents", user="issuer")
    row = page.locator(f"[data-consent='{first}']")
    expect(row).to_contain_text("10 units of")
    expect(row).to_contain_text("for a pilot")
    expect(row).to_contain_text("in 2 h")
    row.get_by_role("button", name="Grant").click()
    page.get_by_role("dialog").get_by_role("button", name="Grant it").click()
    expect(row).to_have_count(0)
    assert api("seller", "GET", f"/consents/{first}")["state"] == "granted"
    page.locator(f"[data-consent='{second}']").get_by_role("button", name="Refuse").click()
    refusing = page.get_by_role("dialog")
    refusing.get_by_role("button", name="Refuse it").click()
    expect(refusing.locator(".field-error")).to_be_visible()
    refusing.get_by_label("Reason, on the record for ever").fill("unknown to us")
    refusing.get_by_role("button", name="Refuse it").click()
    expect(page.get_by_text("Nobody waits for your word")).to_be_visible()
    assert api("seller", "GET", f"/consents/{second}")["answer_note"] == "unknown to us"
    page.get_by_role("button", name="Let a consent stand").click()
    page.get_by_label("For whom").fill("somebody")
    page.get_by_role("button", name="Let it stand").click()
    expect(page.locator("#standing-taker")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("For whom").fill(taker)
    page.get_by_role("button", name="Let it stand").click()
    stands = page.locator("tr", has_text="For one counterparty")
    expect(stands).to_contain_text("until taken back")
    stands.get_by_role("button", name="Take back").click()
    page.get_by_label("Reason, on the record for ever").fill("a mistake")
    page.get_by_role("button", name="Take it back").click()
    expect(stands).to_have_count(0)


def test_an_issuer_pauses_a_right_and_lifts_its_own_pause_alone(open_page: Open, api: Callable[..., dict], needy: dict) -> None:
    page = open_page("/desk/issued", user="issuer")
    row = page.locator(f"[data-right='{needy['id']}']")
    row.get_by_role("button", name="Freeze").click()
    page.get_by_role("button", name="Freeze it").click()
    expect(page.get_by_role("dialog").locator(".field-error")).to_be_visible()
    page.get_by_label("Reason, on the record for ever").fill("a rack is being moved")
    page.get_by_role("button", name="Freeze it").click()
    expect(row).to_contain_text("Issuer pause")
    assert api("seller", "GET", f"/rights/{needy['id']}")["freeze_reason"] == "issuer_pause"
    row.get_by_role("button", name="Unfreeze").click()
    page.get_by_label("Reason, on the record for ever").fill("it was moved")
    page.get_by_role("button", name="Unfreeze it").click()
    expect(row).to_contain_text("Active")
    assert api("seller", "GET", f"/rights/{needy['id']}")["status"] == "active"


def test_a_pasted_manifest_is_told_all_its_faults_and_nothing_is_issued(open_page: Open, api: Callable[..., dict], needy: dict) -> None:
    page = open_page("/desk/issued", user="issuer")
    page.get_by_role("button", name="Issue a right").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("As a manifest's JSON").click()
    text = dialog.get_by_label("Manifest (synthference/v0)")
    text.fill("{not json")
    dialog.get_by_role("button", name="Issue it").click()
    expect(dialog.locator(".field-error")).to_contain_text("not JSON")
    expect(text).to_be_focused()
    broken = needy["terms"] | {"kind": "whim", "service": needy["terms"]["service"] | {"privacy_class": "none"}}
    text.fill(json.dumps(broken))
    dialog.get_by_role("button", name="Issue it").click()
    for field in ("manifest.kind", "manifest.service.privacy_class"):
        expect(dialog.get_by_role("alert")).to_contain_text(field)
    text.fill(json.dumps(broken | {"service": needy["terms"]["service"]}))
    dialog.get_by_text("As a form").click()
    expect(dialog.get_by_label("Units", exact=True)).to_have_value("1000000")
    dialog.get_by_label("Kind", exact=True).select_option("reserved")
    dialog.get_by_label("Units", exact=True).fill("9" * 18)
    dialog.get_by_role("button", name="Check").click()
    expect(dialog.get_by_label("Units", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(dialog).to_contain_text("may still be issued under this assurance")
    dialog.get_by_label("Units", exact=True).fill("1000000")
    dialog.get_by_role("button", name="Check").click()
    expect(dialog.get_by_text("It would be active")).to_be_visible()

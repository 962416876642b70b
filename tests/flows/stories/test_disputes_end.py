"""How disputes end, story by story (SPEC §9): told through the public API."""

from typing import Any

from rights.domain.moment import text_of
from rights.kernel.ids import public
from tests.flows.stories.stage import PAYS, Purses, Stage
from tests.flows.stories.telling import CLASSIFIED, DONE, LOCKED, TOLD, WINDOW, chat, dollars, done_by, money, outcome, wish


class Tentative:
    """A request of two hundred tokens that is done and not yet final: its units are charged, its money lies in escrow."""

    def __init__(self, stage: Stage, story: str, **terms: Any) -> None:
        self.stage = stage
        self.right = stage.right_for(story, settlement_policy=WINDOW, **terms)
        self.purses: Purses = stage.purses()
        self.asked = stage.holder.post("requests", wish(self.right, 200, chat("say what a dispute is")))
        stage.works(self.asked)
        self.used = int(self.now()["units"])
        self.charged = (100_000 - self.used, 0, "active")
        assert (self.now()["state"], self.now()["outcome"], stage.left(self.right)) == ("pending_dispute_window", "full", self.charged)
        assert self.purses.moved() == [-2_000, 0, 0, 2_000]

    def now(self) -> dict[str, Any]:
        return self.stage.settlement(self.asked)

    def disputed(self, by: str, claim: str) -> str:
        """The path of the dispute, which lies before the judge."""
        dispute = self.stage.player(by).post(f"settlements/{self.now()['id']}/disputes", {"claim": claim})
        return assigned(self.stage, dispute["id"])

    def events(self) -> list[str]:
        """Those of the dispute window and what came after it."""
        told = self.stage.events(self.right)
        begun = [*LOCKED, "execution.started", *DONE, "settlement.classified"]
        assert told[: len(begun)] == begun
        return told[len(begun) :]


def assigned(stage: Stage, dispute_id: str) -> str:
    place = f"disputes/{dispute_id}"
    assert stage.player("clerk").post(f"{place}/assign", {"reviewer": "judge"}, 200)["reviewer"] == "judge"
    return place


def test_nobody_disputes_and_the_window_passes(stage: Stage) -> None:
    story = Tentative(stage, "undisputed")
    stage.after(300)
    stage.timetable()
    assert story.now()["state"] == "pending_dispute_window"
    stage.after(300)
    stage.timetable()
    settled, used = story.now(), story.used
    assert outcome(settled) == ("finalized", "full", "inside_bounds", "200", str(used))
    assert (story.purses.moved(), stage.left(story.right)) == ([-used * PAYS, used * PAYS, 0, 0], story.charged)
    late = stage.holder.post(f"settlements/{settled['id']}/disputes", {"claim": "too late"}, 409)
    assert late["code"] == "dispute_window_over"
    assert story.events() == ["settlement.pending_dispute_window", "right.partially_consumed", "settlement.finalized"]


def test_a_dispute_is_rejected_and_the_settlement_stands(stage: Stage) -> None:
    """The supplier hears on its socket what it is blamed for, and shows that it is not so."""
    story = Tentative(stage, "rejected")
    with stage.player("boreal").hears("settlements") as ear:
        place = story.disputed("holder", "the answer was empty")
        (opened,) = ear.until("settlement.dispute_opened")
    assert (opened["settlement_id"], f"disputes/{opened['dispute_id']}") == (story.now()["id"], place)
    assert stage.player("boreal").get(place)["claim"] == "the answer was empty"
    stage.player("boreal").post(f"{place}/evidence", {"text": "its hash is in the receipt"})
    assert (story.now()["state"], story.purses.moved()) == ("in_dispute", [-2_000, 0, 0, 2_000])
    decided = stage.player("judge").post(f"{place}/decide", {"decision": "reject", "reason": "the output is there"}, 200)
    used = story.used
    assert (decided["state"], outcome(story.now())) == ("rejected", ("finalized", "full", "inside_bounds", "200", str(used)))
    assert (story.purses.moved(), stage.left(story.right)) == ([-used * PAYS, used * PAYS, 0, 0], story.charged)
    assert story.events() == [
        *("settlement.pending_dispute_window", "right.partially_consumed"),
        *("settlement.dispute_opened", "settlement.dispute_assigned", "settlement.dispute_evidence", "settlement.dispute_closed"),
        "settlement.finalized",
    ]


def test_a_dispute_is_upheld_and_everything_is_given_back(stage: Stage) -> None:
    story = Tentative(stage, "upheld")
    place = story.disputed("holder", "the answer was empty")
    decided = stage.player("judge").post(f"{place}/decide", {"decision": "uphold", "reason": "it was empty indeed"}, 200)
    settled = story.now()
    assert (decided["state"], outcome(settled)) == ("upheld", ("finalized", "failed", "dispute_upheld", "200", "0"))
    assert (money(settled), settled["charges"]) == (dollars(2_000, 0, 0, 2_000), [])
    assert (story.purses.moved(), stage.left(story.right)) == ([0, 0, 0, 0], (100_000, 0, "active"))
    assert story.events() == [
        *("settlement.pending_dispute_window", "right.partially_consumed"),
        *("settlement.dispute_opened", "settlement.dispute_assigned", "settlement.dispute_closed"),
        *("settlement.reversed", "settlement.finalized", "right.balance_changed"),
    ]


def test_what_is_given_back_a_delegate_may_spend_again(stage: Stage) -> None:
    """A delegate's request is disputed by the right's holder and reversed: the units are the right's again, and the delegate's to use."""
    right = stage.right_for("lent", settlement_policy=WINDOW)
    purses, delegate = stage.purses(), stage.player("other")
    given = {"right_id": right, "delegate": public("acc", str(stage.accounts["other"].uuid)), "max_units": "200"}
    hours = {"valid_from": text_of(stage.moment("06:00")), "valid_until": text_of(stage.moment("12:00"))}
    lent = stage.holder.post("delegations", {**given, **hours})
    asked = delegate.post("requests", wish(right, 200, chat("say what was lent"), rights=[], delegation_id=lent["id"]))
    stage.works(asked)
    used = int(stage.settlement(asked)["units"])
    assert (delegate.get(f"delegations/{lent['id']}")["left_units"], stage.left(right)) == (str(200 - used), (100_000 - used, 0, "active"))

    dispute = stage.holder.post(f"settlements/{stage.settlement(asked)['id']}/disputes", {"claim": "it said nothing of the kind"})
    place = assigned(stage, dispute["id"])
    stage.player("judge").post(f"{place}/decide", {"decision": "uphold", "reason": "it did not"}, 200)
    assert outcome(stage.settlement(asked)) == ("finalized", "failed", "dispute_upheld", "200", "0")
    assert (stage.left(right), purses.moved()) == ((100_000, 0, "active"), [0, 0, 0, 0])
    told = delegate.get(f"delegations/{lent['id']}")
    assert (told["used_units"], told["left_units"]) == ("0", "200")
    again = delegate.post("requests", wish(right, 200, chat("say it again"), rights=[], delegation_id=lent["id"]))
    delegate.post(f"requests/{again['id']}/cancel", status=200)
    given_back = ["settlement.reversed", "settlement.finalized", "delegation.used", "right.balance_changed"]
    called_off = [*LOCKED, *DONE, *CLASSIFIED, "request.cancelled"]
    assert stage.events(right)[-len(given_back + called_off) :] == given_back + called_off


def test_a_supplier_gets_what_it_did_by_another_classification(stage: Stage) -> None:
    """It told by itself of a part, which the right does not allow: failed. It disputes, and is paid for the part that is proven."""
    right = stage.right_for("reclassified", settlement_policy={**WINDOW, "proof_profile": "basic"}, limits={"partial_fill_allowed": False})
    purses, supplier = stage.purses(), stage.player("boreal")
    asked = stage.holder.post("requests", wish(right, 200, None, payload_hash="5" * 64))
    told = done_by(stage, asked, "partially_completed", 120)
    settled = supplier.post("receipts", told)
    assert (settled["state"], settled["outcome"], settled["rule"]) == ("pending_dispute_window", "failed", "partial_not_allowed")
    assert (stage.left(right), purses.moved()) == ((100_000, 0, "active"), [-2_000, 0, 0, 2_000])

    dispute = supplier.post(f"settlements/{settled['id']}/disputes", {"claim": "a hundred and twenty were delivered and read"})
    assert stage.left(right) == (100_000, 200, "active")  # so that they are there when it is decided
    said = {"decision": "reclassify", "outcome": "partial", "reason": "the holder used them"}
    decided = stage.player("judge").post(f"{assigned(stage, dispute['id'])}/decide", said, 200)
    settled = stage.settlement(asked)
    assert (decided["state"], outcome(settled)) == ("reclassified", ("finalized", "partial", "reviewed", "200", "120"))
    assert money(settled) == dollars(2_000, 1_200, 0, 800)
    assert (stage.left(right), purses.moved()) == ((99_880, 0, "active"), [-1_200, 1_200, 0, 0])
    assert stage.proofs(asked) == TOLD
    assert stage.events(right) == [
        *(*LOCKED, "execution.started", *DONE, "settlement.classified", "settlement.pending_dispute_window"),
        *("settlement.dispute_opened", "settlement.dispute_assigned", "settlement.dispute_closed"),
        *(*CLASSIFIED, "right.partially_consumed"),
    ]


def test_proofs_that_contradict_each_other_are_disputed_by_themselves(stage: Stage) -> None:
    """A supplier's second meter says more than its first. The venue opens the dispute; nothing of what is unclear is charged."""
    right = stage.right_for("contradicted", settlement_policy={**WINDOW, "proof_profile": "basic"})
    purses, supplier = stage.purses(), stage.player("boreal")
    asked = stage.holder.post("requests", wish(right, 200, None, payload_hash="5" * 64))
    settled = supplier.post("receipts", done_by(stage, asked, "completed", 120))
    assert (settled["state"], settled["outcome"], settled["units"]) == ("pending_dispute_window", "full", "120")
    assert stage.left(right) == (99_880, 0, "active")
    settled = supplier.post("receipts", done_by(stage, asked, "completed", 120, second_meter=180))
    assert (settled["state"], len(settled["dispute_ids"])) == ("in_dispute", 1)

    place = assigned(stage, settled["dispute_ids"][0])
    assert stage.player("judge").get(place)["side"] == "coordinator"
    stage.player("judge").post(f"{place}/decide", {"decision": "uphold", "reason": "nobody can say how many"}, 200)
    settled = stage.settlement(asked)
    assert outcome(settled) == ("finalized", "failed", "dispute_upheld", "200", "0")
    assert (stage.left(right), purses.moved()) == ((100_000, 0, "active"), [0, 0, 0, 0])
    assert stage.proofs(asked) == [*TOLD, "usage-meter", "supplier-signature"]
    assert stage.events(right) == [
        *(*LOCKED, "execution.started", *DONE, "settlement.classified", "settlement.pending_dispute_window", "right.partially_consumed"),
        *("receipt.proofs_added", "settlement.dispute_opened", "settlement.dispute_assigned", "settlement.dispute_closed"),
        *("settlement.reversed", "settlement.finalized", "right.balance_changed"),
    ]

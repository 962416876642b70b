"""The transfer gate: every rule alone, all reasons at once, and the strictest of several policies."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.domain import gates
from rights.domain.gates import Grants, HolderFacts, LineageCounts, Permits, Receiver, RightFacts
from rights.domain.lifecycle import RightStatus
from rights.domain.manifest import SCHEMA, read_manifest
from rights.domain.transfer_policy import TransferPolicy, policy_document, read_policy, strictest
from tests.unit.rights.domain.manifests import valid

DAY_US = 86_400_000_000
NOW_US = 20_000 * DAY_US
RIGHT = RightFacts(
    id="r",
    status="active",
    freeze_reason="",
    remaining_units=100,
    reserved_units=20,
    window_end_us=NOW_US + DAY_US,
    acquired_us=NOW_US - DAY_US,
    activated=True,
)
SELLER = HolderFacts(1, "acc_seller", "app", "US", "active")
BUYER = HolderFacts(2, "acc_buyer", "agent", "DE", "active")


def codes(policy=None, *, units=50, giver=SELLER, taker=BUYER, now_us=NOW_US, counts=None, venue="synthference", **right):
    refusals = gates.transfer_refusals(
        right=msgspec.structs.replace(RIGHT, **right),
        policy=policy or {},
        units=units,
        giver=giver,
        taker=taker,
        now_us=now_us,
        counts=counts,
        venue=venue,
    )
    return [refusal.code for refusal in refusals]


def test_a_plain_right_moves():
    assert codes() == []


ALONE = [
    ({"transferable": False}, {}, "not_transferable"),
    ({"splittable": False}, {}, "not_splittable"),
    ({"requires_issuer_consent": True}, {}, "consent_missing"),
    ({"requires_registry_acknowledgment": True}, {}, "acknowledgment_missing"),
    ({"eligible_holder_types": ["vault", "app"]}, {}, "holder_type_not_eligible"),
    ({"eligible_holder_types": []}, {}, "holder_type_not_eligible"),
    ({"eligible_jurisdictions": ["US"]}, {}, "jurisdiction_not_eligible"),
    ({"required_attestations": ["kyc"]}, {}, "attestation_missing"),
    ({"denied_holders": ["acc_buyer"]}, {}, "holder_denied"),
    ({"lockup_until": "2030-01-01T00:00:00Z"}, {}, "locked_up"),
    ({"min_hold_seconds": 86_401}, {}, "hold_period"),
    ({"transfer_cutoff_seconds": 86_400}, {}, "transfer_cutoff"),
    ({"min_transfer_units": "51"}, {}, "below_min_transfer"),
    ({"max_holders": 1}, {}, "max_holders"),
    ({"max_units_per_holder": "49"}, {}, "max_units_per_holder"),
    ({"venue_allow": ["elsewhere"]}, {}, "venue_not_allowed"),
    ({"venue_deny": ["synthference"]}, {}, "venue_not_allowed"),
    ({}, {"status": "issued", "activated": False}, "right_not_active"),
    ({}, {"status": "frozen", "freeze_reason": "dispute"}, "right_frozen"),
    ({}, {"status": "expired"}, "right_expired"),
    ({}, {"status": "fully_consumed"}, "right_fully_consumed"),
    ({}, {"status": "finalized"}, "right_finalized"),
    ({}, {"status": "burned"}, "right_burned"),
    ({}, {"units": 81}, "units_unavailable"),
    ({}, {"units": 0}, "units_unavailable"),
    ({}, {"locked_units": 31}, "units_unavailable"),
    ({}, {"giver": msgspec.structs.replace(SELLER, status="suspended")}, "giver_suspended"),
    ({}, {"taker": msgspec.structs.replace(BUYER, status="suspended")}, "taker_suspended"),
]


@pytest.mark.parametrize(("policy", "changed", "code"), ALONE, ids=[f"{code}-{n}" for n, (_, _, code) in enumerate(ALONE)])
def test_each_rule_refuses_alone(policy, changed, code):
    found = codes(policy, **{"counts": LineageCounts(holders=1, taker_units=0, giver_units=100), **changed})
    assert found == ([code, "below_min_transfer"] if changed.get("units") == 0 else [code])
    assert code in gates.CODES


def test_every_code_has_a_case():
    assert {code for _, _, code in ALONE} == set(gates.CODES)


PASSING = [
    ({"splittable": False}, {"units": 100, "reserved_units": 0}),
    ({"pre_activation_transfer": True}, {"status": "issued", "activated": False}),
    ({"eligible_holder_types": ["agent"], "eligible_jurisdictions": ["DE"]}, {}),
    ({"required_attestations": ["kyc"]}, {"taker": msgspec.structs.replace(BUYER, attestations=frozenset({"kyc", "enterprise"}))}),
    ({"min_hold_seconds": 86_400}, {}),
    ({"transfer_cutoff_seconds": 86_399}, {}),
    ({"min_transfer_units": "50"}, {}),
    ({"venue_allow": ["synthference"], "venue_deny": ["elsewhere"]}, {}),
    ({"max_holders": 1}, {"units": 80, "counts": LineageCounts(holders=1, taker_units=0, giver_units=80)}),
    ({"max_holders": 1}, {"counts": LineageCounts(holders=1, taker_units=5, giver_units=100)}),
    ({"max_units_per_holder": "55"}, {"counts": LineageCounts(holders=1, taker_units=5, giver_units=100)}),
    ({"denied_holders": ["acc_seller"]}, {}),
]


@pytest.mark.parametrize(("policy", "changed"), PASSING)
def test_on_the_right_side_of_each_limit(policy, changed):
    assert codes(policy, **changed) == []


def test_the_last_moment_counts_as_past():
    end = RIGHT.window_end_us
    assert codes(now_us=end - 1) == []
    assert codes(now_us=end) == ["right_expired", "transfer_cutoff"]
    assert codes({"lockup_until": "2024-10-04T00:00:00Z"}, now_us=NOW_US) == []
    assert codes({"lockup_until": "2024-10-04T00:00:00Z"}, now_us=NOW_US - 1, acquired_us=0) == ["locked_up"]


def test_every_reason_comes_at_once():
    found = codes(
        {"transferable": False, "splittable": False, "requires_issuer_consent": True, "denied_holders": ["acc_buyer"], "max_holders": 1},
        units=90,
        status="frozen",
        freeze_reason="compliance",
        giver=msgspec.structs.replace(SELLER, status="suspended"),
    )
    assert found == [
        "right_frozen",
        "not_transferable",
        "units_unavailable",
        "not_splittable",
        "giver_suspended",
        "holder_denied",
        "max_holders",
        "consent_missing",
    ]


def test_counted_holders_nobody_counted_are_refused():
    assert codes({"max_holders": 9, "max_units_per_holder": "1000"}) == ["max_holders", "max_units_per_holder"]
    assert codes({"max_holders": 9, "max_units_per_holder": "1000"}, taker=None) == []


def test_verdicts_list_every_rule_and_agree_with_refusals():
    policy = {"splittable": False, "eligible_jurisdictions": ["US"]}
    asked = {"right": RIGHT, "policy": policy, "units": 50, "giver": SELLER, "now_us": NOW_US}
    verdicts = gates.transfer_verdicts(**asked, taker=BUYER)
    assert [v for v in verdicts if not v.passed] == gates.transfer_refusals(**asked, taker=BUYER)
    assert len(verdicts) == 1 + len(gates.CODES) - 6  # one verdict stands for the six of the status
    assert all(v.detail for v in verdicts)
    untaken = [v.code for v in gates.transfer_verdicts(**asked, taker=None)]
    assert untaken == [*(v.code for v in verdicts[:10]), "consent_missing", "acknowledgment_missing"]


@pytest.mark.parametrize("status", [s for s in RightStatus if s not in {"active", "issued"}])
def test_no_policy_moves_what_never_moves(status):
    assert codes({"pre_activation_transfer": True}, status=status)


def test_receiver_rules_alone_are_what_the_taker_is_asked():
    policy = {"transferable": False, "eligible_holder_types": ["vault"], "denied_holders": ["acc_buyer"]}
    assert [v.code for v in gates.taker_refusals(policy, BUYER)] == ["holder_type_not_eligible", "holder_denied"]
    assert gates.taker_refusals({}, BUYER) == []


def key(*policies, issuer="i", root="r", terms="t"):
    return gates.restriction_key([Receiver(read_policy(policy), issuer, root, terms) for policy in policies])


def test_restriction_keys_stand_for_receiver_rules():
    assert key() == 0
    assert key({"splittable": False, "transfer_cutoff_seconds": 5}) == 0
    one = key({"eligible_holder_types": ["app", "vault"]})
    assert 0 < one < 2**60
    assert one == key({"eligible_holder_types": ["vault", "app"], "min_hold_seconds": 9}, {}, root="another")
    assert one == key({"eligible_holder_types": ["vault", "app", "user"]}, {"eligible_holder_types": ["app", "agent", "vault"]})
    assert one != key({"eligible_holder_types": ["vault"]})
    assert len({key({"denied_holders": [f"acc_{n}"]}) for n in range(100)}) == 100


@pytest.mark.parametrize("rule", [{"requires_issuer_consent": True}, {"requires_registry_acknowledgment": True}, {"max_holders": 5}])
def test_keys_of_rules_that_look_something_up_name_what_they_are_about(rule):
    assert len({key(rule), key(rule, root="s"), key(rule, terms="u"), key(rule, issuer="j")}) == 4


CONSENT = {"requires_issuer_consent": True}
BUYERS = Permits(consent=Grants(takers=frozenset({BUYER.account_id})))


@pytest.mark.parametrize(
    ("permits", "taker", "refused"),
    [
        (Permits(), BUYER, True),
        (BUYERS, BUYER, False),
        (BUYERS, SELLER, True),
        (BUYERS, None, False),
        (Permits(), None, True),
        (Permits(consent=Grants(everybody=True)), SELLER, False),
        (Permits(acknowledgment=Grants(everybody=True)), BUYER, True),
    ],
)
def test_a_consent_covers_whom_it_names(permits, taker, refused):
    asked = {"right": RIGHT, "policy": CONSENT, "units": 50, "giver": SELLER, "taker": taker, "now_us": NOW_US, "permits": permits}
    assert [v.code for v in gates.transfer_refusals(**asked)] == (["consent_missing"] if refused else [])


def test_a_cut_off_gives_the_last_moment():
    assert gates.transferable_until_us({"transfer_cutoff_seconds": 60}, NOW_US) == NOW_US - 60_000_000
    assert gates.transferable_until_us({}, NOW_US) == NOW_US


@pytest.mark.parametrize("name", ["chat-day", "every-field"])
def test_a_manifests_policy_reads_and_writes_back(name):
    document = read_manifest(valid(name)).document["transfer_policy"]
    assert policy_document(read_policy(document)) == document
    assert document.keys() == SCHEMA["properties"]["transfer_policy"]["properties"].keys()


SETS = st.one_of(st.none(), st.frozensets(st.sampled_from(["app", "agent", "vault"]), max_size=3))
POLICIES = st.builds(
    TransferPolicy,
    transferable=st.booleans(),
    splittable=st.booleans(),
    pre_activation_transfer=st.booleans(),
    requires_issuer_consent=st.booleans(),
    eligible_holder_types=SETS,
    required_attestations=st.frozensets(st.sampled_from(["kyc"]), max_size=1),
    denied_holders=st.frozensets(st.sampled_from(["acc_buyer", "acc_seller"]), max_size=2),
    lockup_until_us=st.sampled_from([0, NOW_US, NOW_US + 1]),
    min_hold_s=st.sampled_from([0, 86_400, 86_401]),
    transfer_cutoff_s=st.sampled_from([0, 86_399, 86_400]),
    min_transfer_units=st.sampled_from([1, 50, 51]),
    max_holders=st.sampled_from([None, 1, 2]),
    max_units_per_holder=st.sampled_from([None, 49, 50]),
    venue_allow=st.sampled_from([None, frozenset({"synthference"}), frozenset({"x"})]),
    venue_deny=st.sampled_from([frozenset(), frozenset({"synthference"})]),
)


@given(st.lists(POLICIES, min_size=1, max_size=3), st.sampled_from(["active", "issued"]))
def test_the_strictest_refuses_exactly_what_any_refuses(policies, status):
    counts = LineageCounts(holders=1, taker_units=0, giver_units=100)
    found = [set(codes(policy, status=status, counts=counts)) for policy in policies]
    combined = strictest(policies)
    together = set(codes(combined, status=status, counts=counts))
    assert together == set().union(*found)
    assert strictest([combined, *policies]) == combined

"""The words that the database takes are those of the code, in both directions: one that only one of them has fails here (SPEC §2 - §7)."""

import re

import pytest
from django.db import connection

from exchange.domain import standing_policy
from exchange.domain.proceeds import PROCEEDS
from exchange.models import access, bounds, listing, policy, proposal
from rights.domain import amendment, assurance, capability, issuance, lifecycle, package
from rights.models import compute, consent, party, right, role, supplier, supply
from rights.models import package as packages
from settlement.domain import node_states, request_states, settlement_states
from settlement.models import outcome, request
from tests import spec_tables as spec

pytestmark = pytest.mark.django_db
STANDING = ("active", "suspended")
# (table, column) → every word the code knows. What stands in the database and not here fails, and the other way round.
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("rights_account", "holder_type"): party.HOLDER_TYPES,
    ("rights_account", "status"): STANDING,
    ("rights_participant", "status"): STANDING,
    ("rights_issuer", "issuer_type"): party.ISSUER_TYPES,
    ("rights_issuer", "issuance_path"): tuple(issuance.PATHS),
    ("rights_series", "window_mode"): compute.WINDOW_MODES,
    ("rights_right", "status"): tuple(lifecycle.RightStatus),
    ("rights_right", "freeze_reason"): tuple(lifecycle.FreezeReason),
    ("rights_rightlink", "kind"): right.LINK_KINDS,
    ("rights_rolegrant", "role"): role.ROLES,
    ("rights_consent", "kind"): consent.CONSENT_KINDS,
    ("rights_consent", "scope"): consent.CONSENT_SCOPES,
    ("rights_consent", "state"): consent.CONSENT_STATES,
    ("rights_unitlock", "kind"): packages.LOCK_KINDS,
    ("rights_package", "type"): package.TYPES,
    ("rights_package", "state"): packages.PACKAGE_STATES,
    ("rights_packagepart", "tier"): package.TIERS,
    ("rights_delegation", "state"): packages.DELEGATION_STATES,
    ("rights_supplier", "status"): supplier.SUPPLIER_STATES,
    ("rights_capability", "workload"): capability.WORKLOADS,
    ("rights_capability", "quality_band"): capability.QUALITY_BANDS,
    ("rights_capability", "latency_band"): capability.LATENCY_BANDS,
    ("rights_capability", "privacy_mode"): capability.PRIVACY_MODES,
    ("rights_capability", "environment"): capability.ENVIRONMENTS,
    ("rights_capability", "availability"): capability.AVAILABILITIES,
    ("rights_assurance", "mode"): spec.ASSURANCE_MODES,
    ("rights_assurance", "status"): assurance.STATUSES,
    ("rights_assurance", "degradation_plan"): assurance.PLANS,
    ("rights_planact", "act"): supply.PLAN_ACTS,
    ("settlement_endpoint", "adapter"): request.ADAPTERS,
    ("settlement_endpoint", "status"): ("active", "paused"),
    ("settlement_request", "state"): tuple(request_states.RequestState),
    ("settlement_request", "budget"): request_states.BUDGETS,
    ("settlement_request", "delivery"): request_states.DELIVERIES,
    ("settlement_route", "state"): tuple(request_states.RouteState),
    ("settlement_route", "tier"): package.TIERS,
    ("settlement_settlement", "state"): tuple(settlement_states.SettlementState),
    ("settlement_settlement", "outcome"): tuple(settlement_states.Outcome),
    ("settlement_outcometally", "outcome"): tuple(settlement_states.Outcome),
    ("settlement_dispute", "side"): outcome.SIDES,
    ("settlement_dispute", "state"): outcome.DISPUTE_STATES,
    ("exchange_instrument", "delivery_rule"): ("exact", "dominance"),
    ("exchange_instrument", "proceeds_escrow"): PROCEEDS,
    ("exchange_listingrequest", "state"): listing.LISTING_STATES,
    ("exchange_blockoffer", "state"): listing.OFFER_STATES,
    ("exchange_proposal", "status"): proposal.STATUSES,
    ("exchange_orderapproval", "state"): bounds.APPROVAL_STATES,
    ("exchange_policy", "kind"): standing_policy.KINDS,
    ("exchange_policy", "state"): standing_policy.STATES,
    ("exchange_policyrun", "trigger"): policy.TRIGGERS,
    ("exchange_policyaction", "outcome"): policy.OUTCOMES,
    ("exchange_policyaction", "rule"): standing_policy.RULES,
    ("settlement_node", "status"): node_states.NODE_STATES,
    ("settlement_node", "suspended_by"): node_states.SUSPENDERS,
    ("settlement_job", "state"): node_states.JOB_STATES,
}
_CHECKS = """
SELECT c.conrelid::regclass::text, pg_get_constraintdef(c.oid) FROM pg_constraint c
WHERE c.contype = 'c' AND c.conrelid::regclass::text ~ '^(rights|exchange|settlement)_'
"""
_LISTED = re.compile(r"\(?\(?(\w+)\)?::text = ANY \(\(?ARRAY\[(.*?)\]", re.DOTALL)
_WORD = re.compile(r"'([^']*)'::")


def in_the_database() -> dict[tuple[str, str], set[str]]:
    """Every column that a CHECK gives a list of words."""
    found: dict[tuple[str, str], set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CHECKS)
        for table, text in cursor.fetchall():
            for column, listed in _LISTED.findall(text):
                found.setdefault((table, column), set()).update(_WORD.findall(listed))
    return found


def test_every_list_of_words_is_the_codes() -> None:
    found = in_the_database()
    assert {where: set(words) for where, words in WORDS.items()} == found


def test_the_lifecycle_table_is_the_codes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT from_status, to_status FROM rights_lifecycle")
        edges = set(cursor.fetchall())
    assert edges == {(str(status), str(following)) for status, after in lifecycle.LIFECYCLE.items() for following in after}
    assert edges == {(status, following) for status, after in spec.LIFECYCLE.items() for following in after}


def test_models_repeat_the_domain() -> None:
    assert set(right.STATUSES) == set(lifecycle.RightStatus)
    assert set(right.FREEZE_REASONS) == set(lifecycle.FreezeReason)
    assert set(packages.PACKAGE_TYPES) == set(package.TYPES)
    assert set(packages.TIERS) == set(package.TIERS)
    assert set(amendment.TOUCHES) == set(amendment.Amendment)


def test_scopes_are_those_of_the_interface() -> None:
    named = ("read", "trade", "cancel", "quote", "transfer", "redeem", "consent", "issue", "supply", "clearing", "operate", "audit")
    assert set(access.SCOPES) == set(named)


@pytest.mark.parametrize("reason", spec.FREEZE_REASONS)
def test_section_2_freeze_reason(reason: str) -> None:
    assert reason in in_the_database()["rights_right", "freeze_reason"]


@pytest.mark.parametrize("name", spec.ROLES)
def test_section_2_role(name: str) -> None:
    assert name in in_the_database()["rights_rolegrant", "role"]


@pytest.mark.parametrize("mode", spec.ASSURANCE_MODES)
def test_section_7_assurance_mode(mode: str) -> None:
    assert mode in in_the_database()["rights_assurance", "mode"]


@pytest.mark.parametrize("path", spec.ISSUANCE_PATHS)
def test_section_7_issuance_path(path: str) -> None:
    assert path in in_the_database()["rights_issuer", "issuance_path"]


@pytest.mark.parametrize("kind", spec.PACKAGES)
def test_section_6_package_type(kind: str) -> None:
    assert kind in in_the_database()["rights_package", "type"]

"""What the API and the pages read of the registry."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rights import selectors
from rights.models import Right
from rights.selectors import lineage
from rights.services.freeze import freeze_right
from rights.services.split import split_right
from tests.registry_desk import MINT, NOW_US, Desk
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return Desk()


def shown(right, now_us=NOW_US):
    return selectors.right_document(selectors.rights_with_all().get(pk=right.pk), instruments=["X"], now_us=now_us)


def test_inventory_sums_live_units_by_series(desk):
    one, two = desk.issue(100), desk.issue(50)
    desk.issue(7, holder="other")
    Right.objects.filter(pk=two.pk).update(reserved_units=20)
    Right.objects.filter(pk=desk.issue(9).pk).update(status="expired")
    holder = desk.accounts["holder"].pk
    found = selectors.inventory(account_id=holder)
    assert found == [selectors.Inventory(series_id=one.series_id, units=150, reserved=20, rights=2)]
    assert selectors.inventory(account_id=holder, series_id=one.series_id) == found
    assert selectors.inventory(account_id=holder, series_id=0) == []


def test_rights_are_found_by_holder_class_and_status(desk):
    mine, his = desk.issue(), desk.issue(holder="other")
    frozen = desk.issue()
    freeze_right(right_id=str(frozen.pk), freeze_reason="custom", note="x", actor="test", now_us=NOW_US)
    holder = desk.accounts["holder"].pk
    assert [r.pk for r in selectors.rights_of(holder_id=holder)] == [frozen.pk, mine.pk]
    assert [r.pk for r in selectors.rights_of(status="active")] == [his.pk, mine.pk]
    assert [r.pk for r in selectors.rights_of(holder_id=holder, class_key="TXT.CHAT.STD.INT.PRV", status="frozen")] == [frozen.pk]
    assert not selectors.rights_of(class_key="GPU")


def test_a_list_of_documents_costs_one_query(desk):
    for _ in range(3):
        desk.issue()
    with CaptureQueriesContext(connection) as queries:
        found = [selectors.right_document(r, instruments=[], now_us=NOW_US) for r in selectors.rights_of()]
    assert (len(found), len(queries)) == (3, 1)


def test_a_page_shows_what_each_right_shows_by_itself(desk):
    """Newest first, however many share terms, series and hands; terms and series that were read before are not read again."""
    rights = [desk.issue(), desk.issue(), desk.issue(holder="other"), desk.issue(5, holder="issuer"), desk.issue(5, activate=False)]
    freeze_right(right_id=str(rights[1].pk), freeze_reason="custom", note="x", actor="test", now_us=NOW_US)

    def page():
        with CaptureQueriesContext(connection) as queries:
            found = selectors.rights_by_id([str(right.pk) for right in rights])
            manifests = selectors.manifests_of(found)
            documents = [selectors.right_document(r, instruments=["X"], now_us=NOW_US, permits={}, manifests=manifests) for r in found]
        return documents, [query["sql"] for query in queries.captured_queries]

    documents, _ = page()
    assert documents == [shown(right) for right in sorted(rights, key=lambda right: right.pk, reverse=True)]
    again, asked = page()
    assert again == documents
    assert len(asked) == 4
    assert not any('FROM "rights_terms"' in sql or 'FROM "rights_series"' in sql for sql in asked)


def test_the_family_comes_root_first(desk):
    root = desk.issue(100)
    child = split_right(right_id=str(root.pk), units=30, child_id=MINT.uuid(NOW_US + 1), actor="test", now_us=NOW_US + 1)[1]
    grandchild = split_right(right_id=str(child.pk), units=10, child_id=MINT.uuid(NOW_US + 2), actor="test", now_us=NOW_US + 2)[1]
    line = [str(right.pk) for right in (grandchild, child, root)]
    assert [(one.id, one.steps) for one in lineage.line(right_id=line[0], root_id=line[2], limit=9)] == list(
        zip(line, range(3), strict=True)
    )
    assert [one.id for one in lineage.family(root_id=line[2], limit=9)] == line[::-1]
    assert [one.id for one in lineage.children(right_id=line[2], limit=9)] == [line[1]]
    document = shown(grandchild)
    assert (document["parent_right_id"], document["root_right_id"]) == (f"rgt_{child.pk}", f"rgt_{root.pk}")
    assert document["terms_hash"] == shown(root)["terms_hash"]


def test_a_document_says_what_every_gate_says_now(desk):
    right = desk.issue(transfer_policy={"requires_issuer_consent": True})
    freeze_right(right_id=str(right.pk), freeze_reason="dispute", note="x", actor="test", now_us=NOW_US)
    document = shown(right)
    assert [gate["code"] for gate in document["gates"] if not gate["passed"]] == ["right_frozen", "consent_missing"]
    assert (document["status"], document["freeze_reason"]) == ("frozen", "dispute")


def test_a_transfer_check_counts_the_lineage(desk):
    right = desk.issue(100, transfer_policy={"max_holders": 2, "max_units_per_holder": "100"})
    third = desk.open("third")
    buyer = desk.accounts["other"]

    def refused(units, taker):
        row = selectors.rights_with_all().get(pk=right.pk)
        verdicts = selectors.gates_of(row, now_us=NOW_US, units=units, taker=taker)
        return [verdict.code for verdict in verdicts if not verdict.passed]

    child = split_right(right_id=str(right.pk), units=40, child_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)[1]
    assert refused(50, buyer) == []
    Right.objects.filter(pk=child.pk).update(holder=buyer, controller=buyer)
    assert refused(10, buyer) == []
    assert refused(10, third) == ["max_holders"]
    assert refused(60, third) == []  # all the giver has: he stops being a holder
    right_before = Right.objects.get(pk=right.pk).remaining_units
    assert right_before == 60
    assert selectors.lineage_counts(root_id=str(right.pk), giver_id=desk.accounts["holder"].pk, taker_id=buyer.pk).taker_units == 40


def test_eligibility_names_the_field_that_differs(desk):
    plain = desk.issue()
    assert all(verdict.passed for verdict in selectors.eligibility(plain, plain.series))
    desk.assure(patch={"service": {"priority": "premium"}, "window": {"end": "2026-12-03T00:00:00Z"}}, gross_units=10**9)
    other = desk.issue(service=chat_day(service={"priority": "premium"})["service"], window={"end": "2026-12-03T00:00:00Z"})
    verdicts = selectors.eligibility(other, plain.series)
    assert [(v.field, v.expected, v.actual) for v in verdicts if not v.passed] == [
        ("service.priority", "standard", "premium"),
        ("window.end", "2026-12-02T00:00:00Z", "2026-12-03T00:00:00Z"),
    ]

"""Breakages of requests and settlements, in a world where one is final, one waits out its window, one is disputed and one lacks a proof."""

from tests.integration.audit.breakages import Breakage, breakage

FINAL = "(SELECT id FROM settlement_settlement WHERE state = 'finalized')"
WAITING = "(SELECT id FROM settlement_settlement WHERE state = 'pending_dispute_window')"

USE_BREAKAGES: tuple[Breakage, ...] = (
    breakage("route_locks", "L3", "UPDATE settlement_route SET units = units + 1 WHERE state = 'locked'"),
    breakage("route_locks", "L3", "UPDATE settlement_dispute SET id = gen_random_uuid()"),
    breakage("route_escrow", "L3", "UPDATE settlement_route SET escrow_minor = escrow_minor + 1 WHERE state = 'locked'"),
    breakage(
        "route_parts",
        "L3",
        "WITH made AS (INSERT INTO rights_package (uuid, type, holder_id, controller_id, label, policy, rules, state, revision, created_at, "
        "updated_at) SELECT gen_random_uuid(), 'bundle', id, id, 'x', '{}', '{}', 'active', 1, now(), now() FROM rights_account LIMIT 1 "
        "RETURNING id) UPDATE settlement_route SET package_id = made.id FROM made WHERE state = 'locked'",
    ),
    breakage("delegated_use", "L3", "UPDATE settlement_request SET delegation_id = NULL WHERE delegation_id IS NOT NULL"),
    breakage("delegated_use", "L3", "UPDATE rights_delegation SET state = 'revoked', ended_at = created_at - interval '1 hour'"),
    breakage("settlement_guard", "S1", "DELETE FROM settlement_settlementrule WHERE event = 'challenged'"),
    breakage("settlement_guard", "S1", "DROP TRIGGER settlement_step ON settlement_settlement"),
    breakage("settlement_guard", "S1", "DROP TRIGGER settlement_begins ON settlement_settlement"),
    breakage(
        "settlement_guard",
        "S1",
        "CREATE OR REPLACE FUNCTION check_settlement_step() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ),
    breakage("settlement_stands", "S1", f"UPDATE settlement_settlement SET rule = '' WHERE id = {FINAL}"),
    breakage("settlement_stands", "S1", f"UPDATE settlement_settlement SET state = 'classified_full' WHERE id = {WAITING}"),
    breakage("receipt_hash", "S1", "UPDATE settlement_receipt SET body = replace(body, 'completed', 'failed')"),
    breakage("settlement_units", "S2", f"UPDATE settlement_settlement SET units = units - 1 WHERE id = {FINAL}"),
    breakage("settlement_units", "S2", f"UPDATE settlement_settlement SET reserved_units = reserved_units + 1 WHERE id = {WAITING}"),
    breakage(
        "settlement_budget",
        "S2",
        f"UPDATE settlement_request SET budget = 'reserved-draw' WHERE id = (SELECT request_id FROM settlement_settlement WHERE id = {FINAL})",
    ),
    breakage(
        "settlement_money",
        "S2",
        f"UPDATE settlement_settlement SET payout_minor = payout_minor - 1, release_minor = release_minor + 1 WHERE id = {FINAL}",
    ),
    breakage("settlement_money", "S2", f"UPDATE settlement_settlement SET payout_minor = payout_minor + 1 WHERE id = {WAITING}"),
    breakage(
        "receipt_once",
        "S3",
        "UPDATE settlement_receipt SET request_id = (SELECT id FROM settlement_request WHERE state = 'matched') "
        f"WHERE id = (SELECT receipt_id FROM settlement_settlement WHERE id = {FINAL})",
    ),
    breakage("receipt_once", "S3", "UPDATE settlement_receipt SET invalidated_at = now()"),
    breakage("known_requests", "S3", "UPDATE settlement_request SET stream_id = 999999 WHERE state = 'settled'"),
    breakage("known_requests", "S3", "UPDATE settlement_route SET payee_id = 999999 WHERE state = 'locked'"),
    breakage("known_requests", "S3", "UPDATE settlement_route SET supplier_id = 999999 WHERE state = 'locked'"),
    breakage(
        "known_requests",
        "S3",
        "INSERT INTO settlement_proof (receipt_id, number, type, reference, content_hash, producer, signature, is_valid, recorded_at) "
        "VALUES (gen_random_uuid(), 0, 'usage-meter', '', '', 'venue', '', true, now())",
    ),
    breakage(
        "known_requests",
        "S3",
        "INSERT INTO rights_unitlock (right_id, kind, ref, units, created_at, released_at) "
        "VALUES (gen_random_uuid(), 'route_lock', 'rte_x', 1, now(), now())",
    ),
    breakage(
        "known_requests",
        "S3",
        "INSERT INTO settlement_requestpayload (request_id, body, body_hash, created_at) VALUES (gen_random_uuid(), '', '', now())",
    ),
    breakage("settlement_final", "L3 S3", "UPDATE settlement_dispute SET state = 'rejected'"),
    breakage(
        "settlement_final", "S3", f"UPDATE settlement_settlement SET window_ends_at = finalized_at + interval '1 second' WHERE id = {FINAL}"
    ),
    breakage("outcome_tallies", "S2", "UPDATE settlement_outcometally SET requests = requests + 1"),
    breakage("outcome_tallies", "S2", "UPDATE settlement_outcometally SET used_units = used_units - 1"),
    breakage("outcome_tallies", "S2", "UPDATE settlement_outcometally SET outcome = 'expired'"),
    breakage("outcome_tallies", "S2", "DELETE FROM settlement_outcometally"),
)

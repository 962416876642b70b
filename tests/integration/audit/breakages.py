"""Deliberate breakages, at least one per check made of SQL: what to change by force, and which invariants that breaks.

Where more than one code stands, one fact contradicts several others and no change could break fewer. (E2 sees nearly all
of these too, for it compares every row with what the journal says; the quick audit leaves it out.)
"""

from typing import NamedTuple

from exchange.audit.commands import PENDING_S


class Breakage(NamedTuple):
    check: str
    codes: str  # space-separated
    statements: tuple[str, ...]


def breakage(check: str, codes: str, *statements: str) -> Breakage:
    return Breakage(check, codes, statements)


BUY = "(SELECT id FROM exchange_order WHERE is_open AND side = 0 ORDER BY id LIMIT 1)"
ASK = "(SELECT id FROM exchange_order WHERE is_open AND side = 1 AND filled_lots = 0 ORDER BY id LIMIT 1)"
MAKER = "(SELECT sell_order_id FROM exchange_trade WHERE trade_no = 2)"
THIRDS = "client_order_id IS NULL AND account_id = (SELECT account_id FROM exchange_command WHERE client_order_id = 'first')"
TRADE = "(SELECT id FROM exchange_trade ORDER BY trade_no DESC LIMIT 1)"
USD = "(SELECT id FROM settlement_asset WHERE code = 'USD')"
BUYER = "(SELECT account_id FROM exchange_order WHERE is_open AND side = 0 ORDER BY id LIMIT 1)"
ROOT = "(SELECT id FROM rights_right WHERE parent_id IS NULL)"
CHILD = "(SELECT id FROM rights_right WHERE parent_id IS NOT NULL ORDER BY id LIMIT 1)"
LAST_BATCH = "(SELECT max(seq) FROM exchange_batch)"
PLACED = "(SELECT min(n) FROM exchange_command WHERE kind = 0)"
# A route that nobody asked for: nothing is locked for it, and no cash set aside.
ROUTE = (
    "INSERT INTO settlement_route (id, request_id, number, right_id, capability_id, supplier_id, units, currency_id, escrow_minor, score, "
    f"reasons, fallbacks, quality_loss_bps, state, quoted_at, tier, branch) SELECT gen_random_uuid(), gen_random_uuid(), 0, {ROOT}, 1, 1, 1, {USD}, 5, 0, "
    "'[]', '{}', 0, 'locked', now(), '', ''"
)

# A key's first order, as if the key had been bounded.
DRAWN = (
    "INSERT INTO exchange_keydraw (command_id, key_id, order_id, day, is_buy, notional_minor, price_ticks, quantity_lots) "
    "SELECT c.n, k.id, c.order_id, c.accepted_at::date, true, 10, 1, 1 FROM exchange_command c JOIN exchange_apikey k "
    "ON c.actor = 'key:' || k.uuid::text WHERE c.kind = 0 ORDER BY c.n LIMIT 1"
)
# As if what a trade brought had waited, and had been released before its time.
PROCEEDS = (
    "INSERT INTO exchange_proceeds (trade_id, entry_id, seller_minor, buyer_minor, released_at) "
    f"SELECT {TRADE}, gen_random_uuid(), 1, 0, now()"
)

BREAKAGES = (
    breakage(
        "asset_sums_to_zero", "L1 L2", f"UPDATE settlement_balance SET amount = amount + 1 WHERE asset_id = {USD} AND account_id = {BUYER}"
    ),
    breakage("postings_move", "L1 L2", "UPDATE settlement_posting SET debit_id = 999999 WHERE kind = 'funding'"),
    breakage("balance_is_posted", "L2", "UPDATE settlement_posting SET amount = amount + 1 WHERE kind = 'funding'"),
    breakage("balance_limits", "L2", f"UPDATE settlement_balance SET floor = NULL WHERE asset_id = {USD} AND account_id = {BUYER}"),
    breakage("balance_limits", "L2", f"UPDATE settlement_balance SET floor = amount + 1 WHERE asset_id = {USD} AND account_id = {BUYER}"),
    breakage("order_hold", "L3", f"UPDATE exchange_order SET held_minor = held_minor + 1 WHERE id = {BUY}"),
    breakage("order_hold", "L3", f"UPDATE exchange_order SET held_minor = 1 WHERE id = {ASK}"),
    breakage("cash_held", "L3", f"UPDATE settlement_balance SET held = held - 1 WHERE asset_id = {USD} AND account_id = {BUYER}"),
    breakage("ask_slices", "L3", f"UPDATE exchange_order SET slice_units[1] = slice_units[1] + 1 WHERE id = {ASK}"),
    breakage("ask_slices", "L3", f"UPDATE exchange_order SET slice_units = '{{0}}' WHERE id = {BUY}"),
    breakage("right_reserved", "L3", f"UPDATE rights_right SET reserved_units = reserved_units - 1 WHERE id = {ROOT}"),
    breakage(
        "package_locks",
        "L3",
        f"INSERT INTO rights_unitlock (right_id, kind, ref, units, created_at) SELECT {ROOT}, 'attached_slice', 'pkg_none', 1, now()",
    ),
    breakage(
        "route_locks",
        "L3",
        "INSERT INTO rights_unitlock (right_id, kind, ref, units, created_at, released_at) "
        f"SELECT {ROOT}, 'route_lock', 'rte_none', 1, now(), NULL",
    ),
    breakage("route_locks", "L3 S3", ROUTE),
    breakage("route_escrow", "L3 S3", ROUTE),
    breakage("route_states", "L3 S3", ROUTE),
    breakage("route_states", "L3 S3", ROUTE.replace("'locked'", "'executing'")),
    breakage(
        "links",
        "G3",
        "INSERT INTO rights_rightlink (kind, former_id, latter_id, units, reason, created_at) "
        f"SELECT 'replaced', {ROOT}, {CHILD}, 1, 'x', now()",
    ),
    breakage("proceeds_held", "L3", "UPDATE exchange_instrument SET proceeds_escrow = 'until_final'"),
    breakage("proceeds_posted", "S2 S3", PROCEEDS),
    breakage("proceeds_final", "S2 S3", PROCEEDS),
    breakage(
        "carried_over",
        "G3",
        "INSERT INTO rights_rightlink (kind, former_id, latter_id, units, reason, created_at) "
        f"SELECT 'rolled', {ROOT}, {CHILD}, 1, 'x', now()",
    ),
    breakage(
        "units_held",
        "L3",
        "UPDATE settlement_balance b SET held = held - 1 FROM settlement_asset a WHERE a.id = b.asset_id AND a.kind = 'units' AND b.held > 0",
    ),
    breakage("units_of_holder", "L4", f"UPDATE rights_right SET remaining_units = remaining_units - 1 WHERE id = {CHILD}"),
    breakage(
        "units_of_root",
        "L4",
        "UPDATE rights_assurance SET issued_units = issued_units + 1 WHERE issued_units > 0",
        f"UPDATE rights_right SET max_units = max_units + 1 WHERE id = {CHILD}",
    ),
    breakage("units_of_right", "L4", f"UPDATE rights_right SET status = 'fully_consumed' WHERE id = {CHILD}"),
    breakage("assurance_capacity", "A1", "UPDATE rights_assurance SET gross_units = issued_units - 1"),
    breakage("pledged_capacity", "A1", "UPDATE rights_assurancesource SET units = units + 1"),
    breakage("pledged_capacity", "A1", "UPDATE rights_postedcapacity SET pledged_units = pledged_units - 1"),
    breakage("pledged_capacity", "A1", "UPDATE rights_postedcapacity SET units = pledged_units - 1"),
    breakage("assurance_sources", "A1", "UPDATE rights_assurance SET gross_units = gross_units + 1 WHERE reference = 'pledged'"),
    breakage("assurance_sources", "A1", "UPDATE rights_postedcapacity SET window_start = window_start - interval '1 second'"),
    breakage("capacity_guard", "A1", "DROP TRIGGER source_pledges ON rights_assurancesource"),
    breakage("capacity_guard", "A1", "DROP TRIGGER assurance_capacity_update ON rights_assurance"),
    breakage("assurance_count", "A1", "UPDATE rights_assurance SET issued_units = issued_units + 1"),
    breakage("trade_fees", "L5", "UPDATE exchange_instrument SET taker_bps = taker_bps - 1, maker_bps = taker_bps"),
    breakage("order_adds_up", "B1", f"UPDATE exchange_order SET status = 3 WHERE id = {BUY}"),
    breakage("order_adds_up", "B1", f"UPDATE exchange_order SET quantity_lots = quantity_lots + 1 WHERE id = {BUY}"),
    breakage("order_fills", "B1", "UPDATE exchange_order SET fee_minor = fee_minor + 1 WHERE status = 3"),
    breakage(
        "order_fills", "B1", f"UPDATE exchange_order SET filled_lots = 1, quantity_lots = quantity_lots + 1, status = 2 WHERE id = {BUY}"
    ),
    breakage(
        "known_parties",
        "B1",
        "INSERT INTO exchange_accountmessage (account_id, seq, at, orders_seq, fills_seq, balances_seq, body) "
        "SELECT 999999, 1, at, 0, 0, 0, body FROM exchange_accountmessage LIMIT 1",
    ),
    breakage("book_uncrossed", "B2", f"UPDATE exchange_order SET price_ticks = 1 WHERE id = {ASK}"),
    breakage("trade_amounts", "B4", "UPDATE exchange_instrument SET collar_high_ticks = 205"),
    breakage("trade_price", "B4", f"UPDATE exchange_order SET price_ticks = price_ticks + 1 WHERE id = {MAKER}"),
    breakage(
        "two_participants",
        "B5",
        f"UPDATE rights_account SET participant_id = (SELECT participant_id FROM rights_account a JOIN exchange_trade t ON t.seller_id = a.id "
        f"WHERE t.id = {TRADE}) WHERE id = (SELECT buyer_id FROM exchange_trade WHERE id = {TRADE})",
    ),
    breakage("order_participant", "B5", f"UPDATE exchange_order SET participant_id = participant_id + 1000 WHERE id = {BUY}"),
    breakage(
        "traded_while_open",
        "B6",
        'UPDATE exchange_command SET payload = \'{"phase":2,"reason":"test"}\' WHERE n = (SELECT min(n) FROM exchange_command WHERE kind = 4)',
    ),
    breakage("traded_while_open", "B6", "UPDATE exchange_instrument SET gate_closes_at = (SELECT max(at) FROM exchange_trade)"),
    breakage("closed_is_empty", "B6", "UPDATE exchange_book SET phase = 3"),
    breakage(
        "pending",
        "C1",
        "INSERT INTO exchange_command (book_id, kind, payload, actor, accepted_at) SELECT book_id, 4, '{\"phase\":1}', actor, "
        f"accepted_at - interval '{PENDING_S + 1} seconds' FROM exchange_command WHERE kind = 4 ORDER BY n LIMIT 1",
    ),
    breakage("applied_once", "C1", f"UPDATE exchange_batch SET command_ns[1] = {PLACED} WHERE seq = {LAST_BATCH}"),
    breakage("gapless", "C1", "UPDATE exchange_book SET last_command_seq = last_command_seq + 1"),
    breakage("gapless", "C1", "UPDATE exchange_batch SET first_command_seq = first_command_seq + 1 WHERE seq = 1"),
    breakage(
        "in_order", "C1", "UPDATE exchange_batch SET command_ns = ARRAY[command_ns[2], command_ns[1]] || command_ns[3:] WHERE seq = 1"
    ),
    breakage("outcome", "C1", "DELETE FROM exchange_order WHERE status = 6 AND reason = 11"),
    breakage("outcome", "C1", "UPDATE exchange_order SET named_rights = slice_rights WHERE side = 1 AND is_open"),
    breakage("outcome", "C1", "UPDATE exchange_order SET deadline = now() WHERE client_order_id = 'first'"),
    breakage("outcome", "C1", "UPDATE exchange_order SET client_order_id = 'another' WHERE client_order_id = 'first'"),
    breakage(
        "client_order_id",
        "C2",
        "ALTER TABLE exchange_command DROP CONSTRAINT command_client_order_id",
        f"UPDATE exchange_order SET client_order_id = 'first' WHERE {THIRDS}",
        f"UPDATE exchange_command SET client_order_id = 'first' WHERE kind = 0 AND {THIRDS}",
    ),
    breakage(
        "idempotency_key",
        "C2",
        "ALTER TABLE exchange_idempotencykey DROP CONSTRAINT idempotency_once",
        "INSERT INTO exchange_idempotencykey (account_id, key, fingerprint, status, body, created_at) "
        f"SELECT {BUYER}, 'k', 'f', 200, '', now() FROM generate_series(1, 2)",
    ),
    breakage("actor_allowed", "Z1", f"UPDATE exchange_command SET actor = 'key:00000000-0000-7000-8000-000000000000' WHERE n = {PLACED}"),
    breakage("actor_allowed", "Z1", f"UPDATE exchange_command SET actor = 'user:1' WHERE n = {PLACED}"),
    breakage("actor_allowed", "Z1", f"UPDATE exchange_command SET actor = 'venue:matcher' WHERE n = {PLACED}"),
    breakage("actor_allowed", "Z1", "UPDATE exchange_apikey SET revoked_at = created_at - interval '1 minute'"),
    breakage("actor_allowed", "Z1", "UPDATE exchange_apikey SET expires_at = created_at - interval '1 minute'"),
    breakage("actor_allowed", "Z1", "UPDATE exchange_apikey SET scopes = '{read,cancel}'"),
    breakage(
        "two_persons",
        "Z1",
        'UPDATE rights_event SET body = replace(body, \'"actor":"command:test"\', \'"actor":"user:1"\') WHERE type = \'account.funded\'',
    ),
    breakage(
        "two_persons",
        "Z1",
        'UPDATE rights_event SET body = replace(replace(body, \'"actor":"command:test"\', \'"actor":"user:1"\'), '
        "'\"approved_by\":null', '\"approved_by\":\"user:2\"') WHERE type = 'instrument.listed'",
    ),
    breakage(
        "policy_acts",
        "Z1",
        "INSERT INTO exchange_policyaction (run_id, place, policy_id, rule, verb, book_id, side, quantity_lots, price_ticks, tif, units, why, "
        "outcome, code, detail, order_id, at) SELECT gen_random_uuid(), 1, 1, 'coverage', 'place', book_id, 0, 1, 1, 0, 1, '', 'placed', '', '', "
        "order_id, accepted_at FROM exchange_command WHERE kind = 0 LIMIT 1",
    ),
    breakage("key_limits", "Z1", DRAWN, "UPDATE exchange_apikey SET max_order_minor = 9"),
    breakage("key_limits", "Z1", DRAWN, "UPDATE exchange_apikey SET max_daily_minor = 9"),
    breakage("key_limits", "Z1", DRAWN, "UPDATE exchange_apikey SET approval_above_minor = 9"),
    breakage("key_limits", "Z1", DRAWN, "UPDATE exchange_keydraw SET order_id = gen_random_uuid()"),
    breakage(
        "acts_in_role",
        "Z1",
        'UPDATE rights_event SET body = replace(body, \'"actor":"test"\', \'"actor":"user:1"\') WHERE type = \'role.granted\'',
    ),
    breakage(
        "acts_in_role",
        "Z1",
        'UPDATE rights_event SET body = replace(body, \'"actor":"test"\', \'"actor":"user:1"\') WHERE type = \'right.issued\'',
    ),
    breakage(
        "acts_in_role",
        "Z1",
        'UPDATE rights_event SET body = replace(body, \'"actor":"test"\', \'"actor":"user:1"\') WHERE type = \'assurance.posted\'',
    ),
    breakage(
        "asks_backed",
        "G2",
        f"UPDATE rights_right SET status = 'frozen', freeze_reason = 'custom', prior_status = 'active' WHERE id = {ROOT}",
    ),
    breakage("lifecycle_guard", "G3", "DELETE FROM rights_lifecycle WHERE from_status = 'issued' AND to_status = 'burned'"),
    breakage("lifecycle_guard", "G3", "INSERT INTO rights_lifecycle VALUES ('burned', 'active')"),
    breakage("lineage", "G3", f"UPDATE rights_right SET issuer_id = issuer_id + 1000 WHERE id = {CHILD}"),
    breakage("lineage", "G3", f"UPDATE rights_right SET parent_id = id WHERE id = {CHILD}"),
    breakage("lineage_guard", "G3", "DROP TRIGGER right_keeps_descent ON rights_right"),
    breakage("right_ends", "G3", f"UPDATE rights_right SET ends_at = ends_at + interval '1 second' WHERE id = {CHILD}"),
    breakage("right_ends", "G3", "UPDATE rights_right SET ends_at = activated_at WHERE parent_id IS NULL AND activated_at IS NOT NULL"),
    breakage("terms", "G3", "UPDATE rights_terms SET transfer_policy = transfer_policy || '{\"splittable\": false}'"),
    breakage("terms", "G3", "UPDATE rights_terms SET manifest = manifest || ' '"),
    breakage("trade_entry", "D1", "UPDATE settlement_posting SET kind = 'gift' WHERE kind = 'fee'"),
    breakage("trade_entry", "D1", "UPDATE settlement_posting SET entry_id = gen_random_uuid() WHERE kind = 'cash'"),
    breakage("trade_slices", "D1", f"UPDATE exchange_trade SET slice_children[1] = gen_random_uuid() WHERE id = {TRADE}"),
    breakage(
        "trade_moves", "D1", "UPDATE rights_event SET body = replace(body, '\"units\":\"', '\"units\":\"1') WHERE type = 'right.merged'"
    ),
    breakage("trade_event", "D1", f"UPDATE exchange_trade SET event_seq = event_seq + 1000 WHERE id = {TRADE}"),
    breakage("trade_told", "D1", f"UPDATE exchange_trade SET slice_children[1] = slice_parents[1] WHERE id = {TRADE}"),
    breakage("trade_numbers", "D1", "UPDATE exchange_book SET trade_count = trade_count + 1"),
    breakage("append_only", "E1", "DROP TRIGGER event_append_only ON rights_event"),
    breakage("sheets", "E1", "UPDATE exchange_disclosuresheet SET body = body || ' '"),
    breakage("sheets", "E1", "UPDATE exchange_disclosuresheet SET version = version + 1"),
    breakage(
        "append_only", "E1", "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    ),
    breakage("anchor_spans", "E1", "UPDATE rights_anchorspan SET head_hash = repeat('a', 64)"),
    breakage("anchor_spans", "E1", "UPDATE rights_anchorspan SET last_seq = last_seq - 1 WHERE last_seq > first_seq"),
    breakage("anchor_spans", "E1", "DELETE FROM rights_anchorspan"),
    breakage("same_transaction", "D1", "UPDATE settlement_posting SET amount = amount WHERE kind = 'fee' AND leg = 2"),
    breakage("same_transaction", "D1", f"UPDATE exchange_trade SET units = units WHERE id = {TRADE}"),
    breakage("private_numbers", "M1", "UPDATE exchange_accountfeed SET orders_seq = orders_seq + 1"),
    breakage("private_numbers", "M1", "UPDATE exchange_accountfeed SET settlements_seq = settlements_seq + 1"),
    breakage("private_numbers", "M1", "DELETE FROM exchange_accountmessage WHERE seq = 3"),
    breakage("fills_told", "M1", "UPDATE exchange_accountmessage SET batch_seq = batch_seq + 1000"),
)

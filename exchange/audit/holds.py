"""L3: what is held is what open orders need, no more and no less."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "L3",
        "order_hold",
        "An open buy holds price × remaining and the worst fee on that; every other order holds no cash.",
        """
        SELECT o.id AS "order", o.held_minor, w.need::text FROM exchange_order o JOIN exchange_instrument i ON i.id = o.book_id
        CROSS JOIN LATERAL (SELECT o.price_ticks::numeric * i.tick_minor * o.remaining_lots AS notional) n
        CROSS JOIN LATERAL (SELECT CASE WHEN o.is_open AND o.side = 0
            THEN n.notional + div(n.notional * greatest(i.maker_bps, i.taker_bps), 10000) ELSE 0 END AS need) w
        WHERE o.held_minor IS DISTINCT FROM w.need
        """,
    ),
    Check(
        "L3",
        "cash_held",
        "An account's held cash is what its open orders hold.",
        """
        WITH stored AS (
            SELECT b.account_id, b.asset_id, b.held FROM settlement_balance b
            JOIN settlement_asset a ON a.id = b.asset_id WHERE a.kind = 'cash'),
        needed AS (
            SELECT o.account_id, i.currency_id AS asset_id, sum(o.held_minor) AS held FROM exchange_order o
            JOIN exchange_instrument i ON i.id = o.book_id WHERE o.is_open GROUP BY 1, 2)
        SELECT account_id, asset_id, coalesce(s.held, 0) AS held, coalesce(n.held, 0)::text AS needed
        FROM stored s FULL JOIN needed n USING (account_id, asset_id) WHERE coalesce(s.held, 0) <> coalesce(n.held, 0)
        """,
    ),
    Check(
        "L3",
        "ask_slices",
        "The slices of an open ask are remaining × lot size units; no other order has slices.",
        """
        SELECT o.id AS "order", o.is_open, o.side, o.remaining_lots, i.lot_size, o.slice_units FROM exchange_order o
        JOIN exchange_instrument i ON i.id = o.book_id
        WHERE (NOT (o.is_open AND o.side = 1) AND (o.slice_units <> '{}' OR o.slice_rights <> '{}'))
           OR (o.is_open AND o.side = 1 AND (
                cardinality(o.slice_rights) <> cardinality(o.slice_units) OR 0 >= ANY(o.slice_units)
                OR (SELECT coalesce(sum(u), 0) FROM unnest(o.slice_units) u) <> o.remaining_lots::numeric * i.lot_size))
        """,
    ),
    Check(
        "L3",
        "right_reserved",
        "A right's reserved units are what open asks, attached slices, route locks and disputes have reserved of it.",
        """
        WITH needed AS (
            SELECT right_id, sum(units) AS units FROM (
                SELECT s.right_id, s.units FROM exchange_order o, unnest(o.slice_rights, o.slice_units) AS s(right_id, units)
                WHERE o.is_open
                UNION ALL SELECT right_id, units FROM rights_unitlock WHERE released_at IS NULL) reasons
            GROUP BY 1)
        SELECT coalesce(r.id, n.right_id) AS "right", r.reserved_units, coalesce(n.units, 0)::text AS needed
        FROM rights_right r FULL JOIN needed n ON n.right_id = r.id WHERE coalesce(r.reserved_units, 0) <> coalesce(n.units, 0)
        """,
    ),
    Check(
        "L3",
        "package_locks",
        "What an active package is made of is locked for it, unit by unit, and nothing else is locked for a package.",
        """
        WITH locked AS (
            SELECT ref, right_id, sum(units) AS units FROM rights_unitlock WHERE released_at IS NULL AND kind = 'attached_slice' GROUP BY 1, 2),
        parts AS (
            SELECT 'pkg_' || p.uuid AS ref, x.right_id, sum(x.units) AS units FROM rights_packagepart x
            JOIN rights_package p ON p.id = x.package_id WHERE x.removed_at IS NULL AND p.state = 'active' GROUP BY 1, 2)
        SELECT ref, right_id, l.units::text AS locked, p.units::text AS parts FROM locked l FULL JOIN parts p USING (ref, right_id)
        WHERE coalesce(l.units, 0) <> coalesce(p.units, 0)
        """,
    ),
    Check(
        "L3",
        "units_held",
        "An account's held units of a root right are the reserved units of its rights of that root.",
        """
        WITH stored AS (
            SELECT b.account_id, a.root_right AS root, b.held FROM settlement_balance b
            JOIN settlement_asset a ON a.id = b.asset_id WHERE a.kind = 'units'),
        needed AS (SELECT holder_id AS account_id, root_id AS root, sum(reserved_units) AS held FROM rights_right GROUP BY 1, 2)
        SELECT account_id, root, coalesce(s.held, 0) AS held, coalesce(n.held, 0)::text AS reserved
        FROM stored s FULL JOIN needed n USING (account_id, root) WHERE coalesce(s.held, 0) <> coalesce(n.held, 0)
        """,
    ),
)

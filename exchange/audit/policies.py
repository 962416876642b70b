"""Z1 of what acts by itself: standing policies under their keys, and keys with limits."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "Z1",
        "policy_acts",
        "What a policy's run did is a command of the policy's own key, given at that moment; a run has an act of each number up to its last.",
        """
        SELECT a.run_id, a.place, a.verb, a.order_id FROM exchange_policyaction a
        LEFT JOIN exchange_policyrun r ON r.id = a.run_id AND r.policy_id = a.policy_id AND r.at = a.at
        LEFT JOIN exchange_policy p ON p.id = a.policy_id LEFT JOIN exchange_apikey k ON k.id = p.key_id
        LEFT JOIN exchange_command c ON c.book_id = a.book_id AND c.order_id = a.order_id
            AND c.kind = CASE a.verb WHEN 'place' THEN 0 ELSE 2 END AND c.accepted_at = a.at AND c.actor = 'key:' || k.uuid::text
            AND c.account_id = p.account_id
        WHERE r.id IS NULL OR (a.outcome = 'refused') = (c.n IS NOT NULL)
           OR (a.place > 1 AND NOT EXISTS (SELECT 1 FROM exchange_policyaction b WHERE b.run_id = a.run_id AND b.place = a.place - 1))
        """,
    ),
    Check(
        "Z1",
        "key_limits",
        "What a bounded key entered is a command of its own, within its limits; above its threshold an approval was used for that order.",
        """
        SELECT d.command_id, d.key_id, d.notional_minor FROM exchange_keydraw d JOIN exchange_apikey k ON k.id = d.key_id
        LEFT JOIN exchange_command c ON c.n = d.command_id AND c.order_id = d.order_id AND c.actor = 'key:' || k.uuid::text
        WHERE c.n IS NULL OR d.notional_minor > coalesce(least(k.max_order_minor, k.max_daily_minor), d.notional_minor)
           OR (d.notional_minor > k.approval_above_minor AND NOT EXISTS (
               SELECT 1 FROM exchange_orderapproval v WHERE v.order_id = d.order_id AND v.key_id = k.id AND v.state = 'used'
                 AND v.notional_minor >= d.notional_minor))
        ORDER BY d.command_id
        """,
    ),
)

"""Z1: whoever gave a command, or decided a proposal, might do so at that time.

What members and operators may do is judged from what the registry's events say of that moment, never from the tables of today: those
only say what is so now, and E2 holds the two against each other. Keys don't change but for their end, which their rows keep.
"""

from exchange.audit.check import Check
from rights.domain.staff import OPERATORS

# A key's or a member's standing is read before the command's own moment is; within this they may cross.
GRACE_S = 10
_GRACE = f"interval '{GRACE_S} seconds'"
_KEPT = "'read', 'cancel', 'audit'"  # what the suspended may still do

# Spans of time, from the registry's own stream: who was a member with which standing, and which participants were suspended.
_SPANS = f"""
registry AS MATERIALIZED (
    SELECT e.seq, e.type, e.object_id, e.at, e.body::jsonb AS body FROM rights_event e JOIN rights_stream s ON s.id = e.stream_id
    WHERE s.code = 'registry' AND e.type IN ('member.added', 'member.changed', 'participant.suspended', 'participant.reinstated',
        'account.funded', 'account.withdrawn', 'instrument.listed', 'proposal.approved', 'role.granted', 'role.revoked')),
standing AS MATERIALIZED (
    SELECT object_id AS actor, at - {_GRACE} AS since, coalesce(lead(at) OVER w + {_GRACE}, 'infinity') AS until,
           body -> 'payload' ->> 'participant' AS participant, body -> 'payload' -> 'scopes' AS scopes,
           body -> 'payload' -> 'groups' ? '{OPERATORS}' AS operates, coalesce((body -> 'payload' ->> 'active')::boolean, true) AS active
    FROM registry WHERE type IN ('member.added', 'member.changed') WINDOW w AS (PARTITION BY object_id ORDER BY seq)),
suspended AS MATERIALIZED (
    SELECT object_id AS participant, type = 'participant.suspended' AS is_so, at + {_GRACE} AS since,
           coalesce(lead(at) OVER w - {_GRACE}, 'infinity') AS until
    FROM registry WHERE type IN ('participant.suspended', 'participant.reinstated') WINDOW w AS (PARTITION BY object_id ORDER BY seq))"""

# Who freezes a right pulls its asks: commands of the venue, of the very moment of the freezing. An issuer may pause its own rights, and
# whoever had the role `freezer` then may freeze.
_FREEZES = f"""
freezers AS MATERIALIZED (
    SELECT g.body -> 'payload' ->> 'participant' AS participant, g.body -> 'payload' ->> 'issuer' AS issuer, g.at - {_GRACE} AS since,
           coalesce(r.at + {_GRACE}, 'infinity') AS until
    FROM registry g LEFT JOIN registry r ON r.type = 'role.revoked' AND r.object_id = g.object_id
    WHERE g.type = 'role.granted' AND g.body -> 'payload' ->> 'role' = 'freezer'),
freezes AS MATERIALIZED (
    SELECT e.at, e.body::jsonb ->> 'actor' AS actor, e.body::jsonb -> 'payload' ->> 'reason' AS reason, i.slug AS issuer, p.slug AS owner
    FROM rights_event e JOIN rights_right r ON 'rgt_' || r.id = e.object_id JOIN rights_issuer i ON i.id = r.issuer_id
    JOIN rights_participant p ON p.id = i.participant_id WHERE e.type = 'right.frozen')"""


def _barred(participant: str, scope: str, at: str) -> str:
    return (
        f"{scope} NOT IN ({_KEPT}) AND EXISTS (SELECT 1 FROM suspended x WHERE x.is_so AND x.participant = {participant} "
        f"AND x.since < {at} AND {at} < x.until)"
    )


def _operates(actor: str, at: str) -> str:
    """Whether a member was an operator then: by the console's role, or by the scope at the API."""
    return (
        f"EXISTS (SELECT 1 FROM standing y WHERE y.actor = {actor} AND y.active AND y.since <= {at} AND {at} <= y.until "
        f"AND (y.operates OR (y.scopes ? 'operate' AND NOT ({_barred('y.participant', chr(39) + 'operate' + chr(39), at)}))))"
    )


def _acts_for(actor: str, participant: str, at: str) -> str:
    """Whether a key or a member acted for the participant then."""
    return (
        f"(EXISTS (SELECT 1 FROM standing y WHERE y.actor = {actor} AND y.participant = {participant} AND y.since <= {at} AND {at} <= y.until) "
        f"OR EXISTS (SELECT 1 FROM exchange_apikey k JOIN rights_account b ON b.id = k.account_id "
        f"JOIN rights_participant q ON q.id = b.participant_id WHERE 'key:' || k.uuid = {actor} AND q.slug = {participant}))"
    )


# What took a right, or what remained of it, from its holder: the last giver of a reassigned one, whoever holds the finalized and the burned
# for ever. An issuer's own right that was replaced went by the issuer's role.
_TAKEN = """
taken AS MATERIALIZED (
    SELECT e.seq, e.type, e.object_id, e.at, e.body::jsonb ->> 'actor' AS actor, e.body::jsonb -> 'payload' ->> 'approved_by' AS approved_by,
           p.slug AS holder
    FROM rights_event e JOIN rights_right r ON r.id = substr(e.object_id, 5)::uuid JOIN rights_account a ON a.id = r.holder_id
    JOIN rights_participant p ON p.id = a.participant_id JOIN rights_issuer i ON i.id = r.issuer_id
    WHERE e.type IN ('right.finalized', 'right.burned') AND e.body::jsonb -> 'payload' ->> 'units' <> '0'
      AND NOT (i.participant_id = p.id AND EXISTS (SELECT 1 FROM rights_event n
          WHERE n.stream_id = e.stream_id AND n.object_id = e.object_id AND n.type = 'right.replaced'))
    UNION ALL
    SELECT m.seq, m.type, m.object_id, m.at, m.actor, m.approved_by, p.slug FROM (
        SELECT DISTINCT ON (e.stream_id, e.seq) e.seq, e.type, e.object_id, e.at, e.body::jsonb ->> 'actor' AS actor,
            e.body::jsonb -> 'payload' ->> 'approved_by' AS approved_by, t.body::jsonb -> 'payload' ->> 'from' AS giver
        FROM rights_event e JOIN rights_event t USING (stream_id, object_id)
        WHERE e.type = 'right.amended' AND e.body::jsonb -> 'payload' ->> 'amendment' = 'holder-reassignment'
          AND t.type = 'right.transferred' AND t.seq < e.seq ORDER BY e.stream_id, e.seq, t.seq DESC) m
    JOIN rights_account a ON 'acc_' || a.uuid = m.giver JOIN rights_participant p ON p.id = a.participant_id)"""


def _freezes(participant: str) -> str:
    """Whether the pull `t` belongs to a freezing that this participant might do."""
    return f"""t.kind = 2 AND t.account_id IS NULL AND EXISTS (
        SELECT 1 FROM freezes f WHERE f.at = t.at AND f.actor = t.actor AND (
            (f.reason = 'issuer_pause' AND f.owner = {participant}) OR EXISTS (
                SELECT 1 FROM freezers z WHERE z.participant = {participant} AND coalesce(z.issuer, f.issuer) = f.issuer
                    AND z.since <= t.at AND t.at <= z.until)))"""


CHECKS = (
    Check(
        "Z1",
        "actor_allowed",
        "Whoever gave a command was there, had the scope or the role, and was neither suspended nor revoked when it was accepted.",
        f"""
        WITH {_SPANS}, {_FREEZES},
        told AS (
            SELECT c.n, c.account_id, c.kind, c.actor, c.accepted_at AS at, p.slug,
                   CASE WHEN c.account_id IS NULL THEN 'operate' WHEN c.kind IN (0, 1) THEN 'trade' ELSE 'cancel' END AS scope
            FROM exchange_command c LEFT JOIN rights_account a ON a.id = c.account_id LEFT JOIN rights_participant p ON p.id = a.participant_id),
        judged AS (
            SELECT t.n, t.account_id, t.kind, t.actor, t.at AS accepted_at, coalesce(CASE
                WHEN t.actor LIKE 'key:%%' THEN
                    k.account_id = coalesce(t.account_id, k.account_id) AND k.created_at <= t.at + {_GRACE}
                    AND coalesce(k.revoked_at > t.at - {_GRACE}, true) AND coalesce(k.expires_at > t.at - {_GRACE}, true)
                    AND (t.scope = ANY(k.scopes) OR ('issue' = ANY(k.scopes) AND {_freezes("q.slug")}))
                    AND NOT ({_barred("q.slug", "t.scope", "t.at")})
                WHEN t.actor LIKE 'user:%%' AND t.account_id IS NOT NULL THEN
                    EXISTS (SELECT 1 FROM standing y WHERE y.actor = t.actor AND y.active AND y.since <= t.at AND t.at <= y.until
                        AND y.participant = t.slug AND y.scopes ? t.scope)
                    AND NOT ({_barred("t.slug", "t.scope", "t.at")})
                WHEN t.actor LIKE 'user:%%' THEN
                    {_operates("t.actor", "t.at")}
                    OR EXISTS (SELECT 1 FROM standing y WHERE y.actor = t.actor AND y.active AND y.scopes ? 'issue'
                        AND y.since <= t.at AND t.at <= y.until AND {_freezes("y.participant")})
                ELSE t.account_id IS NULL AND (t.actor IN ('venue:matcher', 'timetable') OR t.actor LIKE 'command:%%')
            END, false) AS allowed
            FROM told t LEFT JOIN exchange_apikey k ON t.actor LIKE 'key:%%' AND k.uuid::text = substr(t.actor, 5)
            LEFT JOIN rights_account b ON b.id = k.account_id LEFT JOIN rights_participant q ON q.id = b.participant_id)
        SELECT n, account_id, kind, actor, accepted_at FROM judged WHERE NOT allowed ORDER BY n
        """,
    ),
    Check(
        "Z1",
        "two_persons",
        "Cash in and out, unfreezing, listing and what took a right from its holder, where the command line did not do it, were approved by somebody else, an operator at that time.",
        f"""
        WITH {_SPANS}, {_TAKEN},
        acts AS (
            SELECT seq, type, object_id, at, body ->> 'actor' AS actor, body -> 'payload' ->> 'approved_by' AS approved_by FROM registry
            WHERE type IN ('account.funded', 'account.withdrawn', 'instrument.listed') AND body ->> 'actor' SIMILAR TO '(user|key):%%'
            UNION ALL
            SELECT e.seq, e.type, e.object_id, e.at, e.body::jsonb ->> 'actor', e.body::jsonb -> 'payload' ->> 'approved_by' FROM rights_event e
            WHERE e.type = 'right.unfrozen' AND e.body::jsonb ->> 'actor' SIMILAR TO '(user|key):%%'
              AND (e.body::jsonb -> 'payload' ->> 'approved_by' IS NOT NULL OR 'issuer_pause' IS DISTINCT FROM (
                SELECT f.body::jsonb -> 'payload' ->> 'reason' FROM rights_event f
                WHERE f.stream_id = e.stream_id AND f.object_id = e.object_id AND f.type = 'right.frozen' AND f.seq < e.seq
                ORDER BY f.seq DESC LIMIT 1))
            UNION ALL
            SELECT seq, type, object_id, at, actor, approved_by FROM taken
            WHERE actor SIMILAR TO '(user|key):%%' AND (approved_by IS NOT NULL OR NOT {_acts_for("actor", "holder", "at")})
            UNION ALL
            SELECT seq, type, object_id, at, body -> 'payload' ->> 'by', body -> 'payload' ->> 'approved_by' FROM registry
            WHERE type = 'proposal.approved')
        SELECT type, object_id AS "object", at, actor, approved_by FROM acts
        WHERE NOT coalesce(approved_by LIKE 'user:%%' AND approved_by <> actor AND {_operates("approved_by", "at")}, false)
        UNION ALL
        SELECT 'proposal', 'prp_' || id, decided_at, proposed_by, decided_by FROM exchange_proposal
        WHERE status = 'approved' AND decided_by = proposed_by ORDER BY at, type, "object"
        """,
    ),
)

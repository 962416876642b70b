"""Z1: whoever changed a right, a role, a consent or what backs rights in a role had that role at that time (SPEC §2).

What each fact asks for stands in `_ACTS`: roles, of which one is enough. Roles, members and suspensions are those that the registry's
events tell of that moment; the command line and the timetable need none.
"""

from exchange.audit.actors import _GRACE, _SPANS
from exchange.audit.check import Check

# Facts of which one of (role, over whose rights, or whose own act) is asked. `self`: an act of the participant of that name.
_ACTS = f"""
told AS MATERIALIZED (
    SELECT e.stream_id, e.seq, e.type, e.object_id, e.at, e.body::jsonb ->> 'actor' AS actor, e.body::jsonb -> 'payload' AS payload
    FROM rights_event e
    WHERE e.type IN ('right.issued', 'right.activated', 'right.amended', 'right.replaced', 'right.reissued_from', 'right.migrated',
        'right.frozen', 'right.unfrozen', 'right.finalized', 'right.burned', 'assurance.posted', 'assurance.refreshed', 'role.granted',
        'role.revoked', 'issuer.appointed', 'holder.attested', 'holder.attestation_revoked', 'consent.granted', 'consent.denied',
        'consent.revoked', 'participant.opened', 'participant.suspended', 'participant.reinstated', 'account.opened') AND e.body LIKE ANY (ARRAY['{{"actor":"user:%%', '{{"actor":"key:%%'])
      -- What two persons lifted is judged by them (two_persons).
      AND (e.type <> 'right.unfrozen' OR e.body::jsonb -> 'payload' ->> 'approved_by' IS NULL)),
rights AS (
    SELECT t.*, i.slug AS issuer, p.slug AS owner FROM told t JOIN rights_right r ON r.id = substr(t.object_id, 5)::uuid
    JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_participant p ON p.id = i.participant_id WHERE t.type LIKE 'right.%%'),
assurances AS (
    SELECT t.*, i.slug AS issuer FROM told t JOIN rights_assurance a ON 'ast_' || a.uuid = t.object_id
    JOIN rights_issuer i ON i.id = a.issuer_id WHERE t.type LIKE 'assurance.%%'),
consents AS (
    SELECT t.*, c.kind, i.slug AS issuer, p.slug AS giver FROM told t JOIN rights_consent c ON 'cns_' || c.uuid = t.object_id
    JOIN rights_issuer i ON i.id = c.issuer_id LEFT JOIN rights_account g ON g.id = c.giver_id
    LEFT JOIN rights_participant p ON p.id = g.participant_id WHERE t.type LIKE 'consent.%%'),
enough AS (
    SELECT stream_id, seq, at, actor, 'issuer' AS role, issuer AS over FROM rights
    WHERE type IN ('right.issued', 'right.activated', 'right.replaced', 'right.reissued_from', 'right.migrated')
       OR (type = 'right.amended' AND payload ->> 'amendment' <> 'holder-reassignment')
       OR (type = 'right.frozen' AND payload ->> 'reason' = 'issuer_pause')
    UNION ALL SELECT r.stream_id, r.seq, r.at, r.actor, 'issuer', r.issuer FROM rights r JOIN rights n USING (object_id, at, actor)
    WHERE r.type = 'right.finalized' AND n.type = 'right.replaced'
    UNION ALL SELECT stream_id, seq, at, actor, w.role, issuer FROM rights JOIN (VALUES ('right.frozen', 'freezer'),
        ('right.finalized', 'finalizer'), ('right.burned', 'burner')) AS w(type, role) USING (type)
    UNION ALL SELECT stream_id, seq, at, actor, 'registry_admin', issuer FROM rights
    WHERE type = 'right.amended' AND payload ->> 'amendment' = 'holder-reassignment'
    -- An issuer lifts its own pause.
    UNION ALL SELECT stream_id, seq, at, actor, 'self', owner FROM rights WHERE type = 'right.unfrozen'
    UNION ALL SELECT stream_id, seq, at, actor, w.role, issuer FROM assurances, (VALUES ('issuer'), ('operate')) AS w(role)
    UNION ALL SELECT stream_id, seq, at, actor, 'registry_admin', NULL FROM told WHERE type IN ('role.granted', 'role.revoked')
    -- Whoever appoints an issuer grants it its role.
    UNION ALL SELECT t.stream_id, t.seq, t.at, t.actor, 'operate', NULL FROM told t JOIN told n USING (at, actor)
    WHERE t.type = 'role.granted' AND n.type = 'issuer.appointed' AND t.payload ->> 'role' = 'issuer' AND t.payload ->> 'issuer' = n.object_id
    UNION ALL SELECT stream_id, seq, at, actor, 'operate', NULL FROM told
    WHERE type IN ('issuer.appointed', 'holder.attested', 'holder.attestation_revoked', 'participant.opened', 'participant.suspended',
        'participant.reinstated', 'account.opened')
    UNION ALL SELECT stream_id, seq, at, actor, CASE kind WHEN 'consent' THEN 'issuer' ELSE 'registry_admin' END,
        CASE kind WHEN 'consent' THEN issuer END FROM consents
    UNION ALL SELECT stream_id, seq, at, actor, 'self', giver FROM consents WHERE type = 'consent.revoked'),
people AS MATERIALIZED (
    SELECT 'key:' || k.uuid AS actor, p.slug AS participant, k.created_at - {_GRACE} AS since,
           coalesce(least(k.revoked_at, k.expires_at) + {_GRACE}, 'infinity') AS until, 'operate' = ANY(k.scopes) AS operates
    FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id JOIN rights_participant p ON p.id = a.participant_id
    UNION ALL SELECT actor, participant, since, until, operates OR scopes ? 'operate' FROM standing WHERE active),
roles AS MATERIALIZED (
    SELECT g.body -> 'payload' ->> 'participant' AS participant, g.body -> 'payload' ->> 'role' AS role,
           g.body -> 'payload' ->> 'issuer' AS over, g.at - {_GRACE} AS since, coalesce(r.at + {_GRACE}, 'infinity') AS until
    FROM registry g LEFT JOIN registry r ON r.type = 'role.revoked' AND r.object_id = g.object_id WHERE g.type = 'role.granted'),
allowed AS (
    SELECT DISTINCT n.stream_id, n.seq FROM enough n JOIN people y ON y.actor = n.actor AND y.since <= n.at AND n.at <= y.until
    LEFT JOIN roles o ON o.participant = y.participant AND o.role = n.role AND coalesce(o.over, n.over) IS NOT DISTINCT FROM n.over
        AND o.since <= n.at AND n.at <= o.until
    WHERE (o.role IS NOT NULL OR (n.role = 'operate' AND y.operates) OR (n.role = 'self' AND n.over = y.participant))
      AND NOT EXISTS (SELECT 1 FROM suspended x WHERE x.is_so AND x.participant = y.participant AND x.since < n.at AND n.at < x.until))"""

CHECKS = (
    Check(
        "Z1",
        "acts_in_role",
        "Whoever issued, amended, froze or ended a right, granted a role, answered a consent, attested, let in, suspended or backed rights had the role at that time.",
        f"""
        WITH {_SPANS}, {_ACTS}
        SELECT t.type, t.object_id AS "object", t.at, t.actor FROM told t LEFT JOIN allowed a USING (stream_id, seq)
        WHERE a.seq IS NULL ORDER BY t.at, t.stream_id, t.seq
        """,
    ),
)

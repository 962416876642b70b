"""What the gate has to look up about takers: credentials, consents and acknowledgments, who holds how much of a lineage (SPEC §4)."""

from collections.abc import Iterable, Mapping

import msgspec

from rights.domain.gates import NO_PERMITS, Grants, HolderFacts, LineageCounts, Permits, Receiver
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.models import Consent, Right

Scope = tuple[str, str, str]  # issuer (slug), lineage (root's UUID), terms hash
Holdings = dict[str, dict[int, int]]  # root -> holder -> units

JURISDICTION = "jurisdiction"
_CREDENTIALS = """
SELECT account_id, kind, value, expires_at IS NULL OR expires_at > %s FROM rights_attestation
WHERE account_id = ANY(%s::bigint[]) AND revoked_at IS NULL ORDER BY id
"""
_PERMITS = """
SELECT w.issuer, w.root::text, w.terms, c.kind, c.taker_id
FROM unnest(%s::text[], %s::uuid[], %s::text[]) AS w(issuer, root, terms) JOIN rights_issuer i ON i.slug = w.issuer
JOIN rights_consent c ON c.issuer_id = i.id AND c.state = 'granted' AND c.scope <> 'transfer' AND (c.expires_at IS NULL OR c.expires_at > %s)
 AND ((c.root_id IS NULL AND c.terms_hash = '') OR c.root_id = w.root OR (c.terms_hash <> '' AND c.terms_hash = w.terms))
ORDER BY c.id
"""
_HOLDINGS = """
SELECT root_id::text, holder_id, sum(remaining_units)::bigint FROM rights_right
WHERE root_id = ANY(%s::uuid[]) AND remaining_units > 0 GROUP BY 1, 2
"""


def scope_of(receiver: Receiver) -> Scope:
    return receiver.issuer, receiver.root, receiver.terms_hash


def with_credentials(holders: Iterable[HolderFacts], *, now_us: int, lock: bool = False) -> dict[int, HolderFacts]:
    """The holders, by account id, with what is attested of them at `now_us`; `lock` keeps it so until the transaction ends.

    A jurisdiction that was attested outranks the declared one; once it has expired the jurisdiction is unknown.
    """
    by_id = {holder.account_id: holder for holder in holders}
    found = rows.fetch_all(_CREDENTIALS + (" FOR SHARE" if lock else ""), [rfc3339(now_us), rows.array(by_id)]) if by_id else []
    attested: dict[int, set[str]] = {}
    places: dict[int, str] = {}
    for account, kind, value, live in found:
        if kind == JURISDICTION:
            places[account] = value if live else ""
        elif live:
            attested.setdefault(account, set()).add(kind)
    return {
        account: msgspec.structs.replace(
            holder, attestations=frozenset(attested.get(account, ())), jurisdiction=places.get(account, holder.jurisdiction)
        )
        for account, holder in by_id.items()
    }


def permits_of(scopes: Iterable[Scope], *, now_us: int, lock: bool = False) -> dict[Scope, Permits]:
    """The consents and acknowledgments that stand for each scope; those for a single transfer are no part of it (`once_permit`)."""
    wanted = sorted(set(scopes))
    if not wanted:
        return {}
    issuers, roots, terms = zip(*wanted, strict=True)
    found = rows.fetch_all(_PERMITS + (" FOR SHARE OF c" if lock else ""), [list(issuers), rows.array(roots), list(terms), rfc3339(now_us)])
    everybody: set[tuple[Scope, str]] = set()
    takers: dict[tuple[Scope, str], set[int]] = {}
    for issuer, root, terms_hash, kind, taker in found:
        key = ((issuer, root, terms_hash), kind)
        if taker is None:
            everybody.add(key)
        else:
            takers.setdefault(key, set()).add(taker)

    def grants(scope: Scope, kind: str) -> Grants:
        return Grants((scope, kind) in everybody, frozenset(takers.get((scope, kind), ())))

    return {scope: Permits(grants(scope, "consent"), grants(scope, "acknowledgment")) for scope in wanted}


def with_once(permits: Permits, *, right: Right, taker_id: int, units: int, now_us: int) -> Permits:
    """The permits with what was granted for a single transfer of at least `units` of this right from its holder to that taker."""
    live = Consent.objects.filter(state="granted", scope="transfer", right=right, giver=right.holder_id, taker=taker_id, units__gte=units)
    kinds = set(live.exclude(expires_at__lte=to_datetime(now_us)).values_list("kind", flat=True))

    def joined(grants: Grants, kind: str) -> Grants:
        return Grants(grants.everybody, grants.takers | {taker_id}) if kind in kinds else grants

    return Permits(joined(permits.consent, "consent"), joined(permits.acknowledgment, "acknowledgment"))


def holdings_of(roots: Iterable[str]) -> Holdings:
    """Who holds how many units of each lineage."""
    wanted = sorted(set(roots))
    holdings: Holdings = {root: {} for root in wanted}
    for root, holder, units in rows.fetch_all(_HOLDINGS, [rows.array(wanted)]) if wanted else []:
        holdings[root][holder] = units
    return holdings


def permits_for(receiver: Receiver, permits: Mapping[Scope, Permits]) -> Permits:
    """The permits of this receiver rule; none where its policy needs none."""
    return permits.get(scope_of(receiver), NO_PERMITS)


def counts_of(holdings: Holdings, root: str, giver: int, taker: int) -> LineageCounts | None:
    """The counts for one move within a lineage; None where they were not looked up."""
    held = holdings.get(root)
    return None if held is None else LineageCounts(holders=len(held), taker_units=held.get(taker, 0), giver_units=held.get(giver, 0))


def shift(holdings: Holdings, root: str, giver: int, taker: int, units: int) -> None:
    """Units of a lineage changed hands."""
    held = holdings[root]
    held[taker] = held.get(taker, 0) + units
    left = held.get(giver, 0) - units
    if left > 0:
        held[giver] = left
    else:
        held.pop(giver, None)

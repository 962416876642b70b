"""What a router may choose from (SPEC §8): the rights as they stand, their use by other requests, what suppliers offer. A few reads, set by set.

Exact for rights that are under lock; of suppliers it is what was last known, for nobody promises their state.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from rights.domain.effective_policy import Effective, Policy, intersect, of_right
from rights.domain.epoch import allowance_units, epoch_of
from rights.domain.manifest import Manifest, stored_manifest
from rights.domain.window import ends_us
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
from settlement.domain.claims import Claim, Limits, Offer, Usage
from settlement.domain.taken import Taken
from settlement.domain.work import OWN_ADAPTERS
from settlement.selectors.records import records_of_rights

Words = Sequence[tuple[str, Policy]]
MINUTE_US = 60_000_000
MOST_OFFERS = 200
_MANIFESTS: dict[str, Manifest] = {}  # by terms hash: terms never change
MOST_MANIFESTS = 10_000
_OWN_ADAPTERS = rows.array(sorted(OWN_ADAPTERS))

_RIGHTS = """
SELECT r.id::text, r.holder_id, r.status, r.remaining_units - r.reserved_units, r.max_units,
       coalesce((extract(epoch from r.epoch_at) * 1000000)::bigint, 0), r.epoch_used_units, r.terms_hash,
       (extract(epoch from s.window_start) * 1000000)::bigint, (extract(epoch from s.window_end) * 1000000)::bigint, s.window_mode,
       s.epoch_size_s, (extract(epoch from r.activated_at) * 1000000)::bigint, s.stream_id, i.participant_id, r.assurance_id
FROM rights_right r JOIN rights_series s ON s.id = r.series_id JOIN rights_issuer i ON i.id = r.issuer_id WHERE r.id = ANY(%s::uuid[])
"""
_IN_FLIGHT = """
SELECT right_id::text, count(DISTINCT request_id) FILTER (WHERE request_id <> %s),
       coalesce(sum(units) FILTER (WHERE request_id <> %s), 0)::bigint,
       coalesce(sum(units) FILTER (WHERE request_id = %s AND state = 'executing'), 0)::bigint
FROM settlement_route WHERE right_id = ANY(%s::uuid[]) AND state IN ('locked', 'executing') GROUP BY 1
"""
# Of rights that allow so many in a minute only: of others they may be thousands.
_BEGUN = """
SELECT right_id::text, count(DISTINCT request_id) FROM settlement_route
WHERE right_id = ANY(%s::uuid[]) AND locked_at IS NOT NULL AND locked_at > %s AND request_id <> %s GROUP BY 1
"""
_TERMS = "SELECT terms_hash, manifest FROM rights_terms WHERE terms_hash = ANY(%s::text[])"
_OWN = """
SELECT r.id::text, array_agg(DISTINCT s.slug::text) FROM rights_right r JOIN rights_assurancesource x ON x.assurance_id = r.assurance_id
JOIN rights_postedcapacity p ON p.id = x.capacity_id JOIN rights_capability c ON c.id = p.capability_id
JOIN rights_supplier s ON s.id = c.supplier_id WHERE r.id = ANY(%s::uuid[]) GROUP BY 1
"""
# What of a capability's capacity is under lock is counted once for all of them.
_OFFERS = """
WITH live AS (SELECT capability_id, sum(units)::bigint AS units FROM settlement_route WHERE state IN ('locked', 'executing') GROUP BY 1)
SELECT c.id, c.uuid::text, s.id, s.slug, s.participant_id, s.status = 'active' AND p.status = 'active', s.region, c.unit, c.quality_band, c.latency_band,
       c.privacy_mode, c.constraints, c.tariff_minor, c.tariff_units, c.currency, c.reliability_bps, s.trust_bps,
       coalesce(e.status, ''), (extract(epoch from h.opened_until) * 1000000)::bigint, h.latency_us, coalesce(h.failures_in_a_row, 0),
       coalesce(e.adapter = 'node-network', false), CASE WHEN e.adapter = ANY(%s::text[]) THEN e.timeout_ms::bigint * 1000 * e.max_attempts ELSE 0 END,
       (SELECT k.units FROM rights_postedcapacity k
        WHERE k.capability_id = c.id AND k.window_start <= %s AND k.window_end > %s ORDER BY k.window_end LIMIT 1) - coalesce(l.units, 0)
FROM rights_capability c JOIN rights_supplier s ON s.id = c.supplier_id JOIN rights_participant p ON p.id = s.participant_id
LEFT JOIN LATERAL (SELECT * FROM settlement_endpoint d WHERE d.capability_id = c.id ORDER BY (d.status = 'active') DESC, d.id DESC LIMIT 1) e ON true
LEFT JOIN settlement_endpointhealth h ON h.endpoint_id = e.id LEFT JOIN live l ON l.capability_id = c.id
WHERE c.workload = %s AND c.retired_at IS NULL ORDER BY c.id LIMIT %s
"""
# Of a supplier's last requests that have come to something: how many, and how many of them whole.
_OUTCOMES = """
SELECT s.id, count(f.outcome), count(f.outcome) FILTER (WHERE f.outcome = 'full') FROM rights_supplier s CROSS JOIN LATERAL (
    SELECT x.outcome FROM settlement_route t JOIN settlement_settlement x ON x.request_id = t.request_id
    WHERE t.supplier_id = s.id AND t.state = 'completed' AND x.outcome <> '' ORDER BY t.id DESC LIMIT %s) f
WHERE s.id = ANY(%s::bigint[]) GROUP BY 1
"""
LAST = 100
FRESH_US = 10_000_000
_outcomes: dict[int, tuple[int, int, int]] = {}  # by supplier: when that was counted, of how many, how many whole


class Wanted(msgspec.Struct, frozen=True):
    """A right that may be used (bare UUID). Where a package holds it, what that has of it instead of what is free, and as which part."""

    right_id: str
    max_spend_units: int | None = None
    packed_units: int | None = None
    tier: str = ""
    branch: str = ""


class Facts(msgspec.Struct, frozen=True):
    """Claims in the order asked; the stream of each right that is there and the holder's."""

    claims: tuple[Claim, ...]
    streams: Mapping[str, int]


class Seen(msgspec.Struct):
    """Facts as the database told them, by right; offers by workload. One look serves every request of a transaction."""

    now_us: int
    rights: dict[str, tuple[Any, ...]]
    in_flight: dict[str, tuple[int, int, int]]
    begun: dict[str, int]
    own: dict[str, Sequence[str]]
    offered: dict[str, list[Offer]]

    def facts(self, *, wanted: Sequence[Wanted], holder_id: int, words: Words, taken: Taken) -> Facts:
        """The rights as candidates of that holder, less what was `taken`. `words`: whose policies beside the right's own tighten it."""
        rights = {one.right_id: self.rights[one.right_id] for one in wanted if one.right_id in self.rights}
        manifests = _manifests({row[7] for row in rights.values()})
        asks_record = any(policy.min_full_rate_bps is not None for _, policy in words)
        records = records_of_rights(rights) if asks_record else {}
        claims = []
        for one in wanted:
            row = rights.get(one.right_id)
            if row is None:
                claims.append(_nobodys(one))
                continue
            usage, free_units = self._usage(one, row, taken)
            claim = _claim(one, row, holder_id, manifests[row[7]], self.own.get(one.right_id, ()), usage, free_units, words, self.now_us)
            claims.append(msgspec.structs.replace(claim, record=records.get(one.right_id)) if records else claim)
        return Facts(tuple(claims), {right: row[13] for right, row in rights.items() if row[1] == holder_id})

    def _usage(self, one: Wanted, row: Sequence[Any], taken: Taken) -> tuple[Usage, int]:
        """What others do with the right, and what that leaves free."""
        requests, units, own_units = self.in_flight.get(one.right_id, (0, 0, 0))
        more, gone = taken.requests.get(one.right_id, 0), taken.units.get(one.right_id, 0)
        usage = Usage(requests + more, units + gone, self.begun.get(one.right_id, 0) + more, own_units)
        return usage, row[3] - gone if one.packed_units is None else one.packed_units

    def offers(self, workload: str, taken: Taken) -> list[Offer]:
        """Everything that suppliers offer for this kind of work, less what was `taken` of their capacity."""
        return [_less(offer, taken.capacity.get(offer.capability_id, 0)) for offer in self.offered[workload]]


class Asked(msgspec.Struct):
    """Facts on their way; to be read after the trip."""

    now_us: int
    request_id: str
    rights: Answer
    in_flight: Answer
    own: Answer
    offered: Mapping[str, Answer]

    def read(self) -> Seen:
        """Each answer once, whoever asks then."""
        rights = {row[0]: row for row in self.rights.rows()}
        return Seen(
            self.now_us,
            rights,
            {right: (requests, units, own) for right, requests, units, own in self.in_flight.rows()},
            self._begun(rights),
            dict(self.own.rows()),
            {workload: _offers(answer, self.now_us) for workload, answer in self.offered.items()},
        )

    def _begun(self, rights: Mapping[str, Sequence[Any]]) -> dict[str, int]:
        """How many other requests began within a minute, of each right that limits them."""
        manifests = _manifests({row[7] for row in rights.values()})
        limited = [right for right, row in rights.items() if manifests[row[7]].document["limits"]["rate_limit_per_minute"] is not None]
        if not limited:
            return {}
        return dict(rows.fetch_all(_BEGUN, [rows.array(limited), rfc3339(self.now_us - MINUTE_US), self.request_id]))


def ask_facts(trip: Trip, *, right_ids: str, workloads: Iterable[str], request_id: str, now_us: int) -> Asked:
    """Ask for the rights (an array, which whoever asks has locked in the same trip or before), their use by other requests than this one,
    and what is offered for these kinds of work. Where several requests are looked at, all are new, and any of them stands for all.
    """
    at = rfc3339(now_us)
    return Asked(
        now_us,
        request_id,
        trip.ask(_RIGHTS, [right_ids]),
        trip.ask(_IN_FLIGHT, [request_id, request_id, request_id, right_ids]),
        trip.ask(_OWN, [right_ids]),
        {workload: trip.ask(_OFFERS, [_OWN_ADAPTERS, at, at, workload, MOST_OFFERS]) for workload in sorted(set(workloads))},
    )


def _offers(answer: Answer, now_us: int) -> list[Offer]:
    found = answer.rows()
    seen = _seen({row[2] for row in found}, now_us)
    return [Offer(**dict(zip(_OFFER, (*row[:11], frozenset(row[11]), *row[12:], *seen[row[2]]), strict=True))) for row in found]


def _less(offer: Offer, units: int) -> Offer:
    if not units or offer.capacity_units is None:
        return offer
    return msgspec.structs.replace(offer, capacity_units=offer.capacity_units - units)


_OFFER = (
    "capability_id", "capability", "supplier_id", "supplier", "participant_id", "is_active", "region", "unit", "quality_band", "latency_band",
    "privacy_mode", "constraints", "tariff_minor", "tariff_units", "currency", "reliability_bps", "trust_bps", "endpoint", "opened_until_us",
    "latency_us", "failures", "is_by_nodes", "own_us", "capacity_units", "asked", "delivered",
)  # fmt: skip


def _claim(
    one: Wanted,
    row: Sequence[Any],
    holder_id: int,
    manifest: Manifest,
    own: Iterable[str],
    usage: Usage,
    free_units: int,
    words: Words,
    now_us: int,
) -> Claim:
    document = manifest.document
    limits, service, hints = document["limits"], document["service"], document["routing_hints"]
    last_us = ends_us(mode=row[10], window_end_us=row[9], period_s=row[11], activated_us=row[12])
    allowed = service["provider_constraints"]["allow"]
    return Claim(
        right_id=one.right_id,
        is_held=row[1] == holder_id,
        status=row[2],
        free_units=free_units,
        epoch_units=_epoch_units(manifest, row, usage, now_us),
        max_spend_units=one.max_spend_units,
        tier=one.tier,
        branch=one.branch,
        starts_us=row[8],
        ends_us=last_us,
        resource=document["resource"]["type"],
        unit=document["resource"]["unit"],
        quality_band=service["quality_band"],
        latency_class=service["latency_class"],
        tags=frozenset(document["resource"]["capability_tags"]),
        effective=_in_force(manifest.terms_hash, last_us, tuple(words)),
        limits=Limits(limits["max_concurrent"], _whole(limits["max_burst"]), limits["rate_limit_per_minute"]),
        usage=usage,
        own_suppliers=frozenset(own) | (frozenset[str]() if allowed == "any" else frozenset(allowed)),
        issuer_participant_id=row[14],
        preferred_suppliers=frozenset(hints["preferred_providers"]),
        preferred_regions=tuple(hints["preferred_regions"]),
        weights={name: hints[f"{name}_weight_bps"] for name in ("cost", "latency", "privacy", "quality")},
    )


@lru_cache(maxsize=4096)
def _in_force(terms_hash: str, last_us: int, words: tuple[tuple[str, Policy], ...]) -> Effective:
    """The intersection of terms that were read before, of a right that ends then, with these words."""
    return intersect([("right", of_right(_MANIFESTS[terms_hash].document, ends_us=last_us)), *words])


def _epoch_units(manifest: Manifest, row: Sequence[Any], usage: Usage, now_us: int) -> int | None:
    """What the running epoch leaves, less what is in flight; None without epochs."""
    current = epoch_of(manifest, now_us)
    if current == 0:
        return None
    used = row[6] if row[5] == current else 0
    return max(0, allowance_units(manifest, row[4]) - int(used) - usage.units - usage.own_units)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _seen(suppliers: set[int], now_us: int) -> dict[int, tuple[int, int]]:
    """Of each supplier's last requests: how many came to something, and how many whole. Counted anew every ten seconds: it only orders."""
    stale = sorted(one for one in suppliers if not 0 <= now_us - _outcomes.get(one, (-FRESH_US, 0, 0))[0] < FRESH_US)
    if stale:
        counted = {one: (asked, whole) for one, asked, whole in rows.fetch_all(_OUTCOMES, [LAST, rows.array(stale)])}
        _outcomes.update({one: (now_us, *counted.get(one, (0, 0))) for one in stale})
    return {one: _outcomes[one][1:] for one in suppliers}


_NOBODY = intersect([])


def _nobodys(one: Wanted) -> Claim:
    """A right that is not there looks like one that is somebody else's."""
    return Claim(
        right_id=one.right_id,
        is_held=False,
        status="",
        free_units=0,
        epoch_units=None,
        max_spend_units=None,
        starts_us=0,
        ends_us=0,
        resource="",
        unit="",
        quality_band="",
        latency_class="",
        tags=frozenset(),
        effective=_NOBODY,
        limits=Limits(),
        usage=Usage(),
        own_suppliers=frozenset(),
        issuer_participant_id=0,
    )


def _manifests(hashes: set[str]) -> dict[str, Manifest]:
    missing = sorted(hashes - _MANIFESTS.keys())
    if missing:
        if len(_MANIFESTS) > MOST_MANIFESTS:
            _MANIFESTS.clear()
            _in_force.cache_clear()
            missing = sorted(hashes)
        _MANIFESTS.update({key: stored_manifest(text, key) for key, text in rows.fetch_all(_TERMS, [missing])})
    return {key: _MANIFESTS[key] for key in hashes}

"""The tables of SPEC.md in our own transcription, named by section: what tests hold the product's own tables against."""

# §2, the manifest. Field → its words, where it has a closed list of them; None where it has other values.
MANIFEST: dict[str, tuple[str, ...] | None] = {
    "version": ("synthference/v0",),
    "kind": ("reserved", "burst", "background", "custom"),
    "resource.type": (
        "text_inference",
        "image_generation",
        "video_generation",
        "embeddings",
        "agent_runtime",
        "gpu_time",
        "custom",
    ),
    "resource.unit": ("tokens", "requests", "jobs", "frames", "seconds", "minutes"),
    "resource.amount": None,
    "resource.model_class": None,
    "resource.capability_tags": None,
    "service.priority": ("premium", "standard", "background"),
    "service.quality_band": ("economy", "standard", "high", "premium", "deterministic"),
    "service.latency_class": ("realtime", "interactive", "async", "batch"),
    "service.privacy_class": ("public", "private", "confidential", "local-only"),
    "service.jurisdiction": None,
    "service.provider_constraints.allow": None,
    "service.provider_constraints.deny": None,
    "window.start": None,
    "window.end": None,
    "window.mode": ("fixed", "rolling", "epoch"),
    "window.epoch_size_seconds": None,
    "limits.max_per_request": None,
    "limits.max_concurrent": None,
    "limits.max_burst": None,
    "limits.rate_limit_per_minute": None,
    "limits.partial_fill_allowed": None,
    "fallback_policy.allow_fallback": None,
    "fallback_policy.substitute_model_class": None,
    "fallback_policy.substitute_providers": None,
    "fallback_policy.downgrade_priority": None,
    "fallback_policy.downgrade_latency_class": None,
    "fallback_policy.downgrade_quality_to": None,
    "fallback_policy.defer_within_window": None,
    "fallback_policy.max_quality_loss_bps": None,
    "fallback_policy.max_latency_expansion_bps": None,
    "settlement_policy.success_states": None,
    "settlement_policy.failure_states": None,
    "settlement_policy.proof_profile": ("basic", "standard", "strict"),
    "settlement_policy.proof_requirements": None,
    "settlement_policy.refund_policy": ("none", "pro-rata", "credit-reissue", "custom"),
    "settlement_policy.expiry_policy": ("burn", "roll", "reissue"),
    "settlement_policy.dispute_window_seconds": None,
    "issuer.issuer_type": ("provider", "market", "coordinator", "vault", "protocol"),
    "issuer.id": None,
    "issuer.attestations": None,
    "issuer.issuance_path": ("centralized-coordinator", "supplier-self", "registry-federated", "enterprise-private", "hybrid"),
    "assurance.mode": ("reserved-capacity", "inventory-posted", "historical-availability", "local-allocation", "hybrid"),
    "assurance.reference": None,
    "assurance.unit": ("tokens", "requests", "jobs", "frames", "seconds", "minutes"),
    "assurance.usable_basis": None,
    "routing_hints.preferred_providers": None,
    "routing_hints.preferred_regions": None,
    "routing_hints.cost_weight_bps": None,
    "routing_hints.latency_weight_bps": None,
    "routing_hints.privacy_weight_bps": None,
    "routing_hints.quality_weight_bps": None,
    "metadata.label": None,
    "metadata.description": None,
    "metadata.tags": None,
}
# §4, the rules of a transfer policy → the code each refuses with; "" for the two that forbid something else than a move.
TRANSFER_POLICY: dict[str, str] = {
    "transferable": "not_transferable",
    "splittable": "not_splittable",
    "delegable": "not_delegable",
    "requires_issuer_consent": "consent_missing",
    "requires_registry_acknowledgment": "acknowledgment_missing",
    "eligible_holder_types": "holder_type_not_eligible",
    "eligible_jurisdictions": "jurisdiction_not_eligible",
    "required_attestations": "attestation_missing",
    "denied_holders": "holder_denied",
    "lockup_until": "locked_up",
    "min_hold_seconds": "hold_period",
    "transfer_cutoff_seconds": "transfer_cutoff",
    "min_transfer_units": "below_min_transfer",
    "max_holders": "max_holders",
    "max_units_per_holder": "max_units_per_holder",
    "venue_allow": "venue_not_allowed",
    "venue_deny": "venue_not_allowed",
}
# What the product's schema has beside the rows above, and why.
BESIDE = {
    "window.rolling_length_seconds": "how long a rolling window is, which §2 counts from activation",
    "transfer_policy.pre_activation_transfer": "§4: issued rights move only if the policy allows it",
}
STATE = {  # §2, state: → the column that holds it
    "holder": "holder",
    "controller": "controller",
    "status": "status",
    "freeze_reason": "freeze_reason",
    "max_amount": "max_units",
    "remaining_amount": "remaining_units",
    "reserved_amount": "reserved_units",
    "parent": "parent",
    "finalization_ref": "finalization_ref",
}
HOLDER_TYPES = ("user", "agent", "app", "vault", "market-maker")
LIFECYCLE: dict[str, set[str]] = {
    "issued": {"active", "frozen", "expired", "burned"},
    "active": {"frozen", "expired", "fully_consumed", "finalized"},
    "frozen": {"issued", "active", "expired", "fully_consumed", "finalized", "burned"},
    "fully_consumed": {"finalized", "burned"},
    "expired": {"finalized", "burned"},
    "finalized": set(),
    "burned": set(),
}
FREEZE_REASONS = ("issuer_pause", "dispute", "compliance", "settlement_lock", "governance", "custom")
ROLES = ("issuer", "consumer", "freezer", "finalizer", "burner", "registry_admin")
AMENDMENTS = (
    "metadata-only",
    "window-adjustment",
    "limit-adjustment",
    "fallback-adjustment",
    "holder-reassignment",
    "issuer-correction",
    "administrative-freeze",
)
NEVER_AMENDED = ("resource.type", "resource.model_class", "service.privacy_class", "settlement_policy.proof_profile", "issuer.id")
# §3, what makes a class: a change of each to another one.
CLASS_AXES: dict[str, dict[str, object]] = {
    "resource.type": {"resource": {"type": "custom"}},
    "resource.unit": {"resource": {"unit": "requests"}, "assurance": {"unit": "requests"}},
    "resource.model_class": {"resource": {"model_class": ["reasoning"]}},
    "resource.capability_tags": {"resource": {"capability_tags": ["vision"]}},
    "service.priority": {"service": {"priority": "premium"}},
    "service.quality_band": {"service": {"quality_band": "high"}},
    "service.latency_class": {"service": {"latency_class": "realtime"}},
    "service.privacy_class": {"service": {"privacy_class": "confidential"}},
    "service.jurisdiction": {"service": {"jurisdiction": ["US"]}},
    "service.provider_constraints": {"service": {"provider_constraints": {"deny": ["boreal"]}}},
    "fallback_policy": {"fallback_policy": {"allow_fallback": True, "defer_within_window": True}},
    "settlement_policy.proof_profile": {"settlement_policy": {"proof_profile": "strict"}},
    "settlement_policy.refund_policy": {"settlement_policy": {"refund_policy": "pro-rata"}},
    "settlement_policy.expiry_policy": {"settlement_policy": {"expiry_policy": "roll"}},
    "settlement_policy.dispute_window_seconds": {"settlement_policy": {"dispute_window_seconds": 7200}},
    "limits": {"limits": {"max_per_request": "1000"}},
}
# §6
PACKAGES = ("bundle", "slice", "tranche", "delegation", "strategy")
# §7
WORKLOADS = (
    "text.generation",
    "text.classification",
    "text.embedding",
    "image.generation",
    "image.edit",
    "audio.transcription",
    "audio.synthesis",
    "video.generation",
    "tool.agent-runtime",
    "tool.browser-runtime",
    "tool.code-runtime",
    "gpu.batch",
    "custom",
)
PRIVACY_MODES = ("local-isolated", "private-cluster", "trusted-network", "shared-remote", "public-network")
MODES_OF_PRIVACY = {
    "public": set(PRIVACY_MODES),
    "private": set(PRIVACY_MODES) - {"public-network"},
    "confidential": {"local-isolated", "private-cluster"},
    "local-only": {"local-isolated"},
}
ENVIRONMENTS = (
    "centralized-api",
    "dedicated-cluster",
    "private-gateway",
    "decentralized-network",
    "local-runtime",
    "agent-hosted-runtime",
)
AVAILABILITIES = ("reserved", "on-demand", "burst", "spot", "scheduled-window")
ASSURANCE_MODES = ("reserved-capacity", "inventory-posted", "historical-availability", "local-allocation", "hybrid")
ISSUANCE_PATHS = ("centralized-coordinator", "supplier-self", "registry-federated", "enterprise-private", "hybrid")
# §10. The second group belongs to using rights, which a later version brings.
EVENTS = (
    *(
        f"right.{what}"
        for what in (
            "issued",
            "activated",
            "amended",
            "balance_changed",
            "partially_consumed",
            "fully_consumed",
            "frozen",
            "unfrozen",
            "expired",
            "finalized",
            "burned",
            "split",
            "merged",
            "transferred",
            "replaced",
            "reissued_from",
            "migrated",
        )
    ),
    *(f"package.{what}" for what in ("created", "amended", "split", "transferred", "finalized")),
    *(f"delegation.{what}" for what in ("created", "used", "revoked", "expired")),
    *(f"assurance.{what}" for what in ("posted", "refreshed", "degraded")),
    "instrument.listed",
    "instrument.phase_changed",
    "instrument.delisted",
    "trade.executed",
    *(f"request.{what}" for what in ("submitted", "accepted", "cancelled")),
    *(f"route.{what}" for what in ("quoted", "locked", "replaced", "expired", "released")),
    *(f"execution.{what}" for what in ("started", "progressed", "completed")),
    "receipt.recorded",
    *(
        f"settlement.{what}"
        for what in ("classified", "pending_proof", "pending_dispute_window", "dispute_opened", "dispute_closed", "reversed", "finalized")
    ),
)
LATER_EVENTS = ("receipt.invalidated",)

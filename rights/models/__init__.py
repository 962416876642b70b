"""The registry's tables."""

from rights.models.anchor import Anchor, AnchorSpan, VenueKey
from rights.models.compute import ComputeClass, Series, Terms
from rights.models.consent import Attestation, Consent
from rights.models.event import Event, Stream
from rights.models.package import Delegation, Package, PackagePart, UnitLock
from rights.models.party import Account, Issuer, Participant
from rights.models.right import Right, RightLink
from rights.models.role import RoleGrant
from rights.models.supplier import AssuranceSource, Capability, PostedCapacity, Supplier
from rights.models.supply import Assurance, PlanAct

__all__ = [
    "Account",
    "Anchor",
    "AnchorSpan",
    "Assurance",
    "AssuranceSource",
    "Attestation",
    "Capability",
    "ComputeClass",
    "Consent",
    "Delegation",
    "Event",
    "Issuer",
    "Package",
    "PackagePart",
    "Participant",
    "PlanAct",
    "PostedCapacity",
    "Right",
    "RightLink",
    "RoleGrant",
    "Series",
    "Stream",
    "Supplier",
    "Terms",
    "UnitLock",
    "VenueKey",
]

"""Define a class before the first right of it is issued: an assurance names its class, and nothing is issued without an assurance."""

from django.db import transaction

from rights.domain.fungibility import dimensions, fingerprint
from rights.domain.issuance import Refusal
from rights.domain.manifest import read_manifest
from rights.domain.reason import stated_reason
from rights.models import ComputeClass, Issuer
from rights.services.journal import NewEvent, append, stream_for
from rights.services.refusals import RegistryRefusalError
from rights.services.register import class_for


def class_of(*, issuer: Issuer, document: object) -> ComputeClass | None:
    """The class of these terms from this issuer (its tier counts), if it is there. Raises ManifestRefusedError."""
    dims = dimensions(read_manifest(document), issuer_tier=issuer.tier)
    return ComputeClass.objects.filter(fingerprint=fingerprint(dims)).first()


@transaction.atomic
def define_class(*, issuer: Issuer, document: object, reason: str, actor: str, now_us: int) -> ComputeClass:
    """The new class of rights under the manifest `document`. Raises ManifestRefusedError, RegistryRefusalError `class_exists`, ReasonMissing."""
    stated = stated_reason(reason)
    manifest = read_manifest(document)
    known = class_of(issuer=issuer, document=document)
    if known is not None:
        raise RegistryRefusalError([Refusal("class_exists", f"these terms are those of the class {known.key}")])
    made = class_for(manifest=manifest, issuer_tier=issuer.tier)
    payload: dict[str, object] = {
        "fingerprint": made.fingerprint,
        "issuer": issuer.slug,
        "lot_size": str(made.lot_size),
        "reason": stated,
        "tier": issuer.tier,
        "unit": made.unit,
    }
    event = NewEvent("class.defined", "class", made.key, payload)
    append(stream_id=stream_for("registry"), events=[event], actor=actor, now_us=now_us)
    return made

"""Why the registry refused: every reason at once, each with its stable code."""

from collections.abc import Sequence

from rights.domain.issuance import Refusal


class RegistryRefusalError(Exception):
    """Nothing was written. `refusals` are never empty; the first one's code stands for all."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(refusal.detail for refusal in refusals))
        self.refusals = tuple(refusals)

    @property
    def code(self) -> str:
        return self.refusals[0].code


class IssuanceRefusedError(RegistryRefusalError):
    """The right may not exist (SPEC §7)."""


class LifecycleRefusedError(RegistryRefusalError):
    """The right's present state does not allow this; the detail names it."""


class CompositionRefusedError(LifecycleRefusedError):
    """No package can be made of this, or divided so (SPEC §6)."""


def lifecycle_refused(code: str, detail: str) -> LifecycleRefusedError:
    return LifecycleRefusedError([Refusal(code, detail)])


class SupplyRefusedError(RegistryRefusalError):
    """A supplier, a capability, capacity or an assurance can't be as asked (SPEC §7)."""


def supply_refused(code: str, detail: str, field: str = "") -> SupplyRefusedError:
    return SupplyRefusedError([Refusal(code, detail, field)])

"""The registry's tables."""

from rights.models.compute import ComputeClass, Series, Terms
from rights.models.event import Event, Stream
from rights.models.party import Account, Issuer, Participant
from rights.models.right import Right
from rights.models.supply import Assurance

__all__ = ["Account", "Assurance", "ComputeClass", "Event", "Issuer", "Participant", "Right", "Series", "Stream", "Terms"]

"""The ledger's tables, and those of using rights."""

from settlement.models.ledger import Asset, Balance, Posting
from settlement.models.node import Job, JobAttempt, Node, NodeNonce
from settlement.models.outcome import Dispute, Evidence, OutcomeTally, Proof, Receipt, Settlement, SettlementRule
from settlement.models.request import Endpoint, EndpointHealth, Request, RequestPayload, Route

__all__ = [
    "Asset",
    "Balance",
    "Dispute",
    "Endpoint",
    "EndpointHealth",
    "Evidence",
    "Job",
    "JobAttempt",
    "Node",
    "NodeNonce",
    "OutcomeTally",
    "Posting",
    "Proof",
    "Receipt",
    "Request",
    "RequestPayload",
    "Route",
    "Settlement",
    "SettlementRule",
]

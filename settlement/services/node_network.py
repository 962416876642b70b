"""What becomes of jobs by themselves as time passes (SPEC §8): opened, offered again, put aside, gathered. Any number of callers do no harm."""

from rights.kernel.ids import Mint
from settlement.services.gather import gather_due
from settlement.services.job_ends import expire_leases_due
from settlement.services.node_jobs import open_jobs_due


def network_due(*, mint: Mint, now_us: int) -> int:
    """Do what is due; how many jobs moved. Outside any transaction: each step commits by itself."""
    moved = open_jobs_due(now_us=now_us) + expire_leases_due(now_us=now_us)
    return moved + gather_due(mint=mint, now_us=now_us)

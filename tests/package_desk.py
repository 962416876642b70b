"""Packages as tests compose them, and what is left when a test is over. Everything through the services."""

from exchange.audit.run import audit
from exchange.replay.snapshot import snapshot
from rights.domain.package import PartFacts
from settlement.services import packages
from settlement.services.packages import Composition
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US

END_US = START_US + DAY_US


def clean(now_us=END_US):
    with snapshot():
        report = audit(now_us=now_us)
    assert report.broken == []


def part(right, units, **more):
    return PartFacts(str(right.pk), units, **more)


def compose(desk, *parts, kind="bundle", policy=None, holder="holder"):
    return packages.create_package(
        holder=desk.accounts[holder],
        composition=Composition(kind, "a package", parts, policy or {}),
        package_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )


def give(desk, package, to="other"):
    return packages.transfer_package(
        package_id=str(package.uuid),
        holder_id=desk.accounts["holder"].pk,
        taker=desk.accounts[to],
        mint=MINT,
        actor="test",
        now_us=NOW_US + 1_000_000,
    )


def codes(refused):
    return [refusal.code for refusal in refused.value.refusals]

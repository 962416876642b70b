"""The same facts come to the same digest in another process, with their proofs in another order (TRUST S1)."""

import json
import random
import subprocess
import sys

import msgspec

from settlement.domain.classification import Bounds, Classified, Facts, Leg, classify
from settlement.domain.proofs import Proof, ProofType, required
from settlement.domain.settlement_states import Outcome

_ELSEWHERE = """
import json, sys
import msgspec
from settlement.domain.classification import Bounds, Facts, classify
from settlement.domain.proofs import Proof
cases = json.load(sys.stdin)
print(json.dumps([msgspec.to_builtins(classify(
    bounds=msgspec.convert(case["bounds"], Bounds), facts=msgspec.convert(case["facts"], Facts),
    proofs=[msgspec.convert(proof, Proof) for proof in case["proofs"]], is_over=True)) for case in cases]))
"""
CASES = 300


def drawn(chance: random.Random) -> tuple[Bounds, Facts, list[Proof]]:
    legs = tuple(Leg(f"s{n}", chance.randrange(60), (), chance.randrange(2), 0) for n in range(chance.randrange(3)))
    bounds = Bounds(
        "basic",
        (),
        frozenset({"completed", "fallback_completed", "partially_completed"}),
        chance.random() < 0.5,
        frozenset(),
        1,
        0,
        10,
        100,
    )
    status = chance.choice(("completed", "partially_completed", "fallback_completed", "failed", "expired", "cancelled"))
    facts = Facts(status, chance.choice((None, 5, 5, 15)), legs, chance.random() < 0.5)
    delivered = sum(leg.delivered_units for leg in legs)
    proofs = [
        Proof(str(chance.choice(list(ProofType))), "r", chance.choice("01"), "p", chance.choice((None, delivered, delivered, 7)))
        for _ in range(chance.randrange(6))
    ]
    needed = sorted(required(profile="basic", requirements=(), status=status))
    own = [Proof(kind, "r", "0", "p", delivered if kind == "usage-meter" else None) for kind in needed]
    return bounds, facts, own if chance.random() < 0.6 else proofs


def test_another_process_comes_to_the_same_digest() -> None:
    chance = random.Random(9)
    cases = [drawn(chance) for _ in range(CASES)]
    here = [classify(bounds=bounds, facts=facts, proofs=proofs, is_over=True) for bounds, facts, proofs in cases]
    for _, _, proofs in cases:
        chance.shuffle(proofs)
    told = [{"bounds": b, "facts": f, "proofs": p} for b, f, p in cases]
    sent = json.dumps(msgspec.to_builtins(told))
    answer = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE], input=sent, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    there = [msgspec.convert(found, Classified) for found in json.loads(answer.stdout)]
    assert there == here
    assert len({found.outcome for found in here if isinstance(found, Classified)}) == len(Outcome)

"""Every row of the tables in docs/issuer-guide.md is what the code says."""

import re
from pathlib import Path

from rights.domain.assurance import MODE_RULES, MODES, PLANS
from rights.domain.capability import MODES_OF_PRIVACY
from rights.domain.issuance import PATHS
from rights.models.party import ISSUER_TYPES

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "issuer-guide.md").read_text(encoding="utf-8")


def table(*heading: str) -> dict[str, list[str]]:
    """The rows under this heading: first cell's word → the other cells."""
    start = GUIDE.index("| " + " | ".join(heading) + " |")
    lines = GUIDE[start:].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


def members(cell: str, everything: set[str]) -> set[str]:
    """What a cell stands for: `all`, `all but …`, `none`, or a list."""
    named = set(re.findall(r"`([a-z-]+)`", cell))
    if cell == "none":
        return set()
    return everything - named if cell.startswith("all") else named


def test_paths():
    found = table("path", "issuers", "assurance modes")
    assert found.keys() == PATHS.keys()
    for name, (issuers, modes) in found.items():
        assert members(issuers, set(ISSUER_TYPES)) == PATHS[name].issuer_types, name
        assert members(modes, set(MODES)) == PATHS[name].modes, name
    own = {name for name, path in PATHS.items() if path.own_supply}
    sentence = next(line for line in GUIDE.splitlines() if line.startswith("The path also says whose supply"))
    assert set(re.findall(r"`([a-z-]+)`", sentence)) == own


def test_privacy():
    found = table("privacy class", "privacy modes")
    assert {name: members(cell, set()) for name, (cell,) in found.items()} == {k: set(v) for k, v in MODES_OF_PRIVACY.items()}


def test_modes():
    found = table("mode", "availability", "only once measured")
    assert found.keys() == MODE_RULES.keys()
    for name, (availability, measured) in found.items():
        assert members(availability, set()) == MODE_RULES[name].availabilities, name
        assert members(measured, set()) == MODE_RULES[name].measured, name


def test_plans():
    assert tuple(table("plan", "what it does")) == PLANS

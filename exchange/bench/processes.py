"""CPU spent by each part of the process tree, from /proc."""

import json
import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def cpu_s(pid: int) -> float:
    """User and system seconds of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(f) for f in fields[11:15]) / TICK


def cpu_by_part(data_dir: Path) -> dict[str, float]:
    """CPU seconds so far of every part (with all its descendants), and of this process, the load generator."""
    parts: dict[str, int] = json.loads((data_dir / "parts.json").read_text())
    below = children()
    spent: dict[str, float] = {}
    for name, pid in parts.items():
        if name == "up":
            continue
        stack, total = [pid], 0.0
        while stack:
            each = stack.pop()
            total += cpu_s(each)
            stack.extend(below.get(each, []))
        spent[name] = total
    times = os.times()
    spent["load generator"] = times.user + times.system
    return spent


def per_order_us(before: dict[str, float], after: dict[str, float], orders: int) -> dict[str, float]:
    """Microseconds of CPU per order, by part; parts that did nothing are left out."""
    spent = {name: (after[name] - before.get(name, 0.0)) / max(orders, 1) * 1e6 for name in after}
    return {name: round(us, 1) for name, us in sorted(spent.items(), key=lambda x: -x[1]) if us >= 0.1}

"""A batch call with no token left for its orders: the cancels in it are done all the same, the rest is told when to come again."""

import pytest

from exchange.services import rate_limit
from exchange.services.rate_limit import Limiter, Rule


@pytest.fixture
async def limiter(hub, monkeypatch):
    """Two orders and no third, for a long time."""
    limiter = Limiter()
    limiter.rules = limiter.rules | {"order": Rule(1, 2)}
    monkeypatch.setattr(rate_limit, "_limiter", limiter)
    yield limiter
    await limiter.close_async()
    limiter.close()


async def test_cancels_are_done_and_the_rest_is_refused_each(limiter, http, order, lane, in_thread, monkeypatch):
    placed = [(await http.post("/orders", json=order)).json()["id"] for _ in range(2)]
    limiter.rules["order"] = Rule(1, 1000)  # what is left is the same, and cannot be had in time
    operations = [
        {"op": "cancel", "id": placed[0]},
        *[{"op": "place", **order}] * 400,
        {"op": "amend", "id": placed[1], "quantity": "2"},
        {"op": "cancel", "id": placed[1]},
        {"op": "sing"},
    ]
    limited = await http.post("/orders/batch", json={"operations": operations})
    results = limited.json()["results"]
    assert limited.status_code == 200
    assert int(limited.headers["Retry-After"]) > 0
    assert [r["status"] for r in results] == [202, *[429] * 401, 202, 400]
    assert {r["error"]["code"] for r in results if r["status"] == 429} == {"rate_limited"}
    nothing = await http.post("/orders/batch", json={"operations": operations[1:402]})
    assert (nothing.status_code, nothing.json()["code"]) == (429, "rate_limited")

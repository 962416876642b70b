"""An order that is accepted and not yet applied is told whole; a key that has run out is good for nothing, however lately it was seen."""

from exchange.models import ApiKey
from rights.kernel.clock import now_us, to_datetime

MORE = {
    "client_order_id": "whole",
    "group": "a",
    "time_in_force": "gtd",
    "expire_time": "2098-12-31T00:00:00.000000Z",
    "deadline": "2099-01-01T00:00:00.000000Z",
}
RIGHT = "rgt_0192e4a0-0000-7000-8000-000000000000"


async def test_a_pending_order_and_its_twin_are_told_whole(http, order):
    first = await http.post("/orders", json=order | MORE)
    told = first.json()
    assert first.status_code == 202
    assert {name: told[name] for name in (*order, *MORE)} == order | MORE
    assert (told["status"], told["remaining_quantity"], told["rights"]) == ("pending", "1", None)
    assert (await http.get(f"/orders/{told['id']}")).json() == told
    again = await http.post("/orders", json=order | MORE)
    assert (again.status_code, again.json()) == (200, told | {"replayed": True})
    sell = (await http.post("/orders", json=order | {"side": "sell", "rights": [RIGHT]})).json()
    assert sell["rights"] == [RIGHT]


async def test_a_key_that_ran_out_trades_no_more(http, order, owner, in_thread):
    assert (await http.post("/orders", json=order)).status_code == 202
    ended = to_datetime(now_us() - 1)
    assert await in_thread(ApiKey.objects.filter(account_id=owner.account_id).update)(expires_at=ended) == 1
    late = await http.post("/orders", json=order)
    assert (late.status_code, late.json()["code"]) == (401, "unauthenticated")

"""A right bought on the book a minute before is spent by OpenAI's own client on the running demo, and by a request in the background."""

import asyncio
import json
import os

import httpx
import openai
import psycopg
import pytest

from exchange.demo.bots.disputes import REVIEWER_SCOPES, Court, challenge, decide
from exchange.demo.bots.venue import Venue
from tests.plugins.live import wait_until
from tests.plugins.open_windows import open_windows

TEXTS = 1000 if os.environ.get("TORTURE") else 100
_METER = "SELECT sum(s.units), sum(s.payout_minor), count(*) FROM settlement_settlement s WHERE s.state <> 'unsettled'"


class Buyer:
    """`buyer` with a key for everything it needs."""

    def __init__(self, exchange):
        made = exchange.manage("create_key", "buyer", "--scopes", "read,trade,redeem").stdout
        self.token = json.loads(made)["token"]
        self.http = httpx.Client(base_url=f"{exchange.base_url}/api/v1", headers={"Authorization": f"Bearer {self.token}"}, timeout=60)
        self.openai = openai.OpenAI(base_url=f"{exchange.base_url}/v1", api_key=self.token, max_retries=0, timeout=120)

    def buy(self, symbol):
        """One lot, from whoever offers it; the right that was delivered."""
        rules = self.http.get(f"instruments/{symbol}").json()
        body = {"instrument": symbol, "side": "buy", "type": "limit", "quantity": "1", "price": rules["collar"]["high"]}
        placed = self.http.post("orders", json=body, headers={"Prefer": "wait=20"}).json()
        wait_until(lambda: self.http.get(f"orders/{placed['id']}").json()["status"] == "filled", 60, f"a fill of {placed}")
        fill = next(fill for fill in self.http.get("fills").json()["data"] if fill["order_id"] == placed["id"])
        return fill["deliveries"][0]["right_id"]

    def left(self, right_id):
        right = self.http.get(f"rights/{right_id}").json()
        return int(right["remaining_amount"]), int(right["reserved_amount"])


@pytest.fixture(scope="module")
def symbols(demo_exchange):
    return open_windows(demo_exchange)


@pytest.fixture
def buyer(demo_exchange):
    made = Buyer(demo_exchange)
    yield made
    made.http.close()
    made.openai.close()


def test_without_a_right_it_is_refused_and_with_one_from_the_book_it_embeds(demo_exchange, symbols, buyer):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        buyer.openai.embeddings.create(
            model="any", input="too early", extra_headers={"X-Right": "rgt_0192e4a0-0000-7000-8000-000000000000"}
        )
    assert refused.value.code == "right_refused"
    right = buyer.buy(symbols["embeddings"])
    units, _ = buyer.left(right)
    texts = [f"notice {number}: the window opens at {number % 24} o'clock" for number in range(TEXTS)]
    got = [
        buyer.openai.embeddings.create(model="any", input=texts[start : start + 100], extra_headers={"X-Right": right})
        for start in range(0, TEXTS, 100)
    ]
    assert sum(len(answer.data) for answer in got) == TEXTS
    assert {len(one.embedding) for answer in got for one in answer.data} == {384}
    assert buyer.left(right) == (units - TEXTS, 0)  # this class counts a request for each text


def test_a_chat_streams_and_a_request_runs_in_the_background(demo_exchange, symbols, buyer):
    right = buyer.buy(symbols["chat"])
    units, _ = buyer.left(right)
    messages = [{"role": "user", "content": "say what a right is"}]
    stream = buyer.openai.chat.completions.create(
        model=right, messages=messages, max_tokens=40, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    used = chunks[-1].usage.total_tokens
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert buyer.left(right) == (units - used, 0)
    payload = json.dumps({"messages": messages, "max_tokens": 40})
    wish = {
        "workload": "text.generation",
        "operation": "chat.completions",
        "units": "500",
        "rights": [{"right_id": right}],
        "delivery": "async",
        "payload": payload,
    }
    made = buyer.http.post("requests", json=wish)
    assert made.status_code == 201, made.text
    path = f"requests/{made.json()['id']}"
    wait_until(lambda: buyer.http.get(path).json()["state"] in ("settled", "completed", "failed"), 60, "the request to end")
    assert buyer.http.get(path).json()["state"] == "settled"
    output = json.loads(buyer.http.get(f"{path}/output").json()["output"])
    assert output["choices"][0]["message"]["content"] == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert buyer.left(right) == (units - 2 * used, 0)


def test_what_was_charged_is_challenged_and_decided_as_the_demo_does_it(demo_exchange, symbols, buyer):
    buyer.buy(symbols["embeddings"])
    reviewer = json.loads(demo_exchange.manage("create_key", "operator", "--scopes", ",".join(REVIEWER_SCOPES)).stdout)["token"]
    who = Court("buyer", buyer.token, "operator", reviewer)

    async def sit():
        venue = Venue(demo_exchange.base_url, 7)
        try:
            for number in (2, 3, 4):
                await challenge(venue, who, number=number)
            await decide(venue, who)
        finally:
            await venue.close()

    asyncio.run(sit())
    disputes = buyer.http.get("disputes").json()["data"]
    assert [(row["state"], row["reviewer"]) for row in disputes] == [("open", None), ("upheld", "operator"), ("rejected", "operator")]


def test_the_books_of_the_whole_day_agree(demo_exchange, symbols, buyer):
    with psycopg.connect(demo_exchange.env["DATABASE_URL"]) as database:
        units, paid, count = database.execute(_METER).fetchone()
    assert (units > 0, paid > 0, count >= 2) == (True, True, True)
    done = demo_exchange.manage("audit", "--json", check=False, timeout_s=240)
    report = json.loads(done.stdout)
    assert done.returncode == 0, report

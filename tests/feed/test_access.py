"""Who may open a socket, what he may do there, and when it closes on him."""

import json

import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from websockets.exceptions import InvalidStatus

from exchange.models import ApiKey
from exchange.services import keys
from exchange.services.rate_limit import limiter
from rights.kernel.clock import now_us, to_datetime
from tests.feed.client import Client
from tests.feed.market import log_in, log_out, open_owner


def _page(url: str, **more: str) -> dict[str, str]:
    host = url.removeprefix("ws://").split("/")[0]
    return {"Origin": f"http://{host}"} | more


def _cookie(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def test_a_page_of_another_origin_is_refused(url):
    for origin in ("https://evil.example", "null", url.replace("ws://", "http://").replace("127.0.0.1", "localhost"), "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            await Client.open(url, additional_headers={"Origin": origin})
        assert refused.value.response.status_code == 403


async def test_a_rebound_name_is_refused(url):
    with pytest.raises(InvalidStatus):
        await Client.open(url, additional_headers={"Origin": "http://rebound.example", "Host": "rebound.example"})


async def test_an_exact_list_of_origins_stands_alone(url, settings):
    settings.SOCKET_ORIGINS = ["https://trade.example"]
    await (await Client.open(url, additional_headers={"Origin": "https://trade.example"})).close()
    for origin in ("https://trade.example:8443", "https://trade.example.evil.example", _page(url)["Origin"]):
        with pytest.raises(InvalidStatus):
            await Client.open(url, additional_headers={"Origin": origin})


async def test_there_is_one_address(url):
    with pytest.raises(InvalidStatus):
        await Client.open(url + "/more")


async def test_a_session_is_known_by_a_page_of_ours_and_by_nothing_else(url, owner):
    cookies = await sync_to_async(log_in)(owner)
    page = await Client.open(url, additional_headers=_page(url, Cookie=_cookie(cookies)))
    await page.do("subscribe", channel="balances")
    await page.close()
    program = await Client.open(url, additional_headers={"Cookie": _cookie(cookies)})
    assert (await program.ask("subscribe", channel="balances"))["error"]["code"] == "unauthenticated"
    assert (await program.ended())[0] == 4001


async def test_logging_out_closes_the_socket(url, owner):
    cookies = await sync_to_async(log_in)(owner)
    page = await Client.open(url, additional_headers=_page(url, Cookie=_cookie(cookies)))
    await page.do("subscribe", channel="orders")
    await sync_to_async(log_out)(cookies)
    assert (await page.ended())[0] == 4009


async def test_another_password_closes_the_socket(url, owner):
    cookies = await sync_to_async(log_in)(owner)
    page = await Client.open(url, additional_headers=_page(url, Cookie=_cookie(cookies)))
    await page.do("ping")

    def change() -> None:
        user = get_user_model().objects.get(username=f"user-{owner.slug}")
        user.set_password("another long password")
        user.save()

    await sync_to_async(change)()
    assert (await page.ended())[0] == 4009


async def test_a_key_opens_its_account(url, owner):
    client = await Client.open(url)
    told = await client.do("auth", key=owner.token)
    assert told["participant"] == owner.slug
    assert told["scopes"] == ["cancel", "read", "trade"]
    assert (await client.ask("auth", key=owner.token))["error"]["code"] == "conflict"
    await client.close()
    by_header = await Client.open(url, additional_headers={"Authorization": f"Bearer {owner.token}"})
    await by_header.do("subscribe", channel="fills")
    await by_header.close()


@pytest.mark.parametrize("key", ["", "key_x.y", "key_01900000-0000-7000-8000-000000000000." + "A" * 43, "ключ"])
async def test_a_wrong_key_is_answered_and_the_socket_closed(url, key):
    client = await Client.open(url)
    assert (await client.ask("auth", key=key))["error"]["code"] == "unauthenticated"
    assert (await client.ended())[0] == 4001
    if key.isascii() and key:
        refused = await Client.open(url, additional_headers={"Authorization": f"Bearer {key}"})
        assert (await refused.ended())[0] == 4001


async def test_a_missing_scope_is_answered_and_the_socket_closed(url, in_thread):
    reader = await in_thread(open_owner)("read")
    client = await Client.open(url)
    await client.do("auth", key=reader.token)
    answer = await client.ask("place", instrument="X", side="buy", quantity="1", price="1")
    assert answer["error"]["code"] == "scope_missing"
    assert answer["op"] == "place"
    assert (await client.ended())[0] == 4003
    canceller = await in_thread(open_owner)("cancel")
    other = await Client.open(url)
    await other.do("auth", key=canceller.token)
    assert (await other.ask("subscribe", channel="orders"))["error"]["code"] == "scope_missing"
    assert (await other.ended())[0] == 4003


async def test_a_revoked_key_closes_its_sockets(url, owner):
    client = await Client.open(url)
    await client.do("auth", key=owner.token)
    await client.do("subscribe", channel="orders")
    uuid = owner.token.split(".")[0].removeprefix("key_")
    await sync_to_async(keys.revoke)(account_id=owner.account_id, key_uuid=uuid, now_us=now_us())
    assert (await client.ended())[0] == 4009


@pytest.mark.parametrize("what", ["revoked_at", "expires_at"])
async def test_a_dead_key_is_found_without_any_notice(url, owner, what):
    client = await Client.open(url)
    await client.do("auth", key=owner.token)
    await sync_to_async(ApiKey.objects.filter(account_id=owner.account_id).update)(**{what: to_datetime(now_us() - 1)})
    assert (await client.ended())[0] == 4009


async def test_a_withdrawn_scope_ends_private_reading(url, owner):
    client = await Client.open(url)
    await client.do("auth", key=owner.token)
    await client.do("subscribe", channel="balances")
    await sync_to_async(ApiKey.objects.filter(account_id=owner.account_id).update)(scopes=["cancel"])
    assert (await client.ended())[0] == 4003


async def test_orders_draw_from_the_account_and_cancels_from_nothing(url, owner, monkeypatch):
    client = await Client.open(url)
    await client.do("auth", key=owner.token)
    redis.Redis.from_url(settings.REDIS_URL).hset(f"rate:{owner.account_id}:order", mapping={"l": "-100000", "a": "99999999999999999"})
    assert "order" in limiter().rules
    refused = await client.ask("place", instrument="NO.SUCH-20261201T00-P1D", side="buy", quantity="1", price="1")
    assert refused["error"]["code"] == "rate_limited"
    assert refused["error"]["retryable"]
    assert (await client.ask("cancel", id="ord_01900000-0000-7000-8000-000000000000"))["error"]["code"] == "not_found"
    assert (await client.do("cancel_all"))["count"] == 0
    await client.close()


async def test_stopping_the_process_sends_everybody_elsewhere(in_thread):
    from tests.feed.serving import serving

    async with serving() as address:
        client = await Client.open(address)
        await client.do("ping")
        assert json.dumps(await client.next("heartbeat"))
    assert (await client.ended())[0] == 4010

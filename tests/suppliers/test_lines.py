"""The lines to suppliers: used again, each host's its own, never longer than allowed, and to nobody but whom was looked at."""

import asyncio
import datetime as dt
import socket
import ssl
import threading

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from settlement.adapters import lines, openai
from settlement.adapters.base import Report
from tests.suppliers.conftest import TOKEN
from tests.suppliers.legs import a_leg, soon

CHAT = {"model": "any", "messages": [{"role": "user", "content": "say what a right is"}], "max_tokens": 8}
ANSWER = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}}], "usage": null}'


async def said(url, **more):
    return await openai.call(a_leg(url, secret=TOKEN, **more), CHAT, soon())


async def streamed(supplier, **more):
    parts = [part async for part in openai.stream(a_leg(supplier.base_url, secret=TOKEN, **more), CHAT, soon())]
    assert all(isinstance(part, bytes) for part in parts[:-1])
    assert isinstance(parts[-1], Report)
    return parts[-1]


def used(supplier):
    """(whose calls, on which line) since this was last asked for."""
    return [tuple(line) for line in httpx.get(f"{supplier.root}/lines", timeout=30).raise_for_status().json()]


@pytest.fixture
def names(monkeypatch):
    """What names resolve to, changed as a test goes on: nothing is remembered of them."""
    found = {}

    async def resolved(host):
        return found[host]

    monkeypatch.setattr(lines, "_resolved", resolved)
    monkeypatch.setattr(lines, "KEEP_ADDRESS_S", -1.0)
    return found


async def test_a_line_is_used_again(supplier):
    used(supplier)
    for _ in range(4):
        assert (await said(supplier.base_url)).fault == ""
    assert len(used(supplier)) == 1
    await asyncio.gather(*(said(supplier.base_url) for _ in range(5)))
    assert 1 < len(used(supplier)) <= 5


async def test_a_line_that_broke_meanwhile_is_no_fault(supplier):
    assert (await said(supplier.base_url)).fault == ""
    supplier.again()
    assert (await said(supplier.base_url)).fault == ""


async def test_hosts_at_one_address_have_lines_of_their_own(supplier, names):
    names |= {"one.example": ["127.0.0.1"], "two.example": ["127.0.0.1"]}
    used(supplier)
    for name in (*names, *names):
        assert (await said(supplier.base_url.replace("127.0.0.1", name))).fault == ""
    found = used(supplier)
    assert [host.partition(":")[0] for host, _ in found] == ["one.example", "two.example"]
    assert len({port for _, port in found}) == 2


async def test_an_open_line_is_not_used_for_whom_has_moved(supplier, names):
    url = supplier.base_url.replace("127.0.0.1", "moving.example")
    names["moving.example"] = ["127.0.0.1"]
    assert (await said(url)).fault == ""
    assert (await said(url, inside=False)).fault == "address_refused"
    names["moving.example"] = ["127.0.0.2"]
    assert (await said(url)).fault == "supplier_unreachable"


@pytest.mark.parametrize("addresses", [["93.184.215.14", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"], ["169.254.169.254"]])
async def test_every_address_of_a_name_has_to_be_global(names, addresses):
    names["mixed.example"] = addresses
    assert (await said("https://mixed.example/v1", inside=False)).fault == "address_refused"


async def test_a_name_server_that_does_not_answer_holds_up_nothing_else(monkeypatch):
    """One look-up for all who call the host, in no thread that others need; whoever gives up leaves it to the others."""
    begun, over, asked = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def look_up(host, *_args, **_more):
        asked.append(host)
        loop.call_soon_threadsafe(begun.set)
        over.wait()
        raise socket.gaierror("nobody answered")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    calls = [asyncio.create_task(said("https://silent.example/v1", max_attempts=1)) for _ in range(64)]
    try:
        await begun.wait()
        assert await asyncio.to_thread(lambda: "done") == "done"
        calls[0].cancel()
    finally:
        over.set()
    reports = await asyncio.gather(*calls[1:])
    assert {report.fault for report in reports} == {"supplier_unreachable"}
    assert (await said("https://silent.example/v1", max_attempts=1)).fault == "supplier_unreachable"
    assert asked == ["silent.example"]


async def test_the_environment_names_no_proxy(supplier, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert (await said(supplier.base_url)).fault == ""


async def test_an_answer_without_end_is_left(supplier, monkeypatch):
    monkeypatch.setattr(openai, "MOST_ANSWER", 1_000_000)
    supplier.misbehave("flood")
    report = await said(supplier.base_url, max_attempts=1)
    assert (report.fault, report.detail) == ("supplier_lost", "an answer of more than 1000000 bytes")


async def test_who_begins_to_answer_and_falls_silent_is_given_up(supplier):
    supplier.misbehave("drip")
    report = await said(supplier.base_url, timeout_ms=200)
    assert (report.fault, report.attempts) == ("supplier_timeout", 1)
    broken = await streamed(supplier, timeout_ms=200)
    assert (broken.fault, broken.detail) == ("supplier_lost", "the supplier went silent")


def certified(tmp_path, name):
    """A server's context, and a client's that believes its certificate for `name` and no other."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    pem, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return server, ssl.create_default_context(cafile=pem)


async def test_a_certificate_has_to_be_the_names_and_the_server_hears_for_whom_it_is(names, monkeypatch, tmp_path):
    server, client = certified(tmp_path, "sound.example")
    names |= {"sound.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    heard, asked = [], []
    server.sni_callback = lambda _socket, name, _context: heard.append(name)

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + ANSWER)
        await writer.drain()
        writer.close()

    monkeypatch.setattr(lines, "_trusted", lambda: client)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        sound = await said(f"https://sound.example:{port}/v1")
        other = await said(f"https://other.example:{port}/v1", max_attempts=1)
        await lines.close_lines()
    assert (sound.fault, sound.output) == ("", ANSWER)
    assert (other.fault, other.detail) == ("supplier_unreachable", "no line to it could be opened")
    assert heard == ["sound.example", "other.example"]
    assert len(asked) == 1
    assert f"Host: sound.example:{port}\r\n".encode() in asked[0]

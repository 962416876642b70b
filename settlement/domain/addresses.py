"""Which addresses the venue may call on somebody's word (TRUST.md, design consequences): https, and a host that is global.

What lies inside our own network, or is no TLS, only an operator may name.
"""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

MOST = 300
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)
_INNER_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_global(address: str) -> bool:
    """Whether an IP address is one of the public internet; one that wraps an IPv4 address is what that is."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_global(found)


def _is_global(found: Address) -> bool:
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return _is_global(inner)
        if found.teredo is not None or found.is_site_local:  # site-local is no longer meant for use, and still led through old networks
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def address_fault(url: str, *, may_be_inside: bool) -> str:
    """What is wrong with an endpoint's address, as a sentence; empty when it may be called."""
    return next(_faults(url, may_be_inside=may_be_inside), "")


def _faults(url: str, *, may_be_inside: bool) -> Iterator[str]:
    if not url or len(url) > MOST or not url.isascii() or not url.isprintable() or " " in url:
        yield f"an address is 1 to {MOST} visible ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield "the address can't be read"
        return
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        yield "an address is an https URL with a host"
    if parts.username is not None or parts.password is not None or "?" in url or "#" in url:
        yield "an address has no user, query or fragment; what it is called with is the secret"
    if not _is_host(host):
        yield "the address names no host that can be called"
    if not may_be_inside and parts.scheme != "https":
        yield "an address is https; only an operator names another"
    if not may_be_inside and not _looks_global(host):
        yield "the address lies inside a network; only an operator names such a one"


def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None or _literal(host) is not None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _looks_global(host: str) -> bool:
    """By its looks alone; what a name resolves to is looked at with every call (settlement/adapters/lines.py)."""
    literal = _literal(host)
    if literal is not None:
        return _is_global(literal)
    # What ends in a number would be read as an IPv4 address by some resolvers: 127.1, 0x7f000001.
    last = host.rpartition(".")[2]
    is_number = last.isdigit() or last.startswith("0x")
    return "." in host and not is_number and not host.endswith(_INNER_NAMES) and host not in _INNER_NAMES

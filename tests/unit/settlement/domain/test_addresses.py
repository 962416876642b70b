"""Which addresses may be called on somebody's word."""

import pytest

from settlement.domain.addresses import address_fault, is_global

GOOD = [
    "https://supplier.example/v1",
    "https://api.supplier.example",
    "https://8.8.8.8/v1",
    "https://[2606:4700::1]/v1",
    "https://a-b.example:8443/x",
]
INSIDE = [
    "http://supplier.example/v1", "https://127.0.0.1/v1", "https://10.1.2.3/v1", "https://192.168.0.1", "https://169.254.169.254/latest",
    "https://[::1]/v1", "https://[::ffff:10.0.0.1]/", "https://[fd00::1]/", "https://[fec0::1]/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/",
    "https://localhost/v1", "https://db.localhost/", "https://printer.local/", "https://vault.internal/", "https://intranet/",
    "https://127.1/", "https://0x7f000001/", "https://2130706433/", "https://0/", "https://100.64.0.1/", "https://224.0.0.1/",
]  # fmt: skip
NEVER = [
    "", "supplier.example", "ftp://supplier.example", "file:///etc/passwd", "https://", "https:///v1", "https://user@supplier.example/",
    "https://user:word@supplier.example/", "https://supplier.example/?a=b", "https://supplier.example/#x", "https://sup plier.example/",
    "https://supplier.example:0/", "https://supplier.example:99999/", "https://supplier_.example/", "https://süpplier.example/",
    "https://[::1/", "https://supplier.example/" + "a" * 300, "https://-a.example/", "https://a..example/", "https://supplier.example\n/",
]  # fmt: skip


@pytest.mark.parametrize("url", GOOD)
def test_global_addresses_may_be_named_by_anybody(url):
    assert address_fault(url, may_be_inside=False) == ""
    assert address_fault(url, may_be_inside=True) == ""


@pytest.mark.parametrize("url", INSIDE)
def test_what_lies_inside_only_with_an_operators_word(url):
    assert "only an operator" in address_fault(url, may_be_inside=False)
    assert address_fault(url, may_be_inside=True) == ""


@pytest.mark.parametrize("url", NEVER)
def test_what_is_no_address_is_nobodys(url):
    assert address_fault(url, may_be_inside=False)
    assert address_fault(url, may_be_inside=True)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("2606:4700::1", True), ("::ffff:8.8.8.8", True), ("127.0.0.1", False), ("::1", False), ("::ffff:127.0.0.1", False),
        ("0.0.0.0", False), ("169.254.169.254", False), ("fe80::1%eth0", False), ("feff::1", False), ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("255.255.255.255", False), ("239.1.1.1", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_what_a_name_resolves_to_is_judged_by_what_it_is(address, expected):
    assert is_global(address) is expected

"""Values that break lenient readers, as raw JSON fragments by name: numbers, texts, moments, shapes, injections.

`VALUES` go in the place of one field's value; `BODIES` are whole bodies. Shared by every test of bad input.
"""

import json
import os

_UUID = "0192e4a0-0000-7000-8000-000000000000"


def _texts(*values: str) -> list[bytes]:
    return [json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") for value in values]


NUMBERS = [
    b"0", b"1", b"-1", b"7", b"-0", b"0.0", b"1.0", b"-1.5", b"0.1", b"1e3", b"1E3", b"1e+3", b"1e-3", b"1.5e3", b"-1e3", b"1e400",
    b"-1e400", b"1e-400", b"9007199254740991", b"9007199254740992", b"9007199254740993", b"9007199254740993.0", b"9223372036854775807",
    b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616",
    b"2147483647", b"2147483648", b"-2147483648", b"4294967296", b"170141183460469231731687303715884105728", b"1" * 100, b"9" * 400,
    b"1" * 4400, b"0." + b"1" * 400, b"1e" + b"9" * 20, b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"01", b"007", b"+1", b".5",
    b"5.", b"1_000", b"0x10", b"0b1", b"0o7", b"1,000", b"--1", b"1e", b"-", b"1.2.3", b"\xef\xbc\x91",
]  # fmt: skip

DIGIT_TEXTS = _texts(
    "", " ", "  ", " 7", "7 ", " 7 ", "\t7", "7\n", "\u00a07", "7\u200b", "\ufeff7", "7\u0000", "0", "00", "01", "007", "-0", "+0", "-1",
    "+1", "--1", "1-", "1.", ".1", "1.0", "1.5", "1..0", "1.0.0", "1,0", "1,000", "1 000", "1'000", "1_000", "1__0", "_1", "1_", "1e3", "1E3",
    "1e-3", "1e+3", "0e0", "0x10", "0X1F", "0b10", "0o17", "1L", "1n", "1f", "$1", "1%", "1/2", "½", "²", "①", "Ⅷ", "٣", "१२३", "１", "１２３", "一",
    "0.1e1", "NaN", "nan", "-nan", "Infinity", "-Infinity", "inf", "+inf", "∞", "null", "None", "true", "True", "undefined", "nil",
    "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775808", "1000000000001",
    "99999999999999999999999999999999999999", "1" * 100, "9" * 1000, "1" * 5000, "0.0000001", "0.00000000000000000001", "0." + "0" * 500 + "1",
    "1.10000000000000000000000001", "100.005", "0.0", "0.00", "00.1", "1e400", "1E-400", "−1", "–1", "١.٥", "1٫5", "1·5", "1\u066c000",
)  # fmt: skip

TEXTS = _texts(
    "a", "A" * 63, "A" * 64, "A" * 65, "A" * 128, "A" * 129, "A" * 1000, "A" * 100_000, "\u0000", "a\u0000b", "\u0001", "\u0007", "\u0008",
    "\u001b[31m", "\u007f", "\u0085", "\u2028", "\u2029", "\u200b", "\u200d", "\u200e", "\u202e", "\u2066", "\ufeff", "\ufffe", "\uffff",
    "\U0001f600", "\U0010ffff", "\U000e0001", "e\u0301", "é", "ﬀ", "İ", "ß", "ſ", "K", "Å", "\u1e9b\u0323", "ﷺ", "Z̸̡" * 20, "مرحبا", "你好",
    "ฏ๎" * 30, "\r\n", "a\r\nSet-Cookie: x=1", "%00", "%0a", "%2e%2e%2f", "../../etc/passwd", "..\\..\\boot.ini", "file:///etc/passwd",
    "http://169.254.169.254/", "C:\\con", "/dev/null", "' OR '1'='1", "'; DROP TABLE exchange_order; --", "1; SELECT pg_sleep(5)", '" OR ""="',
    "\\' OR 1=1 --", "$$", "$1", "%s", "%(id)s", "%n%n%n%n", "{0}", "{}", "{{7*7}}", "{% debug %}", "${7*7}", "#{7*7}", "<%= 7*7 %>",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "<!--", "]]>", '<?xml version="1.0"?>', "&lt;", "&#0;",
    "`id`", "$(id)", "| id", "; id", "|| true", "\\", "\\\\", "\\u0000", '"', "'", "/", "//", "*", "?", "#", ":", "::", "@", "~", "-", "--", "_",
    ".", "..", ",", "+", "=", "__proto__", "constructor", "__class__", "toString", "hasOwnProperty", "self", "id", "limit", "buy", "BUY", "Buy",
    "buy ", " buy", "sell\u0000", "b\u0075y", "ｂｕｙ", "gtc", "GTC", "fok;ioc", "me", "ME", "all", "*.*", "jndi:ldap://x", "${jndi:ldap://x}",
)  # fmt: skip

IDS = _texts(
    _UUID, f"ord_{_UUID}", f"rgt_{_UUID}", f"acc_{_UUID}", f"key_{_UUID}", f"ORD_{_UUID}", f"ord_{_UUID.upper()}", f"ord_{_UUID} ",
    f" ord_{_UUID}", f"ord_{_UUID}\n", f"ord-{_UUID}", f"ord_{{{_UUID}}}", "ord_", "ord_0", "ord_null", f"ord_{_UUID[:-1]}", f"ord_{_UUID}0",
    f"ord_{_UUID.replace('-', '')}", "ord_00000000-0000-0000-0000-000000000000", "ord_ffffffff-ffff-ffff-ffff-ffffffffffff",
    "ord_0192e4a0-0000-4000-8000-000000000000", "ord_0192e4a0-0000-7000-c000-000000000000", f"urn:uuid:{_UUID}", f"ord_ord_{_UUID}",
    f"ord_{_UUID}' OR 1=1", "ord_0192e4a0-0000-7000-8000-00000000000g", "ord_٠١٩٢e4a0-0000-7000-8000-000000000000",
)  # fmt: skip

MOMENTS = _texts(
    "2026-12-01", "2026-12-01T00:00:00", "2026-12-01T00:00Z", "2026-12-01 00:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T23:59:60Z",
    "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-00-01T00:00:00Z", "2026-12-00T00:00:00Z", "2025-02-29T00:00:00Z",
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-12-01T00:00:00+25:00", "2026-12-01T00:00:00-99:99", "2026-12-01T00:00:00z",
    "2026-12-01t00:00:00Z", "2026-12-01T00:00:00.Z", "2026-12-01T00:00:00.1234567Z", "2026-12-01T00:00:00,5Z", "20261201T000000Z",
    "2026-W49-2", "2026-335", "12/01/2026", "1 Dec 2026", "now", "today", "tomorrow", "1764547200", "1764547200000", "２０２６-12-01T00:00:00Z",
    "2026-12-01T00:00:00Z\u0000", " 2026-12-01T00:00:00Z", "2026-12-01T00:00:00ZZ", "P1D", "infinity", "-infinity", "epoch",
)  # fmt: skip

SHAPES = [
    b"null", b"true", b"false", b"[]", b"{}", b"[null]", b"[[]]", b"[{}]", b"[1]", b'[""]', b'["a"]', b'[["a"]]', b'{"a":1}', b'{"a":"b"}',
    b'{"$ne":null}', b'{"$gt":""}', b'{"":""}', b'{"__proto__":{"x":1}}', b'{"value":"1"}', b'["1","1"]', b"[" * 8 + b"]" * 8,
    b"[" * 14 + b"]" * 14, b"[" * 17 + b"]" * 17, b"[" * 5000 + b"]" * 5000, b"[" * 100_000, b'{"a":' * 17 + b"1" + b"}" * 17,
    b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'[{"x":1,"x":1}]', b"[1,]", b"{,}", b'{"a"}', b"[1 2]",
    b"tru", b"nul", b"True", b"None", b"undefined", b"'a'", b"a", b"/**/1", b"//", b"[" + b"1," * 5000 + b"1]",
    b"[" + b'"a",' * 5000 + b'"a"]', b'{"' + b"k" * 5000 + b'":1}',
]  # fmt: skip

ESCAPES = [
    rb'"\u0000"', rb'"a\u0000b"', rb'"\ud800"', rb'"\udfff"', rb'"\udc00\ud800"', rb'"\ud83d"', rb'"\ud83d\ude00"', rb'"\u0031"', rb'"\u202e1"',
    rb'"\x31"', rb'"\1"', rb'"\u12"', rb'"\u{31}"', rb'"\U00000031"', b'"a', b'"a\nb"', b'"a\tb"', b'"\x00"', b'"\x01"', b'"\x1f"', b'"\xff"',
    b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\x80"', b'"\xc3"', b'"\xe2\x82"', b'"\xf0\x9f\x98"', b'"\xfe\xff"',
]  # fmt: skip

VALUES: list[bytes] = list(dict.fromkeys([*NUMBERS, *DIGIT_TEXTS, *TEXTS, *IDS, *MOMENTS, *SHAPES, *ESCAPES]))
WHOLE = os.environ.get("TORTURE") == "1"


def for_field(number: int, *, depth: int) -> list[bytes]:
    """What the `number`th field of a body is given: all values in a full run, otherwise every fourth, another quarter for each field.

    A field of an object inside has tests of its own and takes its share.
    """
    if depth > 1:
        return VALUES[number % 23 :: 23]
    return VALUES if WHOLE else VALUES[number % 4 :: 4]


BODIES: list[bytes] = [
    b"", b" ", b"\n", b"\x00", b"null", b"true", b"1", b'"a"', b"[]", b"[{}]", b"{", b"}", b"{}{}", b"{} x", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
    b"\xfe\xff\x00{\x00}", b"{\x00}\x00", b"\x1f\x8b\x08", b"PK\x03\x04", b"a=1&b=2", b"<a/>", b"%7B%7D", b"{'a':1}", b"{a:1}", b'{"a":1,}',
    b'{"a" 1}', b'{"a":}', b"{1:1}", b'{"":1}', b'{"a":1,"a":1}', b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000,
    b'{"a":"' + b"x" * 262_144 + b'"}', b" " * 262_145, b'{"\\u0000":1}', b'{"\\ud800":1}', b"NaN", b"-", b"1e999", b"/*c*/{}", b"{}//c",
]  # fmt: skip

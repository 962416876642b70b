"""The last paragraph of docs/matching.md."""

from zlib import crc32

from exchange.domain.checksum import checksum


def test_asks_then_bids_best_first_digits_only():
    bids = [("0.0499", "1.500"), ("0.0498", "20")]
    asks = [("0.0501", "3"), ("10.0000", "0.75")]
    assert checksum(bids, asks) == crc32(b"501310000075499150049820")


def test_only_the_ten_best_levels_count():
    asks = [(f"{price}.0", "1") for price in range(100, 120)]
    assert checksum([], asks) == checksum([], asks[:10]) != checksum([], asks[:9])


def test_an_empty_book_has_a_checksum():
    assert checksum([], []) == 0

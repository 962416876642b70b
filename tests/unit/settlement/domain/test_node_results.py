"""What a node says of its work, held against what the venue can see itself."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from settlement.domain.node_results import Asked, Result, decoded, hash_of, is_signed, lie_in, signed_bytes
from settlement.domain.node_states import ATTEMPT_ENDS, JOB_TABLE, OVER, JobState, after_attempt
from settlement.domain.recount import Count, recount

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
JOB = "0192e4a0-0000-7000-8000-000000000001"
FIVE = Asked("jobs", 5, '{"input": [1, 2, 3, 4, 5]}')


def result(units: int = 3, output: str = '{"outputs": ["a", "b", null, "c"]}', **said) -> Result:
    given = {"output_hash": hash_of(output), **said}
    signed = signed_bytes(job_id=JOB, units=units, output_hash=given["output_hash"])
    return Result(job_id=JOB, units=units, output=output, signature=base64.b64encode(KEY.sign(signed)).decode(), **given)


def lie(told: Result, asked: Asked = FIVE) -> str | None:
    return lie_in(told, asked=asked, public_key=PUBLIC)


def test_what_is_signed_is_canonical():
    assert signed_bytes(job_id="x", units=7, output_hash="ab") == b'{"job":"x","output_hash":"ab","units":"7"}'


def test_an_honest_result():
    assert lie(result()) is None
    assert lie(result(4, "ignored, for texts are one thing"), Asked("seconds", 5, "")) is None


def test_lies():
    told = result()
    assert lie(result(4)) == "recount"
    assert lie(result(2)) == "recount"
    assert lie(result(6, json.dumps(["x"] * 6))) == "above_reserved"
    assert lie(result(output_hash="0" * 64)) == "output_hash"
    forged = Result(told.job_id, told.units, told.output, told.output_hash, result(4).signature)
    assert lie(forged) == "signature"
    assert lie(Result(told.job_id, told.units, told.output, told.output_hash, "")) == "signature"
    another = Result(JOB[:-1] + "2", told.units, told.output, told.output_hash, told.signature)
    assert lie(another) == "signature"  # a result of one job is none of another


@pytest.mark.parametrize(
    ("unit", "output", "count"),
    [
        ("jobs", "[1, null, 2]", 2),
        ("jobs", "[]", 0),
        ("requests", '{"object": "list", "data": [{"embedding": []}, {"embedding": []}]}', 2),
        ("requests", '{"choices": [{"message": "hello"}]}', 1),
        ("frames", '{"outputs": [null, null]}', 0),
        ("requests", '{"answer": 42}', 1),
        ("requests", "a plain text", 1),
        ("requests", "  \n", 0),
        ("requests", "null", 0),
        ("requests", "[" * 100_000, 1),
    ],
)
def test_things_are_counted(unit, output, count):
    assert recount(unit=unit, asked="", output=output) == Count(exact=count)


def test_tokens_are_bounded_by_bytes():
    asked = json.dumps({"messages": [{"role": "user", "content": "héllo"}]}, ensure_ascii=False)
    most = recount(unit="tokens", asked=asked, output="né").most
    assert most == len(asked.encode()) + 3 + 2 * 16
    told = result(most + 1, "né")
    assert lie(told, Asked("tokens", 10_000, asked)) == "recount"
    assert lie(result(most, "né"), Asked("tokens", 10_000, asked)) is None


def test_no_more_time_than_the_node_had_the_job():
    for unit, held_us, most in (("seconds", 3_000_000, 3), ("seconds", 3_000_001, 4), ("minutes", 61_000_000, 2)):
        assert lie(result(most), Asked(unit, 100, "", held_us)) is None
        assert lie(result(most + 1), Asked(unit, 100, "", held_us)) == "recount"


def test_keys_and_signatures_have_one_form():
    assert decoded(PUBLIC, 32) is not None
    padded = base64.b64encode(bytes(31) + b"\x01").decode()
    for text in ("", PUBLIC[:-1], PUBLIC + "\n", " " + PUBLIC, padded[:-2] + "F=", PUBLIC.replace("=", ""), "é" * 44):
        assert decoded(text, 32) is None, text
    assert not is_signed(public_key="", signature="", data=b"")
    assert not is_signed(public_key=base64.b64encode(b"\xff" * 32).decode(), signature=base64.b64encode(bytes(64)).decode(), data=b"")


def test_jobs_only_end_for_good():
    assert set(JOB_TABLE) == set(JobState) - OVER
    assert after_attempt(attempts=1, max_attempts=2, is_in_time=True) is JobState.OPEN
    assert after_attempt(attempts=2, max_attempts=2, is_in_time=True) is JobState.PARKED
    assert after_attempt(attempts=1, max_attempts=2, is_in_time=False) is JobState.PARKED
    assert "" not in ATTEMPT_ENDS

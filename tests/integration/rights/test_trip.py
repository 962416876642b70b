"""Several statements in one trip: answered in order, in one transaction, prepared once, and failing as one."""

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from exchange.feed import pool
from rights.kernel import rows, trip
from rights.kernel.trip import Trip, is_lost
from tests.feed.client import until

pytestmark = pytest.mark.django_db(transaction=True)
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'trip_%%'"


@pytest.fixture
def shelf():
    """A table of a test's own."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE trip_shelf (n bigint PRIMARY KEY CHECK (n > 0), label text)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE trip_shelf")


def count() -> int:
    return rows.fetch_all("SELECT count(*) FROM trip_shelf")[0][0]


def steps(monkeypatch) -> list[str]:
    """Every wait for the server from now on."""
    waited: list[str] = []
    wait = psycopg.Connection.wait

    def counted(link, gen, *args, **more):
        waited.append(gen.__name__)
        return wait(link, gen, *args, **more)

    monkeypatch.setattr(psycopg.Connection, "wait", counted)
    return waited


def test_all_is_asked_before_anything_is_answered(shelf, monkeypatch):
    together = Trip()
    with transaction.atomic():
        waited = steps(monkeypatch)
        first = together.ask("INSERT INTO trip_shelf VALUES (%s, %s), (%s, %s)", [1, "a", 2, None])
        seen = together.ask("SELECT n, label FROM trip_shelf WHERE n <= %(most)s AND n <= %(most)s ORDER BY n", {"most": 7})
        none = together.ask("SELECT 1 WHERE false")
        together.go()
        assert waited == ["_converse"]  # BEGIN went with it
        assert (first.count(), seen.rows(), none.one()) == (2, [(1, "a"), (2, None)], None)
    assert count() == 2


def test_what_is_done_in_a_transaction_is_planned_once_for_all_lists(shelf):
    among = "SELECT n FROM trip_shelf WHERE n = ANY(%s::bigint[])"
    plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s"
    rows.fetch_all(among, ["{1}"])
    assert rows.fetch_one(plans, ["%trip_shelf WHERE n = ANY%"]) == (0, 1)
    with transaction.atomic():
        rows.fetch_all(among, ["{1,2}"])
        rows.fetch_all(among, ["{3}"])
    assert rows.fetch_one(plans, ["%trip_shelf WHERE n = ANY%"]) == (2, 1)
    rows.fetch_all(among, ["{1}"])
    assert rows.fetch_one(plans, ["%trip_shelf WHERE n = ANY%"]) == (2, 2)


def test_a_failure_is_the_answer_to_all_that_follows(shelf):
    together = Trip()
    with pytest.raises(IntegrityError), transaction.atomic():
        good = together.ask("INSERT INTO trip_shelf VALUES (1, '')")
        bad = together.ask("INSERT INTO trip_shelf VALUES (0, '')")
        behind = together.ask("INSERT INTO trip_shelf VALUES (2, '')")
        together.go()
        assert good.count() == 1
        with pytest.raises(IntegrityError) as refused:
            behind.count()
        assert refused.value.__cause__.diag.constraint_name == "trip_shelf_n_check"
        bad.count()
    assert count() == 0


def test_a_statement_that_makes_no_sense_says_why(shelf):
    with pytest.raises(ProgrammingError, match="no_such_column"):
        rows.fetch_all("SELECT no_such_column FROM trip_shelf")
    assert rows.fetch_all("SELECT n FROM trip_shelf") == []


def test_the_first_error_of_many_is_raised(shelf):
    together = Trip()
    together.ask("INSERT INTO trip_shelf VALUES (1, '')")
    together.ask("INSERT INTO trip_shelf VALUES (1, '')")
    with pytest.raises(IntegrityError):
        together.do()
    assert count() == 0


def test_what_is_prepared_outlives_a_rollback(shelf):
    for number in (1, 2):
        with transaction.atomic():
            rows.execute("INSERT INTO trip_shelf VALUES (%s, 'outlives')", [number])
            transaction.set_rollback(True)
    names = rows.fetch_all("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'INSERT%%outlives%%'")
    assert names == [("INSERT INTO trip_shelf VALUES ($1, 'outlives')",)]


def test_no_connection_remembers_without_end(shelf, monkeypatch):
    monkeypatch.setattr(trip, "MOST_PREPARED", 8)
    for number in range(30):
        assert rows.fetch_one(f"SELECT {number} + %s", [1]) == (number + 1,)
    assert rows.fetch_all(PREPARED)[0][0] <= 8


def test_values_keep_their_kinds(shelf):
    given = [-(2**40), 3, True, None, "100 %", ["a", 'b"\\', None], [1, 2]]
    sql = "SELECT %s::bigint, %s, %s::bool, %s::text, %s::text, %s::text[], %s::bigint[], 'a%%'"
    assert list(rows.fetch_all(sql, given)[0]) == [*given, "a%"]


def test_any_text_survives_an_array_literal():
    texts = ["", "NULL", "null", None, 'a"b', "\\", '\\"', "{", "}", ",", " x ", "\t", "\n", "é", "{a,b}", '"', "'", "%s", "$1", "\\N"]
    assert rows.fetch_all("SELECT %s::text[]", [rows.text_array(texts)]) == [(texts,)]
    assert rows.fetch_all("SELECT %s::bigint[]", [rows.text_array([1, None, -(2**62)])]) == [([1, None, -(2**62)],)]


def test_writes_that_wait_are_counted_afterwards(shelf):
    with transaction.atomic():
        with rows.together():
            rows.copy_rows("trip_shelf", "n, label", ["1\ta\\tb", "2\t\\N"])
            changed = rows.write("UPDATE trip_shelf SET label = %s WHERE n > %s", ["c", 1])
        assert changed.count() == 1
    assert rows.fetch_all("SELECT n, label FROM trip_shelf ORDER BY n") == [(1, "a\tb"), (2, "c")]


def test_many_rows_are_copied_and_what_follows_sees_them(shelf):
    with transaction.atomic(), rows.together():
        rows.copy_rows("trip_shelf", "n, label", [f"{n}\tx" for n in range(1, rows.FEW + 2)])
        changed = rows.write("UPDATE trip_shelf SET label = 'y'")
    assert changed.count() == rows.FEW + 1


def test_what_waits_can_be_sent_before_what_follows(shelf):
    with transaction.atomic():
        with rows.together():
            rows.copy_rows("trip_shelf", "n, label", [f"{n}\tx" for n in range(1, rows.FEW + 2)])
            changed = rows.write("UPDATE trip_shelf SET label = 'y'")
            with rows.together():
                rows.flush()
            assert changed.count() == count() == rows.FEW + 1
            rows.copy_rows("trip_shelf", "n, label", ["100\tz"])
            assert count() == rows.FEW + 1
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.copy_rows("trip_shelf", "n, label", ["100\tz"])
                rows.flush()
            rows.copy_rows("trip_shelf", "n, label", ["101\tz"])
        rows.flush()  # nothing waits outside
        assert count() == rows.FEW + 2


def test_a_connection_that_the_server_ended_is_known_to_be_lost(db):
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        assert not is_lost(other)
        rows.fetch_all("SELECT pg_terminate_backend(%s, 20000)", [other.info.backend_pid])
        assert is_lost(other)


async def test_the_same_over_a_connection_of_an_event_loop():
    async with (await pool.pool()).connection() as link:
        together = Trip()
        one = together.ask("SELECT %s::bigint + 1", [1])
        raw = together.ask("SELECT %s::bytea", [b"\x00\xff"], binary=True)
        bad = together.ask("SELECT 1 / %s", [0])
        await together.over(link)
        assert (one.one(), raw.one()) == ((2,), (b"\x00\xff",))
        with pytest.raises(psycopg.errors.DivisionByZero):
            bad.one()
        again = Trip()
        fine = again.ask("SELECT %s::bigint + 1", [2])
        await again.over(link)
        assert fine.one() == (3,)
    await pool.close()


async def test_a_kept_connection_is_replaced_when_it_is_lost():
    held = pool.Held(await pool.pool())
    pids = []
    for _ in range(3):
        asked = Trip()
        pid = asked.ask("SELECT pg_backend_pid()")
        await held.go(asked)
        pids.append(pid.one()[0])
        if len(pids) == 2:
            async with (await pool.pool()).connection() as other:
                await other.execute("SELECT pg_terminate_backend(%s)", [pids[-1]])
                await until(lambda: is_lost(held._kept))
    assert pids[0] == pids[1] != pids[2]
    await held.let_go()
    await pool.close()


LARGE = "x" * 3_000_000


def test_more_than_the_line_takes_at_once_gets_there():
    """Asked and answered at length: neither side may wait for the other to have listened first."""
    together = Trip()
    echoes = [together.ask("SELECT %s::text", [f"{LARGE}{number}"]) for number in range(5)]
    together.go()
    assert [answer.one() for answer in echoes] == [(f"{LARGE}{number}",) for number in range(5)]


async def test_more_than_the_line_takes_at_once_gets_there_from_an_event_loop(db):
    link = await psycopg.AsyncConnection.connect(**pool._parameters())
    together = Trip()
    length = together.ask("SELECT length(%s::text)", [LARGE])
    echo = together.ask("SELECT %s::text", [LARGE])
    await together.over(link)
    assert (length.one(), echo.one()) == ((len(LARGE),), (LARGE,))
    await link.close()

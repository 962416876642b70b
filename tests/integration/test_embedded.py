"""The embedded servers: durable as promised, private, found again."""

import stat
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection
from psycopg import sql

from exchange.embedded.postgres import EmbeddedPostgres
from exchange.settings.embedded_urls import database, embedded_urls
from tests.plugins.embedded import SessionServers

PROMISED = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "jit": "off",
    "listen_addresses": "",
    "data_checksums": "on",
}


@pytest.fixture
def postgres(embedded_servers: SessionServers) -> EmbeddedPostgres:
    if embedded_servers.postgres is None:
        pytest.skip("DATABASE_URL was given: nothing embedded to look at")
    return embedded_servers.postgres


@pytest.mark.django_db
def test_settings_are_the_promised_ones(postgres: EmbeddedPostgres) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [list(PROMISED)])
        assert dict(cursor.fetchall()) == PROMISED


@pytest.mark.django_db
def test_the_role_is_no_superuser(postgres: EmbeddedPostgres) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False, False, False)


def test_nobody_enters_without_the_password(postgres: EmbeddedPostgres) -> None:
    for user in ("synthference", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=str(postgres.socket_dir), user=user, dbname="synthference", password="wrong")


def test_socket_and_cluster_are_private(postgres: EmbeddedPostgres) -> None:
    for directory in (postgres.cluster, postgres.pgdata, postgres.socket_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert directory.stat().st_uid == postgres.account.uid != 0


def test_secrets_are_private(embedded_servers: SessionServers) -> None:
    for name in ("embedded.json", "valkey/valkey.conf"):
        assert stat.S_IMODE((embedded_servers.data_dir / name).stat().st_mode) == 0o600


def test_url_serves_libpq_as_well(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url) as link:
        row = link.execute(sql.SQL("SELECT current_database(), current_user")).fetchone()
    assert row == ("synthference", "synthference")


def test_valkey_evicts_and_keeps_nothing(embedded_servers: SessionServers) -> None:
    if embedded_servers.valkey is None:
        pytest.skip("REDIS_URL was given: nothing embedded to look at")
    with redis.Redis.from_url(settings.REDIS_URL, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy", "save", "appendonly") == {
            "maxmemory-policy": "noeviction",
            "save": "",
            "appendonly": "no",
        }
    anonymous = redis.Redis.from_url(settings.REDIS_URL.replace(settings.REDIS_URL.split("@")[0], "redis://").replace("//@", "//"))
    with anonymous, pytest.raises(redis.AuthenticationError):
        anonymous.ping()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgres://u:p@/db?host=/tmp/Some/Where", "/tmp/Some/Where"),
        ("postgres://u:p@%2Ftmp%2FSome%2FWhere/db", "/tmp/Some/Where"),
        ("postgres://u:p@db.example:5433/db", "db.example"),
    ],
)
def test_a_socket_directory_is_a_host(url: str, host: str) -> None:
    parsed = database(url)
    assert (parsed["HOST"], parsed["NAME"], parsed["USER"], parsed["PASSWORD"]) == (host, "db", "u", "p")
    assert "host" not in parsed["OPTIONS"]


def test_addresses_are_found_by_other_terminals(tmp_path: Path) -> None:
    assert embedded_urls(tmp_path) == {}
    (tmp_path / "run.env").write_text("DATABASE_URL=postgres://u:p@/db?host=/x\nREDIS_URL=redis://:a=b@127.0.0.1:1/0\n")
    assert embedded_urls(tmp_path) == {"DATABASE_URL": "postgres://u:p@/db?host=/x", "REDIS_URL": "redis://:a=b@127.0.0.1:1/0"}

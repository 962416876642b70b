"""The embedded PostgreSQL: its cluster, its process, its database and role."""

import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from exchange.embedded import leftovers, place
from exchange.embedded.account import EmbeddedError, server_account
from exchange.embedded.binaries import postgres_bin
from exchange.embedded.postgres_settings import HBA, postgresql_conf
from exchange.embedded.process import ServerProcess
from exchange.embedded.record import Record

NAME = "synthference"
MAJOR = "18"
_STATUS_LINE = 8  # of postmaster.pid: "starting", "ready", "stopping"


class EmbeddedPostgres:
    """One cluster under a data directory. `prepare`, run `process()`, then poll `is_ready`."""

    def __init__(self, data_dir: Path, record: Record, *, shared_buffers: str | None = None) -> None:
        self._record = record
        self._shared_buffers = shared_buffers
        self.account = server_account(place.remembered(data_dir, record))
        self.bin_dir = postgres_bin(self.account)
        self.cluster, self.socket_dir = place.choose(data_dir, record, self.account)
        self.pgdata = self.cluster / "data"
        self._provided = False

    @property
    def url(self) -> str:
        """For Django and libpq alike. The role owns the database and is no superuser: triggers and checks bind it."""
        return f"postgres://{NAME}:{self._record.role_password}@/{NAME}?host={quote(str(self.socket_dir), safe='/')}"

    def prepare(self) -> None:
        """Before every start: end what an earlier start left running, make the cluster if there is none, write the settings."""
        leftovers.end_server(self.pgdata)
        place.make_dir(self.socket_dir, self.account)
        if not (self.pgdata / "PG_VERSION").exists():
            self._initdb()
        if (made_by := (self.pgdata / "PG_VERSION").read_text(encoding="ascii").strip()) != MAJOR:
            raise EmbeddedError(f"{self.pgdata} was made by PostgreSQL {made_by}, this is {MAJOR}: dump it there and restore it here")
        self._write("postgresql.conf", postgresql_conf(self.socket_dir, shared_buffers=self._shared_buffers))
        self._write("pg_hba.conf", HBA)

    def process(self) -> ServerProcess:
        return ServerProcess(
            argv=(str(self.bin_dir / "postgres"), "-D", str(self.pgdata)),
            account=self.account,
            environment={"LC_ALL": "C", "TZ": "UTC"},
            stop_signal=signal.SIGINT,  # what `pg_ctl stop -m fast` sends: clients are cut off, everything is written down
            orphan_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Whether a query is answered; the first time, the role and the database are made as well."""
        if not self._says_ready():
            return False
        try:
            with psycopg.connect(
                host=str(self.socket_dir),
                user="postgres",
                password=self._record.superuser_password,
                dbname="postgres",
                connect_timeout=2,
                autocommit=True,
            ) as connection:
                connection.execute("SELECT 1")
                if not self._provided:
                    self._provide(connection)
        except psycopg.OperationalError:
            return False
        self._provided = True
        return True

    def _says_ready(self) -> bool:
        # A connection that comes too early is logged as FATAL, which a newcomer would take for a failure.
        try:
            lines = (self.pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= _STATUS_LINE and lines[_STATUS_LINE - 1].strip() == "ready"

    def _provide(self, connection: psycopg.Connection) -> None:
        role = sql.Identifier(NAME)
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (NAME,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
            connection.execute(sql.SQL("GRANT pg_monitor, pg_checkpoint TO {}").format(role))
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(self._record.role_password)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))

    def _initdb(self) -> None:
        # Into a directory of another name: one that was cut short by a kill is never mistaken for a cluster.
        draft = self.cluster / "data.new"
        leftovers.remove_tree(draft)
        place.make_dir(draft, self.account)
        password_file = self.cluster / "initial_password"
        self._write_file(password_file, self._record.superuser_password + "\n")
        try:
            done = subprocess.run(
                [
                    str(self.bin_dir / "initdb"),
                    "-D",
                    str(draft),
                    "--username=postgres",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--no-instructions",
                ],
                check=False,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                **self.account.popen_arguments(),
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode:
            raise EmbeddedError(f"initdb failed in {draft}:\n{done.stdout}")
        leftovers.remove_tree(self.pgdata)
        draft.rename(self.pgdata)

    def _write(self, name: str, text: str) -> None:
        self._write_file(self.pgdata / name, text)

    def _write_file(self, path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        self.account.give(path)

"""Where a cluster and its socket lie: in the data directory if the server's user gets there, else where it does."""

import tempfile
from pathlib import Path

from exchange.embedded.account import SYSTEM_DIR, can_enter
from exchange.embedded.process import Account
from exchange.embedded.record import Record

# A socket's whole path has at most 107 bytes on Linux and 103 on macOS, its file name included.
_LONGEST_SOCKET = 103
_SOCKET_NAME = "/.s.PGSQL.5432.lock"


def remembered(data_dir: Path, record: Record) -> Path:
    """The cluster's directory, should it exist already."""
    return Path(record.cluster) if record.cluster else data_dir / "postgres"


def choose(data_dir: Path, record: Record, account: Account) -> tuple[Path, Path]:
    """The directories of the cluster and of its socket, made if need be and kept in the record."""
    if not account.is_own:
        # Only the directory that is ours to widen: what lies in it is private file by file.
        data_dir.chmod(data_dir.stat().st_mode | 0o011)
    if record.cluster and not Path(record.cluster).is_dir():
        record.cluster = ""
    if not record.cluster and not can_enter(account, data_dir):
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        record.cluster = tempfile.mkdtemp(prefix="cluster-", dir=SYSTEM_DIR)
        record.save()
    cluster = remembered(data_dir, record)
    make_dir(cluster, account)
    return cluster, _socket_dir(cluster, record, account)


def _socket_dir(cluster: Path, record: Record, account: Account) -> Path:
    beside = cluster / "socket"
    if len(f"{beside}{_SOCKET_NAME}".encode()) <= _LONGEST_SOCKET and "," not in str(beside):
        return beside
    if not record.socket_dir or not _owned(Path(record.socket_dir), account):
        record.socket_dir = tempfile.mkdtemp(prefix="synthference-", dir="/tmp")
        record.save()
    return Path(record.socket_dir)


def _owned(directory: Path, account: Account) -> bool:
    # /tmp is everybody's: a directory that somebody else made there under our old name is not ours.
    return directory.is_dir() and not directory.is_symlink() and directory.stat().st_uid == account.uid


def make_dir(directory: Path, account: Account) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    account.give(directory)
    directory.chmod(0o700)

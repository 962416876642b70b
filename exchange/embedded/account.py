"""Which operating-system user PostgreSQL runs as, and what that user can reach.

PostgreSQL refuses to run as root, and rightly. Started by root, it therefore runs as another user: whoever owns the cluster
already, else `postgres`, else `nobody`. That user often cannot enter the directory the project was cloned into (`/root` is 0700),
and widening the permissions of somebody's home directory is not ours to do. So reachability is tried, as that user, and where it
fails the caller uses a directory under `/var/lib` instead.
"""

import os
import pwd
import subprocess
from pathlib import Path

from exchange.embedded.process import Account

SYSTEM_DIR = Path("/var/lib/synthference")


class EmbeddedError(RuntimeError):
    """An embedded server cannot be run here; the message says what to do."""


def server_account(cluster: Path | None) -> Account:
    """The user PostgreSQL runs as: ourselves, unless we are root."""
    if os.geteuid() != 0:
        if cluster is not None and cluster.exists() and cluster.stat().st_uid != os.geteuid():
            owner = cluster.stat().st_uid
            raise EmbeddedError(f"{cluster} belongs to uid {owner}: start as root or as that user, or name another --data")
        return Account.own()
    if cluster is not None and cluster.exists() and (present := cluster.stat()).st_uid != 0:
        return Account(present.st_uid, present.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`: start as an ordinary user")


def can_enter(account: Account, directory: Path) -> bool:
    """Whether `account` can enter `directory` (every one of its parents must let it through)."""
    if account.is_own:
        return os.access(directory, os.X_OK)
    return _runs(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)])


def can_run(account: Account, program: Path) -> bool:
    """Whether `account` can execute `program` with all its libraries."""
    return _runs(account, [str(program), "--version"])


def _runs(account: Account, argv: list[str]) -> bool:
    try:
        done = subprocess.run(
            argv,
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account.popen_arguments(),
        )
    except OSError:
        return False
    return bool(done.returncode == 0)

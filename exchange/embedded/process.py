"""What it takes to run one server process: shared by the supervisor and by tests."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

_PR_SET_PDEATHSIG = 1


class PopenAccount(TypedDict, total=False):
    """The arguments by which subprocess changes a child's user."""

    user: int
    group: int
    extra_groups: list[str | int]


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user a process runs as."""

    uid: int
    gid: int

    @classmethod
    def own(cls) -> "Account":
        return cls(os.geteuid(), os.getegid())

    @property
    def is_own(self) -> bool:
        return self.uid == os.geteuid()

    def popen_arguments(self) -> PopenAccount:
        """Arguments for subprocess that make the child run as this account, without any other group."""
        return {} if self.is_own else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if not self.is_own:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A command line with everything that must surround it."""

    argv: tuple[str, ...]
    account: Account = field(default_factory=Account.own)
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL


def die_with_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` asking the kernel to send `orphan_signal` when the parent dies, however it dies.

    Linux only; elsewhere the next start finds the orphans by their pid files.
    The parent must fork from its main thread: the kernel watches the forking thread, not the process.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def set_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return set_death_signal

"""Whose account is at the other end of a socket on this machine, as the kernel says?

The kernel names the account that connected (`SO_PEERCRED`). Where several people use one account (`sudo -u hutong`), the
login account behind the process tells them apart: set once when somebody logs in, and inherited (`/proc/PID/loginuid`).
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_NOBODY_LOGGED_IN = 2**32 - 1
_FIRST_OF_PEOPLE = 1000  # accounts below belong to the system


@dataclass(frozen=True, slots=True)
class Peer:
    """`uid` connected; `login` is the account that somebody logged in with, None where that is not known."""

    uid: int
    login: int | None

    @property
    def account(self) -> str:
        return f"uid-{self.uid}" if self.login is None else f"login-{self.login}"

    def is_another(self, name: str) -> bool:
        """Whether this is the name of an account of a person who is certainly somebody else."""
        try:
            named = getpwnam(name).pw_uid
        except KeyError:
            return False
        own = self.uid if self.login is None else self.login
        return named >= _FIRST_OF_PEOPLE and own >= _FIRST_OF_PEOPLE and named != own


def peer_of(connection: socket.socket) -> Peer | None:
    """None for a connection that is not of this machine."""
    if connection.family != socket.AF_UNIX:
        return None
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        login = int(Path(f"/proc/{pid}/loginuid").read_text())
    except (OSError, ValueError):
        login = _NOBODY_LOGGED_IN
    return Peer(uid, None if login == _NOBODY_LOGGED_IN else login)

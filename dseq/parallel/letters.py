"""Messages between the ranks' watchdogs, past MPI: datagrams, sent and read by a thread of each rank.

MPI cannot carry them: where it is stuck they are needed. A rank tells the others once, by MPI, where its datagrams go.
Each carries a secret of the job; others are dropped.
"""

import contextlib
import json
import os
import secrets
import select
import socket

LONGEST = 60_000  # bytes of a datagram
ANSWER = 0.1  # seconds in which a host says that there is no such mailbox


def _machine():
    """What two processes have in common if they reach each other at 127.0.0.1."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/net')}"
    except OSError:
        return socket.gethostname()


def _addresses():
    """The addresses at which other hosts may reach this one."""
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 9))  # sends nothing; shows which interface would
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    return [address for address in dict.fromkeys(found) if not address.startswith(("127.", "0."))]


class Letters:
    """A rank's mailbox."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("", 0))
        self._socket.setblocking(False)
        self._secret, self._where, self.rank = secrets.token_hex(16), {}, None
        self._came_from = {}  # by rank, the address of its last letter

    def address(self) -> tuple:
        """What the others must know, as plain values."""
        return _machine(), self._socket.getsockname()[1], _addresses(), self._secret

    def connect(self, rank: int, addresses) -> None:
        """Learns where all ranks are.

        Args:
            rank: This rank.
            addresses: `address()` of each rank.
        """
        self.rank, self._secret = rank, addresses[0][3]
        here = addresses[rank][0]
        self._where = {
            other: [(ip, port) for ip in (["127.0.0.1"] if machine == here else ips)]
            for other, (machine, port, ips, _) in enumerate(addresses)
            if other != rank
        }

    def close(self) -> None:
        """Receives nothing any more."""
        self._socket.close()

    def send(self, rank: int, kind: str, **content) -> None:
        """Sends a letter; it may get lost.

        Args:
            rank: To whom.
            kind: What it is.
            **content: Values that JSON can hold.
        """
        data = json.dumps({"secret": self._secret, "rank": self.rank, "kind": kind, **content}).encode()
        for place in self._where.get(rank, ()):
            with contextlib.suppress(OSError):
                self._socket.sendto(data[:LONGEST], place)

    def receive(self, seconds: float) -> list[dict]:
        """The letters that have come.

        Args:
            seconds: How long to wait for the first.
        """
        found = []
        while select.select([self._socket], [], [], 0 if found else seconds)[0]:
            try:
                data, address = self._socket.recvfrom(65536)
                letter = json.loads(data)
                known = secrets.compare_digest(str(letter["secret"]), self._secret) and letter["rank"] in self._where
            except (OSError, ValueError, TypeError, KeyError):
                continue
            if known:
                self._came_from[letter["rank"]] = address
                found.append(letter)
        return found

    def has_closed(self, rank: int) -> bool:
        """Whether a rank's host says that nobody is there any more to read its letters, as when its process has ended.

        False if it says nothing, or if no letter has ever come from there.
        """
        if rank not in self._came_from:
            return False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._came_from[rank])
                probe.send(b"?")  # no letter: dropped if somebody is there
                if select.select([probe], [], [], ANSWER)[0]:
                    probe.recv(1)
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
        return False

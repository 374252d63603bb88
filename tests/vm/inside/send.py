# SPDX-License-Identifier: GPL-2.0-or-later
"""send.py TAG [SECONDS]: datagrams of fresh sockets and of one that lives on, and connections, without a pause."""

import socket
import sys
import time

TO4, TO6, PORT = "198.51.100.25", "2001:db8:f::25", 7000
tag, end = sys.argv[1].encode(), time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else 3600)
kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def datagram(family, to):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(tag, (to, PORT))


def connection():
    with socket.create_connection((TO4, PORT), 2) as sock:
        sock.sendall(tag + b"\n")
        sock.recv(64)


while time.monotonic() < end:
    for one in (lambda: kept.sendto(tag, (TO4, PORT)), lambda: datagram(socket.AF_INET, TO4),
                lambda: datagram(socket.AF_INET6, TO6), connection):
        try:
            one()
        except OSError:
            pass                                # refused is not a leak; the receiver counts
        time.sleep(0.003)

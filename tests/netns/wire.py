# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as they arrive on a link: what the receiver's side of the wire really got.

A Capture is a packet socket that is opened in the namespace and read by a child process, which
keeps counts by (link, protocol, source, source port, destination, destination port). Capture.stop()
returns them, and fails if the kernel had to drop a packet: "nothing was seen" must mean nothing.
"""

import collections
import errno
import ipaddress
import json
import select
import socket
import struct
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
ICMPV6_CONTROL = (*range(130, 138), 143)       # multicast listener and neighbour discovery

Packet = collections.namedtuple("Packet", "link proto source sport to dport kind count resets")
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


def parse(frame):
    """Ethernet frame to (proto, source, sport, to, dport, kind, reset), or None if it is not IP."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and len(frame) >= 34:
        proto, source, to = frame[23], frame[26:30], frame[30:34]
        rest = frame[14 + (frame[14] & 15) * 4:]
    elif kind == b"\x86\xdd" and len(frame) >= 54:
        proto, source, to = frame[20], frame[22:38], frame[38:54]
        rest = frame[54:]
        if proto == 0 and len(rest) >= 8:       # hop-by-hop, of multicast listener reports
            proto, rest = rest[0], rest[8 * (rest[1] + 1):]
    else:
        return None
    sport = dport = icmp = reset = 0
    if proto in (6, 17) and len(rest) >= 8:
        sport, dport = struct.unpack("!HH", rest[:4])
        reset = int(proto == 6 and len(rest) >= 14 and bool(rest[13] & 4))
    elif proto in (1, 58) and rest:
        icmp = rest[0]
    return (proto, source, sport, to, dport, icmp, reset)


class Capture:
    """Packets that arrive in `namespace` on `links`, from now on."""

    def __init__(self, place, namespace="receiver", links=("eth0",)):
        self.place = place
        sockets = []
        with place.inside(namespace):
            for link in links:
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
                sock.bind((link, ETH_P_ALL))
                sockets.append((link, sock))
        self.stop_fd, child_stop = socket.socketpair()
        self.pid = place.fork(namespace, self._read, sockets, child_stop, self.stop_fd)
        child_stop.close()
        for _, sock in sockets:
            sock.close()
        self.packets = None

    @staticmethod
    def _read(sockets, stop, other):
        other.close()
        counts = collections.Counter()
        poll = select.poll()
        by_fd = {sock.fileno(): (link, sock) for link, sock in sockets}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        poll.register(stop.fileno(), select.POLLIN)
        stopping, end = False, 0
        while True:
            ready = [fd for fd, _ in poll.poll(50 if stopping else None)]
            if stop.fileno() in ready:
                stop.recv(1)
                stopping, end = True, time.monotonic() + 2      # what goes on for ever is not waited for
                poll.unregister(stop.fileno())
                continue
            if stopping and (not ready or time.monotonic() > end):
                break
            for fd in ready:
                link, sock = by_fd[fd]
                for _ in range(64):
                    try:
                        frame, where = sock.recvfrom(192, socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        break
                    except OSError as error:
                        if error.errno != errno.ENETDOWN:
                            raise
                        break                   # the link went down; it may come up again
                    if where[2] == socket.PACKET_OUTGOING:
                        continue
                    key = parse(frame)
                    if key:
                        counts[(link,) + key[:6]] += 1
                        if key[6]:
                            counts[("reset", link) + key[:6]] += 1
        dropped = sum(struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
                      for _, sock in sockets)
        out = []
        for key, count in counts.items():
            if key[0] != "reset":
                link, proto, source, sport, to, dport, kind = key
                out.append((link, PROTOCOLS.get(proto, str(proto)), str(ipaddress.ip_address(source)),
                            sport, str(ipaddress.ip_address(to)), dport, kind, count,
                            counts.get(("reset",) + key, 0)))
        stop.sendall(json.dumps([dropped, out]).encode() + b"\n")

    def stop(self):
        """End the capture; returns all Packets."""
        if self.packets is None:
            self.stop_fd.sendall(b"x")
            text = self.stop_fd.makefile().readline()
            self.place.reap(self.pid)
            dropped, out = json.loads(text)
            if dropped:
                raise AssertionError("the capture itself lost %d packets" % dropped)
            self.packets = [Packet(*row) for row in out]
        return self.packets

    def select(self, **want):
        """Packets whose fields are as given; neighbour discovery is left out unless asked for."""
        out = []
        for packet in self.stop():
            if "kind" not in want and packet.proto == "icmpv6" and packet.kind in ICMPV6_CONTROL:
                continue
            if all(getattr(packet, field) == value for field, value in want.items()):
                out.append(packet)
        return out

    def sources(self, **want):
        return {packet.source for packet in self.select(**want)}

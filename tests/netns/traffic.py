# SPDX-License-Identifier: GPL-2.0-or-later
"""Senders and receivers: what a client does, and what the other end saw of it.

serve() tells every client, by TCP and UDP, the address it came from, and then echoes. probe() makes
connections as a given user, in a given cgroup, with a given mark. stream() keeps many connections
busy until it is told to stop, and counts their bytes. All run in children of the test.
"""

import errno
import json
import os
import selectors
import socket
import struct
import time

SO_MARK = 36
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_FREEBIND = 8, 49, 50, 78
ICMP_ECHO = {4: 8, 6: 128}
PROTOCOL_OF = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_DGRAM}


def plain(address):
    """Address as text, without the ::ffff: of a v4 peer of a v6 socket."""
    return address[7:] if address.startswith("::ffff:") else address


def say(address):
    return ("%s %d\n" % (plain(address[0]), address[1])).encode()


# --- the receiver -------------------------------------------------------------------------------


def _udp_reply(sock):
    """Answer from the address that was asked: the receiver owns whole prefixes."""
    while True:
        try:
            data, control, _, peer = sock.recvmsg(2048, 256, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        reply = []
        for level, kind, blob in control:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                _, _, to = struct.unpack("=I4s4s", blob[:12])
                reply = [(level, kind, struct.pack("=I4s4s", 0, to, b"\0" * 4))]
            elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
                reply = [(level, kind, blob[:16] + b"\0" * 4)]
        try:
            sock.sendmsg([say(peer)], reply, 0, peer)
        except OSError:
            pass


class _Peer:
    """One accepted connection: says the source, then echoes; closes `linger` s after its peer."""

    def __init__(self, sock, address):
        self.sock, self.out, self.ended, self.close_at = sock, say(address), False, None


def serve(ports, ready=None, linger=0.0):
    """Serve TCP and UDP on all ports, both families, until killed."""
    wait = selectors.DefaultSelector()
    for port in ports:
        listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", port))
        listener.listen(1024)
        listener.setblocking(False)
        wait.register(listener, selectors.EVENT_READ, "listen")
        for family, anywhere, level, option in (
                (socket.AF_INET, "0.0.0.0", socket.IPPROTO_IP, IP_PKTINFO),
                (socket.AF_INET6, "::", socket.IPPROTO_IPV6, IPV6_RECVPKTINFO)):
            sock = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
            sock.setsockopt(level, option, 1)
            sock.bind((anywhere, port))
            wait.register(sock, selectors.EVENT_READ, "udp")
    if ready is not None:
        os.write(ready, b"x")
    closing = []
    while True:
        for key, events in wait.select(0.05 if closing else None):
            if key.data == "listen":
                try:
                    sock, address = key.fileobj.accept()
                except OSError:
                    continue
                sock.setblocking(False)
                wait.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, _Peer(sock, address))
            elif key.data == "udp":
                _udp_reply(key.fileobj)
            else:
                _serve_peer(wait, key.data, closing, linger)
        for peer in [peer for peer in closing if time.monotonic() >= peer.close_at]:
            closing.remove(peer)
            peer.sock.close()


def _serve_peer(wait, peer, closing, linger):
    try:
        if not peer.ended and len(peer.out) < 1 << 20:
            try:
                chunk = peer.sock.recv(65536)
                peer.ended = not chunk
                peer.out += chunk
            except BlockingIOError:
                pass
        if peer.out:
            try:
                peer.out = peer.out[peer.sock.send(peer.out):]
            except BlockingIOError:
                pass
    except OSError:
        wait.unregister(peer.sock)
        peer.sock.close()
        return
    if peer.ended and not peer.out:
        wait.unregister(peer.sock)
        peer.close_at = time.monotonic() + linger
        closing.append(peer)
        return
    wanted = (selectors.EVENT_WRITE if peer.out else 0) | (0 if peer.ended else selectors.EVENT_READ)
    wait.modify(peer.sock, wanted, peer)


# --- the senders --------------------------------------------------------------------------------


def become(who):
    """Take on the user and group of `who`, keeping the way back (for marks) if it has a mark."""
    if who.get("gid") is not None:
        os.setgroups([])
        os.setegid(who["gid"])
    if who.get("uid") is not None:
        os.seteuid(who["uid"])


def open_socket(who, family, kind, protocol=0):
    """A socket of that client: the creator's credentials and cgroup are what the kernel looks at."""
    become(who)
    sock = socket.socket(family, kind, protocol)
    os.seteuid(0)
    os.setegid(0)
    if who.get("mark"):
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, who["mark"])
    return sock


def enter(who):
    if who.get("cgroup"):
        with open(who["cgroup"] + "/cgroup.procs", "w") as procs:
            procs.write("0")


def attempt(who, to, port, proto, timeout, bind):
    """One connection or question: {source, error, ms}; source is None if there was no answer."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    result = {"source": None, "error": None, "ms": None, "sport": None}
    number = 0
    if proto == "icmp":
        number = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    sock = open_socket(who, family, PROTOCOL_OF[proto], number)
    sock.settimeout(timeout)
    start = time.monotonic()
    try:
        if bind:
            sock.bind((bind, 0))
        sock.connect((to, port))
        result["ms"] = (time.monotonic() - start) * 1000
        result["sport"] = sock.getsockname()[1]
        if proto == "udp":
            sock.send(b"who\n")
        elif proto == "icmp":
            kind = ICMP_ECHO[6 if family == socket.AF_INET6 else 4]
            sock.send(struct.pack("!BBHHH", kind, 0, 0, 0, 1) + b"outbind!")
        answer = sock.recv(2048)
        if proto == "icmp":
            result["source"] = "answered"
        else:
            result["source"] = answer.split()[0].decode() if answer else None
    except OSError as error:
        if isinstance(error, socket.timeout):
            result["error"] = "TIMEOUT"
        else:
            result["error"] = errno.errorcode.get(error.errno, str(error))
        result["ms"] = result["ms"] or (time.monotonic() - start) * 1000
        result["ms_all"] = (time.monotonic() - start) * 1000
    sock.close()
    return result


def probe(out, who, targets):
    """Try every (to, port, proto, timeout, bind) of targets as `who`; write JSON to out."""
    enter(who)
    results = [attempt(who, *target) for target in targets]
    with os.fdopen(out, "w") as pipe:
        json.dump(results, pipe)


class _Stream:
    def __init__(self, sock):
        self.sock, self.sent, self.got, self.head, self.out = sock, 0, 0, b"", b""
        self.source, self.error, self.ended = None, None, False

    def receive(self):
        while not self.ended:
            try:
                chunk = self.sock.recv(65536)
            except BlockingIOError:
                return
            if not chunk:
                self.ended = True
                return
            if self.source is None:
                self.head += chunk
                if b"\n" not in self.head:
                    continue
                line, chunk = self.head.split(b"\n", 1)
                self.source = line.split()[0].decode()
            if chunk.strip(b"o"):
                raise OSError(errno.EBADMSG, "other bytes than were sent")
            self.got += len(chunk)

    def send(self, n):
        self.out += b"o" * n
        while self.out:
            try:
                done = self.sock.send(self.out)
            except BlockingIOError:
                return
            self.sent += done
            self.out = self.out[done:]


def stream(control, who, to, port, count, interval=0.05, chunk=512):
    """`count` connections that send `chunk` bytes every `interval` s until control says stop, then
    end in order; replies JSON lines: first when all are connected, then the result."""
    enter(who)
    streams = []
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    for _ in range(count):
        sock = open_socket(who, family, socket.SOCK_STREAM)
        sock.settimeout(5)
        sock.connect((to, port))
        sock.setblocking(False)
        streams.append(_Stream(sock))
    control.sendall(b'"connected"\n')
    control.settimeout(interval)
    stopping = None
    while True:
        if stopping is None:
            try:
                control.recv(1)
                stopping = time.monotonic()
            except socket.timeout:
                pass
        else:
            time.sleep(0.01)
        for one in streams:
            if one.error:
                continue
            try:
                one.receive()
                if stopping is None:
                    one.send(chunk)
                elif not one.ended:
                    one.send(0)
                    if not one.out and one.got == one.sent:
                        one.sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                if stopping is None or error.errno != errno.ENOTCONN:
                    one.error = errno.errorcode.get(error.errno, str(error))
        if stopping is not None and (time.monotonic() - stopping > 5 or
                                     all(one.ended or one.error for one in streams)):
            break
    control.sendall(json.dumps({
        "connections": len(streams),
        "sources": sorted({one.source or "none" for one in streams}),
        "errors": sorted(one.error for one in streams if one.error),
        "unfinished": sum(1 for one in streams if not one.ended and not one.error),
        "inexact": sum(1 for one in streams if one.got != one.sent),
        "bytes": sum(one.got for one in streams),
    }).encode() + b"\n")


def hold(control, who, to, port):
    """One connection that is made when control says so, tells who was seen, and lives until control
    says so again."""
    enter(who)
    control.sendall(b"r")
    control.recv(1)
    sock = open_socket(who, socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(10)
    try:
        sock.connect((to, port))
        said = sock.recv(100).split()[0]
    except socket.timeout:
        said = b"TIMEOUT"
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error)).encode()
    control.sendall(said + b"\n")
    control.settimeout(None)
    control.recv(1)
    sock.close()

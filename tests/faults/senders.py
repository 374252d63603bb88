# SPDX-License-Identifier: GPL-2.0-or-later
"""The traffic under which faults happen: clients that open connections and datagrams all the time, and
keep a few connections alive, each to a destination of its own, so that the receiver knows whose a packet
is. What happened is written to a file, one JSON line an attempt that failed or a connection that ended;
when each kind last worked stands in shared memory, for who waits until it works again."""

import collections
import errno
import json
import os
import selectors
import socket
import struct
import time

import traffic

KINDS = ("tcp4", "tcp6", "udp4", "udp6")        # of new connections; live ones are "live4", "live6"
PERIOD = 0.1                                    # a new one of each kind, in seconds
PATIENCE = 2.5                                  # until a new one has failed
LIVE = 2                                        # connections that stay, of each family

Client = collections.namedtuple("Client", "name who to own links")
# name: for people; who: uid, cgroup or mark; to: {family: destination}; own: the addresses that it may
# leave from, links: and the link, by address


class Attempt:
    """A new connection or question; its answer says where it came from."""

    def __init__(self, client, kind, port):
        self.kind, self.start = kind, time.monotonic()
        family = socket.AF_INET if kind[3] == "4" else socket.AF_INET6
        self.sock = open_socket(client.who, family, kind[:3])
        self.target = (client.to[int(kind[3])], port)
        self.answer = b""

    def begin(self):
        error = self.sock.connect_ex(self.target)
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, os.strerror(error))
        if self.kind[:3] == "udp":
            self.sock.send(b"who\n")

    def receive(self):
        self.answer += self.sock.recv(2048)
        return self.answer.split()[0].decode() if b"\n" in self.answer else None


class Stream:
    """A connection that stays, and sends and gets back a few bytes all the time."""

    def __init__(self, client, family, port):
        self.kind, self.start = "live%d" % family, time.monotonic()
        self.sock = open_socket(client.who, socket.AF_INET if family == 4 else socket.AF_INET6, "tcp")
        self.target = (client.to[family], port)
        self.up = False
        self.heard = time.monotonic()


def open_socket(who, family, proto):
    sock = socket.socket(family, traffic.PROTOCOL_OF[proto])
    if who.get("mark"):
        sock.setsockopt(socket.SOL_SOCKET, traffic.SO_MARK, who["mark"])
    sock.setblocking(False)
    return sock


class Sender:
    """One client, in a process of its own, until `stop` can be read from."""

    def __init__(self, client, port, record, worked, stop):
        self.client, self.port, self.record, self.worked = client, port, record, worked
        self.wait = selectors.DefaultSelector()
        self.wait.register(stop, selectors.EVENT_READ, "stop")
        self.going = set()
        self.streams = []

    def note(self, kind, start, what):
        self.record.write(json.dumps([self.client.name, kind, start, time.monotonic(), what]) + "\n")
        self.record.flush()

    def end(self, attempt, what):
        """The attempt is over: `what` is the source that the receiver saw, or an error."""
        if attempt in self.going:
            self.going.discard(attempt)
            self.wait.unregister(attempt.sock)
        attempt.sock.close()
        if what in self.client.own:
            self.worked(KINDS.index(attempt.kind), attempt.start)
        else:
            self.note(attempt.kind, attempt.start, what)

    def begin(self, kind):
        try:
            attempt = Attempt(self.client, kind, self.port)
        except OSError as error:
            self.note(kind, time.monotonic(), errno.errorcode.get(error.errno, str(error)))
            return
        try:
            attempt.begin()
        except OSError as error:
            self.end(attempt, errno.errorcode.get(error.errno, str(error)))
            return
        self.going.add(attempt)
        self.wait.register(attempt.sock, selectors.EVENT_READ, attempt)

    def keep_alive(self):
        """Make up for streams that ended, and send on the others."""
        for family in (4, 6):
            while sum(stream.kind == "live%d" % family for stream in self.streams) < LIVE:
                stream = Stream(self.client, family, self.port)
                self.streams.append(stream)
                self.wait.register(stream.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, stream)
                error = stream.sock.connect_ex(stream.target)
                if error not in (0, errno.EINPROGRESS):
                    self.lose(stream, errno.errorcode.get(error, str(error)))
                    return                      # not again at once
        for stream in list(self.streams):
            if not stream.up:
                if time.monotonic() - stream.start > 8:
                    self.lose(stream, "TIMEOUT")
                continue
            try:
                stream.sock.send(b"o" * 32)
            except BlockingIOError:
                pass
            except OSError as error:
                self.lose(stream, errno.errorcode.get(error.errno, str(error)))

    def lose(self, stream, what):
        if stream not in self.streams:
            return
        self.streams.remove(stream)
        self.wait.unregister(stream.sock)
        stream.sock.close()
        # one that never was up is a new connection that failed
        self.note(stream.kind if stream.up else "tcp" + stream.kind[4],
                  stream.heard if stream.up else stream.start, what)

    def serve_stream(self, stream, events):
        if not stream.up and events & selectors.EVENT_WRITE:
            error = stream.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self.lose(stream, errno.errorcode.get(error, str(error)))
                return
            stream.up = True
            self.wait.modify(stream.sock, selectors.EVENT_READ, stream)
        if events & selectors.EVENT_READ:
            if not stream.sock.recv(65536):
                self.lose(stream, "EOF")
            stream.heard = time.monotonic()

    def serve_attempt(self, attempt):
        source = attempt.receive()
        if source:
            self.end(attempt, source)

    def run(self):
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                due = max(due + PERIOD, now)
                for kind in KINDS:
                    self.begin(kind)
                self.keep_alive()
                for attempt in [one for one in self.going if now - one.start > PATIENCE]:
                    self.end(attempt, "TIMEOUT")
            for key, events in self.wait.select(max(0.0, due - time.monotonic())):
                if key.data == "stop":
                    return
                try:
                    if isinstance(key.data, Stream):
                        self.serve_stream(key.data, events)
                    else:
                        self.serve_attempt(key.data)
                except BlockingIOError:
                    pass
                except OSError as error:
                    what = errno.errorcode.get(error.errno, str(error))
                    if isinstance(key.data, Stream):
                        self.lose(key.data, what)
                    else:
                        self.end(key.data, what)


def send(client, index, port, path, memory, stop):
    """In a child: become the client and send. `memory` has a double for each client and kind."""
    def worked(kind, start):
        struct.pack_into("d", memory, 8 * (index * len(KINDS) + kind), start)

    with open(path, "w") as record:
        traffic.enter(client.who)
        if client.who.get("uid"):
            os.setresuid(client.who["uid"], client.who["uid"], client.who["uid"])
        Sender(client, port, record, worked, stop).run()


def last_worked(memory, index):
    """When each kind of a client last began something that worked."""
    return struct.unpack_from("%dd" % len(KINDS), memory, 8 * index * len(KINDS))

# SPDX-License-Identifier: GPL-2.0-or-later
"""A source port that somebody else's flow used just before: each sender still has its own address.

Conntrack knows flows by addresses and ports, not by who sends, and an entry outlives its socket.
Here clients share source ports, ICMP ids and fixed sockets, one after the other, to one
destination, so that each of them meets the entry that the one before has left.
"""

import collections
import errno
import json
import os
import socket
import struct
import time

import traffic
from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool, wait_for

CONF = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }"
DNS, CLOSED = 53, 998
FIRST, COUNT = 20000, 300
PORTS = range(FIRST, FIRST + COUNT)
SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
DROPS = """
table inet drops {
	chain in { type filter hook input priority 0; policy accept; tcp dport %d drop; }
}
""" % CLOSED


def in_sender(lab, function, *arguments, namespace="sender"):
    """What function(*arguments) returns in a child in the sender, or elsewhere."""
    read, write = os.pipe()

    def work():
        os.write(write, json.dumps(function(*arguments)).encode())
    pid = lab.fork(namespace, work)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    lab.reap(pid)
    return json.loads(text)


def name_of(error):
    return "TIMEOUT" if isinstance(error, socket.timeout) else errno.errorcode.get(error.errno, str(error))


def port_socket(who, family, kind, sport):
    """A socket of that client with that source port; None leaves the choice to the kernel."""
    sock = traffic.open_socket(who, SOCKET_FAMILY[family], kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sport:
        sock.bind(("", sport))
    return sock


def question(who, family, sport):
    """What the receiver saw of one datagram, or the error as "!EPERM"."""
    with port_socket(who, family, socket.SOCK_DGRAM, sport) as sock:
        sock.settimeout(1)
        try:
            sock.connect((FAR[family], PORT))
            sock.send(b"who\n")
            return sock.recv(200).split()[0].decode()
        except OSError as error:
            return "!" + name_of(error)


def ask(lab, sport, family, **who):
    return in_sender(lab, question, who, family, sport)


def datagrams(who, family, sports):
    """One datagram to one far port by a new socket for each source port; returns the errors."""
    errors = collections.Counter()
    for sport in sports:
        with port_socket(who, family, socket.SOCK_DGRAM, sport) as sock:
            try:
                sock.connect((FAR[family], DNS))
                sock.send(b"who\n")
            except OSError as error:
                errors[name_of(error)] += 1
    return errors


def seen_of(lab, who, family, sports):
    """(errors, count by source on the wire) of those datagrams."""
    time.sleep(0.1)                             # what others still had to say
    capture = lab.capture()
    errors = in_sender(lab, datagrams, who, family, sports)
    seen = collections.Counter()
    for packet in capture.select(proto="udp", dport=DNS, to=FAR[family]):
        seen[packet.source] += packet.count
    return errors, dict(seen)


def narrow(lab):
    """Whoever lets the kernel choose in the sender gets a port of PORTS."""
    with lab.inside("sender"):
        lab.sysctl("net.ipv4.ip_local_port_range", "%d %d" % (PORTS[0], PORTS[-1]))


@test("300 datagrams of a bound user after 3000 of an unassigned one on the same ports leave from the binding")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        narrow(lab)
        for family in (4, 6):
            check("unassigned", seen_of(lab, {}, family, list(PORTS) * 10), ({}, {HOST[family]: 10 * COUNT}))
            check("bound", seen_of(lab, {"uid": 4001}, family, [None] * COUNT), ({}, {pool(11, family): COUNT}))
            check("bound, each port", seen_of(lab, {"uid": 4001}, family, PORTS), ({}, {pool(11, family): COUNT}))
            check("another", seen_of(lab, {"uid": 4002}, family, PORTS), ({}, {pool(12, family): COUNT}))


@test("300 datagrams of an unassigned user after 3000 of a bound one on the same ports leave from the host's")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        narrow(lab)
        for family in (4, 6):
            check("bound", seen_of(lab, {"uid": 4001}, family, list(PORTS) * 10), ({}, {pool(11, family): 10 * COUNT}))
            check("unassigned", seen_of(lab, {}, family, [None] * COUNT), ({}, {HOST[family]: COUNT}))
            check("unassigned, each port", seen_of(lab, {}, family, PORTS), ({}, {HOST[family]: COUNT}))


@test("two marks, and two users, that use one UDP source port in turn are each seen from their own binding")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for family in (4, 6):
            for sport, clients in ((5000, ({"mark": agent.mark("a")}, {"mark": agent.mark("b")})),
                                   (5001, ({"uid": 4001}, {"uid": 4002})),
                                   (5002, ({"uid": 4001}, {"mark": agent.mark("b")}))):
                for turn in range(3):
                    for number, who in zip((11, 12), clients):
                        check("v%d port %d turn %d %s" % (family, sport, turn, who),
                              ask(lab, sport, family, **who), pool(number, family))


@test("an unknown mark on the source port of a live UDP flow is refused, and no packet of it is on the wire")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        for family in (4, 6):
            for sport, who, want in ((5100, {}, HOST[family]), (5101, {"uid": 4001}, pool(11, family))):
                check("the live flow", ask(lab, sport, family, **who), want)
                capture = lab.capture()
                for mark in (77, 0x1fff):
                    check("v%d mark %d after %s" % (family, mark, who), ask(lab, sport, family, mark=mark), "!EPERM")
                check("packets on the wire", capture.select(to=FAR[family]), [])
                check("the live flow after it", ask(lab, sport, family, **who), want)


def connects(who, family, sports, seconds):
    """TCP connects that nobody answers, all at once; how many ended in which error after a while."""
    errors, waiting = collections.Counter(), []
    for sport in sports:
        sock = port_socket(who, family, socket.SOCK_STREAM, sport)
        sock.setblocking(False)
        try:
            sock.connect((FAR[family], CLOSED))
        except BlockingIOError:
            waiting.append(sock)
        except OSError as error:
            errors[name_of(error)] += 1
    time.sleep(seconds)
    for sock in waiting:
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            errors[errno.errorcode[error]] += 1
        sock.close()
    return errors


@test("connects of a bound user on ports with unanswered SYNs of an unassigned one never leave from the host's")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=DROPS, namespace="receiver")
        lab.agent(CONF)
        narrow(lab)
        for family in (4, 6):
            check("unassigned", in_sender(lab, connects, {}, family, PORTS, 0.1), {})
            for who in ({"uid": 4001}, {"uid": 4002}):
                own = pool(11 if who["uid"] == 4001 else 12, family)
                capture = lab.capture()
                errors = in_sender(lab, connects, who, family, PORTS, 1.3)      # with one retransmission
                what = "v%d %s: " % (family, who)
                check(what + "sources", capture.sources(proto="tcp", dport=CLOSED) - {own}, set())
                check(what + "errors", set(errors) - {"ECONNREFUSED"}, set())
                sent = len({packet.sport for packet in capture.select(proto="tcp", dport=CLOSED)})
                refused = errors.get("ECONNREFUSED", 0)
                check(what + "%d refused or %d sent, of %d" % (refused, sent, COUNT), refused + sent >= COUNT, True)


def echo(who, family, ident):
    """One ping with that id; "answered" or the error."""
    number = socket.IPPROTO_ICMPV6 if family == 6 else socket.IPPROTO_ICMP
    with traffic.open_socket(who, SOCKET_FAMILY[family], socket.SOCK_DGRAM, number) as sock:
        sock.settimeout(1)
        try:
            sock.bind(("", ident))
            sock.connect((FAR[family], 0))
            sock.send(struct.pack("!BBHHH", traffic.ICMP_ECHO[family], 0, 0, 0, 1) + b"outbind!")
            sock.recv(200)
            return "answered"
        except OSError as error:
            return "!" + name_of(error)


@test("pings with one id, of an unassigned user and of bound ones, leave each from its own address")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        for family in (4, 6):
            turns = (({}, HOST[family]), ({"uid": 4001}, pool(11, family)), ({"uid": 4002}, pool(12, family)),
                     ({}, HOST[family]), ({"uid": 4001}, pool(11, family)))
            for who, want in turns:
                capture = lab.capture()
                check("v%d %s" % (family, who), in_sender(lab, echo, who, family, 777), "answered")
                check("v%d %s: sources" % (family, who),
                      capture.sources(to=FAR[family], kind=traffic.ICMP_ECHO[family]), {want})


class Talker:
    """One UDP socket of a client, with a fixed source port, that lives until the lab ends."""

    def __init__(self, lab, family, sport, **who):
        mine, child = socket.socketpair()
        self.pid = lab.fork("sender", self._work, child, family, sport, who)
        child.close()
        mine.settimeout(5)
        self.mine, self.lines = mine, mine.makefile()

    @staticmethod
    def _work(control, family, sport, who):
        sock = port_socket(who, family, socket.SOCK_DGRAM, sport)
        sock.connect((FAR[family], PORT))
        while control.recv(1):
            sock.setblocking(False)
            try:
                while sock.recv(200):
                    pass
            except OSError:                     # nothing left of what was asked before
                pass
            sock.settimeout(0.3)
            try:
                sock.send(b"who\n")
                said = sock.recv(200).split()[0].decode()
            except OSError as error:
                said = "!" + name_of(error)
            control.sendall(said.encode() + b"\n")

    def say(self):
        """What the receiver saw of one more datagram, or the error."""
        self.mine.sendall(b"x")
        return self.lines.readline().strip()


@test("a rule that is added takes live UDP flows of its user to the binding within 1 s, and no others")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12) + "policy { user 4002 use b; }")
        talkers = [(Talker(lab, family, sport, **who), before(family), after(family))
                   for family in (4, 6)
                   for sport, who, before, after in (
                       (5200, {"uid": 4001}, HOST.get, lambda family: pool(11, family)),
                       (5201, {"uid": 4002}, lambda family: pool(12, family), lambda family: pool(12, family)),
                       (5202, {"uid": 4003}, HOST.get, HOST.get))]
        for _ in range(3):
            for talker, before, _ in talkers:
                check("before", talker.say(), before)
        agent.write(CONF)
        agent.ctl("reload")
        end = time.monotonic() + 1
        for talker, _, after in talkers:
            wait_for("the next datagrams from " + after, lambda: talker.say() == after,
                     max(end - time.monotonic(), 0.01))
        for _ in range(5):
            for talker, _, after in talkers:
                check("from then on", talker.say(), after)


@test("a live UDP flow keeps its address when its binding's address changes, a new one has the new address")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + "policy { }")
        talkers = {family: Talker(lab, family, 5300, uid=4001) for family in (4, 6)}
        for family, talker in talkers.items():
            check("before the rule", talker.say(), HOST[family])
        agent.write(binding("a", 11) + "policy { user 4001 use a; }")
        agent.ctl("reload")
        for family, talker in talkers.items():
            wait_for("v%d to leave from the binding" % family, lambda: talker.say() == pool(11, family), 1)
        agent.write(binding("a", 20) + "policy { user 4001 use a; }")
        agent.ctl("reload")
        for _ in range(6):
            for family, talker in talkers.items():
                check("the live flow", talker.say(), pool(11, family))
            time.sleep(0.2)
        for family in (4, 6):
            check("a new flow", ask(lab, 5301, family, uid=4001), pool(20, family))

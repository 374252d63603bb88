# SPDX-License-Identifier: GPL-2.0-or-later
"""The moment of a change: the kernel takes over ranges of several fields after all else of a transaction, which
with a large one takes milliseconds. What is sent meanwhile is judged by one policy as a whole, or waits."""

import collections
import json
import os
import re
import socket
import time

from cases import test
from lab import Lab, binding, check, pool
from test_intercept import intercept

DNS, MAIL, MANY = 53, 25, 20000


def others(turn):
    return "\n".join("user %d use %s;" % (100000 + i, "ab"[(i + turn) % 2]) for i in range(MANY)) + "\n}\n"


def conf(turn, classes, more=""):
    """User 4001 has b, but a for questions, whatever `turn` is; all others change, and if asked so do classes."""
    return ("mark-mask 0xfffff;\n" + binding("a", 11) + binding("b", 12) + more + "policy {\n" +
            ("user 5000 port %d use b; user 5001 port 443 use b;\n" % MAIL if classes and turn else "") +
            "user 4001 port %d use a; user 4001 use b;\n" % DNS + others(turn))


def ranges(turn):
    """Who is a has it by a range."""
    return ("mark-mask 0xfffff;\n" + binding("a", 11) + binding("b", 12) +
            "policy { user 4000-4099 use a; source 10.88.7.0/30 use a;\n" + others(turn))


def told(turn):
    """Who is a is told in turn by an element, and by a range that has it."""
    return ("mark-mask 0xfffff;\n" + binding("a", 11) + binding("b", 12) +
            "policy { user %s use a; source 10.88.7.0/%d use a;\n" % (("4001", 30), ("4000-4099", 24))[turn] + others(turn))


def blast(out, kind, port, stop):
    """One new flow after the other, to 250 destinations in turn, until told to stop; how many were sent."""
    os.setgid(4001)
    os.setuid(4001)
    stop.setblocking(False)
    sent = n = 0
    while True:
        try:
            stop.recv(1)
            break
        except BlockingIOError:
            pass
        for _ in range(50):
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.setblocking(False)
                try:
                    sock.connect(("203.0.113.%d" % (n % 250 + 1), port))
                    sock.send(b"x")
                    sent += 1
                except OSError:
                    pass
                n += 1
    os.write(out, json.dumps([n, sent]).encode())


class Blast:
    """New flows of user 4001 all the while; what of them was on the wire, by source."""

    def __init__(self, lab, kind, port, namespace="sender"):
        self.lab, self.port = lab, port
        lab.nft("-f", "-", text="table inet quiet%d {\n chain raw {\n type filter hook prerouting priority -300;\n"
                " meta l4proto { tcp, udp } th dport %d drop\n }\n}\n" % (port, port), namespace="receiver")
        self.capture = lab.capture()
        self.out, out = os.pipe()
        self.stop, stop = socket.socketpair()
        self.pid = lab.fork(namespace, blast, out, kind, port, stop)
        os.close(out)
        time.sleep(0.2)

    def end(self):
        """(tried, sent, {source: packets})"""
        self.stop.sendall(b"x")
        with os.fdopen(self.out) as out:
            tried, sent = json.loads(out.read())
        self.lab.reap(self.pid)
        sources = collections.Counter()
        for packet in self.capture.select(dport=self.port):
            sources[packet.source] += packet.count
        return tried, sent, dict(sources)


def check_asked(what, got):
    tried, sent, sources = got
    check(what + ": sources", set(sources), {pool(11, 4)})
    check(what + ": %d of %d left" % (sent, tried), sent > tried / 5, True)


@test("while a large reload changes what destinations are told apart, who has the same rules leaves as before", 90)
def _():
    with Lab(serve=False) as lab:
        agent = lab.agent(conf(0, True))
        blast_ = Blast(lab, socket.SOCK_DGRAM, DNS)
        for turn in range(1, 13):
            agent.write(conf(turn % 2, True))
            agent.ctl("reload")
        check("never replaced", len(agent.events("table.written")), 1)
        check_asked("reloads", blast_.end())
        check("a moment was there", agent.json("status")["counters"]["delayed_change"] > 0, True)


@test("while a large table is replaced, a rule for some destinations is not passed over", 90)
def _():
    with Lab(serve=False) as lab:
        agent = lab.agent(conf(0, False))
        blast_ = Blast(lab, socket.SOCK_DGRAM, DNS)
        for turn in range(1, 9):
            agent.kill()
            agent.write(conf(turn % 2, False))
            agent.start()
        check_asked("replaced", blast_.end())


@test("while a large table is replaced, nothing of an intercepted client leaves", 90)
def _():
    relay = intercept("user 4001;")
    with Lab(serve=False) as lab:
        agent = lab.agent(conf(0, False, relay))
        blast_ = Blast(lab, socket.SOCK_STREAM, MAIL)
        for turn in range(1, 9):
            agent.kill()
            agent.write(conf(turn % 2, False, relay))
            agent.start()
        tried, _, sources = blast_.end()
        check("on the wire, of %d" % tried, sources, {})


@test("while a large table is replaced, who is known by a range, a user or a forwarded source, is not passed over", 90)
def _():
    with Lab(guest=True, serve=False) as lab:
        agent = lab.agent(ranges(0))
        blasts = [Blast(lab, socket.SOCK_DGRAM, DNS), Blast(lab, socket.SOCK_DGRAM, MAIL, "guest")]
        for turn in range(1, 9):
            agent.kill()
            agent.write(ranges(turn % 2))
            agent.start()
        for who, blast_ in zip(("user", "guest"), blasts):
            check_asked(who, blast_.end())


@test("while a large reload tells the same clients by other means, a user or a forwarded source, they leave as before", 90)
def _():
    with Lab(guest=True, serve=False) as lab:
        agent = lab.agent(told(0))
        blasts = [Blast(lab, socket.SOCK_DGRAM, DNS), Blast(lab, socket.SOCK_DGRAM, MAIL, "guest")]
        for turn in range(1, 13):
            agent.write(told(turn % 2))
            agent.ctl("reload")
        check("never replaced", len(agent.events("table.written")), 1)
        for who, blast_ in zip(("user", "guest"), blasts):
            check_asked(who, blast_.end())


@test("an agent that takes over a table goes on with its epoch: what it changes then is no new table")
def _():
    with Lab(guest=True) as lab:
        agent = lab.agent(told(0))
        for turn in range(1, 7):
            agent.write(told(turn % 2))
            agent.ctl("reload")
            agent.kill()
            agent.start()
            check("turn %d" % turn, lab.source("203.0.113.1", uid=4001), pool(11, 4))
            epoch = re.search(r"elements = \{ ipv4 : (0x[0-9a-f]+)", lab.nft("list", "map", "inet", "outbind", "epoch"))
            check("its number", int(epoch[1], 16), turn % 4 + 1)
        check("never replaced", len(agent.events("table.written")), 1)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Version 2 of the tag socket: what a binding would leave from, members by hash, notices of change."""

import contextlib
import os
import socket
import time

from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool

CONF = (binding("one", 11, more='ehlo one.example;') + binding("two", 12, 13) + binding("only4", 14, families=(4,)) +
        "binding wide { address 198.51.100.128/25 routed; }\n"
        "group both { member one; member two; pick sticky-destination; }\n")


class Peer:
    """A connection to the tag socket, by root."""

    def __init__(self, agent, wait=5):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(agent.runtime + "/tag")
        self.socket.settimeout(wait)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, request, fds=()):
        socket.send_fds(self.socket, [request.encode()], list(fds))
        return self.hear()

    def hear(self):
        return self.socket.recv(65536).decode()

    def ask(self, whom, word=0, fds=(), verb="ASK"):
        return fields(self.say("%s 2 %d %s" % (verb, word, whom), fds))


def fields(reply):
    """{"": first word(s), key: value or, if it comes twice, "A B"}."""
    words = reply.split(" ")
    if words[0] != "OK":
        return {"": reply}
    found = {"": "OK"}
    for word in words[1:]:
        key, _, value = word.partition("=")
        found[key] = found[key] + " " + value if key in found else value
    return found


def seen_from(fd, family):
    """Source that the receiver sees of a connection of this socket."""
    sock = socket.socket(fileno=os.dup(fd))
    with contextlib.closing(sock):
        sock.settimeout(3)
        sock.connect((FAR[family], PORT))
        return sock.recv(100).split()[0].decode()


@test("ASK says what a binding would leave from, TAG marks for it, and both say why not")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        with Peer(agent) as peer:
            check("one", peer.ask("name:one"), {"": "OK", "mark": str(agent.mark("one")), "binding": "one",
                                                "ehlo": "one.example", "address": "%s %s" % (pool(11, 4), pool(11, 6))})
            check("by address", peer.ask("address:" + pool(13, 6))["binding"], "two")
            wide = peer.ask("address:198.51.100.200")
            check("by a routed prefix", (wide["binding"], wide.get("routed")), ("wide", "198.51.100.128/25"))
            only4 = peer.ask("name:only4")
            check("only4", (only4["address"], only4["no6"]), (pool(14, 4), "no+IPv6+address+in+the+binding"))
            check("nobody", peer.ask("name:nobody")[""].split()[:2], ["ERROR", "unknown-binding"])
            check("nobody's", peer.ask("address:192.0.2.77")[""].split()[:2], ["ERROR", "unknown-binding"])
            for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                with lab.inside("sender"):
                    sock = socket.socket(kind, socket.SOCK_STREAM)
                with contextlib.closing(sock):
                    check("TAG", peer.ask("name:one", fds=[sock.fileno()], verb="TAG")["binding"], "one")
                    check("seen", seen_from(sock.fileno(), family), pool(11, family))
            with lab.inside("sender"):
                sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            with contextlib.closing(sock):
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                check("no IPv6", peer.ask("name:only4", fds=[sock.fileno()], verb="TAG")[""],
                      "ERROR unusable no IPv6 address in the binding")
            agent.ctl("binding", "suspend", "one")
            suspended = peer.ask("name:one")
            check("suspended", (suspended["no4"], suspended["no6"], suspended.get("address")),
                  ("suspended", "suspended", None))


@test("`default` that nobody defined leaves from the host's own address, whatever policy says, and only by the agent")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF + "policy { otherwise reject; }\nrelay { intercept all { user 0; port 7000; } }\n")
        with Peer(agent) as peer:
            for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                check("policy", lab.source(FAR[family], 443), "!ECONNREFUSED")
                with lab.inside("sender"):
                    sock = socket.socket(kind, socket.SOCK_STREAM)
                    gram = socket.socket(kind, socket.SOCK_DGRAM)
                with contextlib.closing(sock), contextlib.closing(gram):
                    check("TAG", peer.ask("name:default", fds=[sock.fileno()], verb="TAG")["binding"], "default")
                    check("v%d seen" % family, seen_from(sock.fileno(), family), HOST[family])
                    mark = sock.getsockopt(socket.SOL_SOCKET, 36)
                    check("TAG", peer.ask("name:default", fds=[gram.fileno()], verb="TAG")["mark"], str(mark))
                    gram.settimeout(3)
                    gram.connect((FAR[family], PORT))
                    gram.send(b"who")
                    check("v%d datagram" % family, gram.recv(100).split()[0].decode(), HOST[family])
                check("the number alone", lab.source(FAR[family], mark=mark), "!ECONNREFUSED")
                with lab.inside("sender"):
                    sock = socket.socket(kind, socket.SOCK_STREAM)
                with contextlib.closing(sock):
                    for whom, want in (("default", HOST[family]), ("one", pool(11, family))):
                        peer.ask("name:" + whom, fds=[sock.fileno()], verb="TAG")
                    check("tagged anew", seen_from(sock.fileno(), family), want)


@test("a hash finds the same member of a group, and another one only while that one is suspended")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        words = range(0, 1 << 32, 1 << 26)

        def members():
            with Peer(agent) as peer:
                return [peer.ask("name:both", word)["binding"] for word in words]

        first = members()
        check("both are used", set(first), {"one", "two"})
        check("again", members(), first)
        agent.ctl("binding", "suspend", "two")
        check("suspended", set(members()), {"one"})
        agent.ctl("binding", "resume", "two")
        check("resumed", members(), first)
        agent.kill()
        agent.start()
        check("after a restart", members(), first)
        for word, name in list(zip(words, first))[:6]:
            with lab.inside("sender"):
                sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            with contextlib.closing(sock), Peer(agent) as peer:
                check("TAG", peer.ask("name:both", word, [sock.fileno()], "TAG")["binding"], name)
                number = {"one": (11,), "two": (12, 13)}[name]
                check("seen", seen_from(sock.fileno(), 4) in [pool(n, 4) for n in number], True)


@test("whoever watches is told within 100 ms what changes, once if it does not read, and the rest goes on")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        changes = (("suspend", lambda: agent.ctl("binding", "suspend", "two")),
                   ("resume", lambda: agent.ctl("binding", "resume", "two")),
                   ("edit", lambda: agent.ctl("binding", "add", "new", "address", pool(20, 4))),
                   ("address removed", lambda: lab.ip("sender", "addr del %s/32 dev eth0" % pool(11, 4))),
                   ("address added", lambda: lab.ip("sender", "addr add %s/32 dev eth0" % pool(11, 4))),
                   ("reload", lambda: (agent.write(CONF + binding("more", 21)), agent.ctl("reload"))))
        with Peer(agent) as peer, Peer(agent) as sleeper:
            check("WATCH", peer.say("WATCH 2").split()[0], "OK")
            check("WATCH", sleeper.say("WATCH 2").split()[0], "OK")
            for what, change in changes:
                change()
                begun = time.monotonic()
                check(what, peer.hear(), "CHANGED")
                took = time.monotonic() - begun
                if took > 0.1:
                    raise AssertionError("%s: told after %.0f ms" % (what, took * 1000))
                time.sleep(0.05)                # a reload may be several changes
                peer.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        check(what, peer.hear(), "CHANGED")
                peer.socket.settimeout(5)
            check("answers stay apart", peer.ask("name:one")["address"], "%s %s" % (pool(11, 4), pool(11, 6)))
            sleeper.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            for _ in range(40):
                agent.ctl("binding", "suspend", "two")
                agent.ctl("binding", "resume", "two")
            sleeper.socket.settimeout(1)
            heard = 0
            with contextlib.suppress(TimeoutError, socket.timeout):
                while True:
                    check("notice", sleeper.hear(), "CHANGED")
                    heard += 1
            check("some notices, not for ever: %d" % heard, 1 <= heard <= 100, True)
            check("WATCH stays", sleeper.ask("name:one")["binding"], "one")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits of bindings and groups, judged in the kernel for any process, counted at the receiver."""

import collections
import time

import traffic
from cases import test
from lab import FAR, Lab, PORT, binding, check, pool, wait_for

POLICY = "policy { user 4001 use a; user 4002 use b; }\n"
OTHER = {4: "203.0.113.77", 6: "2001:db8:2::77"}


class Clients:
    """Connections that stay open until they are told to close, by address seen or error."""

    def __init__(self, lab, count, to, **who):
        self.lab, self.count = lab, count
        self.ends, self.pids = [], []
        for _ in range(count):
            mine, child = traffic.socket.socketpair()
            self.pids.append(lab.fork("sender", traffic.hold, child, who, to, PORT))
            child.close()
            self.ends.append(mine)
        for end in self.ends:                   # all are ready: let them go at once
            check("ready", end.recv(1), b"r")
        for end in self.ends:
            end.sendall(b"g")
        self.results = [end.recv(100).decode().strip() for end in self.ends]

    def seen(self):
        return collections.Counter(self.results)

    def close(self, only=None):
        """End those that were seen from `only`, or all."""
        for n, (end, pid) in enumerate(zip(self.ends, self.pids)):
            if end and (only is None or self.results[n] == only):
                end.sendall(b"x")
                end.close()
                self.lab.reap(pid)
                self.ends[n] = None


def gone(lab, to):
    """No connection to `to` is open any more, as conntrack sees it."""
    def look():
        with lab.inside("sender"), open("/proc/net/nf_conntrack") as flows:
            return not [line for line in flows if "ESTABLISHED" in line and " dst=%s " % to in line]
    wait_for("connections to end", look)


@test("limit connections is exact under 50 parallel clients, and again when some have ended")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11, more="limit connections 7;") + binding("b", 12) + POLICY)
        for family in (4, 6):
            clients = Clients(lab, 50, FAR[family], uid=4001)
            check("50 at once", clients.seen(), {pool(11, family): 7, "ECONNREFUSED": 43})
            check("while 7 live", Clients(lab, 5, FAR[family], uid=4001).seen(), {"ECONNREFUSED": 5})
            check("another binding", lab.source(FAR[family], uid=4002), pool(12, family))
            clients.close()
            gone(lab, FAR[family])
            time.sleep(0.1)
            again = Clients(lab, 20, FAR[family], uid=4001)
            check("after they ended", again.seen(), {pool(11, family): 7, "ECONNREFUSED": 13})
            again.close()
            gone(lab, FAR[family])
        check("counted", agent.json("status")["counters"]["refused_limit"] >= 61 * 2, True)
        told = agent.json("explain", "--user", "4001", "--to", FAR[4])
        check("explain", (told["verdict"], told["limited"], told["agree"]), ("binding", True, True))


@test("what exceeds overflows to another binding, and is not counted where it did not stay", 90)
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11, more="limit connections 5; overflow b;") + binding("b", 12) + POLICY)
        clients = Clients(lab, 50, FAR[4], uid=4001)
        check("50 at once", clients.seen(), {pool(11, 4): 5, pool(12, 4): 45})
        clients.close(pool(11, 4))
        def first():
            return lab.source(FAR[4], uid=4001) == pool(11, 4)
        started = time.monotonic()
        wait_for("the first binding while 45 live in the other", first, 5, 0.1)
        check("soon: %.2f s" % (time.monotonic() - started), time.monotonic() - started < 2.5, True)
        for attempt in range(4):                # never more; fewer if the kernel has not yet forgotten one
            time.sleep(1.5)
            more = Clients(lab, 10, FAR[4], uid=4001)
            seen = more.seen()
            more.close()
            check("no more than five: %s" % seen, seen[pool(11, 4)] <= 5 and sum(seen.values()) == 10, True)
            if seen == {pool(11, 4): 5, pool(12, 4): 5}:
                break
        check("five again", seen, {pool(11, 4): 5, pool(12, 4): 5})
        clients.close()
        counters = agent.json("status")["counters"]
        check("counted", counters["overflowed"] >= 50, True)


@test("limits of connections and of new ones per destination", 90)
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11, more="limit connections 3 per destination;") +
                          binding("b", 12, more="limit new 4/minute per destination;") + POLICY)
        for family in (4, 6):
            clients = [Clients(lab, 12, to, uid=4001) for to in (FAR[family], OTHER[family])]
            for one in clients:
                check("each destination", one.seen(), {pool(11, family): 3, "ECONNREFUSED": 9})
            for one in clients:
                one.close()
            for to in (FAR[family], OTHER[family]):
                check("new, each destination", Clients(lab, 9, to, uid=4002).seen(),
                      {pool(12, family): 4, "ECONNREFUSED": 5})
        before = agent.json("status")["transactions"]
        agent.write(binding("a", 11, more="limit connections 4 per destination;") + binding("b", 12) + POLICY)
        agent.ctl("reload")
        check("another value: one transaction", agent.json("status")["transactions"], before + 1)
        time.sleep(0.2)
        check("another value", Clients(lab, 12, OTHER[4], uid=4001).seen(), {pool(11, 4): 4, "ECONNREFUSED": 8})


@test("a limit of new connections counts over restarts of the agent, also by UDP")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11, more="limit new 10/hour burst 6; overflow b;") +
                          binding("b", 12, more="limit new 8/hour;") + POLICY)
        def many(count, proto="tcp"):
            return collections.Counter(result["source"] or result["error"] for result in
                                       lab.probe_all([(FAR[4], PORT, proto)] * count, uid=4001))
        check("first", many(4, "udp"), {pool(11, 4): 4})
        agent.kill()
        agent.start()
        check("adopted", len(agent.events("table.adopted")), 1)
        check("after a restart", many(7), {pool(11, 4): 2, pool(12, 4): 5})
        agent.stop()
        agent.start()
        check("the rest", many(5), {pool(12, 4): 3, "ECONNREFUSED": 2})
        shown = agent.json("binding", "show", "a")
        check("shown", (shown["limits"], shown["overflow"]), (["new 10/hour burst 6"], "b"))


@test("limits of a group and of its members both count, and a chain of overflows ends")
def _():
    with Lab() as lab:
        lab.agent(binding("a", 11, more="limit connections 2;") + binding("b", 12) +
                  binding("c", 13, more="limit connections 3; overflow d;") + binding("d", 14) +
                  "group g { member a; member b; pick round-robin; limit connections 8; overflow c; }\n"
                  "policy { user 4001 use g; }\n")
        clients = Clients(lab, 8, FAR[4], uid=4001)
        seen = clients.seen()
        check("members", (seen[pool(11, 4)], seen["ECONNREFUSED"] + seen[pool(12, 4)]), (2, 6))
        time.sleep(0.1)
        more = Clients(lab, 30, FAR[4], uid=4001)
        seen = clients.seen() + more.seen()
        check("group", seen[pool(11, 4)] + seen[pool(12, 4)] <= 8, True)
        check("chain", (seen[pool(13, 4)], seen[pool(14, 4)] > 0), (3, True))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Binding groups: who of several a connection leaves by, seen by the receiver."""

import collections
import ipaddress
import os
import socket

from cases import test
from lab import FAR, GUEST4, GUEST6, Lab, PORT, binding, check, pool

MEMBERS = binding("a", 11) + binding("b", 12) + binding("c", 13)
NAMES = {pool(n, family): name for n, name in ((11, "a"), (12, "b"), (13, "c")) for family in (4, 6)}
FIRST = {4: ipaddress.ip_address("203.0.113.0"), 6: ipaddress.ip_address("2001:db8:2::100")}


def group(pick, weights="member a weight 3; member b; member c", name="g", user=4001, more=""):
    return "group %s { %s; pick %s; %s }\npolicy { user %d use %s; }\n" % (name, weights, pick, more,
                                                                           user, name)


def far(n, family):
    return str(FIRST[family] + n)


def members(lab, count, family, proto="tcp", many=200, **who):
    """Who `count` connections, to `many` destinations in turn, left by."""
    results = lab.probe_all([(far(n % many, family), PORT, proto) for n in range(count)], **who)
    return [NAMES.get(result["source"], result["source"] or result["error"]) for result in results]


def check_shares(what, got, want, tolerance):
    counts, total = collections.Counter(got), sum(want.values())
    check(what + ": members", set(counts), set(want))
    for name, weight in want.items():
        share, wanted = counts[name] / len(got), weight / total
        check("%s: %s has %.3f, wanted %.3f, within %.3f" % (what, name, share, wanted, tolerance),
              abs(share - wanted) <= tolerance, True)


@test("10,000 connections of a group are within 1 % of the weights", 120)
def _():
    with Lab() as lab:
        agent = lab.agent(MEMBERS + group("round-robin") + group("random", name="r", user=4002))
        got = members(lab, 10000, 4, uid=4001)
        check_shares("in turn", got, {"a": 3, "b": 1, "c": 1}, 0.01)
        check_shares("in turn, the first hundred", got[:100], {"a": 3, "b": 1, "c": 1}, 0.03)
        check_shares("in turn, IPv6", members(lab, 2510, 6, uid=4001), {"a": 3, "b": 1, "c": 1}, 0.01)
        check_shares("in turn, UDP", members(lab, 2510, 4, "udp", uid=4001), {"a": 3, "b": 1, "c": 1}, 0.01)
        check_shares("at random", members(lab, 2000, 4, uid=4002), {"a": 3, "b": 1, "c": 1}, 0.04)
        told = agent.json("explain", "--user", "4001", "--to", FAR[4])
        check("explain", (told["verdict"], told["group"], told["agree"]), ("member", "g", True))


def one_flow():
    """Exit status 0 if twenty datagrams of one socket came from one address."""
    os.setresuid(4001, 4001, 4001)
    seen = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((FAR[4], PORT))
        for _ in range(20):
            sock.send(b"who\n")
            seen.add(sock.recv(100).split()[0])
    os._exit(0 if len(seen) == 1 else 1)


def stuck(lab, family, proto="tcp", **who):
    """Member by destination."""
    return dict(enumerate(members(lab, 200, family, proto, **who)))


@test("a sticky destination keeps its member over restart, and only a changed member's share moves")
def _():
    with Lab() as lab:
        agent = lab.agent(MEMBERS + group("sticky-destination"))
        was = {family: stuck(lab, family, uid=4001) for family in (4, 6)}
        for family in (4, 6):
            check_shares("IPv%d" % family, list(was[family].values()), {"a": 3, "b": 1, "c": 1}, 0.1)
            check("UDP", stuck(lab, family, "udp", uid=4001), was[family])
            for n in (0, 7, 30):
                told = agent.json("explain", "--user", "4001", "--to", far(n, family))
                check("explain", (told["binding"], told["group"], told["agree"]),
                      (was[family][n], "g", True))
        agent.kill()
        agent.start()
        check("adopted", len(agent.events("table.adopted")), 1)
        check("after a restart", stuck(lab, 4, uid=4001), was[4])
        agent.write(MEMBERS + group("sticky-destination", "member a weight 3; member c"))
        agent.ctl("reload")
        less = stuck(lab, 4, uid=4001)
        check("moved: only what b had", {n for n in less if less[n] != was[4][n]},
              {n for n in less if was[4][n] == "b"})
        agent.write(MEMBERS + group("sticky-destination", "member a weight 3; member c; member b"))
        agent.ctl("reload")
        more = stuck(lab, 4, uid=4001)
        check("b came: what moved is b's", {more[n] for n in more if less[n] != more[n]}, {"b"})
        agent.stop()
        lab.nft("delete", "table", "inet", "outbind", ok=False)
        agent.start()
        check("after a new table", stuck(lab, 4, uid=4001), more)


@test("a suspended or absent member is skipped at once, and what others have stays")
def _():
    with Lab() as lab:
        agent = lab.agent(MEMBERS + group("sticky-destination") + group("round-robin", name="t", user=4002))
        was = stuck(lab, 4, uid=4001)
        agent.ctl("binding", "suspend", "b")
        now = stuck(lab, 4, uid=4001)
        check("suspended: moved", {n for n in now if now[n] != was[n]}, {n for n in now if was[n] == "b"})
        check("suspended: to all others", {now[n] for n in now if was[n] == "b"}, {"a", "c"})
        check_shares("in turn without b", members(lab, 502, 4, uid=4002), {"a": 3, "c": 1}, 0.01)
        agent.ctl("binding", "resume", "b")
        check("resumed", stuck(lab, 4, uid=4001), was)
        lab.ip("sender", "addr del %s dev eth0" % pool(12, 4))
        agent.wait_event("facts.applied")
        check("absent", stuck(lab, 4, uid=4001), now)
        check("IPv6 still has it", set(members(lab, 50, 6, uid=4002)), {"a", "b", "c"})
        agent.ctl("binding", "suspend", "g")
        check("group suspended", set(members(lab, 5, 4, uid=4001)), {"ECONNREFUSED"})
        agent.ctl("binding", "resume", "g")
        for name in ("a", "c"):
            agent.ctl("binding", "suspend", name)
        check("nobody left", set(members(lab, 5, 4, uid=4001)), {"ECONNREFUSED"})
        shown = agent.json("binding", "show", "g")
        check("shown", (shown["usable"]["ipv4"]["usable"], shown["usable"]["ipv6"]["usable"]), (False, True))
        counters = agent.json("status")["counters"]
        check("nothing by chance", counters["dropped_guard"], 0)


@test("a sticky client keeps its member: a user here, an address that is forwarded")
def _():
    with Lab(guest=True) as lab:
        lab.agent(MEMBERS + "group g { member a; member b; member c; pick sticky-client; }\n"
                  "policy { user 4000-4100 use g; source 10.88.7.0/24 use g;"
                  " source fd00:88:7::/64 use g; }")
        by_user = {}
        for uid in range(4000, 4030):
            got = set(members(lab, 5, 4, uid=uid)) | set(members(lab, 5, 6, uid=uid))
            check("user %d: one member" % uid, len(got), 1)
            by_user[uid] = got.pop()
        check("users are spread", set(by_user.values()), {"a", "b", "c"})
        for family, address in ((4, GUEST4), (6, GUEST6)):
            got = set(members(lab, 20, family, namespace="guest"))
            check("%s: one member" % address, (len(got), got <= {"a", "b", "c"}), (1, True))


@test("a socket tagged with a group's number, datagrams of one flow, and a SYN sent again stay with one member")
def _():
    with Lab() as lab:
        agent = lab.agent(MEMBERS + group("round-robin", "member a; member b; member c"))
        mark = agent.mark("g")
        for family in (4, 6):
            check_shares("tagged", members(lab, 251, family, mark=mark), {"a": 1, "b": 1, "c": 1}, 0.02)
        for _ in range(3):
            check("one flow of datagrams, one member", lab.reap(lab.fork("sender", one_flow)), 0)
        lab.nft("add", "table", "inet", "deaf", namespace="receiver")
        lab.nft("add", "chain", "inet", "deaf", "in", "{ type filter hook prerouting priority raw; }",
                namespace="receiver")
        lab.nft("add", "rule", "inet", "deaf", "in", "ip", "daddr", far(9, 4), "drop", namespace="receiver")
        before = agent.json("status")["counters"]["refused_reused"]
        capture = lab.capture()
        lab.probe(far(9, 4), uid=4001, timeout=3.5)
        sent = capture.select(to=far(9, 4), proto="tcp")
        check("SYNs were sent again", sum(packet.count for packet in sent) >= 2, True)
        check("all from one member", len({packet.source for packet in sent}), 1)
        check("not taken for another's", agent.json("status")["counters"]["refused_reused"], before)

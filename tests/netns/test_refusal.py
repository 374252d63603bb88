# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection leaves from the address its policy assigns, or it does not leave at all."""

import statistics
import time

from cases import test
from lab import FAR, HOST, HOST4, HOST6, Lab, NEAR6, PORT, binding, check, pool, wait_for

CONF = (binding("both", 11) + binding("only4", 12, families=(4,)) + binding("only6", 13, families=(6,)) +
        "binding elsewhere { address 192.0.2.99, 2001:db8:ffff::99; }\n" +
        "policy { user 4001 use both; user 4004 use only4; user 4006 use only6; user 4009 use elsewhere; }")


def refused(lab, who, family, times=7):
    """TCP: ECONNREFUSED, in the middle of all tries under 10 ms. UDP: EPERM. No packet at all."""
    capture = lab.capture()
    tcp = lab.probe_all([(FAR[family], PORT, "tcp")] * times, **who)
    udp = lab.probe_all([(FAR[family], PORT, "udp")] * 2, **who)
    what = "%s v%d" % (who, family)
    check(what + " TCP", {result["error"] for result in tcp}, {"ECONNREFUSED"})
    took = statistics.median(result["ms"] for result in tcp)
    check(what + ": %.2f ms to the refusal is under 10" % took, took < 10, True)
    check(what + " UDP", {result["error"] for result in udp}, {"EPERM"})
    check(what + ": packets on the wire", capture.select(to=FAR[family]), [])


@test("a mark of no binding is refused at once, and no packet of it is on the wire")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        for mark in (0x1fff, 0x1234, 77):
            for family in (4, 6):
                refused(lab, {"mark": mark}, family)


@test("a binding whose addresses are not on the host refuses at once, by mark and by rule")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        usable = agent.json("binding", "show", "elsewhere")["usable"]
        check("v4 usable", usable["ipv4"]["usable"], False)
        check("v6 usable", usable["ipv6"]["usable"], False)
        check("there is a reason", bool(usable["ipv4"]["reason"]), True)
        for who in ({"mark": agent.mark("elsewhere")}, {"uid": 4009}):
            for family in (4, 6):
                refused(lab, who, family)


@test("a family that the binding lacks is refused at once, the other one works")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for who4, who6 in (({"uid": 4004}, {"uid": 4006}),
                           ({"mark": agent.mark("only4")}, {"mark": agent.mark("only6")})):
            refused(lab, who4, 6)
            refused(lab, who6, 4)
            check("v4 of a v4 binding", lab.source(FAR[4], **who4), pool(12, 4))
            check("v6 of a v6 binding", lab.source(FAR[6], **who6), pool(13, 6))


@test("an address that goes away makes its family refuse, and come back with the address")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        for family, remove, add in (
                (4, "addr del 198.51.100.11/32 dev eth0", "addr add 198.51.100.11/32 dev eth0"),
                (6, "addr del 2001:db8:1::11/128 dev eth0",
                 "addr add 2001:db8:1::11/128 dev eth0 nodad preferred_lft 0")):
            check("before", lab.source(FAR[family], uid=4001), pool(11, family))
            lab.ip("sender", remove)
            wait_for("v%d to be refused" % family,
                     lambda: lab.source(FAR[family], uid=4001, timeout=0.2) == "!ECONNREFUSED", 2)
            refused(lab, {"uid": 4001}, family)
            check("the other family", lab.source(FAR[10 - family], uid=4001), pool(11, 10 - family))
            lab.ip("sender", add)
            wait_for("v%d to come back" % family,
                     lambda: lab.source(FAR[family], uid=4001, timeout=0.2) == pool(11, family), 2)


@test("`unusable default` and `unusable use` send elsewhere what a binding cannot carry")
def _():
    conf = (binding("default", 11) + binding("spare", 12) +
            "binding gone { address 192.0.2.99, 2001:db8:ffff::9; unusable default; }\n"
            "binding away { address 192.0.2.98, 2001:db8:1::14; unusable use spare; }\n"
            "binding half { address 192.0.2.97; unusable use spare; }\n"
            "policy { user 4001 use gone; user 4002 use away; user 4003 use half; }")
    with Lab() as lab:
        lab.agent(conf)
        check("unusable default v4", lab.source(FAR[4], uid=4001), pool(11, 4))
        check("unusable default v6", lab.source(FAR[6], uid=4001), pool(11, 6))
        check("unusable use v4", lab.source(FAR[4], uid=4002), pool(12, 4))
        check("its own v6 is usable", lab.source(FAR[6], uid=4002), pool(14, 6))
        check("a family it never had is refused", lab.source(FAR[6], uid=4003), "!ECONNREFUSED")


def lose_entries(lab, who):
    """Sources on the wire of 10 busy connections that conntrack forgets: while open, and to the end."""
    with lab.inside("sender"):
        lab.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    stops = [lab.stream(FAR[4], 5, **who), lab.stream(FAR[6], 5, **who)]
    during = lab.capture()
    for family in ("ipv4", "ipv6"):
        lab.run("sender", "conntrack", "-D", "-f", family, "-p", "tcp", ok=False)
    time.sleep(0.5)
    seen = during.sources(proto="tcp")
    after = lab.capture()
    for stop in stops:
        stop()
    time.sleep(1)
    return seen, after.sources(proto="tcp")


def invalid(what, who):
    with Lab() as lab:
        agent = lab.agent(CONF + 'policy { cgroup "/c.slice" use both; }')
        client = who(lab, agent)
        agent.ctl("settle")                     # a cgroup that was just made
        for sources in lose_entries(lab, client):
            check(what, sources - {pool(11, 4), pool(11, 6)}, set())


@test("packets of a marked socket that conntrack calls invalid do not leave with the host's address")
def _():
    invalid("sources on the wire", lambda lab, agent: {"mark": agent.mark("both")})


@test("packets of a policy cgroup that conntrack calls invalid do not leave with the host's address")
def _():
    invalid("sources on the wire", lambda lab, agent: {"cgroup": lab.cgroup("/c.slice")})


@test("packets of a policy user that conntrack calls invalid do not leave with the host's address")
def _():
    invalid("sources on the wire", lambda lab, agent: {"uid": 4001})


@test("IPv6 neighbour discovery keeps working with `otherwise use`")
def _():
    with Lab() as lab:
        lab.agent(binding("a", 11) + "policy { otherwise use a; }")
        for _ in range(2):
            lab.run("sender", "ip", "-6", "neigh", "flush", "dev", "eth0")
            lab.run("receiver", "ip", "-6", "neigh", "flush", "dev", "eth0")
            check("out", lab.source(FAR[6]), pool(11, 6))
            lab.run("receiver", "ip", "-6", "neigh", "flush", "dev", "eth0")
            for to in (HOST6, pool(12, 6)):
                check("in to " + to, lab.run("receiver", "ping", "-c1", "-W2", "-n", to, ok=False).returncode, 0)
            check("ping out", lab.run("sender", "ping", "-c1", "-W2", "-n", NEAR6, ok=False).returncode, 0)


@test("the counters of refused packets grow with each refusal")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF.replace("policy {", "policy { user 4010 reject;"))
        before = agent.json("status")["counters"]
        for _ in range(3):
            check("unknown mark", lab.source(FAR[4], mark=0x1ffe), "!ECONNREFUSED")
            check("reject rule", lab.source(FAR[6], uid=4010), "!ECONNREFUSED")
        after = agent.json("status")["counters"]
        check("refused_unusable", after["refused_unusable"] - before["refused_unusable"] >= 3, True)
        check("refused_rule", after["refused_rule"] - before["refused_rule"] >= 3, True)
        check("nothing else was dropped", after["dropped_guard"], 0)
        check("HOST addresses are", (HOST[4], HOST[6]), (HOST4, HOST6))

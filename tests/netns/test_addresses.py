# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of several addresses: a program's own bind, and the spread over a binding's addresses."""

import collections

from cases import test
from lab import FAR, HOST, Lab, NEAR, PORT, binding, check, pool, wait_for

CONF = binding("a", 11, 12, 13) + binding("b", 14) + "policy { user 4001 use a; user 4002 use b; }"


@test("a program's own bind to an address of its binding stands")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for who in ({"uid": 4001}, {"mark": agent.mark("a")}):
            for n in (11, 12, 13):
                for family in (4, 6):
                    for proto in ("tcp", "udp"):
                        check("bind to %d" % n, lab.source(FAR[family], proto=proto, bind=pool(n, family), **who),
                              pool(n, family))


@test("a bind to another binding's or to the host's address does not leak it")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for who in ({"uid": 4002}, {"mark": agent.mark("b")}):
            capture = lab.capture()
            for family in (4, 6):
                for bind in (pool(11, family), pool(15, family), HOST[family]):
                    for proto in ("tcp", "udp"):
                        check("bind to " + bind, lab.source(FAR[family], proto=proto, bind=bind, **who),
                              pool(14, family))
            check("on the wire", capture.sources(), {pool(14, 4), pool(14, 6)})


@test("several addresses of a binding are spread by destination, and each destination keeps its own")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        targets = {4: ["203.0.113.%d" % n for n in range(1, 129)], 6: ["2001:db8:2::%x" % n for n in range(1, 129)]}
        for family, to in targets.items():
            first = [result["source"] for result in
                     lab.probe_all([(one, PORT, "tcp") for one in to], uid=4001)]
            again = [result["source"] for result in
                     lab.probe_all([(one, PORT, "udp") for one in to], mark=agent.mark("a"))]
            check("sticky over time, protocol and client", again, first)
            counts = collections.Counter(first)
            check("addresses used", set(counts), {pool(n, family) for n in (11, 12, 13)})
            check("none has most of it: %s" % counts, max(counts.values()) < 128 * 0.6, True)


@test("`explain` predicts which of several addresses a destination gets, and agrees with the kernel")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for to in ["203.0.113.%d" % n for n in range(1, 25)] + ["2001:db8:2::%x" % n for n in range(1, 25)]:
            said = agent.json("explain", "--user", "4001", "--to", to, "--port", str(PORT))
            check("agree on " + to, said["agree"], True)
            check("source to " + to, lab.source(to, uid=4001), said["source"])


@test("an address more or less in a binding moves only the destinations it must")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        targets = [("203.0.113.%d" % n, PORT, "tcp") for n in range(1, 129)]
        before = [result["source"] for result in lab.probe_all(targets, uid=4001)]
        agent.write(CONF.replace(pool(12, 4) + ", ", ""))
        agent.ctl("reload")
        after = [result["source"] for result in lab.probe_all(targets, uid=4001)]
        check("moved without need", [pair for pair in zip(before, after)
                                     if pair[0] != pool(12, 4) and pair[0] != pair[1]], [])
        check("the removed one is not used", pool(12, 4) in after, False)
        agent.write(CONF)
        agent.ctl("reload")
        check("as before", [result["source"] for result in lab.probe_all(targets, uid=4001)], before)


@test("an address of several that leaves the host is no longer chosen, the others carry on")
def _():
    with Lab() as lab:
        lab.agent(CONF)
        targets = [("203.0.113.%d" % n, PORT, "tcp") for n in range(1, 65)]
        lab.ip("sender", "addr del 198.51.100.12/32 dev eth0")

        def seen():
            return {result["source"] or result["error"] for result in lab.probe_all(targets, uid=4001)}
        wait_for("the others to carry everything", lambda: seen() == {pool(11, 4), pool(13, 4)}, 3)
        check("near", lab.source(NEAR[4], uid=4001) in (pool(11, 4), pool(13, 4)), True)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Many things at once, and things cut off in the middle: the data path is always the old or the new."""

import os
import random
import time

from cases import test
from lab import FAR, Lab, PORT, binding, check, pool, wait_for

BIG = 20000


def big(n, which):
    """A configuration of n rules more, in which user 4001 has binding `which`."""
    return ("mark-mask 0xfffff;\n" + binding("a", 11) + binding("b", 12) + "policy { user 4001 use %s;\n" % which +
            "\n".join("user %d use %s;" % (100000 + i, "ab"[(i + len(which)) % 2]) for i in range(n)) + "\n}\n")


@test("a SIGKILL at any moment of a reload leaves the old or the new state, and a restart the new one", seconds=120)
def _():
    random.seed(7)
    with Lab() as lab:
        agent = lab.agent(big(BIG, "a"))
        want = "a"
        for _ in range(10):
            want = "b" if want == "a" else "a"
            agent.write(big(random.choice((0, 1000, BIG)), want))
            agent.hangup()
            time.sleep(random.uniform(0, 0.12))
            agent.kill()
            check("old or new", lab.source(FAR[4], uid=4001) in (pool(11, 4), pool(12, 4)), True)
            agent.start()
            check("new", lab.source(FAR[4], uid=4001), pool(11 if want == "a" else 12, 4))
            said = agent.json("explain", "--user", "4001", "--to", FAR[4])
            check("agree", (said["agree"], said["source"]), (True, pool(11 if want == "a" else 12, 4)))


@test("300 cgroups made, removed and made again at once are all bound in the end")
def _():
    n = 300
    conf = binding("a", 11) + binding("b", 12) + "policy {" + "".join(
        'unit "w%d.service" use %s;' % (i, "ab"[i % 2]) for i in range(n)) + "}"
    with Lab() as lab:
        agent = lab.agent(conf)
        for round_ in range(5):
            for i in range(n):
                path = lab.cgroup("/work.slice/w%d.service" % i)
                if round_ < 4:
                    os.rmdir(path)
        last = lab.cgroup("/work.slice/w%d.service" % (n - 1))
        wait_for("the last one to be bound", lambda: lab.source(FAR[4], cgroup=last) == pool(12, 4), 3)
        wrong = [i for i in range(n)
                 if lab.source(FAR[4], cgroup=lab.cgroup("/work.slice/w%d.service" % i)) != pool(11 + i % 2, 4)]
        check("wrong", wrong, [])
        check("still one agent", agent.ended(), False)


@test("a storm of SIGHUP and reload calls ends in the last configuration, with one source at any time")
def _():
    with Lab() as lab:
        agent = lab.agent(big(100, "a"))
        capture = lab.capture()
        stop = lab.stream(FAR[4], 20, uid=4001)
        for i in range(40):
            agent.write(big(100 + i, "a"))
            agent.hangup()
            if i % 4 == 0:
                agent.ctl("reload")
        agent.write(big(3, "a"))
        agent.ctl("reload")
        wait_for("the last configuration", lambda: agent.json("status")["rules"] == 4)
        result = stop()
        check("streams", (result["errors"], result["inexact"], result["unfinished"]), ([], 0, 0))
        check("sources", capture.sources(proto="tcp", dport=PORT), {pool(11, 4)})
        check("alive", agent.ended(), False)


@test("a storm of foreign flushes of an unowned table ends with a whole table")
def _():
    with Lab() as lab:
        agent = lab.agent(big(2000, "a"), "--no-owner")
        for i in range(30):
            lab.nft(*(("flush", "ruleset") if i % 3 else ("delete", "table", "inet", "outbind")), ok=False)
            time.sleep(random.uniform(0, 0.05))
        wait_for("the table to be back", lambda: lab.source(FAR[4], uid=4001) == pool(11, 4), 2)
        time.sleep(0.3)
        check("elements", lab.nft("list", "map", "inet", "outbind", "by_user").count(" : 0x"), 2001)
        check("alive", agent.ended(), False)


@test("addresses that come and go quickly end in what is there")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + "policy { user 4001 use a; }")
        for last in (False, True):
            for i in range(40):
                lab.ip("sender", "addr %s 198.51.100.11/32 dev eth0" % ("add" if i % 2 else "del"))
            if not last:
                lab.ip("sender", "addr del 198.51.100.11/32 dev eth0")
            want = pool(11, 4) if last else "!ECONNREFUSED"
            wait_for("the end state", lambda: lab.source(FAR[4], uid=4001, timeout=0.2) == want, 2)
            check("v6 all the time", lab.source(FAR[6], uid=4001), pool(11, 6))
            if not last:
                lab.ip("sender", "addr add 198.51.100.11/32 dev eth0")
        lab.ip("sender", "link set eth0 down")
        wait_for("refused with the link down",
                 lambda: lab.source(FAR[4], uid=4001, timeout=0.2) in ("!ECONNREFUSED", "!ENETUNREACH"), 2)
        lab.ip("sender", "link set eth0 up", "route replace 203.0.113.0/24 via 198.51.100.254")
        wait_for("back with the link", lambda: lab.source(FAR[4], uid=4001, timeout=0.5) == pool(11, 4), 5)
        check("alive", agent.ended(), False)

# SPDX-License-Identifier: GPL-2.0-or-later
"""A suspended binding refuses what is new and leaves alone what is alive."""

import socket
import statistics
import time

from cases import test
from lab import FAR, Lab, PORT, binding, check, pool
from place import PATIENCE
from test_agent import written
from test_refusal import refused
from test_sockets import ask, inet

CONF = (binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }")
AWAY = ("binding away { address 192.0.2.99, 2001:db8:ffff::99; unusable use a; }\n"
        "policy { user 4003 use away; }\n")
LIVE = {4: "203.0.113.2", 6: "2001:db8:2::2"}   # not where refusals are looked for


def refused_beside_others(lab, who, family):
    """As refused(), where other traffic flows and a capture would not end."""
    tries = lab.probe_all([(FAR[family], PORT, "tcp")] * 7, **who)
    check("%s TCP" % who, {result["error"] for result in tries}, {"ECONNREFUSED"})
    took = statistics.median(result["ms"] for result in tries)
    check("%s: %.2f ms to the refusal is under 10" % (who, took), took < 10 * PATIENCE, True)


def all_refused(lab, agent, mark, refuse=refused):
    time.sleep(0.2)                             # what closed connections still had to say
    for family in (4, 6):
        for who in ({"uid": 4001}, {"mark": mark}):
            refuse(lab, who, family)
    shown = agent.json("binding", "show", "a")
    check("shown", (shown["suspended"], shown["usable"]["ipv4"], shown["usable"]["ipv6"]),
          (True, {"usable": False, "reason": "suspended"}, {"usable": False, "reason": "suspended"}))


@test("a suspended binding refuses new connections at once, live ones go on, and resuming ends it")
def _():
    for options in ((), ("--no-owner",)):
        with Lab() as lab:
            agent = lab.agent(CONF, *options)
            mark = agent.mark("a")
            stops = [lab.stream(LIVE[family], 10, uid=4001) for family in (4, 6)]
            time.sleep(0.5)
            agent.ctl("binding", "suspend", "a")
            told = time.monotonic()
            all_refused(lab, agent, mark, refused_beside_others)
            shown = agent.json("health", "a")["health"]
            within = (time.monotonic() - told + 0.3) * 1000
            check("since when", [(row["state"], row["for_ms"] < within) for row in shown], [("suspended", True)] * 2)
            check("another binding", lab.source(FAR[4], uid=4002), pool(12, 4))
            check("listed", [one["name"] for one in agent.json("binding", "list")["bindings"] if one["suspended"]],
                  ["a"])
            told = agent.json("explain", "--user", "4001", "--to", FAR[4], ok=False)
            check("explain", (told["verdict"], told["reason"], told["agree"]), ("unusable", "suspended", True))
            for family in (socket.AF_INET, socket.AF_INET6):
                with inet(agent, family) as sock:
                    check("tag socket", ask(agent, "a", [sock.fileno()]), "ERROR unusable suspended")
            time.sleep(0.6)                     # live ones send meanwhile
            check("again", agent.json("binding", "suspend", "a")["operations"], 0)
            agent.ctl("binding", "resume", "a")
            for family in (4, 6):
                check("resumed", lab.source(FAR[family], uid=4001), pool(11, family))
            for family, stop in zip((4, 6), stops):
                result = stop()
                check("live: sources", result["sources"], [pool(11, family)])
                check("live: errors", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
                check("live: data was moving", result["bytes"] > 10 * 512 * 8, True)
            check("log", (len(agent.events("binding.suspended")), len(agent.events("binding.resumed"))), (1, 1))


@test("a binding stays suspended over reload, kill and restart, which adopts the table without writing")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        mark = agent.mark("a")
        agent.ctl("binding", "suspend", "a")
        agent.ctl("reload")
        all_refused(lab, agent, mark)
        before = written(lab)
        for how in ("kill", "stop"):
            getattr(agent, how)()
            check("without an agent", lab.source(FAR[4], uid=4001), "!ECONNREFUSED")
            agent.start()
            check("handles and elements after " + how, written(lab), before)
            all_refused(lab, agent, mark)
        check("adopted", len(agent.events("table.adopted")), 2)
        check("written once", len(agent.events("table.written")), 1)
        agent.write(CONF.replace("user 4001 use a", "user 4001 use a; user 4009 use b"))
        agent.ctl("reload")
        all_refused(lab, agent, mark)
        agent.ctl("binding", "resume", "a")
        check("resumed", lab.source(FAR[4], uid=4001), pool(11, 4))


@test("who stands in for another refuses for both while suspended")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF + AWAY)
        check("stands in", lab.source(FAR[4], uid=4003), pool(11, 4))
        stop = lab.stream(LIVE[6], 5, uid=4003)
        agent.ctl("binding", "suspend", "a")
        time.sleep(0.2)
        for family in (4, 6):
            refused_beside_others(lab, {"uid": 4003}, family)
            refused_beside_others(lab, {"uid": 4001}, family)
        agent.ctl("binding", "resume", "a")
        check("stands in again", lab.source(FAR[6], uid=4003), pool(11, 6))
        result = stop()
        check("live", (result["sources"], result["errors"], result["unfinished"]), ([pool(11, 6)], [], 0))
        check("nobody", agent.ctl("binding", "suspend", "nobody", ok=False).returncode, 5)


@test("who has no rule can be suspended too, though no default is configured, over a restart; and resumed")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        passes = lab.source(FAR[4], uid=4009)
        agent.ctl("binding", "suspend", "default")
        check("health", [(row["family"], row["state"]) for row in agent.json("health", "default")["health"]],
              [("ipv4", "suspended"), ("ipv6", "suspended")])
        for round in range(2):
            for family in (4, 6):
                refused(lab, {"uid": 4009}, family)
            check("others", lab.source(FAR[4], uid=4001), pool(11, 4))
            agent.kill()
            agent.start()
        check("again", agent.json("binding", "suspend", "default")["operations"], 0)
        agent.ctl("binding", "resume", "default")
        check("resumed", lab.source(FAR[4], uid=4009), passes)
        with open(agent.state + "/runtime.conf") as runtime:
            check("nothing is kept", len(runtime.read().splitlines()), 2)

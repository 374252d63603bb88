# SPDX-License-Identifier: GPL-2.0-or-later
"""200 live connections that transfer data, while something happens to the agent or its table."""

import os
import time

from cases import test
from lab import FAR, Lab, PORT, ROOT, binding, check, pool, wait_for

CONF = (binding("user", 11) + binding("group", 12) + binding("marked", 13) + binding("unrelated", 14) +
        'policy { user 4001 use user; cgroup "/live.slice" use group; user 4444 use unrelated; }')


class Live:
    """Four clients with 50 connections each, a capture, and the proof at the end."""

    def __init__(self, lab, agent, count=50):
        self.lab, self.count = lab, count
        group = lab.cgroup("/live.slice/app.service")
        wait_for("the cgroup to be bound", lambda: lab.source(FAR[4], cgroup=group) == pool(12, 4), 2)
        time.sleep(0.2)                         # that one's last packets are not of the streams
        self.capture = lab.capture()
        self.clients = [
            (pool(11, 4), lab.stream(FAR[4], count, uid=4001)),
            (pool(11, 6), lab.stream(FAR[6], count, uid=4001)),
            (pool(12, 6), lab.stream(FAR[6], count, cgroup=group)),
            (pool(13, 4), lab.stream(FAR[4], count, mark=agent.mark("marked"))),
        ]
        time.sleep(0.4)

    def survived(self, extra=()):
        time.sleep(0.6)
        for want, stop in self.clients:
            result = stop()
            check(want + ": sources", result["sources"], [want])
            check(want + ": errors", result["errors"], [])
            check(want + ": unfinished, inexact", (result["unfinished"], result["inexact"]), (0, 0))
            check(want + ": data was moving", result["bytes"] > self.count * 512 * 8, True)
        seen = self.capture.sources(proto="tcp", dport=PORT)
        check("sources on the wire", seen, {want for want, _ in self.clients} | set(extra))
        check("resets on the wire", sum(packet.resets for packet in self.capture.select(proto="tcp")), 0)


@test("200 live connections survive a SIGKILL of the agent and its restart, new ones are bound throughout")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        live = Live(lab, agent)
        agent.kill()
        check("new connection without an agent", lab.source(FAR[4], uid=4001), pool(11, 4))
        check("unknown mark without an agent", lab.source(FAR[4], mark=0x1eee), "!ECONNREFUSED")
        agent.start()
        check("adopted", len(agent.events("table.adopted")), 1)
        check("new connection after the restart", lab.source(FAR[6], uid=4001), pool(11, 6))
        live.survived()


@test("200 live connections survive reloads with unrelated changes")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        live = Live(lab, agent)
        for i in range(10):
            agent.write(CONF + binding("extra", 15 + i % 2, more="ehlo n%d.example;" % i) +
                        "policy { user %d use extra; user 5000-5%03d use unrelated; }" % (4500 + i, 100 + i))
            agent.ctl("reload")
        check("the last one is applied", lab.source(FAR[4], uid=4509), pool(16, 4))
        live.survived(extra={pool(16, 4)})


@test("200 live connections survive an upgrade of the template")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        live = Live(lab, agent)
        agent.stop()
        with open(ROOT + "/nft-templates/outbind.nft") as template:
            text = template.read()
        changed = os.path.join(lab.dir, "changed.nft")
        with open(changed, "w") as out:
            out.write(text.replace("\tchain refuse {", '\tcounter upgraded { comment "a newer template" }\n\n'
                                   "\tchain refuse {"))
        agent.options += ["--template", changed]
        agent.start()
        check("written anew", len(agent.events("table.written")), 2)
        check("the new template is loaded", "upgraded" in agent.ruleset(), True)
        check("new connection", lab.source(FAR[4], uid=4001), pool(11, 4))
        live.survived()


@test("200 live connections survive a `nft flush ruleset` by somebody else")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        if not agent.json("status")["owned"]:
            raise Skip("this kernel cannot protect a table from others (flags owner and persist, 6.9)")
        live = Live(lab, agent)
        for _ in range(3):
            lab.nft("flush", "ruleset")
            check("the table is there", "table inet outbind" in agent.ruleset(), True)
            check("new connection", lab.source(FAR[6], uid=4001), pool(11, 6))
        live.survived()


@test("a binding's address changed: live connections keep the old one, new ones use the new one")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        live = Live(lab, agent)
        agent.write(CONF.replace("198.51.100.11,", "198.51.100.20,").replace("2001:db8:1::11;", "2001:db8:1::20;"))
        agent.ctl("reload")
        check("new v4", lab.source(FAR[4], uid=4001), pool(20, 4))
        check("new v6", lab.source(FAR[6], uid=4001), pool(20, 6))
        live.survived(extra={pool(20, 4), pool(20, 6)})


@test("a rule or binding removed: live connections keep their address, new ones go by what is left")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        live = Live(lab, agent)
        marked = agent.mark("marked")
        agent.write(CONF.replace("user 4001 use user;", "").replace(binding("marked", 13), ""))
        agent.ctl("reload")
        check("no rule any more", lab.source(FAR[4], uid=4001), "198.51.100.1")
        check("no binding any more", lab.source(FAR[4], mark=marked), "!ECONNREFUSED")
        live.survived(extra={"198.51.100.1"})

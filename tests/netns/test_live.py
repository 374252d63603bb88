# SPDX-License-Identifier: GPL-2.0-or-later
"""200 live connections that transfer data, while something happens to the agent or its table."""

import os

from cases import test
from lab import FAR, Lab, ROOT, Skip, binding, check, pool
from live import CONF, Live

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

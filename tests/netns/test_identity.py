# SPDX-License-Identifier: GPL-2.0-or-later
"""`require fcrdns`: an address counts once DNS was seen to agree, and what happens when DNS changes its mind, fails, or is
asked no more. What is checked against is what the receiver sees."""

import json
import re
import time

from cases import test
from lab import BUILD, FAR, Lab, check, pool, wait_for
from smtp_names import Names
from unbound import Unbound, reverse

CONF = """
binding strict { address %s, %s; require fcrdns; unusable use other; ehlo mx.good.example; }
binding lenient { address %s; require fcrdns warn; }
binding other { address %s, %s; }
policy { user 4001 use strict; user 4002 use lenient; user 4003 use other; }
dns { resolver 127.0.0.1:5300; keep 2h; }
""" % (pool(11, 4), pool(11, 6), pool(12, 4), pool(13, 4), pool(13, 6))
GOOD = "mx.good A %s\nmx.good AAAA %s\n" % (pool(11, 4), pool(11, 6))
BAD = "mx.good A 198.51.100.99\n"


def zones(example, names=(pool(11, 4), pool(11, 6))):
    lines = {"in-addr.arpa": "", "ip6.arpa": "", "example": example}
    for address in names:
        lines["ip6.arpa" if ":" in address else "in-addr.arpa"] += "%s. PTR mx.good.example.\n" % reverse(address)
    return lines


def reason(agent, name, family=4):
    rows = json.loads(agent.ctl("health", name, "--json", ok=False).stdout)["health"]
    return next((row["state"], row["reason"]) for row in rows if row["family"] == "ipv%d" % family)


def report(agent, *words):
    return agent.ctl("check", "--dns", "--report", *words, ok=False, timeout=60)


@test("an address counts once DNS agrees, stays while DNS fails, goes when DNS says otherwise, and all of that outlives the agent",
      seconds=120)
def _():
    with Lab() as lab:
        names = Unbound(lab, zones(GOOD))
        agent = lab.agent(CONF)
        check("nobody asked yet", reason(agent, "strict"),
              ("stand-in", "DNS was not asked about %s yet (outbindctl check --dns --report); other stands in" % pool(11, 4)))
        check("another stands in", lab.source(FAR[4], uid=4001), pool(13, 4))
        check("a warning does not", (reason(agent, "lenient"), lab.source(FAR[4], uid=4002)), (("usable", "usable"), pool(12, 4)))

        result = report(agent)
        check("not all is well: %s" % result.stderr, result.returncode, 1)
        for family in (4, 6):
            check("agrees", reason(agent, "strict", family), ("usable", "usable"))
            check("leaves from it", lab.source(FAR[family], uid=4001), pool(11, family))
        bad = [line for line in agent.events("identity.bad") if "check=fcrdns" in line]
        check("events: %s" % bad, sorted(re.search(r"name=(\w+)", line)[1] for line in bad), ["lenient", "other", "other"])
        check("once each", (report(agent).returncode, len(agent.events("identity.bad"))), (1, len(bad)))

        text = agent.ctl("metrics").stdout
        for line in ('outbind_identities{check="fcrdns",state="good"} 2', 'outbind_identities{check="fcrdns",state="bad"} 3',
                     'outbind_binding_identity_bad{binding="lenient",address="%s",check="fcrdns"} 1' % pool(12, 4)):
            check(line, line in text.splitlines(), True)
        names.stop()                            # nobody there any more
        result = report(agent)
        check("words", "does not answer" in result.stderr, True)
        check("a dead resolver takes nobody down", (reason(agent, "strict"), lab.source(FAR[4], uid=4001)),
              (("usable", "usable"), pool(11, 4)))
        last = {row["address"]: row for row in json.loads(agent.ctl("check", "--dns", "--last", "--json", ok=False).stdout)["identities"]}
        check("what was found last", (last[pool(11, 4)]["fcrdns"]["state"], last[pool(11, 4)]["counts"]), ("unknown", True))

        agent.kill()
        agent.start()
        check("kept over a crash", (reason(agent, "strict"), lab.source(FAR[4], uid=4001)), (("usable", "usable"), pool(11, 4)))

        names.start(zones(BAD))
        report(agent, "strict")
        check("DNS says otherwise", reason(agent, "strict"),
              ("stand-in", "DNS does not confirm %s: PTR mx.good.example is 198.51.100.99, not %s; other stands in" %
               (pool(11, 4), pool(11, 4))))
        check("IPv6 too", reason(agent, "strict", 6)[1].split("; ")[0],
              "DNS does not confirm %s: PTR mx.good.example has no AAAA record" % pool(11, 6))
        check("stands in", lab.source(FAR[4], uid=4001), pool(13, 4))
        check("an event", [line for line in agent.events("identity.bad") if "name=strict" in line and "check=fcrdns" in line] != [], True)
        names.stop()
        report(agent, "strict")
        check("no word is not a better word", reason(agent, "strict")[0], "stand-in")
        names.start(zones(GOOD))
        report(agent, "strict")
        check("agrees again", (reason(agent, "strict"), lab.source(FAR[4], uid=4001)), (("usable", "usable"), pool(11, 4)))
        check("good again", len([line for line in agent.events("identity.good") if "name=strict" in line and "fcrdns" in line]), 2)

        agent.stop()                            # a stroke of age
        path = agent.state + "/identities"
        with open(path) as file:
            text = file.read()
        now = int(time.time())
        old = re.sub(r"(?m)^(198\.51\.100\.11 strict) (\d+) (\d+)", lambda m: "%s %d %d" % (m[1], now - 7300, now - 7300), text)
        check("it was found", old != text, True)
        with open(path, "w") as file:
            file.write(old)
        agent.start()
        check("too long ago", reason(agent, "strict")[1], "DNS confirmed %s too long ago; other stands in" % pool(11, 4))
        check("not the other address", reason(agent, "strict", 6)[0], "usable")
        agent.write(CONF.replace("keep 2h", "keep 3h"))
        agent.ctl("reload")
        check("a longer time", reason(agent, "strict")[0], "usable")


@test("an address that somebody stops confirming expires while the agent runs; a file of ours that is broken is none", seconds=120)
def _():
    with Lab(serve=False) as lab:
        agent = lab.agent(CONF)
        agent.stop()
        now = int(time.time())
        states = " good/good" + " unasked/unasked" * 4
        with open(agent.state + "/identities", "w") as file:
            file.write("outbind-identities 1\n%s strict %d %d%s\n" % (pool(11, 4), now, now - 7200 + 8, states))
        agent.start()
        check("still counts", reason(agent, "strict")[0], "usable")
        wait_for("it expires at an audit", lambda: reason(agent, "strict")[0] == "stand-in", 60, 0.5)
        check("event", len([line for line in agent.events("binding.unusable") if "name=strict family=ipv4" in line]) >= 1, True)
        agent.stop()
        with open(agent.state + "/identities", "w") as file:
            file.write("outbind-identities 1\nnonsense\n")
        agent.start()
        check("said", len(agent.events("state.unreadable")), 1)
        check("fails closed", reason(agent, "strict")[1].split(" (")[0], "DNS was not asked about %s yet" % pool(11, 4))


@test("run-time changes: `binding set ... require fcrdns` and its removal; a report of what is not there any more is left out")
def _():
    with Lab() as lab:
        with lab.inside("sender"):
            names = Names({"%s PTR" % reverse(pool(11, 4)): ["mx.good.example"], "mx.good.example A": [pool(11, 4)]}, port=5300)
        agent = lab.agent("binding a { address %s; }\npolicy { user 4001 use a; }\ndns { resolver 127.0.0.1:5300; }\n" % pool(11, 4))
        agent.ctl("binding", "set", "a", "require", "fcrdns", "sender-domain", "a.example")
        check("shown", [agent.json("binding", "show", "a")[key] for key in ("require", "sender_domains")], ["fcrdns", ["a.example"]])
        check("refused", lab.source(FAR[4], uid=4001), "!ECONNREFUSED")
        report(agent)
        check("leaves", lab.source(FAR[4], uid=4001), pool(11, 4))
        agent.ctl("binding", "set", "a", "address", pool(12, 4))
        check("another address is not confirmed", lab.source(FAR[4], uid=4001), "!ECONNREFUSED")
        agent.ctl("binding", "set", "a", "remove", "require")
        check("not required", lab.source(FAR[4], uid=4001), pool(12, 4))
        names.close()
        report(agent)
        rows = json.loads(agent.ctl("check", "--dns", "--last", "--json", ok=False).stdout)["identities"]
        check("what is gone is forgotten", [row["address"] for row in rows], [pool(12, 4)])
        check("needs rights", lab.run("sender", "setpriv", "--reuid", "4990", "--clear-groups", BUILD + "/outbindctl", "--runtime-dir",
                                      agent.runtime, "check", "--dns", "--report", ok=False).returncode, 4)

# SPDX-License-Identifier: GPL-2.0-or-later
"""default-binding: what traffic gets that no rule claims."""

from cases import test
from lab import FAR, HOST, Lab, binding, check, pool

RULES = binding("a", 11) + "policy { user 4001 use a; }\n"
DEFAULT = binding("default", 12)


def refused_at_once(lab, what):
    for family in (4, 6):
        for proto, error in (("tcp", "ECONNREFUSED"), ("udp", "EPERM")):
            result = lab.probe(FAR[family], proto=proto)
            check("%s: %s v%d" % (what, proto, family), (result["source"], result["error"]), (None, error))
            check("%s: %.0f ms is at once" % (what, result["ms"]), result["ms"] < 300, True)


@test("default-binding: unassigned traffic leaves from `default`, is refused at once, or is left alone")
def _():
    with Lab() as lab:
        agent = lab.agent(RULES + DEFAULT)
        capture = lab.capture()
        for word, counter in (("suspended", "refused_unusable"), ("reject", "refused_rule")):
            agent.write("default-binding %s;\n" % word + RULES + DEFAULT)
            agent.ctl("reload")
            before = agent.json("status")["counters"][counter]
            refused_at_once(lab, word)
            after = agent.json("status")["counters"][counter]
            check("%s: %s counts what was refused" % (word, counter), after - before >= 4, True)
            for family in (4, 6):
                check("%s: who has a rule" % word, lab.source(FAR[family], uid=4001), pool(11, family))
        check("sources on the wire", capture.sources(), {pool(11, 4), pool(11, 6)})
        agent.write("default-binding normal;\n" + RULES + DEFAULT)
        agent.ctl("reload")
        for family in (4, 6):
            check("normal", lab.source(FAR[family]), pool(12, family))
        agent.write("default-binding normal;\n" + RULES)
        agent.ctl("reload")
        for family in (4, 6):
            check("normal, and `default` has no address", lab.source(FAR[family]), HOST[family])
        agent.write("default-binding suspended;\n" + RULES)
        agent.ctl("reload")
        refused_at_once(lab, "suspended, and `default` has no address")


@test("explain, policy list, status and binding show say what default-binding does")
def _():
    with Lab() as lab:
        agent = lab.agent("default-binding suspended;\n" + RULES + DEFAULT)
        said = agent.json("explain", "--user", "4009", "--to", FAR[4], ok=False)
        check("verdict", (said["verdict"], said["binding"], said["reason"], said["agree"]),
              ("unusable", "default", "suspended", True))
        check("by", said["rule"]["client"], "default-binding")
        check("place", said["rule"]["place"].endswith("outbind.conf:1:1"), True)
        last = agent.json("policy", "list")["rules"][-1]
        check("policy list", (last["client"], last["action"]), ("default-binding", "suspended"))
        check("status", agent.json("status")["default_binding"]["action"], "suspended")
        check("binding show", agent.json("binding", "show", "default")["suspended"], True)

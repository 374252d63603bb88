# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not change: inbound services, resolvers, routing, other software's marks and tables."""

import time

from cases import test
from lab import FAR, HOST, HOST4, HOST6, Lab, NEAR, binding, check, pool, wait_for


@test("inbound connections to a server in a policy cgroup work, and replies keep their address")
def _():
    conf = binding("a", 11) + 'policy { cgroup "/www.slice" use a; otherwise use a; }'
    with Lab(serve=False) as lab:
        group = lab.cgroup("/www.slice/nginx.service")
        lab.agent(conf)
        lab.serve("sender", (7000,), cgroup=group)
        capture = lab.capture()
        for family in (4, 6):
            for to in (HOST[family], pool(12, family), pool(11, family)):
                for proto in ("tcp", "udp"):
                    check("%s to %s" % (proto, to), lab.source(to, proto=proto, namespace="receiver"), NEAR[family])
        for to in (HOST[4], HOST[6], pool(12, 4), pool(12, 6)):
            for proto in ("tcp", "udp"):
                check("closed port of %s by %s" % (to, proto),
                      lab.source(to, 7999, proto, namespace="receiver"), "!ECONNREFUSED")
        for family in (4, 6):
            stop = lab.stream(HOST[family], 10, namespace="receiver")
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        seen = {packet.source for packet in capture.select() if packet.sport in (7000, 7999)}
        check("replies came from the address that was asked", seen,
              {address for family in (4, 6) for address in (HOST[family], pool(12, family), pool(11, family))})


@test("DNS to a connected resolver is not rewritten with `bypass { connected; }`, to a far one it is")
def _():
    conf = "bypass { connected; }\n" + binding("a", 11) + "policy { user 4001 use a; otherwise use a; }"
    with Lab() as lab:
        lab.agent(conf)
        for who in ({"uid": 4001}, {}):
            for family in (4, 6):
                for proto in ("udp", "tcp"):
                    check("connected resolver", lab.source(NEAR[family], 53, proto, **who), HOST[family])
                    check("far resolver", lab.source(FAR[family], 53, proto, **who), pool(11, family))


@test("`bypass { connected; }` follows addresses that come and go")
def _():
    conf = "bypass { connected; }\n" + binding("a", 11) + "policy { user 4001 use a; }"
    with Lab() as lab:
        lab.agent(conf)
        lab.ip("receiver", "addr add 203.0.114.1/32 dev lo")
        lab.ip("sender", "route add 203.0.114.0/24 via " + NEAR[4])
        check("far", lab.source("203.0.114.1", uid=4001), pool(11, 4))
        lab.ip("receiver", "route add 203.0.114.0/24 dev eth0")
        lab.ip("sender", "route del 203.0.114.0/24", "addr add 203.0.114.200/24 dev eth0")
        wait_for("what is connected now to be left alone",
                 lambda: lab.source("203.0.114.1", uid=4001) == "203.0.114.200", 2)
        lab.ip("sender", "addr del 203.0.114.200/24 dev eth0", "route add 203.0.114.0/24 via " + NEAR[4])
        wait_for("what is far again to be rewritten",
                 lambda: lab.source("203.0.114.1", uid=4001) == pool(11, 4), 2)


@test("`bypass { private; }` leaves private destinations alone")
def _():
    conf = "bypass { private; }\n" + binding("a", 11) + "policy { otherwise use a; }"
    with Lab() as lab:
        lab.ip("receiver", *["route add local %s dev lo" % net for net in
                             ("10.0.0.0/24", "172.16.5.0/24", "192.168.7.0/24", "100.64.0.0/24", "fd12::/64",
                              "11.0.0.0/24")])
        lab.ip("sender", *["route add %s via %s" % (net, NEAR[4]) for net in
                           ("10.0.0.0/24", "172.16.5.0/24", "192.168.7.0/24", "100.64.0.0/24", "11.0.0.0/24")],
               "route add fd12::/64 via " + NEAR[6])
        lab.agent(conf)
        for to in ("10.0.0.9", "172.16.5.9", "192.168.7.9", "100.64.0.9"):
            check(to, lab.source(to), HOST4)
        check("fd12::9", lab.source("fd12::9"), HOST6)
        check("11.0.0.9", lab.source("11.0.0.9"), pool(11, 4))


@test("all packets of a connection take the way of its mark, to the last ACK of TIME_WAIT")
def _():
    conf = ("binding up { address 192.0.2.11, 2001:db8:3::11; }\n" + binding("other", 11) +
            "policy { user 4001 use up; user 4002 use other; }")
    with Lab(uplink=True, serve=False) as lab:
        lab.serve("receiver", (7000,), linger=0.4)
        agent = lab.agent(conf)
        mark = agent.mark("up")
        for family in ("-4", "-6"):
            lab.run("sender", "ip", family, "rule", "add", "fwmark", "%#x/0x1fff" % mark, "lookup", "100")
        wait_for("packets to be steered", lambda: lab.source(FAR[4], uid=4001) == "192.0.2.11", 2)
        capture = lab.capture(links=("eth0", "eth1"))
        for who in ({"uid": 4001}, {"mark": mark}):
            for family, want in ((4, "192.0.2.11"), (6, "2001:db8:3::11")):
                check("%s v%d" % (who, family), lab.source(FAR[family], **who), want)
        check("another binding", lab.source(FAR[4], uid=4002), pool(11, 4))
        time.sleep(1.2)                         # the server closes, the client's minisocket answers
        links = {(packet.link, packet.source) for packet in capture.select(proto="tcp")}
        check("links", links, {("eth1", "192.0.2.11"), ("eth1", "2001:db8:3::11"), ("eth0", pool(11, 4))})
        check("resets", [packet for packet in capture.select(proto="tcp") if packet.resets], [])


@test("an `ip rule` that looks at bits of our mask is reported at the start")
def _():
    with Lab() as lab:
        lab.run("sender", "ip", "rule", "add", "fwmark", "0x100/0xff00", "lookup", "main", "pref", "77")
        agent = lab.agent(binding("a", 11))
        check("event", len(agent.wait_event("mark.overlap")) >= 1, True)
        check("status warns", any("0x100" in text or "77" in text for text in agent.json("status")["warnings"]), True)


WITNESS = """
table inet witness {
	counter whole { }
	counter exact { }
	counter other { }
	set seen { type mark; flags dynamic; }
	chain post {
		type filter hook postrouting priority 300; policy accept;
		tcp dport 7000 meta mark 0x80000 counter name exact
		tcp dport 7000 meta mark & 0x80000 == 0x80000 counter name whole
		tcp dport 7000 meta mark & 0x80000 != 0x80000 counter name other
		tcp dport 7000 add @seen { meta mark }
	}
}
"""


def counted(lab, name):
    words = lab.nft("list", "counter", "inet", "witness", name).split()
    return int(words[words.index("packets") + 1])


@test("foreign mark bits stay as they are, and do not hide a client from its policy")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=WITNESS)
        agent = lab.agent(binding("a", 11) + "policy { user 4001 use a; }")
        mark = agent.mark("a")
        for family in (4, 6):
            check("both in one", lab.source(FAR[family], mark=0x80000 | mark), pool(11, family))
        check("all its packets keep the bit", counted(lab, "other"), 0)
        check("some were seen", counted(lab, "whole") > 0, True)
        for family in (4, 6):
            check("foreign mark of a policy user", lab.source(FAR[family], mark=0x80000, uid=4001), pool(11, family))
            check("foreign mark of nobody", lab.source(FAR[family], mark=0x80000), HOST[family])
        check("no packet lost the bit", counted(lab, "other"), 0)
        check("those packets had exactly the foreign mark", counted(lab, "exact") > 0, True)


@test("foreign mark bits stay also on packets that are steered")
def _():
    with Lab(uplink=True) as lab:
        lab.nft("-f", "-", text=WITNESS)
        agent = lab.agent("binding up { address 192.0.2.11; }\npolicy { user 4001 use up; }")
        mark = agent.mark("up")
        lab.run("sender", "ip", "rule", "add", "fwmark", "%#x/0x1fff" % mark, "lookup", "100")
        wait_for("packets to be steered", lambda: lab.source(FAR[4], uid=4001, mark=0x80000) == "192.0.2.11", 2)
        capture = lab.capture(links=("eth0", "eth1"))
        before = counted(lab, "other")
        check("steered", lab.source(FAR[4], uid=4001, mark=0x80000), "192.0.2.11")
        check("link", {packet.link for packet in capture.select(proto="tcp")}, {"eth1"})
        check("no packet lost the bit", counted(lab, "other") - before, 0)


@test("other tables stay as they are through start, reload, stop and removal")
def _():
    foreign = """
table ip filter {
	chain output { type filter hook output priority 0; policy accept; ip daddr 192.0.2.77 drop; }
}
table inet other {
	set s { type mark; elements = { 0x5 }; }
	chain c { meta mark @s counter accept; }
}
table ip nat {
	chain post { type nat hook postrouting priority 100; ip daddr 192.0.2.78 masquerade; }
}
"""
    tables = (("ip", "filter"), ("inet", "other"), ("ip", "nat"))
    with Lab() as lab:
        lab.nft("-f", "-", text=foreign)

        def state():
            return [lab.nft("-a", "list", "table", *table) for table in tables]
        before = state()
        agent = lab.agent(binding("a", 11) + "policy { user 4001 use a; }", "--on-stop", "remove")
        check("after the start", state(), before)
        agent.write(binding("a", 11) + binding("b", 12) + "policy { user 4001 use b; }")
        agent.ctl("reload")
        check("after a reload", state(), before)
        check("works", lab.source(FAR[4], uid=4001), pool(12, 4))
        check("stopped", agent.stop(), 0)
        check("after removal", state(), before)
        check("our table is gone", "table inet outbind" in agent.ruleset(), False)

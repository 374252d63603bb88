# SPDX-License-Identifier: GPL-2.0-or-later
"""Uplinks: every packet of a binding takes the way that its uplink names, or it does not leave."""

import os
import signal
import time

from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool, wait_for

OWN = {4: "192.0.2.11", 6: "2001:db8:3::11"}
CONF = """
uplink second { interface eth1; gateway 192.0.2.254, 2001:db8:3::fe; table 100; }
binding far { address 192.0.2.11, 2001:db8:3::11; uplink second; }
""" + binding("near", 12) + "policy { user 4001 use far; user 4002 use near; }\n"
OTHERS = 0x100000                               # a bit of other software's, outside our mask


def number(agent, name):
    with open(agent.state + "/marks") as numbers:
        return next(int(line.split()[0]) for line in numbers if line.split()[-1] == name)


def rule(lab, agent, how, name="second", table=100):
    for family in ("-4", "-6"):
        lab.run("sender", "ip", family, "rule", how, "fwmark", "%d/0x1fff" % number(agent, "uplink:" + name),
                "lookup", table, "protocol", 111)


def start(lab, conf=CONF):
    """An agent whose uplink's rule is there."""
    agent = lab.agent(conf)
    wanted = "fwmark 0x%x/0x1fff" % number(agent, "uplink:second")
    if wanted not in lab.run("sender", "ip", "rule").stdout:
        rule(lab, agent, "add")
    return agent


def mixed(lab):
    """Other software that sets a bit in every packet, and counts those that do not keep it."""
    lab.nft("-f", "-", text="""
table inet others {
	chain early { type filter hook output priority -200; meta mark set meta mark | 0x100000; }
	chain late { type filter hook postrouting priority 300; oif "lo" return
		meta mark & 0x100000 == 0 counter; }
}
""")


def ways(lab):
    return lab.capture(links=("eth0",)), lab.capture(links=("eth1",))


@test("every packet of a binding with an uplink leaves by it, whoever the client is, beside other software's marks")
def _():
    for others in (False, True):
        with Lab(uplink=True) as lab:
            if others:
                mixed(lab)
            agent = start(lab)
            main, second = ways(lab)
            for family in (4, 6):
                for proto in ("tcp", "udp"):
                    for who in ({"uid": 4001}, {"mark": agent.mark("far")}, {"mark": agent.mark("far") | OTHERS}):
                        check("%s v%d %s" % (proto, family, who),
                              lab.source(FAR[family], proto=proto, **who), OWN[family])
            time.sleep(0.2)
            check("on the main way", main.select(), [])
            check("on the uplink", second.sources(), set(OWN.values()))
            for family in (4, 6):
                check("the other binding", lab.source(FAR[family], uid=4002), pool(12, family))
                check("unassigned", lab.source(FAR[family]), HOST[family])
            if others:
                check("others' bits", "packets 0 bytes 0" in lab.nft("list", "table", "inet", "others"), True)


@test("the last ACK of a socket that is closed already leaves by the uplink too")
def _():
    with Lab(uplink=True, serve=False) as lab:
        lab.serve("receiver", (PORT,), linger=0.5)
        agent = start(lab)
        main, second = ways(lab)
        for family in (4, 6):
            for who in ({"uid": 4001}, {"mark": agent.mark("far")}):
                check("v%d" % family, lab.source(FAR[family], **who), OWN[family])
        time.sleep(1.2)
        check("on the main way", main.select(), [])
        check("on the uplink", second.sources(), set(OWN.values()))
        check("nothing was reset", [packet for packet in second.select() if packet.resets], [])


@test("without its rule nothing of an uplink leaves, first packets or later ones, and all goes on when it is back")
def _():
    with Lab(uplink=True) as lab:
        agent = start(lab)
        stops = [lab.stream(FAR[family], 3, uid=4001) for family in (4, 6)]
        stops += [lab.stream(FAR[family], 3, mark=agent.mark("far")) for family in (4, 6)]
        os.kill(agent.pid, signal.SIGSTOP)      # it would put the rule back
        try:
            main = lab.capture(links=("eth0",))
            rule(lab, agent, "del")
            time.sleep(0.1)
            second = lab.capture(links=("eth1",))
            for family in (4, 6):
                for proto in ("tcp", "udp"):
                    got = lab.source(FAR[family], proto=proto, uid=4001, timeout=0.3)
                    check("v%d %s" % (family, proto), got in ("!TIMEOUT", "!EPERM"), True)
                check("the other binding", lab.source(FAR[family], uid=4002), pool(12, family))
            check("on the uplink", second.select(), [])
            check("on the main way", main.sources(), {pool(12, 4), pool(12, 6)})
            rule(lab, agent, "add")
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        check("counted", agent.json("status")["counters"]["dropped_uplink"] > 0, True)
        time.sleep(1.5)                         # until what was lost is sent again
        for stop in stops:
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        check("new ones", [lab.source(FAR[family], uid=4001) for family in (4, 6)], list(OWN.values()))


@test("a forwarded client of a binding with an uplink leaves by it, and its answers come back")
def _():
    with Lab(guest=True, uplink=True) as lab:
        start(lab, CONF + "policy { source 10.88.7.0/24 use far; source fd00:88:7::/64 use far; }\n")
        main, second = ways(lab)
        for family in (4, 6):
            for proto in ("tcp", "udp"):
                check("v%d %s" % (family, proto), lab.source(FAR[family], proto=proto, namespace="guest"), OWN[family])
            stop = lab.stream(FAR[family], 3, namespace="guest")
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        time.sleep(0.2)
        check("on the main way", main.select(), [])
        check("on the uplink", second.sources(), set(OWN.values()))


@test("answers on an uplink pass a strict rp_filter that looks at marks")
def _():
    with Lab(uplink=True) as lab:
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.conf.eth1.rp_filter", 1)
            lab.sysctl("net.ipv4.conf.eth1.src_valid_mark", 1)
        with lab.inside("receiver"):            # a router asks in its own name, not in that of who is behind it
            lab.sysctl("net.ipv4.conf.eth1.arp_announce", 2)
        start(lab)
        for proto in ("tcp", "udp"):
            check(proto, lab.source(FAR[4], proto=proto, uid=4001), OWN[4])
        stop = lab.stream(FAR[4], 3, uid=4001)
        result = stop()
        check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))


@test("who leaves by another binding's addresses takes that one's uplink, and old connections do not follow it")
def _():
    conf = CONF.replace("binding near {", "binding near { unusable use far;")
    with Lab(uplink=True) as lab:
        agent = start(lab, conf)
        lab.ip("sender", "addr del %s/32 dev eth0" % pool(12, 4))
        wait_for("the other to stand in", lambda: lab.source(FAR[4], uid=4002) == OWN[4], 3)
        main, second = ways(lab)
        check("v4", lab.source(FAR[4], uid=4002), OWN[4])
        check("v6 has its own", lab.source(FAR[6], uid=4002), pool(12, 6))
        check("tagged", lab.source(FAR[4], mark=agent.mark("near")), OWN[4])
        time.sleep(0.2)
        check("on the main way", main.sources(), {pool(12, 6)})
        check("on the uplink", second.sources(), {OWN[4]})


@test("a socket that asks for an uplink's number itself is refused")
def _():
    with Lab(uplink=True) as lab:
        agent = start(lab)
        check("tcp", lab.source(FAR[4], mark=number(agent, "uplink:second")), "!ECONNREFUSED")
        check("udp", lab.source(FAR[4], proto="udp", mark=number(agent, "uplink:second")), "!EPERM")

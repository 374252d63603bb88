# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables and rules of uplinks: made, restored, kept, removed, and what is wrong with an uplink said."""

import time

from cases import test
from lab import FAR, HOST, Lab, binding, check, pool, wait_for

OWN = {4: "192.0.2.11", 6: "2001:db8:3::11"}
UPLINK = "uplink second { interface eth1; gateway 192.0.2.254, 2001:db8:3::fe; %s }\n"
FAR_BINDING = "binding far { address 192.0.2.11, 2001:db8:3::11; interface eth1; uplink second; }\n"
POLICY = "policy { user 4001 use far; user 4002 use near; }\n"
CONF = UPLINK % "" + FAR_BINDING + binding("near", 12) + POLICY


def ip(lab, words):
    lab.run("sender", "ip", *words.split())


class Two(Lab):
    """Two links, and nothing of the second one's routing or pool prepared."""

    def __init__(self, **more):
        super().__init__(uplink=True, **more)
        self.ip("sender", "addr del 192.0.2.11/32 dev eth1", "addr del 2001:db8:3::11/128 dev eth1",
                "route flush table 100")
        ip(self, "-6 route flush table 100")


def rules(lab):
    found = []
    for family in ("-4", "-6"):
        shown = lab.run("sender", "ip", family, "rule").stdout.splitlines()
        found += [family + " " + " ".join(line.split()) for line in shown if "proto 111" in line]
    return found


def table(lab, number):
    found = []
    for family in ("-4", "-6"):
        shown = lab.run("sender", "ip", family, "route", "show", "table", number, ok=False).stdout.splitlines()
        found += [family + " " + " ".join(line.split()) for line in shown]
    return sorted(found)


def whole(number):
    return sorted([
        "-4 default via 192.0.2.254 dev eth1 proto 111 metric 1024",
        "-4 192.0.2.0/24 dev eth1 proto 111 scope link metric 256",
        "-4 unreachable default proto 111 metric 4294967295",
        "-6 default via 2001:db8:3::fe dev eth1 proto 111 metric 1024 pref medium",
        "-6 2001:db8:3::/64 dev eth1 proto 111 metric 256 pref medium",
        "-6 unreachable default dev lo proto 111 metric 4294967295 pref medium"])


def both_ways(lab, proto="tcp"):
    """Each binding by its own link, the unassigned by the main one."""
    for family in (4, 6):
        check("v%d by the uplink" % family, lab.source(FAR[family], proto=proto, uid=4001), OWN[family])
        check("v%d by the main way" % family, lab.source(FAR[family], proto=proto, uid=4002), pool(12, family))
        check("v%d unassigned" % family, lab.source(FAR[family], proto=proto), HOST[family])


def no_neighbours(capture):
    """Sources but those of neighbour and router discovery."""
    return {source for source in capture.sources() if not source.startswith("fe80:")}


def usable(agent, name):
    return all(one["usable"] for one in agent.json("binding", "show", name)["usable"].values())


@test("two uplinks: each binding leaves by its own link, both families, to the last packet; nothing else does")
def _():
    with Two() as lab:
        agent = lab.agent(CONF)
        wait_for("usable", lambda: usable(agent, "far"))
        check("table", table(lab, 7100), whole(7100))
        check("rules", len(rules(lab)), 2)
        check("no overlap is said of our own", agent.json("status")["warnings"], [])
        main, second = lab.capture(links=("eth0",)), lab.capture(links=("eth1",))
        for proto in ("tcp", "udp"):
            both_ways(lab, proto)
        for family in (4, 6):
            stop = lab.stream(FAR[family], 4, uid=4001)
            time.sleep(0.2)
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        time.sleep(0.3)
        check("on the uplink", no_neighbours(second), set(OWN.values()))
        check("on the main way", no_neighbours(main), {pool(12, 4), pool(12, 6), HOST[4], HOST[6]})


@test("routes and rules that somebody deletes are back within milliseconds, and no packet takes the main way")
def _():
    with Two() as lab:
        agent = lab.agent(CONF)
        wait_for("usable", lambda: usable(agent, "far"))
        main = lab.capture(links=("eth0",))
        stops = [lab.stream(FAR[family], 3, uid=4001) for family in (4, 6)]
        for what in ("route flush table 7100", "-6 route flush table 7100", "rule del pref 7100",
                     "-6 rule del pref 7100", "route del default table 7100 metric 1024",
                     "-6 route del unreachable default table 7100"):
            before = len(agent.events("uplink.restored"))
            begun = time.monotonic()
            ip(lab, what)
            wait_for(what, lambda: (table(lab, 7100), len(rules(lab))) == (whole(7100), 2), step=0.001)
            took = time.monotonic() - begun
            check("%s: %.3f s" % (what, took), took < 0.25, True)
            agent.wait_event("uplink.restored", before)
        lab.ip("sender", "link set eth1 down")
        wait_for("refused", lambda: lab.source(FAR[4], uid=4001, timeout=0.2) == "!ECONNREFUSED")
        lab.ip("sender", "link set eth1 up", "addr replace 2001:db8:3::1/64 dev eth1 nodad")
        wait_for("all of it again", lambda: (table(lab, 7100), len(rules(lab))) == (whole(7100), 2))
        wait_for("usable", lambda: usable(agent, "far"))
        both_ways(lab)
        time.sleep(1.5)                         # until what was lost is sent again
        for stop in stops:
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        check("by the main way", main.sources() & set(OWN.values()), set())


@test("tables and rules stay when the agent ends, follow the configuration, and go if asked; others' stay")
def _():
    with Two() as lab:
        lab.ip("sender", "rule add fwmark 0x100000/0x100000 lookup 77 pref 7150",
               "route add 10.77.0.0/16 dev eth1 table 300")
        agent = lab.agent(CONF, "--on-stop", "remove")
        before = rules(lab)
        agent.kill()
        check("kept", (rules(lab), table(lab, 7100)), (before, whole(7100)))
        agent.start()
        check("as they were", (rules(lab), len(agent.events("uplink.made"))), (before, 1))
        agent.write(CONF.replace("2001:db8:3::fe; ", "2001:db8:3::fe; table 300; "))
        agent.ctl("reload")
        others = "-4 10.77.0.0/16 dev eth1 scope link"
        wait_for("the new table", lambda: table(lab, 300) == sorted(whole(300) + [others]))
        wait_for("the old one is empty", lambda: table(lab, 7100) == [])
        check("rules", [line.split()[-3] for line in rules(lab)], ["300", "300"])
        wait_for("usable", lambda: usable(agent, "far"))
        both_ways(lab)
        agent.write(CONF.replace(UPLINK % "", "").replace("uplink second;", ""))
        agent.ctl("reload")
        check("no uplink", (rules(lab), table(lab, 300)), ([], [others]))
        agent.write(CONF)
        agent.ctl("reload")
        check("again", len(rules(lab)), 2)
        agent.stop()
        check("after a clean stop", (rules(lab), table(lab, 7100), table(lab, 300)), ([], [], [others]))
        check("others'", "7150:" in lab.run("sender", "ip", "rule").stdout, True)


@test("a change that is only tried touches no route and no rule")
def _():
    with Two() as lab:
        agent = lab.agent(CONF)
        wait_for("usable", lambda: usable(agent, "far"))
        before = agent.read_log()
        change = (UPLINK % "table 300;").replace("192.0.2.254", "192.0.2.253") + "uplink third { interface eth0; }\n"
        agent.ctl("apply", "--dry-run", "-", text=change)
        check("events", [line for line in agent.read_log()[len(before):].splitlines() if "uplink." in line], [])
        check("routes and rules", (table(lab, 7100), table(lab, 300), len(rules(lab))), (whole(7100), [], 2))
        agent.ctl("apply", "-", text=change.replace("192.0.2.253", "192.0.2.254"))
        wait_for("the change", lambda: (table(lab, 7100), table(lab, 300), len(rules(lab))) == ([], whole(300), 4))
        wait_for("usable", lambda: usable(agent, "far"))
        both_ways(lab)


@test("a gateway that does not answer, and one that does again", seconds=60)
def _():
    with Two() as lab:
        agent = lab.agent(CONF)
        wait_for("usable", lambda: usable(agent, "far"))
        lab.ip("receiver", "addr del 192.0.2.254/24 dev eth1")
        lab.ip("sender", "neigh flush dev eth1")
        agent.wait_event("uplink.fault", seconds=20)
        wait_for("refused", lambda: lab.source(FAR[4], uid=4001) == "!ECONNREFUSED")
        check("IPv6 goes on", lab.source(FAR[6], uid=4001), OWN[6])
        check("said", any("192.0.2.254" in line for line in agent.json("status")["warnings"]), True)
        lab.ip("receiver", "addr add 192.0.2.254/24 dev eth1")
        wait_for("usable again", lambda: lab.source(FAR[4], uid=4001) == OWN[4], 10)
        agent.wait_event("uplink.mended")


@test("what is wrong with an uplink is said with the command that mends it")
def _():
    with Two() as lab:
        lab.ip("sender", "link set eth1 mtu 1400", "route add default via 198.51.100.254")
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.conf.eth1.rp_filter", 1)
        conf = CONF.replace("192.0.2.254", "192.0.9.254") + "uplink lost { interface eth9; gateway 10.0.0.1; }\n"
        agent = lab.agent(conf)
        said = agent.json("status")["warnings"]
        for words in ("sysctl -w net.ipv4.conf.eth1.rp_filter=2", "maxseg size set rt mtu",
                      "ip route add 192.0.9.254 dev eth1", "there is no interface eth9"):
            check("said: " + words, any(words in line for line in said), True)
            check("logged: " + words, any(words in line for line in agent.events("uplink.fault")), True)
        check("refused", lab.source(FAR[4], uid=4001), "!ECONNREFUSED")
        agent.write(CONF)
        lab.run("sender", "sysctl", "-qw", "net.ipv4.conf.eth1.rp_filter=2")
        lab.ip("sender", "link set eth1 mtu 1500")
        agent.ctl("reload")
        wait_for("nothing to say", lambda: agent.json("status")["warnings"] == [])
        wait_for("usable", lambda: usable(agent, "far"))
        both_ways(lab)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Routed prefixes: a binding leaves from all of a prefix, of which this host has no address."""

import ipaddress
import time

from cases import test
from lab import FAR, HOST, HOST4, HOST6, Lab, PORT, binding, check, pool

PREFIX = {4: "192.0.2.64/26", 6: "2001:db8:7::/64"}
OTHER = {4: "192.0.2.1", 6: "2001:db8:8::1"}
TARGETS = {4: ["203.0.113.%d" % n for n in range(1, 65)], 6: ["2001:db8:2::%x" % n for n in range(1, 65)]}
CONF = ("binding p { address %s routed, %s routed; }\n" % (PREFIX[4], PREFIX[6]) + binding("b", 12) +
        "policy { user 4001 use p; user 4002 use b; }\n")


def lab_routed(**options):
    """A lab whose other end routes the prefixes to us, as a provider does."""
    lab = Lab(**options)
    for family, gateway in ((4, HOST4), (6, HOST6)):
        lab.run("receiver", "ip", "-%d" % family, "route", "add", PREFIX[family], "via", gateway)
    return lab


def within(family, source):
    return ipaddress.ip_address(source) in ipaddress.ip_network(PREFIX[family])


@test("a binding leaves from all of a routed prefix, spread by destination, and the answers come back")
def _():
    with lab_routed() as lab:
        agent = lab.agent(CONF)
        capture = lab.capture()
        for family in (4, 6):
            for who in ({"uid": 4001}, {"mark": agent.mark("p")}):
                seen = {}
                for proto in ("tcp", "udp"):
                    results = lab.probe_all([(to, PORT, proto) for to in TARGETS[family]], **who)
                    seen[proto] = [result["source"] or "!" + str(result["error"]) for result in results]
                    outside = [source for source in seen[proto] if source[0] == "!" or not within(family, source)]
                    check("v%d %s outside of the prefix" % (family, proto), outside, [])
                    check("v%d %s: %d addresses" % (family, proto, len(set(seen[proto]))),
                          len(set(seen[proto])) > 20, True)
                    again = lab.probe_all([(to, PORT, proto) for to in TARGETS[family]], **who)
                    # a client's port that has another connection still keeps that one's address
                    moved = [pair for pair in zip(seen[proto], again) if pair[0] != pair[1]["source"]]
                    check("%d destinations of %d moved" % (len(moved), len(again)), len(moved) < 8, True)
        time.sleep(0.2)
        strange = [source for source in capture.sources()
                   if not any(within(family, source) for family in (4, 6) if (":" in source) == (family == 6))]
        check("sources on the wire", strange, [])
        for family in (4, 6):
            stop = lab.stream(FAR[family], 5, uid=4001)
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
            check("the other binding", lab.source(FAR[family], uid=4002), pool(12, family))


@test("a routed prefix shares the destinations with the binding's addresses, and explain says where it cannot tell")
def _():
    conf = CONF.replace("binding p {", "binding p { address %s;" % pool(11, 4))
    with lab_routed() as lab:
        agent = lab.agent(conf)
        shares = {"address": 0, "prefix": 0}
        for to in TARGETS[4]:
            said = agent.json("explain", "--user", "4001", "--to", to, "--port", PORT)
            check("plan and kernel agree on " + to, said["agree"], True)
            got = lab.source(to, uid=4001)
            if said["source"] == PREFIX[4]:
                check("%s is from the prefix: %s" % (to, got), within(4, got), True)
                shares["prefix"] += 1
            else:
                check("to " + to, got, said["source"])
                shares["address"] += 1
        check("shares %s" % shares, min(shares.values()) > 8, True)


@test("a program's own bind to an address of its routed prefix stands, to another one it does not")
def _():
    with lab_routed() as lab:
        with lab.inside("sender"):
            lab.sysctl("net.ipv6.ip_nonlocal_bind", 1)
        lab.ip("sender", "route add local 192.0.2.77 dev lo", "route add local 2001:db8:7::77 dev lo")
        lab.agent(CONF.replace("binding p {", "binding p { address %s;" % pool(11, 4)))
        capture = lab.capture()
        mine = {4: "192.0.2.77", 6: "2001:db8:7::77"}
        for family in (4, 6):
            for to in TARGETS[family][:12]:
                lab.source(to, proto="udp", bind=mine[family], uid=4001, timeout=0.05)
                got = lab.source(to, bind=HOST[family], uid=4001)
                check("bind to the host's: %s" % got, got == pool(11, family) or within(family, got), True)
            lab.source(FAR[family], proto="udp", bind=mine[family], uid=4002, timeout=0.05)
        time.sleep(0.2)
        sources = capture.sources()
        for family in (4, 6):
            by_program = {packet.source for packet in capture.select(proto="udp", to=TARGETS[family][3])}
            check("its own bind", by_program, {mine[family]})
        check("not for another binding", {pool(12, 4), pool(12, 6)} <= sources, True)
        check("nothing of the host's", [packet for packet in capture.select() if packet.source in HOST.values()], [])


@test("with a route that says unreachable, what comes for an unused address of the prefix does not loop")
def _():
    with lab_routed() as lab:
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.ip_forward", 1)
            lab.sysctl("net.ipv6.conf.all.forwarding", 1)
        lab.ip("sender", "route add default via 198.51.100.254", "route add default via 2001:db8:1::fe")
        lab.agent(CONF)
        for unreachable in (False, True):
            if unreachable:
                lab.ip("sender", *["route add unreachable %s" % PREFIX[family] for family in (4, 6)])
            capture = lab.capture()
            lab.probe_all([("192.0.2.100", 9, "udp"), ("2001:db8:7::100", 9, "udp")], namespace="receiver", timeout=0.3)
            time.sleep(0.2)
            came_back = [packet for packet in capture.select(proto="udp") if packet.dport == 9]
            check("came back, unreachable %s" % unreachable, bool(came_back), not unreachable)
            for family in (4, 6):
                check("connections", within(family, lab.source(FAR[family], uid=4001)), True)

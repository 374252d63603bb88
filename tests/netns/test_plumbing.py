# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that the agent puts on an interface: added, announced, restored, kept, removed, and never
another host's."""

import json
import os
import signal
import socket
import struct
import time

from cases import test
from lab import FAR, HOST, HOST4, HOST6, Lab, NEAR, NEAR4, NEAR6, check, pool, wait_for

CONF = """
binding a { address 198.51.100.11, 2001:db8:1::11; interface eth0; }
binding b { address 198.51.100.12, 2001:db8:1::12; interface eth0; }
policy { user 4001 use a; user 4002 use b; }
"""
OTHER_MAC = "02:00:00:00:00:99"


def held(lab, namespace="sender", link="eth0"):
    """Pool addresses on a link, with their scope."""
    shown = json.loads(lab.run(namespace, "ip", "-j", "addr", "show", "dev", link).stdout)
    return {one["local"]: one for one in shown[0]["addr_info"]
            if one.get("local") in {pool(n, family) for n in (11, 12) for family in (4, 6)}}


def both(n):
    return {pool(n, 4), pool(n, 6)}


def wait_held(lab, want):
    wait_for("addresses %s" % sorted(want), lambda: set(held(lab)) == set(want))


def lab_without_pool(**more):
    return Lab(pool_size=0, **more)


def works(lab, uid=4001, n=11):
    for family in (4, 6):
        wait_for("v%d from its address" % family,
                 lambda f=family: lab.source(FAR[f], uid=uid) == pool(n, f), step=0.002)


def neighbour(lab, address):
    shown = lab.run("receiver", "ip", "neigh", "show", address).stdout.split()
    return shown[shown.index("lladdr") + 1] if "lladdr" in shown else None


def mac(lab, namespace):
    return json.loads(lab.run(namespace, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


def sources(lab):
    """What the sender's kernel chooses for traffic that nobody claims."""
    lab.ip("sender", "route replace 10.9.0.0/16 dev eth0")
    chosen = []
    for words in (["-4", "route", "get", FAR[4]], ["-4", "route", "get", NEAR4], ["-4", "route", "get", "10.9.0.1"],
                  ["-4", "route", "get", "224.0.0.251", "oif", "eth0"],
                  ["-6", "route", "get", FAR[6]], ["-6", "route", "get", NEAR6]):
        shown = lab.run("sender", "ip", *words).stdout.split()
        chosen.append(shown[shown.index("src") + 1])
    return chosen


def announce(lab, address, sender):
    """A gratuitous ARP from the receiver, whether it has the address or not."""
    frame = (b"\xff" * 6 + sender + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) +
             sender + socket.inet_aton(address) + b"\0" * 6 + socket.inet_aton(address))
    with lab.inside("receiver"):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind(("eth0", 0x0806))
            out.send(frame)


@test("addresses with an interface are added, used, and never the source of traffic that nobody claims")
def _():
    with lab_without_pool() as lab:
        before = sources(lab)
        agent = lab.agent(CONF)
        wait_held(lab, both(11) | both(12))
        for address, shown in held(lab).items():
            check(address, shown["prefixlen"], 128 if ":" in address else 32)
            check(address, shown["scope"], "global" if ":" in address else "host")
            check("deprecated", shown.get("deprecated", False), ":" in address)
        works(lab)
        works(lab, 4002, 12)
        check("sources", sources(lab), before)
        for family in (4, 6):
            check("unassigned", lab.source(FAR[family]), HOST[family])
        lab.ip("sender", "addr del %s/24 dev eth0" % HOST4, "addr del %s/64 dev eth0" % HOST6,
               "addr add %s/24 dev eth0" % HOST4, "addr add %s/64 dev eth0 nodad" % HOST6,
               "route replace 203.0.113.0/24 via " + NEAR4, "route replace 2001:db8:2::/64 via " + NEAR6)
        check("sources, the host's address again", sources(lab), before)
        works(lab)
        check("events", len(agent.events("address.added")), 4)


@test("an address that somebody deletes is back within milliseconds, and no connection fails meanwhile for long")
def _():
    with lab_without_pool() as lab:
        agent = lab.agent(CONF)
        works(lab)
        for address in sorted(both(11)):
            before = len(agent.events("address.restored"))
            begun = time.monotonic()
            lab.ip("sender", "addr del %s/%d dev eth0" % (address, 128 if ":" in address else 32))
            wait_for(address + " again", lambda a=address: a in held(lab), step=0.001)
            took = time.monotonic() - begun
            check("quick: %.3f s" % took, took < 0.1, True)
            check("said", len(agent.wait_event("address.restored", before)), 1)
        works(lab)
        lab.ip("sender", "link set eth0 down", "link set eth0 up",
               "route replace 203.0.113.0/24 via " + NEAR4)
        wait_held(lab, both(11) | both(12))


@test("an address of the host's own is used and never removed; one of ours goes with its binding")
def _():
    with lab_without_pool() as lab:
        lab.ip("sender", "addr add 198.51.100.12/32 dev eth0")
        agent = lab.agent(CONF)
        wait_held(lab, both(11) | both(12))
        agent.write("policy { }\n")
        agent.ctl("reload")
        wait_held(lab, {"198.51.100.12"})
        agent.write(CONF)
        agent.ctl("reload")
        wait_held(lab, both(11) | both(12))
        agent.stop()
        check("kept on stop", set(held(lab)), both(11) | both(12))
        agent.start()
        time.sleep(0.8)
        check("added again", len(agent.events("address.restored")), 0)
        agent.write("policy { }\n")
        agent.ctl("reload")
        wait_held(lab, {"198.51.100.12"})


@test("an address that no binding has any more stays while connections leave from it, also over a restart", 90)
def _():
    with lab_without_pool() as lab:
        agent = lab.agent(CONF.replace("198.51.100.12, 2001:db8:1::12", "198.51.100.13"))
        works(lab)
        streams = [lab.stream(FAR[family], 3, uid=4001) for family in (4, 6)]
        agent.ctl("binding", "set", "a", "address", pool(12, 4) + ",", pool(12, 6))
        works(lab, n=12)
        check("said", [line.split("connections=")[1] for line in agent.wait_event("address.lingering", 1)], ["3"])
        time.sleep(4)
        check("there", set(held(lab)), both(11) | both(12))
        agent.kill()
        agent.start()
        time.sleep(1)
        check("there after a restart", set(held(lab)), both(11) | both(12))
        for stop in streams:
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        wait_for("the old ones to go", lambda: set(held(lab)) == both(12), 10)
        check("no host's any more", lab.run("sender", "grep", "-c", "11", agent.state + "/addresses", ok=False).stdout, "0\n")


@test("an address whose connections are killed goes at once")
def _():
    with lab_without_pool() as lab:
        agent = lab.agent(CONF)
        works(lab)
        lab.stream(FAR[4], 3, uid=4001)
        agent.ctl("binding", "remove", "a", "--reassign", "b", "--kill")
        wait_for("the address to go", lambda: set(held(lab)) == both(12), 2)
        check("did not linger", agent.events("address.lingering"), [])


@test("the addresses stay when the agent is killed, and go at a clean stop only if asked")
def _():
    with lab_without_pool() as lab:
        agent = lab.agent(CONF, "--on-stop", "remove")
        wait_held(lab, both(11) | both(12))
        agent.kill()
        check("kept", set(held(lab)), both(11) | both(12))
        agent.start()
        os.kill(agent.pid, signal.SIGSTOP)      # it would be quicker
        lab.ip("sender", "addr del 198.51.100.12/32 dev eth0", "addr add 198.51.100.12/32 dev eth0 scope host")
        os.kill(agent.pid, signal.SIGCONT)
        time.sleep(0.2)                         # somebody's now, by the kernel's own word
        agent.stop()
        check("after a clean stop", set(held(lab)), {"198.51.100.12"})


@test("the receiver knows the new owner of an address before the first packet")
def _():
    with lab_without_pool() as lab:
        for address in both(11):
            lab.ip("receiver", "neigh replace %s lladdr %s dev eth0 nud stale" % (address, OTHER_MAC))
        agent = lab.agent(CONF)
        agent.wait_event("address.added")
        for address in sorted(both(11)):
            wait_for("the receiver's entry of " + address,
                     lambda a=address: neighbour(lab, a) == mac(lab, "sender"), seconds=2, step=0.005)
        works(lab)


@test("an address that another host has is not added, and it is said who has it")
def _():
    with lab_without_pool() as lab:
        lab.ip("receiver", "addr add 198.51.100.11/32 dev eth0", "addr add 2001:db8:1::11/128 dev eth0 nodad")
        agent = lab.agent(CONF)
        wait_held(lab, both(12))
        works(lab, 4002, 12)
        check("added", set(held(lab)), both(12))
        by = mac(lab, "receiver")
        events = agent.events("address.duplicate")
        check("duplicates", len(events), 2)
        check("by whom", all("by=" + by in event for event in events), True)
        for family in (4, 6):
            check("refused", lab.source(FAR[family], uid=4001), "!ECONNREFUSED")
        check("the reason names it", by in agent.ctl("health", ok=False).stdout, True)


@test("a host that takes one of our addresses is found by its own words, and the binding refuses until it is gone", seconds=90)
def _():
    with lab_without_pool() as lab:
        agent = lab.agent(CONF)
        works(lab)
        lab.ip("receiver", "addr add 198.51.100.11/32 dev eth0")
        announce(lab, "198.51.100.11", bytes.fromhex(mac(lab, "receiver").replace(":", "")))
        agent.wait_event("address.duplicate")
        check("there still", "198.51.100.11" in held(lab), True)
        wait_for("refused", lambda: lab.source(NEAR[4], uid=4001) == "!ECONNREFUSED")
        check("IPv6 goes on", lab.source(FAR[6], uid=4001), pool(11, 6))
        lab.ip("receiver", "addr del 198.51.100.11/32 dev eth0")
        agent.wait_event("address.free", seconds=40)
        works(lab)
        forged = agent.events("address.duplicate")
        announce(lab, "198.51.100.12", bytes.fromhex("020000000099"))
        agent.wait_event("address.claimed", 1)
        time.sleep(1)
        check("a packet alone is no proof", agent.events("address.duplicate"), forged)


@test("while an address is asked for its binding refuses, and an interface that comes later is served then")
def _():
    with lab_without_pool() as lab:
        agent = lab.agent(CONF.replace("eth0", "eth7"))
        for family in (4, 6):
            check("refused", lab.source(FAR[family], uid=4001), "!ECONNREFUSED")
        lab.ip("sender", "link add eth7 type veth peer name eth7 netns " + lab.namespaces["receiver"],
               "link set eth7 up")
        lab.ip("receiver", "link set eth7 up")
        wait_for("addresses", lambda: len(held(lab, link="eth7")) == 4)
        check("told", len(agent.events("address.added")), 4)

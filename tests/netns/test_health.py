# SPDX-License-Identifier: GPL-2.0-or-later
"""Health: what cannot leave is refused at once, the reason is right, each change is one event, and active
probes leave from their own binding and by no other way."""

import json
import os
import signal
import socket
import statistics
import time

from cases import test
from lab import BUILD, FAR, HOST, Lab, NEAR, binding, check, pool, wait_for

OWN = {4: "192.0.2.11", 6: "2001:db8:3::11"}
SECOND = "binding second { address 192.0.2.11, 2001:db8:3::11; %s }\n"
WHO = "policy { user 4001 use a; user 4002 use b; user 4003 use second; }\n"


def rows(agent, *names):
    """{(name, family): (state, reason)} as `health` says."""
    reply = json.loads(agent.ctl("health", *names, "--json", ok=False).stdout)
    return {(row["name"], row["family"]): (row["state"], row["reason"]) for row in reply["health"]}


def reason(agent, name, family):
    return rows(agent, name).get((name, "ipv%d" % family))


class Monitor:
    """`outbindctl monitor --json` in the background."""

    count = 0

    def __init__(self, lab, agent):
        Monitor.count += 1
        self.path = "%s/monitor%d" % (agent.dir, Monitor.count)
        self.pid = lab.spawn(agent.namespace, [BUILD + "/outbindctl", "--runtime-dir", agent.runtime,
                                               "monitor", "--json"], log=self.path)
        wait_for("the monitor", lambda: self.events("monitor.started"))

    def events(self, *names):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as lines:
            all_of_it = [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("{")]
        return [dict({field["name"]: field["value"] for field in event["fields"]}, event=event["event"])
                for event in all_of_it if not names or event["event"] in names]

    def changes(self):
        return [(e["event"].split(".")[1], e["name"], e["family"]) for e in
                self.events("binding.unusable", "binding.usable", "uplink.unusable", "uplink.usable")]


def until(lab, family, wanted, who, to=FAR, **more):
    """Milliseconds until a connection of that client comes to @wanted."""
    start = time.monotonic()
    while True:
        got = lab.source(to[family], timeout=1.0, **who)
        if got == wanted:
            return (time.monotonic() - start) * 1000
        if time.monotonic() - start > 5:
            raise AssertionError("v%d: still %s, wanted %s" % (family, got, wanted))


@test("an address that is removed, comes back, or is tentative or another host's: the reason, one event a change")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n")
        monitor = Monitor(lab, agent)
        check("all is well", agent.ctl("health").returncode, 0)
        lab.ip("sender", "addr del %s dev eth0" % pool(11, 4))
        until(lab, 4, "!ECONNREFUSED", {"uid": 4001})
        check("why", reason(agent, "a", 4), ("unusable", pool(11, 4) + " is not on this host"))
        check("the other family", lab.source(FAR[6], uid=4001), pool(11, 6))
        check("as a check", agent.ctl("health", ok=False).returncode, 1)
        check("of another", agent.ctl("health", "b").returncode, 0)
        lab.ip("sender", "addr add %s dev eth0" % pool(11, 4))
        until(lab, 4, pool(11, 4), {"uid": 4001})
        wait_for("events", lambda: len(monitor.changes()) == 2)
        check("events", monitor.changes(), [("unusable", "a", "ipv4"), ("usable", "a", "ipv4")])
        # the receiver has the address: duplicate address detection fails
        with lab.inside("sender"):
            lab.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
        lab.ip("receiver", "addr add %s/64 dev eth0 nodad" % pool(11, 6))
        lab.ip("sender", "addr del %s/128 dev eth0" % pool(11, 6), "addr add %s/128 dev eth0" % pool(11, 6))
        wait_for("the duplicate", lambda: "duplicate address" in (reason(agent, "a", 6) or ("", ""))[1]
                 and reason(agent, "a", 6)[1].startswith("another host has " + pool(11, 6)))
        check("refused", lab.source(NEAR[6], uid=4001), "!ECONNREFUSED")
        lab.ip("receiver", "addr del %s/64 dev eth0" % pool(11, 6))
        lab.ip("sender", "addr del %s/128 dev eth0" % pool(11, 6), "addr add %s/128 dev eth0" % pool(11, 6))
        wait_for("tentative first", lambda: "tentative" in reason(agent, "a", 6)[1])
        wait_for("then usable", lambda: reason(agent, "a", 6)[0] == "usable")
        wait_for("events", lambda: len(monitor.changes()) == 4)
        check("events", monitor.changes()[2:], [("unusable", "a", "ipv6"), ("usable", "a", "ipv6")])
        check("log events", (len(agent.events("binding.unusable")), len(agent.events("binding.usable"))), (2, 2))


@test("a link that goes down: connect() is refused within milliseconds, in both families, and what stands in takes over")
def _():
    with Lab(uplink=True) as lab:
        lab.ip("sender", "addr add 192.0.2.12/32 dev eth1", "addr add 2001:db8:3::12/128 dev eth1 nodad preferred_lft 0")
        agent = lab.agent(binding("a", 11) + SECOND % "" +
                          "binding b { address 192.0.2.12, 2001:db8:3::12; unusable use a; }\n" + WHO)
        near = {4: "192.0.2.254", 6: "2001:db8:3::fe"}
        check("before", lab.source(near[4], uid=4003), OWN[4])
        monitor = Monitor(lab, agent)
        took = []
        for turn in range(5):
            before = len(agent.events("facts.applied"))
            start = time.monotonic()
            lab.ip("sender", "link set eth1 down")
            wait_for("the kernel to have it", lambda: len(agent.events("facts.applied")) > before, step=0.0005)
            took.append((time.monotonic() - start) * 1000)
            for family in (4, 6):
                check("refused v%d" % family, lab.source(FAR[family], uid=4003), "!ECONNREFUSED")
                check("stands in v%d" % family, lab.source(FAR[family], uid=4002), pool(11, family))
                # the kernel takes IPv6 addresses off a link that is set down
                why = "link eth1 is down" if family == 4 else "2001:db8:3::1%d is not on this host"
                check("why", reason(agent, "second", family), ("unusable", why.replace("%d", "1")))
                check("why", reason(agent, "b", family), ("stand-in", why.replace("%d", "2") + "; a stands in"))
            lab.ip("sender", "link set eth1 up")
            wait_for("IPv4 again", lambda: reason(agent, "second", 4)[0] == "usable")
            lab.ip("sender", "addr replace 2001:db8:3::1/64 dev eth1 nodad",
                   "addr replace 2001:db8:3::11/128 dev eth1 nodad preferred_lft 0",
                   "addr replace 2001:db8:3::12/128 dev eth1 nodad preferred_lft 0")
            wait_for("IPv6 again", lambda: reason(agent, "b", 6)[0] == "usable")
            until(lab, 4, "192.0.2.12", {"uid": 4002}, near)
        changes = monitor.changes()
        for name in ("second", "b"):
            for family in ("ipv4", "ipv6"):
                check("events of %s %s" % (name, family), [what for what, who, f in changes if (who, f) == (name, family)],
                      ["unusable", "usable"] * 5)
        print("link down to table: median %.1f ms, most %.1f ms, `ip` included" % (statistics.median(took), max(took)))
        check("milliseconds: %s" % took, statistics.median(took) < 50, True)


@test("no route leads out: unusable; an on-link network is a way out; rules of the host are not judged")
def _():
    with Lab() as lab:
        lab.ip("sender", "addr add 10.77.0.1/32 dev lo")
        agent = lab.agent(binding("a", 11, families=(4,)) + "binding b { address 10.77.0.1; }\n")
        check("on-link", reason(agent, "a", 4)[0], "usable")
        lab.ip("sender", "route flush table main")
        wait_for("no way out", lambda: reason(agent, "a", 4) == ("unusable", "no IPv4 route leads out"))
        lab.ip("sender", "rule add from 10.9.0.0/16 lookup 77 pref 500")
        wait_for("cannot tell", lambda: reason(agent, "a", 4)[0] == "usable")
        lab.ip("sender", "rule del pref 500")
        wait_for("no way out", lambda: reason(agent, "a", 4)[0] == "unusable")
        lab.ip("sender", "route add 198.51.100.0/24 dev eth0")
        wait_for("a network", lambda: reason(agent, "a", 4)[0] == "usable")


PROBED = """
binding a { address %s, %s; probe tcp %s:9000 every 100ms down 3 up 2; unusable use b; }
binding b { address %s, %s; }
policy { user 4001 use a; user 4002 use b; otherwise use b; }
""" % (pool(11, 4), pool(11, 6), FAR[4], pool(12, 4), pool(12, 6))


@test("a tcp probe: the server dies and comes back, thresholds hold, what stands in takes over on the wire and back")
def _():
    with Lab() as lab:
        server = lab.serve("receiver", (9000,))
        agent = lab.agent(PROBED)
        monitor = Monitor(lab, agent)
        wire = lab.capture()
        time.sleep(1)
        check("works", reason(agent, "a", 4)[0], "usable")
        check("leaves", lab.source(FAR[4], uid=4001), pool(11, 4))
        lab.end(server)
        wait_for("unusable", lambda: reason(agent, "a", 4) ==
                 ("stand-in", "probe tcp %s:9000 fails; b stands in" % FAR[4]))
        check("takes over", lab.source(FAR[4], uid=4001), pool(12, 4))
        check("the other family is not asked about", lab.source(FAR[6], uid=4001), pool(11, 6))
        time.sleep(1)
        check("stays so", reason(agent, "a", 4)[0], "stand-in")
        lab.serve("receiver", (9000,))
        wait_for("usable", lambda: reason(agent, "a", 4)[0] == "usable")
        check("back", lab.source(FAR[4], uid=4001), pool(11, 4))
        check("events", monitor.changes(), [("unusable", "a", "ipv4"), ("usable", "a", "ipv4")])
        check("log events", (len(agent.events("binding.unusable")), len(agent.events("binding.usable"))), (1, 1))
        time.sleep(0.2)
        probes = [packet for packet in wire.select() if 9000 in (packet.sport, packet.dport)]
        check("probes were seen", len(probes) > 20, True)
        check("from the binding alone", {packet.source for packet in probes if packet.dport == 9000}, {pool(11, 4)})


@test("a probe that fails now and then does not flap; suspended and otherwise unusable bindings are not probed")
def _():
    with Lab() as lab:
        agent = lab.agent(PROBED.replace("down 3", "down 3"))
        wait_for("no server", lambda: reason(agent, "a", 4)[0] == "stand-in")
        before = len(agent.events("binding.unusable")) + len(agent.events("binding.usable"))
        # one answer in three: never two in a row
        lab.nft("-f", "-", namespace="receiver", text="""
table inet lossy {
	chain in { type filter hook input priority 0
		tcp dport 9000 tcp flags & (syn | ack) == syn numgen inc mod 3 != 0 drop
	}
}
""")
        lab.serve("receiver", (9000,))
        time.sleep(2)
        check("still not", reason(agent, "a", 4)[0], "stand-in")
        check("no event", len(agent.events("binding.unusable")) + len(agent.events("binding.usable")), before)
        lab.nft("delete table inet lossy", namespace="receiver")
        wait_for("usable", lambda: reason(agent, "a", 4)[0] == "usable")
        agent.ctl("binding", "suspend", "a")
        time.sleep(0.3)
        wire = lab.capture()
        time.sleep(0.7)
        check("silence", [packet for packet in wire.select() if packet.dport == 9000], [])
        check("suspended", reason(agent, "a", 4)[0], "suspended")


@test("an icmp probe, IPv4 and IPv6, of bindings that have no other way to know; others' masquerading does not fool it")
def _():
    with Lab() as lab:
        conf = "".join("binding %s { address %s; probe icmp %s every 100ms down 2 up 2; }\n" %
                       (name, pool(n, family), FAR[family]) for name, n, family in (("a", 11, 4), ("b", 12, 6)))
        agent = lab.agent(conf)
        lab.nft("-f", "-", text="""
table inet nat {
	chain post { type nat hook postrouting priority srcnat
		oifname "eth0" masquerade
	}
}
""")
        wire = lab.capture()
        time.sleep(1)
        check("works", {state for state, _ in rows(agent).values()}, {"usable"})
        lab.nft("-f", "-", namespace="receiver", text="""
table inet deaf {
	chain in { type filter hook input priority 0
		icmp type echo-request drop
		icmpv6 type echo-request drop
	}
}
""")
        for name, family in (("a", 4), ("b", 6)):
            wait_for("v%d fails" % family, lambda: reason(agent, name, family) ==
                     ("unusable", "probe icmp %s fails" % FAR[family]))
        lab.nft("delete table inet deaf", namespace="receiver")
        for name, family in (("a", 4), ("b", 6)):
            wait_for("v%d works" % family, lambda: reason(agent, name, family)[0] == "usable")
        time.sleep(0.2)
        sources = {packet.source for packet in wire.select() if packet.to in (FAR[4], FAR[6])}
        check("on the wire", sources, {pool(11, 4), pool(12, 6)})


@test("a thousand probes at once: spread over the interval, one event each at most, and the agent answers meanwhile", seconds=120)
def _():
    with Lab(pool_size=1) as lab:
        count = 1000
        lab.ip("sender", *["addr add 10.9.%d.%d/32 dev lo" % (n // 250, n % 250 + 1) for n in range(count)])
        lab.ip("receiver", "route add 10.9.0.0/16 via " + HOST[4])
        server = lab.serve("receiver", (9000,))
        agent = lab.agent("".join("binding b%d { address 10.9.%d.%d; probe tcp %s:9000 every 1s down 2 up 1; }\n" %
                                  (n, n // 250, n % 250 + 1, FAR[4]) for n in range(count)))
        monitor = Monitor(lab, agent)
        wire = lab.capture()
        time.sleep(3)
        check("all usable", agent.ctl("health").returncode, 0)
        os.kill(agent.pid, signal.SIGSTOP)      # a capture ends when it is quiet
        packets = wire.select(dport=9000)
        os.kill(agent.pid, signal.SIGCONT)
        check("all were sent", len({packet.source for packet in packets}), count)
        lab.end(server)
        wait_for("all unusable", lambda: sum(state == "unusable" for state, _ in rows(agent).values()) == count, 15)
        start = time.monotonic()
        agent.ctl("status")
        check("the agent answers", time.monotonic() - start < 0.5, True)
        told = [event for event in monitor.events("binding.unusable")]
        check("each once", len(told), len({event["name"] for event in told}))
        lab.serve("receiver", (9000,))
        wait_for("all usable", lambda: agent.ctl("health", ok=False).returncode == 0, 15)


@test("who listens hears every event once, also in JSON; who does not read is told how many were lost; `health --watch` prints changes")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12))
        monitors = [Monitor(lab, agent) for _ in range(3)]
        watch = agent.dir + "/watch"
        lab.spawn("sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "health", "--watch", "a"], log=watch)
        wait_for("the table", lambda: os.path.exists(watch) and "a     binding  ipv4    usable" in open(watch).read())
        agent.ctl("binding", "suspend", "b")
        lab.ip("sender", "addr del %s dev eth0" % pool(11, 4))
        for monitor in monitors:
            wait_for("events", lambda: len(monitor.changes()) == 1)
            check("suspended", [event["name"] for event in monitor.events("binding.suspended")], ["b"])
        wait_for("the change", lambda: "binding.unusable" in open(watch).read())
        check("not of b", "binding.suspended" in open(watch).read(), False)
        # a listener that never reads, and more events than are kept
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(agent.runtime + "/org.outbind")
        silent.sendall(b'{"method":"org.outbind.Monitor","more":true}\0')
        for _ in range(1500):
            for verb in ("SuspendBinding", "ResumeBinding"):
                agent.call("org.outbind." + verb, name="a")
        silent.settimeout(5)
        lost, seen = 0, b""
        while b'"dropped"' not in seen or not lost:
            seen += silent.recv(1 << 16)
            lost = sum(json.loads(text)["parameters"]["dropped"] for text in seen.split(b"\0")[:-1])
        check("lost: %d" % lost, lost > 0, True)


UPLINK = """
uplink isp2 { interface eth1; gateway 192.0.2.254, 2001:db8:3::fe; %s }
binding far { address 192.0.2.11, 2001:db8:3::11; uplink isp2; %s unusable use near; }
binding near { address 198.51.100.12, 2001:db8:1::c; }
policy { user 4001 use far; otherwise use near; }
"""


@test("an uplink's gateway that goes: its bindings only, and what stands in takes over on the other link, and back", seconds=90)
def _():
    with Lab(uplink=True) as lab:
        lab.ip("sender", "addr add 2001:db8:1::c/128 dev eth0 nodad preferred_lft 0")
        agent = lab.agent(UPLINK % ("", ""))
        monitor = Monitor(lab, agent)
        for family in (4, 6):
            check("by its uplink", lab.source(FAR[family], uid=4001), OWN[family])
        lab.ip("receiver", "addr del 192.0.2.254/24 dev eth1")
        wait_for("the gateway is missed", lambda: reason(agent, "isp2", 4) ==
                 ("unusable", "gateway 192.0.2.254 does not answer"), 20)
        check("so is the binding", reason(agent, "far", 4),
              ("stand-in", "gateway 192.0.2.254 does not answer; near stands in"))
        check("stands in", lab.source(FAR[4], uid=4001), "198.51.100.12")
        check("the other family", lab.source(FAR[6], uid=4001), OWN[6])
        check("the other binding", reason(agent, "near", 4)[0], "usable")
        lab.ip("receiver", "addr add 192.0.2.254/24 dev eth1")
        wait_for("the gateway is back", lambda: reason(agent, "far", 4)[0] == "usable", 40)
        check("back", lab.source(FAR[4], uid=4001), OWN[4])
        check("events", sorted(monitor.changes()), sorted((what, name, "ipv4") for what in ("unusable", "usable")
                                                          for name in ("far", "isp2")))


@test("probes of an uplink, and of a binding with an uplink, leave by that uplink and no other way")
def _():
    with Lab(uplink=True) as lab:
        lab.ip("sender", "addr add 2001:db8:1::c/128 dev eth0 nodad preferred_lft 0")
        lab.serve("receiver", (9000,))
        agent = lab.agent(UPLINK % ("probe icmp %s every 100ms down 3 up 2;" % FAR[6],
                                    "probe tcp %s:9000 every 100ms down 3 up 2;" % FAR[4]))
        main, second = lab.capture(links=("eth0",)), lab.capture(links=("eth1",))
        time.sleep(1)
        check("works", {state for state, _ in rows(agent).values()}, {"usable"})
        lab.nft("-f", "-", namespace="receiver", text="""
table inet deaf {
	chain in { type filter hook input priority 0
		iifname eth1 icmpv6 type echo-request drop
		iifname eth1 tcp dport 9000 drop
	}
}
""")
        wait_for("uplink fails", lambda: reason(agent, "isp2", 6) == ("unusable", "probe icmp %s fails" % FAR[6]))
        wait_for("binding fails", lambda: (reason(agent, "far", 4), reason(agent, "far", 6)) == (
            ("stand-in", "probe tcp %s:9000 fails; near stands in" % FAR[4]),
            ("stand-in", "probe icmp %s fails; near stands in" % FAR[6])))
        for family, source in ((4, "198.51.100.12"), (6, "2001:db8:1::c")):
            check("stands in", lab.source(FAR[family], uid=4001), source)
        lab.nft("delete table inet deaf", namespace="receiver")
        wait_for("usable again", lambda: {state for state, _ in rows(agent).values()} == {"usable"})
        time.sleep(0.2)
        check("on the main way", [p for p in main.select() if p.dport == 9000 or (p.proto == "icmpv6" and p.to == FAR[6])], [])
        sent = [p for p in second.select() if p.to in FAR.values()]
        check("IPv4", {p.source for p in sent if p.dport == 9000}, {OWN[4]})
        check("IPv6", {p.source for p in sent if p.proto == "icmpv6"}, {"2001:db8:3::1"})


@test("a probe whose first packet is lost is answered all the same: it is sent again")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", namespace="receiver", text="""
table inet lossy {
	chain in { type filter hook input priority 0
		tcp dport 9000 tcp flags & (syn | ack) == syn numgen inc mod 2 == 0 drop
	}
}
""")
        lab.serve("receiver", (9000,))
        wire = lab.capture()
        agent = lab.agent("binding a { address %s; probe tcp %s:9000 every 2s down 1 up 1; }\n" % (pool(11, 4), FAR[4]))
        time.sleep(6)
        check("no event", agent.events("binding.unusable"), [])
        probes = wire.select(dport=9000)
        check("sent again", max(packet.count for packet in probes) >= 4, True)


@test("what a probe found stays over reloads, wherever its binding stands then, and goes with the probe")
def _():
    with Lab() as lab:
        agent = lab.agent(PROBED)
        monitor = Monitor(lab, agent)
        wait_for("no server", lambda: reason(agent, "a", 4)[0] == "stand-in")
        agent.write("binding new { address %s; }\n" % pool(13, 4) + PROBED)
        agent.ctl("reload")
        check("another place, the same word", reason(agent, "a", 4)[0], "stand-in")
        check("not of another", reason(agent, "new", 4)[0], "usable")
        time.sleep(0.5)
        check("one event", monitor.changes(), [("unusable", "a", "ipv4")])
        agent.ctl("binding", "set", "a", "remove", "probe")
        wait_for("no probe, no objection", lambda: reason(agent, "a", 4)[0] == "usable")
        check("leaves", lab.source(FAR[4], uid=4001), pool(11, 4))
        agent.ctl("binding", "set", "a", "probe", "tcp", FAR[4] + ":9000", "every", "100ms")
        wait_for("asked again", lambda: reason(agent, "a", 4)[0] == "stand-in")
        wire = lab.capture()
        agent.ctl("binding", "set", "a", "remove", "probe")
        time.sleep(0.5)
        check("asked no more", sum(packet.count for packet in wire.select(dport=9000)) < 4, True)

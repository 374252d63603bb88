# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows: the source that a connection really has, who sends, and what is said when it is a wrong one."""

import json
import os
import socket
import time

from cases import test
from lab import BUILD, FAR, HOST, Lab, PORT, binding, check, pool, wait_for

CONF = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n"


def flows(agent, *words, ok=True):
    reply = json.loads(agent.ctl("flows", "--json", *words, ok=ok).stdout)
    return reply["flows"]


class Holder:
    """Connections of one client that stay until close()."""

    def __init__(self, lab, targets, namespace="sender", bind=None, **who):
        self.lab = lab
        self.mine, child = socket.socketpair()
        self.pid = lab.fork(namespace, self._work, child, targets, bind, who)
        child.close()
        self.mine.settimeout(20)
        self.results = json.loads(self.mine.makefile().readline())

    @staticmethod
    def _work(control, targets, bind, who):
        import traffic
        traffic.enter(who)
        results, kept = [], []
        for to, port, *proto in targets:
            family = socket.AF_INET6 if ":" in to else socket.AF_INET
            kind = socket.SOCK_DGRAM if proto == ["udp"] else socket.SOCK_STREAM
            sock = traffic.open_socket(who, family, kind)
            sock.settimeout(1.5)
            try:
                if bind:
                    sock.bind((bind, 0))
                sock.connect((to, port))
                if kind == socket.SOCK_DGRAM:
                    sock.send(b"?")
                seen = sock.recv(200).split()
                results.append([seen[0].decode(), int(seen[1]), sock.getsockname()[1]])
            except OSError as error:
                results.append(["!" + type(error).__name__ + str(error.errno or ""), 0, 0])
            kept.append(sock)
        control.sendall(json.dumps(results).encode() + b"\n")
        control.recv(1)

    def close(self):
        self.mine.sendall(b"x")
        self.lab.reap(self.pid)
        self.mine.close()


class Follower:
    """`outbindctl flows --follow --json` in the background."""

    count = 0

    def __init__(self, lab, agent, *words):
        Follower.count += 1
        self.path = "%s/follow%d" % (agent.dir, Follower.count)
        self.pid = lab.spawn(agent.namespace, [BUILD + "/outbindctl", "--runtime-dir", agent.runtime,
                                               "flows", "--follow", "--json", *words], log=self.path)
        wait_for("the subscription", lambda: self.sockets(lab) == 1)
        time.sleep(0.3)                         # of a second one, which shares the socket

    @staticmethod
    def sockets(lab):
        """Netlink sockets in the sender that hear of new connections: groups are a mask in /proc."""
        text = lab.run("sender", "cat", "/proc/net/netlink").stdout
        return sum(1 for line in text.splitlines()[1:] if line.split()[1] == "12" and
                   int(line.split()[3], 16) & 1)

    def events(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]


@test("flows: client, rule, binding, intended and actual source, destination, state, in both families, and filters")
def _():
    with Lab() as lab:
        with lab.inside("sender"):
            lab.sysctl("net.netfilter.nf_conntrack_acct", 1)
            lab.sysctl("net.netfilter.nf_conntrack_timestamp", 1)
        agent = lab.agent(CONF)
        held = Holder(lab, [(FAR[4], PORT), (FAR[6], PORT), (FAR[4], 53, "udp")], uid=4001)
        other = Holder(lab, [(FAR[4], 25)], uid=4002)
        check("the receiver's view", [seen[0] for seen in held.results], [pool(11, 4), pool(11, 6), pool(11, 4)])
        found = flows(agent, "--binding", "a")
        check("so many", len(found), 3)
        for family, result in ((4, held.results[0]), (6, held.results[1])):
            flow = next(f for f in found if f["to"] == FAR[family] and f["protocol"] == "tcp")
            check("source and its port", (flow["source"], flow["source_port"]), (result[0], result[1]))
            check("as sent", (flow["from"], flow["from_port"], flow["local"]), (HOST[family], result[2], True))
            check("intended", flow["intended"], [pool(11, family)])
            check("verdict", flow["verdict"], "own")
            check("binding", (flow["binding"], flow["mark"]), ("a", agent.mark("a")))
            check("client", (flow["uid"], flow["pid"], flow["command"], flow["tagged"]),
                  (4001, held.pid, "python3", False))
            check("rule", (flow["rule"]["client"], flow["rule"]["action"]), ("user 4001", "use a"))
            check("destination", (flow["to_port"], flow["state"]), (PORT, "ESTABLISHED"))
            check("age", 0 <= flow["age_ms"] < 20000, True)
            check("traffic", flow["sent"]["packets"] >= 2 and flow["answered"]["bytes"] > 60, True)
        udp = next(f for f in found if f["protocol"] == "udp")
        check("udp", (udp["to_port"], udp["source"], udp["uid"], udp["pid"]), (53, pool(11, 4), 4001, held.pid))
        for words, want in ((("--to", FAR[4]), 3), (("--to", FAR[4] + ":25"), 1), (("--to", "[%s]:%d" % (FAR[6], PORT)), 1),
                            (("--to", "203.0.113.0/24"), 3), (("--to", FAR[4] + ":26"), 0),
                            (("--client", "user:4002"), 1), (("--client", "pid:%d" % held.pid), 3),
                            (("--client", "pid:1"), 0), (("--client", "source:" + HOST[6]), 1), ((), 4),
                            (("--binding", "b", "--client", "uid:4001"), 0)):
            check("flows %s" % (words,), len(flows(agent, *words)), want)
        text = agent.ctl("flows").stdout
        check("as text", "python3[%d]" % held.pid in text and "user 4001" in text and pool(11, 4) in text, True)
        check("counted, so no hint", "nf_conntrack_acct" in text, False)
        check("an unknown binding", agent.ctl("flows", "--binding", "zzz", ok=False).returncode, 5)
        for words in (("--to", "nowhere"), ("--to", "1.2.3.4:0"), ("--client", "who")):
            check("refused %s" % (words,), agent.ctl("flows", *words, ok=False).returncode, 2)
        held.close()
        other.close()


@test("flows: a tagged socket, a unit, a forwarded client, and what is not known is said so")
def _():
    with Lab(guest=True) as lab:
        group = lab.cgroup("/system.slice/app.service")
        agent = lab.agent(CONF + binding("c", 13) + binding("d", 14) +
                          'policy { unit app.service use c; source 10.88.7.0/24 use d; }\n')
        tagged = Holder(lab, [(FAR[4], PORT)], mark=agent.mark("b"))
        unit = Holder(lab, [(FAR[4], PORT)], cgroup=group)
        guest = Holder(lab, [(FAR[4], PORT)], namespace="guest")
        for held, address in ((tagged, 12), (unit, 13), (guest, 14)):
            check("receiver", held.results[0][0], pool(address, 4))
        by = {flow["binding"]: flow for flow in flows(agent)}
        check("tagged", (by["b"]["tagged"], by["b"]["rule"]), (True, None))
        check("unit", (by["c"].get("unit"), by["c"]["rule"]["client"]), ("app.service", "unit app.service"))
        check("found by unit", len(flows(agent, "--client", "unit:app.service")), 1)
        check("forwarded", (by["d"]["local"], by["d"].get("uid"), by["d"]["rule"]["client"], by["d"]["from"]),
              (False, None, "source 10.88.7.0/24", "10.88.7.2"))
        text = agent.ctl("flows").stdout
        check("not counted, and how to", "nf_conntrack_acct=1" in text and "nf_conntrack_timestamp=1" in text, True)
        unit.close()
        check("the socket is gone", [f for f in flows(agent, "--binding", "c") if "pid" in f], [])
        tagged.close()
        guest.close()


@test("flows --follow: each connection begins and ends, others' are not told, and nobody listens when nobody follows")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        check("nobody listens", Follower.sockets(lab), 0)
        follower, only = Follower(lab, agent), Follower(lab, agent, "--binding", "b")
        held, seen = [], {}
        begun = lambda: [e for e in follower.events() if e["what"] == "new"]
        for family in (4, 6):
            held.append(Holder(lab, [(FAR[family], PORT)], uid=4001))
            seen[family] = held[-1].results[0]
            wait_for("its begin", lambda: len(begun()) == len(held))
        for one in held:
            one.close()
        lab.source(FAR[4])                      # nobody's
        for family, event in zip((4, 6), begun()):
            check("source", (event["source"], event["source_port"]), tuple(seen[family][:2]))
            check("client", (event["uid"], event["rule"]["client"], event["verdict"]), (4001, "user 4001", "own"))
        with lab.inside("sender"):
            lab.sysctl("net.netfilter.nf_conntrack_tcp_timeout_time_wait", 1)
            lab.sysctl("net.netfilter.nf_conntrack_tcp_timeout_close", 1)
        lab.run("sender", "conntrack", "-D", "-p", "tcp", ok=False)
        wait_for("their ends", lambda: [e["what"] for e in follower.events()].count("ended") == 2)
        for event in (e for e in follower.events() if e["what"] == "ended"):
            check("client of an ended one", (event["uid"], event["binding"]), (4001, "a"))
        check("of b", only.events(), [])
        lab.end(follower.pid)
        lab.end(only.pid)
        wait_for("nobody listens", lambda: Follower.sockets(lab) == 0)


def foreign(priority, what):
    """Somebody else's source NAT, both families."""
    return """
table inet foreign {
	chain post { type nat hook postrouting priority %d; policy accept;
		oif "eth0" meta l4proto { tcp, udp } ip saddr != 203.0.113.0/24 %s
	}
}
""" % (priority, what)


@test("somebody else's SNAT before ours: no packet leaves wrong, and flows, status and an event say who refused what")
def _():
    with Lab() as lab:
        lab.ip("sender", "addr add 198.51.100.99/24 dev eth0")
        agent = lab.agent(CONF)
        check("before", lab.source(FAR[4], uid=4001), pool(11, 4))
        for priority in (0, 80, 89):
            lab.nft("-f", "-", text=foreign(priority, "snat ip to 198.51.100.99"))
            capture = lab.capture()
            before = len(agent.events("source.refused"))
            check("no answer", lab.source(FAR[4], uid=4001, timeout=0.5), "!TIMEOUT")
            if priority == 0:
                line = agent.wait_event("source.refused", before)[0]
                check("the event: " + line, "binding=a" in line and "actual=198.51.100.99" in line and
                      "intended=" + pool(11, 4) in line, True)
            time.sleep(0.2)
            check("on the wire", capture.sources(to=FAR[4]), set())
            lab.nft("delete", "table", "inet", "foreign")
        reply = json.loads(agent.ctl("flows", "--json", ok=False).stdout)
        check("flows", reply["refused"], [{"binding": "a", "source": "198.51.100.99"}])
        check("as a check", agent.ctl("flows", ok=False).returncode, 1)
        check("as text", "somebody gave the source 198.51.100.99" in agent.ctl("flows", ok=False).stdout, True)
        wait_for("counted", lambda: agent.json("status")["sources"]["refused"] >= 3)
        check("one event a minute", len(agent.events("source.refused")), 1)
        check("after", lab.source(FAR[4], uid=4001), pool(11, 4))


@test("somebody else's SNAT after ours: ours stands; an application's own bind is rewritten by it, and refused")
def _():
    with Lab() as lab:
        lab.ip("sender", "addr add 198.51.100.99/24 dev eth0")
        agent = lab.agent(CONF)
        for priority in (91, 100, 300):
            lab.nft("-f", "-", text=foreign(priority, "snat ip to 198.51.100.99"))
            held = Holder(lab, [(FAR[4], PORT)], uid=4001)
            check("receiver", held.results[0][0], pool(11, 4))
            check("flows", [(f["source"], f["verdict"]) for f in flows(agent, "--client", "pid:%d" % held.pid)],
                  [(pool(11, 4), "own")])
            held.close()
            check("nothing is wrong", agent.json("status")["sources"], {"wrong": 0, "refused": 0, "lost": 0})
            lab.nft("delete", "table", "inet", "foreign")
        lab.nft("-f", "-", text=foreign(300, "snat ip to 198.51.100.99"))
        check("its own bind", lab.source(FAR[4], uid=4001, bind=pool(11, 4), timeout=0.5), "!TIMEOUT")
        line = agent.wait_event("source.refused")[0]
        check("the event: " + line, "binding=a" in line and "actual=198.51.100.99" in line, True)


MANGLE = """
table inet foreign {
	chain post { type filter hook postrouting priority %d; policy accept;
		oif "eth0" ip daddr 203.0.113.0/24 ip saddr set 198.51.100.99
		oif "eth0" ip6 daddr 2001:db8:2::/64 ip6 saddr set 2001:db8:1::99
	}
}
"""


@test("sources written without NAT, before ours and after: nothing leaves so, and an event names what was written")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for priority in (-150, 95, 150, 400):
            lab.nft("-f", "-", text=MANGLE % priority)
            capture = lab.capture()
            for family in (4, 6):
                got = lab.source(FAR[family], uid=4001, timeout=0.4)
                check("v%d at %d: %s" % (family, priority, got), got in ("!TIMEOUT", pool(11, family)), True)
            time.sleep(0.1)
            check("on the wire", capture.sources() - {pool(11, 4), pool(11, 6)}, set())
            lab.nft("delete", "table", "inet", "foreign")
        wait_for("events", lambda: len(agent.events("source.refused")) == 2)
        lines = " ".join(agent.events("source.refused"))
        check("both families: " + lines, "actual=198.51.100.99" in lines and "actual=2001:db8:1::99" in lines, True)


@test("a number that others write over the connection mark: found without anybody looking, and by flows")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        number = agent.mark("a")
        wait_for("the first census", lambda: agent.json("status")["census"]["serial"] > 0, 5)
        lab.nft("-f", "-", text="""
table inet foreign {
	chain post { type filter hook postrouting priority 2147483646; policy accept; tcp dport %d ct mark set %d; }
}
""" % (PORT, number))
        held = Holder(lab, [(FAR[4], PORT), (FAR[6], PORT)], uid=4009)
        check("receiver", [r[0] for r in held.results], [HOST[4], HOST[6]])
        found = flows(agent, ok=False)
        check("flows", sorted((f["binding"], f["source"], f["verdict"]) for f in found),
              sorted([("a", HOST[4], "wrong"), ("a", HOST[6], "wrong")]))
        check("as text", "WRONG, intended: " + pool(11, 4) in agent.ctl("flows", ok=False).stdout, True)
        check("as a check", agent.ctl("flows", ok=False).returncode, 1)
        lines = wait_for("alarms", lambda: len(agent.events("source.wrong")) == 2 and agent.events("source.wrong"), 30)
        check("the event: %s" % lines, any("actual=%s" % HOST[4] in line and "intended=" + pool(11, 4) in line
                                           for line in lines), True)
        check("counted once each", agent.json("status")["sources"]["wrong"], 2)
        held.close()


@test("no false alarm: addresses that were changed, by reload, by the tool, and before a restart", seconds=150)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        held = Holder(lab, [(FAR[4], PORT), (FAR[6], PORT)], uid=4001)
        quick = Holder(lab, [(FAR[4], PORT)], uid=4002)
        agent.write(binding("a", 14) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n")
        agent.ctl("reload")
        agent.ctl("binding", "set", "b", "address", pool(15, 4))
        check("the new ones", (lab.source(FAR[4], uid=4001), lab.source(FAR[4], uid=4002)), (pool(14, 4), pool(15, 4)))
        check("flows", sorted({(f["source"], f["verdict"]) for f in flows(agent) if f["state"] == "ESTABLISHED"}),
              sorted([(pool(11, 4), "former"), (pool(11, 6), "former"), (pool(12, 4), "former")]))
        serial = agent.json("status")["census"]["serial"]
        wait_for("a census", lambda: agent.json("status")["census"]["serial"] > serial + 1, 40)
        check("no alarm", agent.json("status")["sources"]["wrong"], 0)
        agent.stop()
        agent.start()
        wait_for("two", lambda: agent.json("status")["census"]["serial"] > 1, 40)
        check("no alarm after a restart", (agent.json("status")["sources"]["wrong"], agent.events("source.wrong")), (0, []))
        check("not called wrong", {f["verdict"] for f in flows(agent) if f["state"] == "ESTABLISHED"}, {"former"})
        held.close()
        quick.close()


@test("who reads slowly is waited for, and a user has four calls at a time")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        held = Holder(lab, [(FAR[4], PORT)] * 300, uid=4001)
        path = agent.runtime + "/" + next(n for n in os.listdir(agent.runtime) if n.startswith("org.outbind"))
        call = json.dumps({"method": "org.outbind.ListFlows", "more": True}).encode() + b"\0"
        slow = [socket.socket(socket.AF_UNIX) for _ in range(5)]
        for sock in slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(path)
            sock.settimeout(5)
            sock.sendall(call)
        check("another is served", agent.ctl("status").returncode, 0)
        texts = []
        for sock in slow:
            text = b""
            while not text.endswith(b"\0") or b'"continues"' in text.split(b"\0")[-2]:
                text += sock.recv(65536)
            texts.append([json.loads(part) for part in text.split(b"\0")[:-1]])
        counts = [sum(len(m["parameters"].get("flows", ())) for m in messages) for messages in texts]
        check("all of them, but for one caller", sorted(counts), [0, 300, 300, 300, 300])
        errors = [m["error"] for messages in texts for m in messages if "error" in m]
        check("busy", errors, ["org.outbind.Busy"])
        for sock in slow:
            sock.close()
        wait_for("room again", lambda: len(flows(agent)) == 300)
        held.close()

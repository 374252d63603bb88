# SPDX-License-Identifier: GPL-2.0-or-later
"""`outbindctl verify`: what it says of the wire is what the receiver sees, also when somebody else rewrites."""

import json
import re
import time

from cases import test
from lab import BUILD, FAR, HOST, Lab, PORT, binding, check, pool, wait_for

CONF = binding("a", 11) + binding("b", 12, 13) + "binding only4 { address 198.51.100.14; }\n"
UPLINK = ("uplink second { interface eth1; gateway 192.0.2.254, 2001:db8:3::fe; }\n"
          "binding far { address 192.0.2.11, 2001:db8:3::11; uplink second; }\n")


TO = {4: "%s:%d" % (FAR[4], PORT), 6: "[%s]:%d" % (FAR[6], PORT)}


def verify(agent, *words, to, ok=None, timeout="2s"):
    """{(binding, family): result} and the whole reply."""
    result = agent.ctl("verify", *words, "--to", to, "--timeout", timeout, "--json", ok=False)
    check("exit status: " + result.stderr, result.returncode in (0, 1), True)
    reply = json.loads(result.stdout)
    if ok is not None:
        check("exit status (%s)" % reply, result.returncode, 0 if ok else 1)
    check("sums", reply["passed"] + reply["failed"] + reply["refused"], len(reply["results"]))
    return {(row["binding"], row["family"]): row for row in reply["results"]}, reply


def mac(lab, namespace, link):
    with lab.inside(namespace):
        return re.search(r"link/ether (\S+)", lab.run(namespace, "ip", "link", "show", link).stdout).group(1)


@test("verify passes what leaves right: source, link, MAC and next hop of each binding and family, SYN-ACK and RST")
def _():
    with Lab(uplink=True) as lab:
        agent = lab.agent(CONF + UPLINK)
        macs = {link: (mac(lab, "sender", link), mac(lab, "receiver", link)) for link in ("eth0", "eth1")}
        capture = lab.capture(links=("eth0", "eth1"))
        for family, to in TO.items():
            rows, reply = verify(agent, to=to, ok=True)
            names = {"a", "b", "far"} | ({"only4"} if family == 4 else set())
            check("bindings", {name for name, _ in rows}, names)
            for (name, which), row in rows.items():
                link = "eth1" if name == "far" else "eth0"
                check("family", which, "ipv%d" % family)
                check("%s: %s" % (name, row), (row["result"], row["reply"], row["links"]), ("pass", "syn-ack", [link]))
                check("source", row["seen"]["source"] in row["expected"], True)
                check("next hop", (row["seen"]["mac"], row["seen"]["next_hop"], row["seen"]["link"]), (*macs[link], link))
                check("time", 0 < row["reply_us"] < 2e6, True)
            rows, _ = verify(agent, "a", to=to.replace(str(PORT), "7999"), ok=True)
            check("a closed port", rows["a", "ipv%d" % family]["reply"], "rst")
        check("on the wire", capture.sources(proto="tcp", dport=PORT),
              {pool(n, f) for n in (11, 12, 13, 14) for f in (4, 6)} & capture.sources(proto="tcp", dport=PORT)
              | {"192.0.2.11", "2001:db8:3::11"})
        text = agent.ctl("verify", "a", "--to", TO[4]).stdout
        check("for people: " + text, bool(re.search(
            r"pass +a +ipv4 +left from 198\.51\.100\.11 by eth0, %s to next hop %s; SYN-ACK after [\d.]+ ms\n"
            r"1 passed, 0 failed, 0 refused\n" % macs["eth0"], text)), True)


@test("verify of groups, routed prefixes, stand-ins and names that are not there")
def _():
    with Lab() as lab:
        lab.ip("receiver", "route add 192.0.2.0/24 via " + HOST[4], "route add 2001:db8:9::/64 via " + HOST[6])
        agent = lab.agent(CONF + "group g { member a; member b; }\n"
                          "binding wide { address 192.0.2.0/24 routed; address 2001:db8:9::/64 routed; }\n"
                          "binding gone { address 198.51.100.77, 2001:db8:1::77; unusable use a; }\n")
        for family, to in TO.items():
            key = "ipv%d" % family
            rows, _ = verify(agent, "g", to=to, ok=True)
            check("members", set(rows), {("a", key), ("b", key)})
            rows, _ = verify(agent, "wide", "gone", to=to, ok=True)
            seen = rows["wide", key]["seen"]["source"]
            check("of the prefix", seen.startswith("192.0.2." if family == 4 else "2001:db8:9:"), True)
            check("who stands in", rows["gone", key]["seen"]["source"], pool(11, family))
        result = agent.ctl("verify", "nobody", "--to", FAR[4], ok=False)
        check("unknown: " + result.stderr, (result.returncode, "no binding 'nobody'" in result.stderr), (5, True))
        result = agent.ctl("verify", "only4", "--to", FAR[6], ok=False)
        check("other family: " + result.stderr, (result.returncode, "only4 has no address" in result.stderr), (1, True))
        for words in (["a"], ["a", "--to", "[::1"], ["a", "--to", FAR[4] + ":0"], ["a", "--to", FAR[4], "--timeout", "x"]):
            check("usage %s" % words, agent.ctl("verify", *words, ok=False).returncode, 2)
        agent.ctl("bypass", "add", "203.0.113.0/24")
        result = agent.ctl("verify", "a", "--to", FAR[4], ok=False)
        check("exempt: " + result.stderr, (result.returncode, "nothing can be proven" in result.stderr), (1, True))


@test("what the policy refuses is shown as refused, with the reason, and nothing leaves")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF + "binding gone { address 198.51.100.77, 2001:db8:1::77; }\n"
                          "binding full { address 198.51.100.15, 2001:db8:1::15; limit new 1/day burst 1; }\n")
        agent.ctl("binding", "suspend", "b")
        for family, to in TO.items():
            key = "ipv%d" % family
            if family == 4:
                verify(agent, "full", to=to)
            time.sleep(0.5)                     # until its last ACK has left
            capture = lab.capture()
            rows, reply = verify(agent, "a", "b", "gone", "full", to=to, ok=False)
            check("a", rows["a", key]["result"], "pass")
            check("suspended", (rows["b", key]["result"], rows["b", key]["text"]),
                  ("refused", "refused by the agent: suspended"))
            check("gone", (rows["gone", key]["result"], "is on this host" in rows["gone", key]["text"] or
                           rows["gone", key]["text"]), ("refused", True))
            check("limit: %s" % rows["full", key], (rows["full", key]["result"], rows["full", key]["seen"],
                  "a limit is reached" in rows["full", key]["text"]), ("refused", None, True))
            check("sums", (reply["passed"], reply["failed"], reply["refused"]), (1, 0, 3))
            time.sleep(0.1)
            check("left", capture.sources(proto="tcp"), {pool(11, family)})


SNAT = """
table inet somebody {
	chain post { type nat hook postrouting priority %d; policy accept;
		oifname "eth0" tcp dport 7000 snat ip to 198.51.100.20
		oifname "eth0" tcp dport 7000 snat ip6 to 2001:db8:1::20
	}
}
"""
MANGLE = """
table inet somebody {
	chain post { type filter hook postrouting priority %d; policy accept;
		oifname "eth0" tcp dport 7000 ip saddr set 198.51.100.20
		oifname "eth0" tcp dport 7000 ip6 saddr set 2001:db8:1::20
	}
}
"""
# where tc classifies too: behind all of IP, on the way into the driver
EGRESS = """
table netdev somebody {
	chain out { type filter hook egress device eth0 priority 0; policy accept;
		tcp dport 7000 ip saddr set 198.51.100.20
		tcp dport 7000 ip6 saddr set 2001:db8:1::20
	}
}
"""
OTHER = {4: "198.51.100.20", 6: "2001:db8:1::20"}


@test("somebody else's SNAT before ours: nothing leaves, and verify says who dropped it and why; after ours: it passes")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for priority, passes in ((50, False), (100, True), (110, True)):
            lab.nft("-f", "-", text=SNAT % priority)
            for family, to in TO.items():
                rows, _ = verify(agent, "a", to=to, ok=passes)
                row = rows["a", "ipv%d" % family]
                if passes:
                    check("after ours", (row["result"], row["seen"]["source"]), ("pass", pool(11, family)))
                else:
                    check("before ours: %s" % row, (row["result"], row["seen"], row["reply"]), ("fail", None, "none"))
                    check(row["text"], "by outbind's guard" in row["text"] and "else rewrites the source" in row["text"], True)
            lab.nft("delete", "table", "inet", "somebody")


@test("a source that is rewritten after ours, by nft in postrouting or at the device, is what verify sees, and fails")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        lab.nft("-f", "-", text=MANGLE % 300)
        row = verify(agent, "a", to=TO[4], ok=False)[0]["a", "ipv4"]
        check("before the guard: %s" % row, (row["result"], row["seen"], "else rewrites the source" in row["text"]),
              ("fail", None, True))
        lab.nft("delete", "table", "inet", "somebody")
        lab.nft("-f", "-", text=MANGLE % 2147483645)
        for family, to in TO.items():
            row = verify(agent, "a", to=to, ok=False)[0]["a", "ipv%d" % family]
            check("behind the guard: %s" % row, (row["result"], row["seen"]["source"]), ("fail", OTHER[family]))
            check(row["text"], row["text"].startswith("left from %s, which is not an address of the binding (%s)" %
                                                      (OTHER[family], pool(11, family))), True)
        lab.nft("delete", "table", "inet", "somebody")
        lab.nft("-f", "-", text=EGRESS)
        for family, to in TO.items():
            row = verify(agent, "a", to=to, ok=False)[0]["a", "ipv%d" % family]
            check("egress: %s" % row, (row["result"], row["seen"]["source"]), ("fail", OTHER[family]))


@test("what leaves by another link, is dropped by others, or gets no answer or an ICMP error: fail or pass, with words")
def _():
    with Lab(uplink=True) as lab:
        agent = lab.agent(CONF + UPLINK)
        lab.nft("-f", "-", text='table inet r { chain i { type filter hook input priority 0; tcp dport 7000 drop; }; }',
                namespace="receiver")
        row = verify(agent, "a", to=TO[4], ok=False)[0]["a", "ipv4"]
        check("no answer: %s" % row, (row["result"], row["reply"], "nothing came back in 2 s" in row["text"]),
              ("fail", "none", True))
        lab.nft("flush", "chain", "inet", "r", "i", namespace="receiver")
        lab.nft("add", "rule", "inet", "r", "i", "tcp", "dport", "7000", "reject", "with", "icmpx", "admin-prohibited",
                namespace="receiver")
        for family in (4, 6):
            row = verify(agent, "a", to=TO[family], ok=True)[0]["a", "ipv%d" % family]
            check("ICMP: %s" % row, (row["result"], row["reply"]), ("pass", "icmp"))
            check(row["text"], bool(re.search(r"ICMP after [\d.]+ ms from \S+: (administratively |host )?prohibited",
                                              row["text"])), True)
        lab.nft("delete", "table", "inet", "r", namespace="receiver")
        lab.nft("-f", "-", text='table inet s { chain o { type filter hook postrouting priority 400; tcp dport 7000 drop; }; }')
        row = verify(agent, "a", to=TO[4], ok=False)[0]["a", "ipv4"]
        check("dropped: %s" % row, (row["result"], row["seen"], "not by outbind's guard" in row["text"]), ("fail", None, True))
        lab.nft("delete", "table", "inet", "s")
        # a redirection on the way into the driver: what goes out by eth1 goes out by eth0
        lab.nft("-f", "-", text="table netdev s { chain o { type filter hook egress device eth1 priority 0; fwd to eth0; }; }")
        row = verify(agent, "far", to=TO[4], ok=False)[0]["far", "ipv4"]
        check("another link: %s" % row, (row["result"], row["seen"]["link"], "its uplink second is eth1" in row["text"]),
              ("fail", "eth0", True))


@test("verify gives up all rights before it reads a packet, and needs CAP_NET_RAW alone for opening")
def _():
    with Lab(serve=False) as lab:
        agent = lab.agent(CONF.replace("binding a {", "binding a { allow user 4001;"))
        lab.nft("-f", "-", text='table inet r { chain i { type filter hook input priority 0; tcp dport 7000 drop; }; }',
                namespace="receiver")
        pid = lab.spawn("sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "verify", "a", "--to",
                                   TO[4], "--timeout", "3s"], log=agent.dir + "/verify")
        def status():
            with open("/proc/%d/status" % pid) as lines:
                return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
        wait_for("the user nobody", lambda: status()["Uid"] == "\t".join(["65534"] * 4))
        now = status()
        check("capabilities", [int(now[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")], [0] * 4)
        check("no way back", (now["NoNewPrivs"], now["Groups"].strip()), ("1", ""))
        lab.end(pid)
        only = ["setpriv", "--bounding-set", "-all,+net_raw", "--inh-caps", "-all", "--", BUILD + "/outbindctl",
                "--runtime-dir", agent.runtime, "verify", "a", "--to", TO[4], "--timeout", "1s"]
        result = lab.run("sender", *only, ok=False)
        check("CAP_NET_RAW alone: " + result.stderr, (result.returncode, "left from" in result.stdout), (1, True))
        only[2] = "-all"
        result = lab.run("sender", *only, ok=False)
        check("without it: " + result.stderr, (result.returncode, "needs CAP_NET_RAW" in result.stderr), (4, True))


@test("hundreds of bindings at once, each told apart by verify although another host program connects meanwhile")
def _():
    with Lab(pool_size=50) as lab:
        names = {"n%d" % n: n for n in range(11, 61)}
        agent = lab.agent("".join(binding(name, n) for name, n in names.items()))
        stop = lab.stream(FAR[4], 20, mark=agent.mark("n60"))
        start = time.monotonic()
        for family, to in TO.items():
            rows, reply = verify(agent, to=to, ok=True)
            check("all", len(rows), 50)
            check("sources", {name: row["seen"]["source"] for (name, _), row in rows.items()},
                  {name: pool(n, family) for name, n in names.items()})
        print("100 probes in %.2f s" % (time.monotonic() - start))
        # translated ports: told by the hop limit
        lab.nft("-f", "-", text="table inet p { chain o { type filter hook postrouting priority 300; "
                "tcp dport 7000 tcp sport set 40000; }; }")
        rows, reply = verify(agent, *list(names)[:5], to=TO[4], timeout="1s")
        check("ports rewritten", {name: row["seen"]["source"] for (name, _), row in rows.items()},
              {name: pool(names[name], 4) for name in list(names)[:5]})
        stop()
        lab.nft("delete", "table", "inet", "p")
        lab.nft("-f", "-", text="table inet r { chain i { type filter hook input priority 0; tcp dport 7000 drop; }; }",
                namespace="receiver")
        command = "%s/outbindctl --runtime-dir %s verify --to %s --timeout 1s" % (BUILD, agent.runtime, TO[4])
        shown = lab.run("sender", "script", "-qec", command, "/dev/null", ok=False).stdout
        check("a bar: " + shown[:300], ("\x1b[K[...." in shown, "0 of 50 probes" in shown, "50 failed" in shown), (True,) * 3)
        plain = agent.ctl("verify", "--to", TO[4], "--timeout", "1s", ok=False)
        check("none without a terminal", "\r" in plain.stderr, False)

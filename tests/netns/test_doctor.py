# SPDX-License-Identifier: GPL-2.0-or-later
"""outbindctl doctor: what usually goes wrong, provoked; each is found, named, and gone when the command that
is given has been run."""

import json
import os
import re
import shutil
import subprocess
import time

from cases import test
from lab import BUILD, FAR, Lab, binding, check, pool, wait_for
from place import Skip

CONF = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n"


def findings(agent, *about):
    """What doctor says now; its exit status must fit. The clock of the machine is not ours to judge."""
    result = agent.ctl("doctor", "--json", ok=False)
    all_of_it = json.loads(result.stdout)["findings"]
    wrong = [one for one in all_of_it if one["severity"] != "note"]
    check("exit status", result.returncode, 1 if wrong else 0)
    return [one for one in all_of_it if one["about"] != "clock" and (not about or one["about"] in about)]


def wrong(agent, *about):
    return [one for one in findings(agent, *about) if one["severity"] != "note"]


def only(what, found):
    check(what + ": findings in %s" % found, len(found), 1)
    return found[0]


def mend(lab, finding):
    """Run the command that was given."""
    lab.run("sender", "sh", "-c", finding["remedy"])


def has(what, text, *words):
    for word in words:
        check("%s: %r in %r" % (what, word, text), word in text, True)


@test("a host on which all is well: nothing but notes, as text and as JSON; adjtimex decides about the clock")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        check("nothing", wrong(agent), [])
        has("priorities that doctor goes by", agent.ruleset(), "type nat hook postrouting priority srcnat - 10;",
            "type filter hook postrouting priority 2147483640;", "type route hook output priority mangle - 10;")
        text = agent.ctl("doctor", ok=False)
        clock = subprocess.run([BUILD + "/outbindctl", "doctor", "--config", agent.conf, "--json", "--runtime-dir",
                                agent.dir], capture_output=True, text=True).stdout
        unsynchronised = any(one["about"] == "clock" for one in json.loads(clock)["findings"])
        check("the clock", "the clock is not synchronised" in text.stdout, unsynchronised)
        check("status", text.returncode, 1 if unsynchronised else 0)
        has("the end", text.stdout.splitlines()[-1], "1 warning" if unsynchronised else "nothing is wrong")
        # a sandbox that lets the agent ask for no clock: the tool asks itself
        strace = lab.spawn("sender", ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=adjtimex,clock_adjtime:error=EPERM",
                                      "-p", str(agent.pid)])
        wait_for("the sandbox", lambda: not agent.json("doctor", ok=False)["clock"], 10)
        check("the clock all the same", "the clock is not" in agent.ctl("doctor", ok=False).stdout, unsynchronised)
        lab.end(strace)


NFT = """
table ip shop {
    chain leave {
        type nat hook postrouting priority %d; policy accept;
        %s
    }
}
"""


@test("a reload that was refused: a warning with file and line, until one is taken")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for conf, more in ((CONF + "policy {\n  user www-dat use a;\n}\n", ""),
                           (CONF + "policy {\n  user www-dat use a;\n  user 4009 use nobody;\n}\n", ", and 1 more")):
            agent.write(conf)
            check("refused", agent.ctl("reload", ok=False).returncode, 1)
            found = only("refused", wrong(agent, "configuration"))
            has("text", found["text"], "the last reload was refused")
            line = conf[:conf.index("www-dat")].count("\n") + 1
            has("evidence", found["evidence"], "%s:%d:" % (agent.conf, line), "www-dat")
            check("how many: " + found["evidence"], (", and 1 more" in found["evidence"]), bool(more))
        agent.write(CONF)
        agent.ctl("reload")
        check("gone", wrong(agent, "configuration"), [])


@test("somebody else's source NAT, before and behind ours, as snat, masquerade, in a chain that is jumped to: the table and "
      "chain are named, connections fare as said, and the command mends it")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        rules = {"snat": ("snat to 198.51.100.30", "snat to 198.51.100.30"),
                 "masquerade": ('oifname "eth0" masquerade', 'oifname == "eth0" masquerade')}
        for name, (rule, said) in rules.items():
            for priority in (-199, 0, 89, 90, 91, 100, 300):
                lab.nft("-f", "-", text=NFT % (priority, rule))
                found = only(name, findings(agent, "source-nat"))
                has(name, found["text"], "table ip shop, chain leave", "priority %d" % priority)
                has(name, found["evidence"], said, "rule handle")
                before = priority < 90
                if priority != 90:
                    check("%s at %d" % (name, priority), found["severity"], "error" if before else "note")
                    got = lab.source(FAR[4], uid=4001, timeout=0.4)
                    check("%s at %d" % (name, priority), got, "!TIMEOUT" if before else pool(11, 4))
                if before:
                    mend(lab, found)
                    check("mended", lab.source(FAR[4], uid=4001), pool(11, 4))
                lab.nft("delete", "table", "ip", "shop")
        lab.nft("-f", "-", text="""
            table inet net {
                chain deep {
                    ip saddr 10.0.0.0/8 masquerade
                    counter snat ip6 to 2001:db8:1::30
                }
                chain way {
                    oifname "eth0" goto deep
                }
                chain out {
                    type nat hook postrouting priority 10;
                    jump way
                }
            }""")
        snat, masquerade = findings(agent, "source-nat")
        has("deep", snat["text"], "table inet net, chain deep", "from out, hook postrouting, priority 10")
        check("severities", (snat["severity"], masquerade["severity"]), ("error", "warning"))
        has("deep", masquerade["evidence"], "ip saddr", "masquerade")
        guard = only("guard", findings(agent, "guard"))
        has("guard", guard["text"], "the guard has dropped", "within the last minute")
        has("the address that somebody gave", guard["evidence"], "a from 198.51.100.")
        check("severity", guard["severity"], "warning")


@test("tables of iptables, by nf_tables and by itself: MASQUERADE, SNAT, marks, NOTRACK")
def _():
    if not shutil.which("iptables-nft"):
        raise Skip("no iptables")
    with Lab() as lab:
        agent = lab.agent(CONF)
        for version, family in (("iptables", "ip"), ("ip6tables", "ip6")):
            for kind in ("nft", "legacy"):
                tool = "%s-%s" % (version, kind)
                net = "10.0.0.0/8" if family == "ip" else "fd00::/8"
                to = pool(30, 4 if family == "ip" else 6)
                for line in ("-t nat -N DOCKER", "-t nat -A POSTROUTING -j DOCKER",
                             "-t nat -A DOCKER -s %s ! -o docker0 -j MASQUERADE" % net,
                             "-t nat -A POSTROUTING -j SNAT --to-source " + to,
                             "-t mangle -A OUTPUT -m mark --mark 0x1/0xff -j MARK --set-xmark 0x400000/0xc00100",
                             "-t mangle -A PREROUTING -j CONNMARK --restore-mark --mask 0xff0000",
                             "-t mangle -A POSTROUTING -j CONNMARK --save-mark",
                             "-t raw -A OUTPUT -p udp --dport 53 -j CT --notrack"):
                    result = lab.run("sender", tool, *line.split(), ok=False)
                    if result.returncode and kind == "legacy":
                        raise Skip("no iptables-legacy: " + result.stderr)
                    check(line, (result.returncode, result.stderr), (0, ""))
                found = findings(agent)
                head = ("iptables-legacy " if kind == "legacy" else "") + "table %s " % family
                nat = [one for one in found if one["about"] == "source-nat"]
                has(tool, nat[0]["text"] + nat[1]["text"], head + "nat, chain DOCKER (from POSTROUTING",
                    head + "nat, chain POSTROUTING (hook postrouting, priority 100)")
                check(tool, {one["severity"] for one in nat}, {"note"})
                evidence = " ".join(one["evidence"] for one in nat)
                has(tool, evidence, "MASQUERADE", "by its name Docker made it", "--to-source " + to)
                marks = [(one["text"], one["severity"], one["evidence"])
                         for one in found if one["about"] == "mark-overlap"]
                for words, severity in (("chain OUTPUT (hook output, priority -150) looks at bits 0xff of the packet mark",
                                         "warning"),
                                        ("chain OUTPUT (hook output, priority -150) writes bits 0xc00100 of the packet mark,"
                                         " of which 0x100 are", "note"),
                                        ("chain POSTROUTING (hook postrouting, priority -150) writes bits 0xffffffff of the "
                                         "connection mark", "warning"),
                                        ("chain POSTROUTING (hook postrouting, priority -150) looks at bits 0xffffffff of "
                                         "the packet mark", "warning")):
                    mine = [mark for mark in marks if head + "mangle, " + words in mark[0]]
                    check("%s: %s in %s" % (tool, words, marks), [mark[1] for mark in mine], [severity])
                check("no more than that", len(marks), 4)
                has(tool, only(tool, [one for one in found if one["about"] == "notrack"])["text"], head + "raw, chain OUTPUT")
                for line in ("-t nat -F", "-t nat -X", "-t mangle -F", "-t raw -F"):
                    lab.run("sender", tool, *line.split())
        check("nothing is left", wrong(agent), [])


@test("a source that is written into packets without connection tracking: before the guard, which stops it, and at the "
      "device, which nothing does: each is told, and is as was said")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)

        def ping():
            """Sources of the client's pings that the receiver counts."""
            lab.run("sender", "setpriv", "--reuid=4001", "--clear-groups", "ping", "-c3", "-i0.3", "-W1", "-n", FAR[4], ok=False)
            listing = lab.nft("list", "table", "ip", "see", namespace="receiver")
            return {n for n in (11, 30, 31) if re.search(r"saddr %s counter packets [1-9]" % pool(n, 4), listing)}

        lab.nft("-f", "-", namespace="receiver", text="""
            table ip see {
                chain c {
                    type filter hook input priority 0;
%s
                }
            }""" % "\n".join("icmp type echo-request ip saddr %s counter" % pool(n, 4) for n in (11, 30, 31)))
        lab.nft("-f", "-", text="""
            table ip stateless {
                chain late {
                    type filter hook postrouting priority 300;
                    ip protocol icmp ip saddr set 198.51.100.30
                }
            }""")
        late = only("late", findings(agent, "source-rewrite"))
        has("late", late["text"], "table ip stateless, chain late (hook postrouting, priority 300)", "dropped by the guard")
        check("severity", late["severity"], "error")
        check("stopped", ping(), set())
        mend(lab, late)
        check("mended", ping(), {11})
        lab.nft("delete", "table", "ip", "stateless")
        lab.nft("-f", "-", text="""
            table netdev wire {
                chain out {
                    type filter hook egress device "eth0" priority 0;
                    ip saddr 198.51.100.11 ip protocol icmp ip saddr set 198.51.100.31
                }
            }""")
        out = only("out", findings(agent, "source-rewrite"))
        has("out", out["text"], "table netdev wire, chain out (hook egress", "nothing stops it")
        check("severity", out["severity"], "error")
        check("leaked", 31 in ping(), True)
        mend(lab, out)
        check("mended", findings(agent, "source-rewrite"), [])


@test("marks: rules of nft that read or write our bits, wholly or in part, are told from those that do not; who writes "
      "before the decision picks the binding; routing rules; the owner of a table is named")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        number = agent.mark("b")
        lab.nft("-f", "-", text="""
            table inet marks {
                chain early { type route hook output priority -200;
                    meta skuid 4001 meta mark set meta mark & 0xffffff00 | 0x%x; }
                chain fine { type route hook output priority -140;
                    meta mark set meta mark & 0xff00ffff | 0x00100000; meta mark & 0x40000 == 0x40000 accept;
                    ct mark & 0x10000 != 0 accept; ct mark set ct mark | 0x80000; }
                chain part { type filter hook forward priority 0; ct mark & 0x11000 == 0x1000 accept; }
                chain whole { type filter hook prerouting priority 5; ct mark set meta mark; }
            }""" % number)
        said = {one["text"].split(",")[1].split()[1]: one for one in findings(agent, "mark-overlap")
                if "chain whole" not in one["text"]}
        check("chains", sorted(said), ["early", "part"])
        has("early", said["early"]["text"], "writes bits 0xff of the packet mark, of which 0xff are outbind's",
            "before outbind decides")
        has("early", said["early"]["evidence"], "skuid == 0xfa1", "meta mark set mark & 0xffffff00")
        has("part", said["part"]["text"], "looks at bits 0x11000 of the connection mark, of which 0x1000 are")
        whole = [one["text"] for one in findings(agent, "mark-overlap") if "chain whole" in one["text"]]
        has("whole", "".join(whole), "writes bits 0xffffffff of the connection mark",
            "looks at bits 0xffffffff of the packet mark")
        check("it is as was said", lab.source(FAR[4], uid=4001), pool(12, 4))
        lab.nft("delete", "table", "inet", "marks")
        lab.ip("sender", "rule add fwmark 0x100/0x700 lookup 77 pref 1234")
        rule = wait_for("the rule", lambda: wrong(agent, "mark-overlap"))[0]
        has("rule", rule["text"], "priority 1234", "0x100/0x700", "mark-mask 0x1fff")
        has("rule", rule["evidence"], "lookup 77")
        has("status says the same", " ".join(agent.json("status")["warnings"]), rule["text"])
        lab.ip("sender", "rule del pref 1234")
        wait_for("gone", lambda: not findings(agent, "mark-overlap"))
        owner = lab.spawn("sender", ["sh", "-c", "(printf 'add table ip mine { flags owner; }\\n"
                                     "add chain ip mine c { type nat hook postrouting priority 5; }\\n"
                                     "add rule ip mine c snat to 198.51.100.30\\n'; sleep 20) | exec nft -i"])
        mine = wait_for("the owned table", lambda: findings(agent, "source-nat"))[0]
        has("owner", mine["evidence"], "the table is owned by netlink port ", ", the number of process nft")
        has("owner", mine["remedy"], "only its owner can change this table")
        lab.end(owner)


@test("what the host lacks: an address, forwarding, ports, timeouts, strict filtering; each command mends its own")
def _():
    with Lab(guest=True, uplink=True) as lab:
        agent = lab.agent(CONF.replace("policy {", "binding c { address 192.0.2.11; }\npolicy { source 10.88.7.0/24 use a; "
                                       "source fd00:88:7::/64 use a;"))
        check("all well", wrong(agent), [])
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.ip_forward", 0)
            lab.sysctl("net.ipv6.conf.all.forwarding", 0)
            lab.sysctl("net.ipv4.ip_local_port_range", "40000 40999")
            lab.sysctl("net.ipv4.conf.eth1.rp_filter", 1)
            lab.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", 300)
            lab.sysctl("net.netfilter.nf_conntrack_udp_timeout_stream", 10)
        lab.ip("sender", "route add default via 198.51.100.254", "addr del %s dev eth0" % pool(11, 4),
               "addr del %s/128 dev eth0" % pool(12, 6))
        wait_for("facts", lambda: len(wrong(agent, "health")) == 2)
        found = wrong(agent)
        say = {one["about"] + ": " + one["text"]: one for one in found}
        for words in ("forwarding: 1 rule is for IPv4", "forwarding: 1 rule is for IPv6", "ports: all bindings together have 1000",
                      "rp-filter: binding c: 192.0.2.11 is on eth1", "conntrack: an idle TCP connection is forgotten after 300 s",
                      "conntrack: an idle UDP exchange", "health: binding a: IPv4 is unusable: %s is not" % pool(11, 4),
                      "health: binding b: IPv6 is unusable: %s is not" % pool(12, 6)):
            one = only(words, [say[text] for text in say if text.startswith(words)])
            mend(lab, one)
        check("number", len(found), 8)
        wait_for("mended: %s" % wrong(agent), lambda: wrong(agent) == [])
        check("carries", lab.source(FAR[4], uid=4001), pool(11, 4))


@test("rights: files that others may write, a control socket for everybody")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        socket = agent.runtime + "/org.outbind"
        for path, mode, words in ((agent.conf, 0o666, "the configuration can be written"),
                                  (agent.dir, 0o777, "the configuration can be written"),
                                  (agent.state, 0o775, "the state directory can be written"),
                                  (agent.runtime, 0o777, "the directory of the sockets can be written"),
                                  (socket, 0o777, "everybody can connect to the control socket")):
            os.chmod(path, mode)
            one = only(words, wrong(agent, "permissions"))
            has(words, one["text"], words)
            has(words, one["evidence"], path, "mode 0%o" % mode)
            mend(lab, one)
            check("mended", wrong(agent, "permissions"), [])
        os.chown(agent.conf, 4001, 0)
        has("owner", only("owner", wrong(agent, "permissions"))["text"], "belongs to user 4001")
        os.chown(agent.conf, 0, 0)


@test("without an agent, and without rights: what can be seen is said, and what not, and why")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF + "binding lost { address 198.51.100.99; }\n", start=False)
        lab.nft("-f", "-", text=NFT % (0, "masquerade"))
        lab.ip("sender", "rule add fwmark 0x1 lookup 77")
        found = {one["about"]: one for one in
                 json.loads(agent.ctl("doctor", "--config", agent.conf, "--json", ok=False).stdout)["findings"]}
        has("agent", found["agent"]["text"], "does not answer")
        has("nat", found["source-nat"]["text"], "table ip shop, chain leave")
        has("rule", found["mark-overlap"]["text"], "routing rule")
        has("address", found["health"]["text"], "binding lost", "198.51.100.99 is not on this host")
        code = ("import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])")
        result = lab.run("sender", "python3", "-c", code, BUILD + "/outbindctl", "doctor", "--config", agent.conf, "--json",
                         "--runtime-dir", agent.runtime, ok=False)
        found = {one["about"]: one for one in json.loads(result.stdout)["findings"]}
        check("status", result.returncode, 1)
        has("unread", found["unread"]["text"], "CAP_NET_ADMIN is needed")
        check("not guessed", "source-nat" in found, False)
        has("address", found["health"]["text"], "198.51.100.99 is not on this host")
        agent.write("binding x { address nonsense; }\n")
        found = json.loads(agent.ctl("doctor", "--config", agent.conf, "--json", ok=False).stdout)["findings"]
        has("configuration", only("configuration", [one for one in found if one["about"] == "configuration"])["text"],
            agent.conf + ":1:")
        agent.write(CONF)
        agent.start()
        denied = lab.run("sender", "python3", "-c", code, BUILD + "/outbindctl", "doctor", "--config", agent.conf, "--json",
                         "--runtime-dir", agent.runtime, ok=False)
        has("denied", only("denied", [one for one in json.loads(denied.stdout)["findings"] if one["about"] == "agent"])["text"],
            "may not be asked")


@test("many rules of others: looked at within bounds, and the agent goes on", seconds=180)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        many = "\n".join('        ip saddr 10.%d.%d.0/24 oifname "eth9" tcp dport 25 counter masquerade'
                         % (i // 256, i % 256) for i in range(17000))
        lab.nft("-f", "-", text="table ip big {\n    chain c { type nat hook postrouting priority 0;\n%s\n    }\n}\n" % many)
        read, write = os.pipe()
        pid = lab.fork("sender", lambda: os.write(write, agent.ctl("doctor", "--json", ok=False).stdout.encode()))
        os.close(write)
        held = []
        while pid in lab.children and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            begin = time.monotonic()
            agent.ctl("binding", "suspend", "b")
            agent.ctl("binding", "resume", "b")
            held.append((time.monotonic() - begin) * 500)
        with os.fdopen(read) as pipe:
            reply = json.loads(pipe.read())
        lab.reap(pid)
        check("rules", reply["rules"], 16384)
        text = " ".join(one["text"] for one in reply["findings"])
        has("cut", text, "only the first 16384 rules", "table ip big, chain c")
        one = [f for f in reply["findings"] if f["about"] == "source-nat"]
        check("one finding a chain", len(one), 1)
        has("how many", one[0]["evidence"], "more like it")
        print("changes while doctor reads 16384 rules: %d, the longest %.0f ms, `outbindctl` included" % (len(held), max(held)))
        check("the agent answers meanwhile", len(held) >= 2, True)

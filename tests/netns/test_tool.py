# SPDX-License-Identifier: GPL-2.0-or-later
"""outbindctl against a running agent: what it says is what the receiver sees."""

import json
import os
import sys

from cases import test
from lab import BUILD, FAR, HOST, Lab, NEAR, PORT, Skip, binding, check, pool, wait_for

CONF = "".join(binding(name, 11 + i, more="ehlo %s.example;" % name) for i, name in enumerate("abcd")) + """
binding only4 { address 198.51.100.16; }
bypass { 203.0.113.128/25; 2001:db8:2::800/120; }
policy {
	user 4001 use a;
	user 4001 port 25 use b;
	user 4002 to 203.0.113.0/28, 2001:db8:2::/124 use c;
	user 4003 reject;
	user 4004 use only4;
	user 5000-5999 port 1-1024 use d;
	group 6001 use d;
	cgroup "/x.slice" use b;
	unit "y.service" use c;
	source 10.88.7.0/24 use d;
	source fd00:88:7::/64 use d;
	otherwise port 25 reject;
}
"""


def said(agent, *words):
    """explain's JSON; exit status 1 is an answer too."""
    result = agent.ctl("explain", *words, "--json", ok=False)
    check("exit status of explain %s: %s" % (words, result.stderr), result.returncode in (0, 1), True)
    return json.loads(result.stdout), result.returncode


@test("`explain` agrees with what the receiver sees and with the kernel, for many clients and destinations")
def _():
    with Lab(guest=True) as lab:
        for path in ("/x.slice/deep/er", "/system.slice/y.service"):
            lab.cgroup(path)
        agent = lab.agent(CONF)
        mark = agent.mark("c")
        clients = [
            (["--user", "4001"], {"uid": 4001, "gid": 1}), (["--user", "4002"], {"uid": 4002, "gid": 1}),
            (["--user", "4003"], {"uid": 4003, "gid": 1}), (["--user", "4004"], {"uid": 4004, "gid": 1}),
            (["--user", "5500"], {"uid": 5500, "gid": 1}), (["--group", "6001", "--user", "1"], {"uid": 1, "gid": 6001}),
            (["--cgroup", "/x.slice/deep/er", "--user", "1"], {"cgroup": lab.cgroup("/x.slice/deep/er"), "uid": 1}),
            (["--unit", "y.service", "--user", "4001"],
             {"cgroup": lab.cgroup("/system.slice/y.service"), "uid": 4001}),
            (["--mark", str(mark), "--user", "4001"], {"mark": mark, "uid": 4001}),
            (["--mark", "0x1fee"], {"mark": 0x1fee}), (["--user", "1"], {"uid": 1}),
            (["--source", "10.88.7.2"], {"namespace": "guest"}),
        ]
        destinations = [(to, port, proto) for to in ("203.0.113.1", "203.0.113.77", "203.0.113.200",
                                                     "2001:db8:2::1", "2001:db8:2::777", "2001:db8:2::8ff")
                        for port, proto in ((PORT, "tcp"), (25, "tcp"), (25, "udp"), (53, "udp"))]
        wrong = []
        for words, who in clients:
            results = lab.probe_all(destinations, **who)
            for (to, port, proto), result in zip(destinations, results):
                if who.get("namespace") and ":" in to:
                    words = ["--source", "fd00:88:7::2"]
                answer, status = said(agent, *words, "--to", to, "--port", str(port), "--protocol", proto)
                own = {"guest": ("10.88.7.2", "fd00:88:7::2")}.get(who.get("namespace"), (HOST[4], HOST[6]))
                refused = answer["verdict"] in ("reject", "unusable", "unknown-mark")
                want = answer.get("source") or (own[":" in to] if not refused else None)
                if result["source"] != want or not answer["agree"] or (status == 1) != refused:
                    wrong.append((" ".join(words), to, port, proto, answer["verdict"], want, answer["agree"],
                                  status, "receiver saw", result["source"] or result["error"]))
        check("disagreements", wrong, [])


@test("`explain` says rule, place, binding, mark and reason, and takes --pid")
def _():
    with Lab() as lab:
        group = lab.cgroup("/x.slice/worker")
        agent = lab.agent(CONF)
        answer, _ = said(agent, "--user", "4001", "--to", FAR[4], "--port", "25")
        check("binding", answer["binding"], "b")
        check("mark", answer["mark"], agent.mark("b"))
        check("source", answer["source"], pool(12, 4))
        line = 1 + CONF[:CONF.index("user 4001 port 25")].count("\n")
        check("place %s" % answer["rule"]["place"], "outbind.conf:%d:" % line in answer["rule"]["place"], True)
        answer, status = said(agent, "--user", "4004", "--to", FAR[6], "--port", "7000")
        check("unusable", (answer["verdict"], status, bool(answer["reason"])), ("unusable", 1, True))
        answer, _ = said(agent, "--user", "4001", "--to", "203.0.113.200", "--port", "7000")
        line = 1 + CONF[:CONF.index("bypass")].count("\n")
        check("bypass", (answer["verdict"], answer["bypass"]["entry"], "outbind.conf:%d:" % line in answer["bypass"]["place"]),
              ("bypass", "203.0.113.128/25", True))
        agent.ctl("bypass", "add", "private", "connected")
        for to, entry, place in (("10.1.2.3", "private", "runtime.conf:"), (NEAR[4], "connected", "runtime.conf:"),
                                 ("169.254.7.7", "loopback, link-local or multicast", "built in")):
            answer, _ = said(agent, "--user", "4001", "--to", to)
            check("a word, and what is built in: %s" % to, (answer["bypass"]["entry"], place in answer["bypass"]["place"]),
                  (entry, True))
        agent.ctl("bypass", "remove", "private", "connected")
        text = agent.ctl("explain", "--user", "4001", "--to", "203.0.113.200").stdout
        check("in words: " + text, "203.0.113.128/25" in text and "outbind.conf:%d:" % line in text, True)
        pid = lab.spawn("sender", ["sleep", "60"], cgroup=group)
        wait_for("the process to be there", lambda: str(pid) in open(group + "/cgroup.procs").read().split())
        answer, _ = said(agent, "--pid", str(pid), "--to", FAR[4], "--port", "7000")
        check("by pid", answer["binding"], "b")
        text = agent.ctl("explain", "--user", "4001", "--to", FAR[4], "--port", "7000").stdout
        check("text names the source: " + text, pool(11, 4) in text, True)
        check("no colours in a pipe", "\033" in text, False)


@test("`explain` to the host itself: left alone, whoever sends, as the receiver sees")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        lab.run("sender", "ip", "route", "add", "local", "192.0.2.64/28", "dev", "lo")
        mark = agent.mark("c")
        lab.serve("sender", [PORT])
        clients = [(["--user", "4001"], {"uid": 4001}), (["--user", "4003"], {"uid": 4003}),
                   (["--mark", str(mark)], {"mark": mark}), (["--mark", "0x1fee"], {"mark": 0x1fee})]
        own = ["127.0.0.1", "::1", HOST[4], HOST[6], pool(11, 4), pool(12, 6), "192.0.2.65"]
        wait_for("the local route to be seen",
                 lambda: said(agent, "--user", "4001", "--to", own[-1])[0]["verdict"] == "local")
        for words, who in clients:
            results = lab.probe_all([(to, PORT, "tcp") for to in own], **who)
            for to, result in zip(own, results):
                answer, status = said(agent, *words, "--to", to, "--port", str(PORT))
                what = "%s to %s: " % (" ".join(words), to)
                check(what + "receiver saw", result["source"], to)
                check(what + "verdict", (answer["verdict"], answer["binding"], answer["source"], status),
                      ("local", None, None, 0))
        text = agent.ctl("explain", "--user", "4003", "--to", HOST[4]).stdout
        check("text", text.splitlines()[0], "stays on this host: never rewritten")


@test("`explain --protocol` knows every name that the configuration knows")
def _():
    with Lab() as lab:
        names = ("icmp igmp ipencap tcp egp udp dccp ipv6 rsvp gre esp ah icmpv6 eigrp ospf pim vrrp l2tp "
                 "sctp udplite").split()
        users = {name: 7001 + i for i, name in enumerate(names)}
        rules = "".join("\tuser %d protocol %s use a;\n" % (uid, name) for name, uid in users.items())
        agent = lab.agent(CONF.replace("policy {\n", "policy {\n" + rules))
        for name, uid in users.items():
            answer, _ = said(agent, "--user", str(uid), "--to", FAR[4], "--protocol", name)
            check(name, (answer["binding"], answer["agree"]), ("a", True))
        answer, _ = said(agent, "--user", str(users["icmp"]), "--to", FAR[6], "--protocol", "icmp")
        check("icmp for IPv6", answer["binding"], "a")
        check("no such name", agent.ctl("explain", "--user", "7001", "--to", FAR[4], "--protocol", "tpc",
                                        ok=False).returncode in (0, 1), False)


@test("`explain` notices when the kernel's elements are not the plan's")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, "--no-owner")
        os.kill(agent.pid, 19)                  # so that it does not heal before it is asked
        lab.nft("delete", "element", "inet", "outbind", "by_user", "{ 4001 }")
        lab.nft("add", "element", "inet", "outbind", "by_user", "{ 4001 : %d }" % 0x3)
        child = lab.fork("sender", lambda: os.execv(BUILD + "/outbindctl", [
            "outbindctl", "--runtime-dir", agent.runtime, "explain", "--user", "4001", "--to", FAR[4]]))
        os.kill(agent.pid, 18)
        lab.reap(child)
        wait_for("healed", lambda: lab.source(FAR[4], uid=4001) == pool(11, 4), 2)
        check("agrees after healing", said(agent, "--user", "4001", "--to", FAR[4])[0]["agree"], True)


def normal(text):
    """`nft -j list table` without what differs from load to load, in one order."""
    out = []
    for entry in json.loads(text)["nftables"]:
        for kind, value in entry.items():
            if kind == "metainfo":
                continue
            value.pop("handle", None)
            if kind == "table":
                value.pop("flags", None)
            if kind == "counter":
                value.pop("packets", None), value.pop("bytes", None)
            if "elem" in value:
                for elem in value["elem"]:              # what was counted since is no difference
                    if isinstance(elem, dict) and "counter" in elem.get("elem", {}):
                        elem["elem"]["counter"] = None
                value["elem"] = sorted(json.dumps(elem, sort_keys=True) for elem in value["elem"])
            out.append(json.dumps({kind: value}, sort_keys=True))
    return out


@test("`render` loaded by `nft -f` elsewhere gives the agent's own table, and `nft -c -f` accepts it")
def _():
    with Lab() as lab:
        for path in ("/x.slice", "/system.slice/y.service"):
            lab.cgroup(path)
        agent = lab.agent(CONF + binding("many", 17, 18, 19))
        wait_for("units", lambda: lab.source(FAR[4], cgroup=lab.cgroup("/x.slice")) == pool(12, 4), 2)
        text = agent.ctl("render").stdout
        path = lab.dir + "/rendered.nft"
        with open(path, "w") as out:
            out.write(text)
        # nft resolves cgroups below /sys/fs/cgroup only; hybrid hosts have cgroup2 elsewhere
        shell = "mount --bind '%s' /sys/fs/cgroup && %%s" % lab.cgroup_mount

        def nft(namespace, words):
            return lab.run(namespace, "unshare", "-m", "sh", "-c", shell % ("nft " + words)).stdout
        nft("receiver", "-c -f '%s'" % path)
        nft("receiver", "-f '%s'" % path)
        words = "-j list table inet outbind"
        ours, theirs = normal(nft("sender", words)), normal(nft("receiver", words))
        check("only in the agent's", [one for one in ours if one not in theirs], [])
        check("only in the rendered", [one for one in theirs if one not in ours], [])
        check("order", ours, theirs)


@test("`diff` shows how the files differ from what runs, and says so by its exit status")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        check("no differences", agent.ctl("diff").returncode, 0)
        agent.write(CONF.replace("binding d", "binding e").replace("use d", "use e").replace("user 4003 reject", "user 4003 pass"))
        result = agent.ctl("diff", "--json", ok=False)
        check("differences", result.returncode, 1)
        changes = json.loads(result.stdout)["changes"]
        bindings = {(change["what"], change["name"]) for change in changes if change["kind"] == "binding"}
        check("bindings", bindings, {("added", "e"), ("removed", "d")})
        check("the rule is there", any("4003" in change["name"] for change in changes), True)
        check("text", "4003" in agent.ctl("diff", ok=False).stdout, True)
        agent.ctl("reload")
        check("after the reload", agent.ctl("diff").returncode, 0)
        agent.write("binding {")
        check("an invalid file", agent.ctl("diff", ok=False).returncode, 1)


def items(answer, key):
    return answer[key] if isinstance(answer, dict) else answer


@test("`binding list`, `binding show`, `policy list` and `status` say what the configuration says")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        listed = items(agent.json("binding", "list"), "bindings")
        check("names", {one["name"] for one in listed} - {"default"}, set("abcd") | {"only4"})
        check("the default binding is listed", "default" in {one["name"] for one in listed}, True)
        shown = agent.json("binding", "show", "only4")
        for key in ("name", "mark", "addresses", "usable", "suspended"):
            check("%s is in %s" % (key, shown), key in shown, True)
        check("addresses", shown["addresses"], ["198.51.100.16"])
        check("usable", (shown["usable"]["ipv4"]["usable"], shown["usable"]["ipv6"]["usable"]), (True, False))
        rules = items(agent.json("policy", "list"), "rules")
        check("number of rules", len(rules), 12)
        check("first kind", rules[0]["client"].split()[0] in ("cgroup", "unit"), True)
        check("last kind", rules[-1]["client"].split()[0], "otherwise")
        status = agent.json("status")
        check("status", (status["pid"], status["table"], status["rules"]), (agent.pid, "outbind", 12))
        for words in (("binding", "list"), ("binding", "show", "a"), ("policy", "list"), ("status",)):
            text = agent.ctl(*words).stdout
            check("text of %s" % (words,), bool(text.strip()) and "\033" not in text, True)


@test("`exec` runs any command with its connections in a binding, and returns its status")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        script = ("import socket,sys\n"
                  "for to in %r, %r:\n"
                  "    print(socket.create_connection((to, %d), 3).makefile().readline().split()[0])\n"
                  "sys.exit(7)\n" % (FAR[4], FAR[6], PORT))
        result = agent.ctl("exec", "a", "--", sys.executable, "-c", script, ok=False)
        check("status: " + result.stderr, result.returncode, 7)
        check("sources", result.stdout.split(), [pool(11, 4), pool(11, 6)])
        result = agent.ctl("exec", "a", "--", "sh", "-c", "(sh -c 'nc -w1 %s %d </dev/null')" % (FAR[4], PORT), ok=False)
        check("grandchildren", result.stdout.split()[0], pool(11, 4))
        check("not found", agent.ctl("exec", "a", "--", "/no/such/command", ok=False).returncode, 127)
        check("unknown binding", agent.ctl("exec", "zzz", "--", "true", ok=False).returncode != 0, True)
        left = [name for _, names, _ in os.walk(lab.cgroup_root) for name in names if name.startswith("exec-")]
        check("cgroups left behind", left, [])


@test("`exec --unit-name` without systemd: a cgroup of that name; a second one, or a bad name, is refused")
def _():
    if os.path.isdir("/run/systemd/system"):
        raise Skip("systemd runs here: tests/vm has this case")
    with Lab() as lab:
        agent = lab.agent(CONF)
        result = agent.ctl("exec", "--unit-name", "job-1", "a", "--", "sh", "-c",
                           "grep ^0:: /proc/self/cgroup; nc -w1 %s %d </dev/null" % (FAR[4], PORT))
        check("cgroup: " + result.stdout, result.stdout.split()[0].endswith("/outbind.exec/a/job-1.scope"), True)
        check("source", result.stdout.split()[1], pool(11, 4))
        lab.spawn("sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "exec", "--unit-name", "job-1", "a",
                             "--", "sleep", "30"])
        place = lab.cgroup_root + "/outbind.exec/a/job-1.scope"
        wait_for("the first to run", lambda: os.path.isdir(place) and open(place + "/cgroup.procs").read())
        result = agent.ctl("exec", "--unit-name", "job-1", "a", "--", "echo", "ran", ok=False)
        check("a second one: " + result.stderr, (result.returncode, result.stdout), (5, ""))
        for name in ("", ".x", "a/b", "a b", "x" * 201):
            result = agent.ctl("exec", "--unit-name", name, "a", "--", "echo", "ran", ok=False)
            check("name %r: %s" % (name, result.stderr), (result.returncode, result.stdout), (2, ""))


@test("`settle`: what is sent after it by a cgroup that was made before it has its binding")
def _():
    with Lab() as lab:
        path = lab.cgroup("/system.slice/y.service")
        agent = lab.agent(CONF)
        wrong = []
        for i in range(40):
            os.rmdir(path)
            os.mkdir(path)
            agent.ctl("settle")
            source = lab.source(FAR[4], proto="udp", cgroup=path, uid=1)
            if source != pool(13, 4):
                wrong.append((i, source))
        check("wrong sources", wrong, [])
        before = agent.json("status")["transactions"]
        agent.ctl("settle")
        check("nothing to do, nothing done", agent.json("status")["transactions"], before)


@test("exit statuses are as documented: usage 2, no agent 3, permission 4")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        check("unknown verb", agent.ctl("statsu", ok=False).returncode, 2)
        check("unknown option", agent.ctl("status", "--wat", ok=False).returncode, 2)
        check("explain without --to", agent.ctl("explain", "--user", "1", ok=False).returncode, 2)
        check("unknown binding", agent.ctl("binding", "show", "acme", ok=False).returncode, 5)
        check("no agent", lab.run("sender", BUILD + "/outbindctl", "--runtime-dir", lab.dir + "/none", "status",
                                  ok=False).returncode, 3)
        result = lab.run("sender", BUILD + "/outbindctl", "status", ok=False,
                         env=dict(os.environ, OUTBIND_RUNTIME_DIR=agent.runtime))
        check("OUTBIND_RUNTIME_DIR", result.returncode, 0)


@test("two agents in two namespaces do not meet, and `outbindctl` reaches the one it is told")
def _():
    with Lab() as lab:
        one = lab.agent(binding("a", 11) + "policy { user 4001 use a; }")
        two = lab.agent("binding b { address 203.0.113.9; }\npolicy { user 4001 use b; }", namespace="receiver")
        lab.serve("sender", (7000,))
        check("one", one.ctl("binding", "show", "b", ok=False).returncode, 5)
        check("two", two.json("binding", "show", "b")["addresses"], ["203.0.113.9"])
        check("sources", [lab.source(FAR[4], uid=4001), lab.source(HOST[4], uid=4001, namespace="receiver")],
              [pool(11, 4), "203.0.113.9"])

# SPDX-License-Identifier: GPL-2.0-or-later
"""What outbindctl changes while everything runs is what the receiver sees, and what save writes."""

import json
import os
import threading

from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool
from test_refusal import refused

FILES = """# who leaves from where
include "conf.d/*.conf";
mark-mask 0x1fff;
""" + binding("a", 11) + binding("z", 20) + """policy {
	user 4001 use a;	# the first customer
	user 4009 reject; user 4008 use z;
}
"""


class Host:
    """An agent whose configuration has a conf.d, and short words for what is done with it."""

    def __init__(self, lab):
        self.lab, self.agent = lab, lab.agent(FILES, start=False)
        self.dir = self.agent.dir
        os.mkdir(self.dir + "/conf.d")
        self.write("conf.d/10.conf", binding("x", 21) + "# } after x\n")
        self.agent.start()

    def write(self, name, text):
        with open(self.dir + "/" + name, "w") as out:
            out.write(text)

    def read(self, name):
        if not os.path.exists(self.dir + "/" + name):
            return None
        with open(self.dir + "/" + name) as file:
            return file.read()

    def files(self):
        return {name: self.read(name) for name in ("outbind.conf", "conf.d/10.conf", "conf.d/runtime.conf",
                                                   "outbind.conf~", "conf.d/10.conf~", "conf.d/runtime.conf~")}

    def do(self, line, status=0, **more):
        result = self.agent.ctl(*line.split(), ok=False, **more)
        check("status of %s: %s%s" % (line, result.stdout, result.stderr), result.returncode, status)
        return result.stderr if status else result.stdout

    def sees(self, what, **want):
        """Sources of the users u4001=..., in both families; a number is of the pool, None the host's own."""
        for user, number in want.items():
            for family in (4, 6):
                check("%s: %s over IPv%d" % (what, user, family), self.lab.source(FAR[family], uid=int(user[1:])),
                      HOST[family] if number is None else pool(number, family))

    def rules(self):
        return sorted((one["client"], one["to"], one["action"]) for one in self.agent.json("policy", "list")["rules"])

    def layer(self):
        return self.agent.json("diff", ok=False)["changes"]


def addresses(number):
    return "%s,%s" % (pool(number, 4), pool(number, 6))


@test("bindings, rules and bypass entries come, change and go while everything runs")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.sees("before", u4001=11, u4002=None)
        text = host.do("binding add b address %s ehlo mx.b.example" % addresses(12))
        check("said: " + text, text.splitlines()[0], "+ binding b")
        host.do("policy add user 4002 use b user 4003 port %d use b" % PORT)
        host.sees("added", u4001=11, u4002=12, u4003=12)
        stop = lab.stream(FAR[4], 5, uid=4002)
        told = json.loads(host.do("binding set b address %s --dry-run --json" % addresses(13)))
        check("dry run: changes", [(one["what"], one["kind"], one["name"]) for one in told["changes"]],
              [("changed", "binding", "b")])
        check("dry run: affected", told["affected"], [{"binding": "b", "connections": 5}])
        host.sees("after the dry run", u4002=12)
        host.do("binding set b address %s" % addresses(13))
        host.sees("changed", u4002=13, u4003=13)
        shown = host.agent.json("binding", "show", "b")
        check("other settings stay", (shown["ehlo"], shown["addresses"]), ("mx.b.example", addresses(13).split(",")))
        live = stop()
        check("live connections keep what they have", (live["sources"], live["errors"], live["unfinished"]),
              ([pool(12, 4)], [], 0))
        host.do("binding set b remove ehlo")
        check("a setting less", host.agent.json("binding", "show", "b")["ehlo"], None)
        host.do("bypass add %s %s" % (FAR[4], FAR[6]))
        host.sees("left alone", u4001=None, u4002=None)
        host.do("bypass remove %s,%s" % (FAR[4], FAR[6]))
        host.do("policy add user 4002 use a")
        host.sees("a rule replaced", u4002=11, u4003=13)
        host.do("policy remove user 4002 user 4003 port %d" % PORT)
        host.sees("rules removed", u4001=11, u4002=None, u4003=None)
        host.do("policy remove user 4001")
        host.sees("a rule of the files removed", u4001=None)
        host.agent.kill()
        host.agent.start()
        host.sees("after a restart", u4001=None, u4002=None)
        check("the binding is still there", host.agent.json("binding", "show", "b")["addresses"],
              addresses(13).split(","))


@test("groups and `default-binding` come, change and go while everything runs")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.do("group add pool member a weight 3 member x pick sticky-destination")
        host.do("policy add user 4002 use pool")
        check("of the pool", lab.source(FAR[4], uid=4002) in (pool(11, 4), pool(21, 4)), True)
        host.do("group set pool member x")
        host.sees("one member", u4002=21)
        error = host.do("group remove pool", status=1)
        check("refused with the user: " + error, "pool" in error, True)
        host.do("policy remove user 4002")
        host.do("group remove pool")
        host.sees("no group", u4002=None)
        host.do("default-binding reject")
        refused(lab, {"uid": 4002}, 4)
        host.do("default-binding unset")
        host.sees("unset", u4002=None)


@test("a rule whose user has a name is the same rule by name and by number")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.write("conf.d/20.conf", "policy { user daemon use a; }\n")
        host.do("reload")
        stop = lab.stream(FAR[4], 2, uid=1)
        told = json.loads(host.do("policy add user daemon use z --json"))
        check("what changed", [(one["what"], one["name"], one["runtime"]) for one in told["changes"]],
              [("changed", "user daemon", True)])
        check("live connections", told["affected"], [{"binding": "a", "connections": 2}])
        stop()
        host.sees("by name", u1=20)
        check("marked", [(one["name"], one["runtime"]) for one in host.layer()], [("user daemon", True)])
        text = host.do("policy add user 1 use x")
        check("by number: " + text, text.splitlines()[0], "~ rule user 1")
        host.sees("by number", u1=21)
        host.do("policy remove user daemon")
        host.sees("removed by name", u1=None)
        host.do("policy add user daemon use z")
        host.write("conf.d/20.conf", "policy { user daemon use z; }\n")
        host.do("reload")
        check("the files say it now", host.layer(), [])
        check("nothing is kept", "daemon" in (open(host.agent.state + "/runtime.conf").read()), False)
        host.do("policy remove user 1")
        host.sees("removed by number", u1=None)
        host.agent.ctl("apply", "--whole", "-", text=binding("only", 15) + "policy { user 4005 use only; }\n")
        host.sees("whole", u1=None, u4005=15)


@test("what is refused changes nothing, and says where")
def _():
    with Lab() as lab:
        host = Host(lab)
        before = lab.nft("list", "table", "inet", "outbind")
        rows = [
            ("binding add a address 198.51.100.22", 5, "there is a binding or group 'a' already"),
            ("binding set nobody address 198.51.100.22", 5, "there is no binding 'nobody'"),
            ("binding set a address 198.51.100.300", 1, "address 198.51.100.300"),
            ("binding set a adress 198.51.100.22", 1, "^"),
            ("binding add c address 198.51.100.20", 1, "198.51.100.20"),
            ("policy add user 4002 use bb", 1, "policy { user 4002 use bb; }"),
            ("policy add usr 4002 use a", 1, "    policy { usr 4002 use a; }\n             ^\n"),
            ("policy remove user 4002", 1, "^"),
            ("bypass remove 203.0.113.0/24", 1, "^"),
            ("bypass add 203.0.113.1/24", 1, "^"),
            ("default-binding sometimes", 1, "^"),
            ("apply /nonexistent", 2, "No such file"),
            ("group remove a", 5, "'a' is a binding: `outbindctl binding remove`"),
            ("group set a pick random", 5, "'a' is a binding"),
            ("binding set a remove ehl", 1, "did you mean 'ehlo'?"),
            ("binding set a address 198.51.100.22 remove limit conections", 1, "did you mean 'connections'?"),
            ("binding remove a --reassign a", 2, "expected another binding than 'a'"),
        ]
        error = host.agent.ctl("apply", "-", text="remove group x;\n", ok=False).stderr
        check("not as a group: " + error, "group x is not there" in error, True)
        for line, status, words in rows:
            error = host.do(line, status=status)
            check("%s says %r: %s" % (line, words, error), words in error, True)
        check("no change", host.layer(), [])
        check("the table is as before", lab.nft("list", "table", "inet", "outbind"), before)
        host.sees("after all that", u4001=11, u4008=20)


@test("`apply` is one transaction: from a file, from standard input, as a whole, or only looked at")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.write("monday.conf", binding("b", 12) + binding("c", 13) +
                   "policy { user 4002 use b; user 4003 use c; }\nremove policy { user 4001; }\n")
        monday = host.dir + "/monday.conf"
        text = host.do("apply --dry-run " + monday)
        for line in ("+ binding b", "+ rule user 4003", "- rule user 4001", "; nothing was changed"):
            check("%r in %s" % (line, text), line in text, True)
        host.sees("only looked at", u4001=11, u4002=None)
        text = host.do("apply " + monday)
        check("what it did: " + text, "5 changes, " in text and " ms\n" in text, True)
        host.sees("applied", u4001=None, u4002=12, u4003=13, u4008=20)
        error = host.do("apply " + monday, status=1)
        check("again: " + error, "monday.conf:4:" in error and "user 4001" in error, True)
        host.write("wrong.conf", "binding d { }\npolicy { user 4002 use dd; user 4004 use d }\n")
        error = host.do("apply %s/wrong.conf" % host.dir, status=1)
        check("places: " + error, "wrong.conf:2:44: " in error, True)
        check("no d", host.agent.ctl("binding", "show", "d", ok=False).returncode, 5)
        command = host.agent.ctl("apply", "-", text="binding b { address %s; }\n" % addresses(14))
        check("standard input", command.stdout.splitlines()[0], "~ binding b")
        host.sees("from standard input", u4002=14)
        os.mkfifo(host.dir + "/pipe")
        writer = os.open(host.dir + "/pipe", os.O_RDWR)
        os.write(writer, ("binding b { address %s; }\n" % addresses(16)).encode())
        tool = threading.Timer(1, os.close, [writer])
        tool.start()
        host.do("apply %s/pipe" % host.dir)
        tool.join()
        host.sees("from a pipe", u4002=16)
        host.agent.ctl("apply", "--whole", "-", text=binding("only", 15) + "policy { user 4005 use only; }\n")
        host.sees("whole", u4001=None, u4002=None, u4005=15, u4008=None)
        names = {one["name"] for one in host.agent.json("binding", "list")["bindings"]}
        check("nothing else is left", names, {"only", "default"})


@test("`apply` of a configuration with all that it includes, the agent's own too; settings that no change brings are named")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.write("outbind.conf", FILES + "metrics { traffic on; }\nflow-log \"/tmp/no-flows\";\nrelay { listen 127.0.0.1:2525; "
                   "sender a.example use a; }\ndns { keep 7d; }\n")
        host.do("reload")
        own = host.agent.conf
        check("as it is", "nothing to change" in host.do("apply --dry-run --whole " + own), True)
        check("as it is", "nothing to change" in host.do("apply " + own), True)
        host.do("binding set x address %s" % addresses(22))
        host.do("binding add b address %s" % addresses(12))
        host.do("policy add user 4002 use b")
        text = host.do("apply --dry-run " + own)
        check("without --whole, what is new stays: " + text, ("~ binding x" in text, "binding b" in text), (True, False))
        host.do("binding suspend a")
        text = host.do("apply --whole " + own)
        check("back to the files: " + text, all(line in text for line in ("- suspension a", "~ binding x", "- binding b", "- rule user 4002")), True)
        check("diff is empty", (host.agent.ctl("diff").returncode, host.layer()), (0, []))
        host.sees("as the files say", u4001=11, u4002=None, u4008=20)
        os.mkdir(host.dir + "/new")
        host.write("new/more.conf", binding("m", 13) + "policy { user 4002 use m; }\n")
        settings = host.read("outbind.conf")[host.read("outbind.conf").index("metrics"):]
        host.write("new/all.conf", "include \"more.conf\";\n" + binding("a", 14) + "policy { user 4001 use a; }\n" + settings)
        host.do("apply --whole %s/new/all.conf" % host.dir)
        host.sees("another one", u4001=14, u4002=13, u4008=None)
        host.write("new/all.conf", "mark-mask 0xff;\nport-warning off;\n" + binding("a", 15))
        before = host.agent.ruleset()
        error = host.do("apply --whole %s/new/all.conf" % host.dir, status=5)
        for name in ("mark-mask", "port-warning", "flow-log", "relay", "dns", "metrics"):
            check("%s in %s" % (name, error), "`%s` is another one in %s/new/all.conf than in %s\n" % (name, host.dir, own) in error,
                  True)
        check("what to do: " + error, "write it into %s, then `outbindctl reload`; nothing was changed" % own in error, True)
        host.write("new/all.conf", "include \"nowhere.conf\";\nbinding a { }\n")
        error = host.do("apply --whole %s/new/all.conf" % host.dir, status=1)
        check("not valid: " + error, "new/all.conf:1:" in error and "nothing was changed" in error, True)
        error = host.agent.ctl("apply", "-", text="binding q { }\ninclude \"more.conf\";\n", ok=False)
        check("standard input: " + error.stderr, (error.returncode, "standard input:2:" in error.stderr and
                                                  "'include' in a run-time change" in error.stderr), (1, True))
        check("nothing changed", host.agent.ruleset(), before)


@test("`save` writes what was changed into the files that say it, and then `diff` is empty")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.do("binding add b address %s" % addresses(12))
        host.do("policy add user 4002 use b user 4009 pass")
        host.do("policy remove user 4008")
        host.agent.ctl("apply", "-", text="remove binding z;\n")
        host.do("binding set x address %s" % addresses(22))
        host.do("bypass add 192.0.2.0/24")
        changes = host.layer()
        check("all of it was changed at run time", [one for one in changes if not one["runtime"]], [])
        check("there are changes", len(changes), 7)
        text = host.agent.ctl("diff", ok=False).stdout
        check("diff says so: " + text, "7 of 7 changed at run time" in text, True)
        before, rules = host.files(), host.rules()
        shown = host.do("save --dry-run")
        check("files after a dry run", host.files(), before)
        check("the difference names the files: " + shown, shown.count("+++ "), 3)
        host.do("binding suspend b")
        text = host.do("save")
        check("suspension: " + text, "1 suspension stays with the agent" in text, True)
        check("diff is empty", (host.agent.ctl("diff").returncode, host.layer()), (0, []))
        host.do("binding resume b")
        after = host.files()
        check("main", after["outbind.conf"], FILES.replace(binding("z", 20), "")
              .replace("user 4009 reject; user 4008 use z;", "user 4009 pass;"))
        check("comments stay", after["conf.d/10.conf"].endswith("}\n# } after x\n"), True)
        check("copies", (after["outbind.conf~"], after["conf.d/10.conf~"]), (FILES, before["conf.d/10.conf"]))
        check("nothing was there to be copied", after["conf.d/runtime.conf~"], None)
        check("new things", all(words in after["conf.d/runtime.conf"] for words in
                                ("binding b {", "user 4002 use b;", "192.0.2.0/24;")), True)
        check("rules, but for their places", host.rules(), rules)
        host.sees("saved", u4001=11, u4002=12, u4008=None, u4009=None)
        host.agent.kill()
        os.unlink(host.agent.state + "/runtime.conf")
        host.agent.start()
        host.sees("from the files alone", u4001=11, u4002=12, u4008=None, u4009=None)
        check("nothing to save", "nothing to save" in host.do("save"), True)


@test("`save` refuses what it cannot prove, and edits that do not run yet")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.do("binding add b address %s" % addresses(12))
        host.agent.write(FILES.replace("user 4009 reject", "user 4009 pass"))
        before = host.files()
        error = host.do("save", status=5)
        check("edits: " + error, "such as rule user 4009" in error and "reload first" in error, True)
        check("files", host.files(), before)
        host.agent.write(FILES.replace("conf.d/*.conf", "conf.d/1*.conf"))
        host.do("reload")
        before = host.files()
        error = host.do("save", status=5)
        check("no include: " + error, '    include "conf.d/*.conf";' in error, True)
        check("files", host.files(), before)
        host.do("save %s/conf.d/10.conf" % host.dir)
        check("another file", "binding b {" in host.read("conf.d/10.conf"), True)
        check("diff is empty", host.layer(), [])


RELAY = """relay {	# in one file, as people write it
	listen 127.0.0.1:2525 { name in; }	# }
	sender acme.example use x;
}
"""


@test("a relay block in the files: `diff` names what differs, `save` leaves it, and what it uses is not removed")
def _():
    with Lab() as lab:
        host = Host(lab)
        host.write("conf.d/20.conf", RELAY)
        check("not loaded yet", [(one["what"], one["kind"], one["name"]) for one in host.layer()],
              [("added", "relay", "listen in"), ("added", "relay", "sender acme.example"), ("added", "relay", "settings")])
        host.do("reload")
        check("loaded", host.layer(), [])
        error = host.do("binding remove x", status=5)
        check("in use: " + error, "20.conf:3:2: relay 'sender acme.example' refers to it" in error and
              "changed in the files only" in error, True)
        error = host.do("binding remove x --reassign a", status=5)
        check("cannot be moved: " + error, "relay 'sender acme.example' refers to it" in error, True)
        error = host.agent.ctl("apply", "-", text="relay { listen 127.0.0.1:26; }\n", ok=False).stderr
        check("at run time: " + error, "'relay' cannot be changed at run time" in error, True)
        host.do("binding set x address %s ehlo x.example ehlo x6.example for ipv6" % addresses(22))
        host.do("save")
        check("untouched", host.read("conf.d/20.conf"), RELAY)
        check("saved: " + host.read("conf.d/10.conf"), "ehlo x6.example for ipv6;" in host.read("conf.d/10.conf"), True)
        check("nothing differs", host.layer(), [])
        host.write("conf.d/20.conf", RELAY.replace("use x", "reject"))
        check("another rule", [(one["what"], one["name"], one["files"], one["running"]) for one in host.layer()],
              [("changed", "sender acme.example", "sender acme.example reject;", "sender acme.example use x;")])
        host.do("reload")
        host.do("binding remove x")
        host.sees("after all that", u4001=11)

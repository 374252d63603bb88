# SPDX-License-Identifier: GPL-2.0-or-later
"""Removing a binding: who is named, who goes on, who is ended, and that nothing leaves from elsewhere."""

import json
import os
import signal
import subprocess
import threading
import time

from cases import test
from lab import BUILD, FAR, GUEST4, Lab, PORT, binding, check, pool, wait_for

CONF = (binding("a", 11) + binding("b", 12) + "policy {\n    user 4001 use a;\n    user 4002 port 25 use a;\n"
        "    user 4003 use b;\n}\n")
LIVE = {4: "203.0.113.2", 6: "2001:db8:2::2"}


class Later:
    """outbindctl in the background."""

    def __init__(self, agent, *words):
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(agent, words))
        self.thread.start()

    def _run(self, agent, words):
        self.result = agent.ctl(*words, ok=False)

    def wait(self, seconds=20):
        self.thread.join(seconds)
        if self.thread.is_alive():
            raise AssertionError("outbindctl is still at it after %d s" % seconds)
        return self.result


def says(what, text, *words):
    for word in words:
        check("%s: %r has %r" % (what, text, word), word in text, True)


def names(agent):
    return [one["name"] for one in agent.json("binding", "list")["bindings"] if one["name"] != "default"]


def untouched(result, family, number=11):
    check("live: sources", result["sources"], [pool(number, family)])
    check("live: errors", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))


@test("removing a binding that is in use refuses, and names rules by place and connections by tuple")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        stops = {family: lab.stream(LIVE[family], 3, uid=4001) for family in (4, 6)}
        refusal = agent.ctl("binding", "remove", "a", ok=False)
        check("exit status", refusal.returncode, 5)
        says("why", refusal.stderr, agent.conf + ":4:5: rule 'user 4001'", agent.conf + ":5:5: rule 'user 4002 port 25'",
             "live: tcp 198.51.100.1:", " > 203.0.113.2:%d as %s:" % (PORT, pool(11, 4)), "> [2001:db8:2::2]:%d as [%s]:"
             % (PORT, pool(11, 6)), "ESTABLISHED", "nothing was changed", "--reassign")
        told = json.loads(agent.ctl("binding", "remove", "a", "--json", ok=False).stdout)
        check("in JSON", (told["error"], told["parameters"]["connections"], len(told["parameters"]["remaining"])),
              ("org.outbind.BindingInUse", 6, 6))
        check("drain alone does not help", agent.ctl("binding", "remove", "a", "--drain", ok=False).returncode, 5)
        check("still there", lab.source(FAR[4], uid=4001), pool(11, 4))
        refusal = agent.ctl("binding", "remove", "a", "--reassign", "b", ok=False)
        check("reassigning alone waits for nobody", refusal.returncode, 5)
        check("and changed nothing", lab.source(FAR[4], uid=4001), pool(11, 4))
        for family, stop in stops.items():
            untouched(stop(), family)
        wait_for("no connection", lambda: json.loads(agent.ctl(
            "binding", "remove", "a", "--json", ok=False).stdout)["parameters"]["connections"] == 0)
        done = agent.ctl("binding", "remove", "a", "--reassign", "b")
        check("removed", (done.stdout, names(agent)), ("removed a\n", ["b"]))
        check("its client", lab.source(FAR[6], uid=4001), pool(12, 6))
        agent.ctl("reload")
        check("after a reload", (names(agent), lab.source(FAR[4], uid=4001)), (["b"], pool(12, 4)))


@test("`--dry-run` of remove, suspend and resume says what would change, refuses what would be refused, and changes nothing")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)

        def state():
            return (agent.ctl("binding", "list").stdout, agent.ctl("policy", "list").stdout, agent.ctl("diff", ok=False).stdout,
                    agent.json("status")["generation"])

        before = state()
        refusal = agent.ctl("binding", "remove", "a", "--dry-run", ok=False)
        check("exit status", refusal.returncode, 5)
        says("why", refusal.stderr, agent.conf + ":4:5: rule 'user 4001'", "nothing was changed")
        stop = lab.stream(LIVE[4], 2, uid=4001)
        for words, fate in ((("--drain",), "would be waited for\n"), (("--kill",), "would be ended\n"),
                            (("--drain", "--timeout", "1s", "--kill"), "would be waited for, then ended\n")):
            text = agent.ctl("binding", "remove", "a", "--reassign", "b", "--dry-run", *words).stdout
            says("remove %s" % " ".join(words), text, "2 live connections " + fate, "- binding a", "~ rule user 4001\n    - use a\n    + use b\n", "dry run: ", "; nothing was changed")
        untouched(stop(), 4)
        for verb, sign in (("suspend", "+"), ("resume", None)):
            text = agent.ctl("binding", verb, "--dry-run", "a").stdout
            says(verb, text, "%s suspension a" % sign if sign else "nothing to change: it is so already")
            says(verb + " default", agent.ctl("binding", verb, "--dry-run", "default").stdout,
                 "default-binding" if sign else "nothing to change")
        check("as it was", state(), before)
        agent.ctl("binding", "suspend", "a")
        check("suspended", agent.json("binding", "suspend", "a", "--dry-run")["changes"], [])
        changes = agent.json("binding", "resume", "a", "--dry-run")["changes"]
        check("resume", [(one["what"], one["kind"], one["name"]) for one in changes], [("removed", "suspension", "a")])
        agent.ctl("binding", "resume", "a")
        changes = agent.json("binding", "remove", "b", "--reassign", "a", "--dry-run")["changes"]
        check("remove", sorted((one["what"], one["kind"], one["name"]) for one in changes),
              [("changed", "rule", "user 4003"), ("removed", "binding", "b")])
        refusal = agent.ctl("binding", "remove", "nobody", "--dry-run", ok=False)
        check("unknown", (refusal.returncode, "nobody" in refusal.stderr), (5, True))
        check("as it was", state(), before)


@test("a drain lets live connections finish with their address, new ones leave by the other, and ends by itself")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        mark = agent.mark("a")
        stops = {family: lab.stream(LIVE[family], 5, uid=4001) for family in (4, 6)}
        drain = Later(agent, "binding", "remove", "a", "--reassign", "b", "--drain")
        agent.wait_event("binding.draining")
        for family in (4, 6):
            check("the next one", lab.source(FAR[family], uid=4001), pool(12, family))
            check("who is tagged", lab.source(FAR[family], mark=mark), "!ECONNREFUSED")
        says("status", agent.ctl("status").stdout, "removing", "a: 10 of 10 connections left")
        time.sleep(1.2)                         # live ones send, and are counted
        untouched(stops[4](), 4)
        wait_for("half of them", lambda: agent.json("status")["removals"] ==
                 [{"name": "a", "connections": 5, "at_start": 10}])
        check("still there", names(agent), ["a", "b"])
        untouched(stops[6](), 6)
        result = drain.wait(5)
        check("exit status", result.returncode, 0)
        says("progress", result.stdout, "10 of 10 connections left\n", "5 of 10 connections left\n",
             "removed a; waited for 10 connections\n")
        check("gone", (names(agent), len(agent.events("binding.removed"))), (["b"], 1))
        check("who is tagged", lab.source(FAR[4], mark=mark), "!ECONNREFUSED")


@test("a drain gives up after its time and says which connections remain, or ends them if asked")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        agent.ctl("policy", "remove", "user", "4001")
        agent.ctl("policy", "remove", "user", "4002", "port", "25")
        stop = lab.stream(LIVE[4], 12, mark=agent.mark("a"))
        begun = time.monotonic()
        result = agent.ctl("binding", "remove", "a", "--drain", "--timeout", "1s", ok=False)
        check("a second", 1 <= time.monotonic() - begun < 3, True)
        check("exit status", result.returncode, 1)
        says("what remains", result.stdout, "a was not removed: the time is up", "  tcp ", "and 2 more")
        check("suspended", agent.json("binding", "show", "a")["suspended"], True)
        result = agent.ctl("binding", "remove", "a", "--drain", "--timeout", "1", "--kill", "--json")
        replies = [json.loads(line) for line in result.stdout.splitlines()]
        check("one object a reply", [reply["done"] for reply in replies], [False] * (len(replies) - 1) + [True])
        check("the last", (replies[-1]["killed"], replies[-1]["removed"], replies[-1]["remaining"]), (12, True, []))
        check("applications", stop()["errors"], ["ECONNABORTED"] * 12)
        check("gone", names(agent), ["b"])


@test("killed connections are reset from the binding's address, and no packet comes from elsewhere")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        stops = {family: lab.stream(LIVE[family], 10, uid=4001) for family in (4, 6)}
        bystanders = {family: lab.stream(LIVE[family], 3, uid=4003, port=7001) for family in (4, 6)}
        capture = lab.capture()
        result = agent.ctl("binding", "remove", "a", "--reassign", "b", "--kill")
        check("said", result.stdout, "removed a; ended 20 connections\n")
        time.sleep(0.5)
        for family, stop in stops.items():
            check("applications", stop()["errors"], ["ECONNABORTED"] * 10)
            check("the next one", lab.source(FAR[family], uid=4001), pool(12, family))
        for family, stop in bystanders.items():
            untouched(stop(), family, 12)
        capture.stop()
        for family in (4, 6):
            packets = capture.select(proto="tcp", to=LIVE[family], dport=PORT)
            check("IPv%d: sources" % family, {packet.source for packet in packets}, {pool(11, family)})
            check("IPv%d: each was reset" % family, sum(packet.resets > 0 for packet in packets), 10)
        check("nothing of the host itself", capture.select(source="198.51.100.1", proto="tcp"), [])


@test("TCP that is only forwarded cannot be ended here: it keeps its address, is named, and ends where it began")
def _():
    with Lab(guest=True) as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12) + "policy { source 10.88.7.0/24 use a; }")
        stop = lab.stream(LIVE[4], 2, namespace="guest")
        capture = lab.capture()
        kill = Later(agent, "binding", "remove", "a", "--reassign", "b", "--kill")
        agent.wait_event("binding.draining")
        check("the next one", lab.source(FAR[4], namespace="guest"), pool(12, 4))
        result = kill.wait(20)
        check("exit status", result.returncode, 1)
        says("what remains", result.stdout, "cannot be ended on this host", GUEST4)
        untouched(stop(), 4)
        check("sources", capture.sources(proto="tcp", to=LIVE[4]), {pool(11, 4)})
        wait_for("the last one to end", lambda: agent.ctl(
            "binding", "remove", "a", ok=False).returncode == 0)
        check("gone", names(agent), ["b"])


@test("who watches a drain may go: it goes on, is joined, ends by resuming, and leaves a restart suspended")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        stop = lab.stream(LIVE[4], 2, uid=4001)
        command = ["ip", "netns", "exec", lab.namespaces["sender"], BUILD + "/outbindctl", "--runtime-dir",
                   agent.runtime, "binding", "remove", "a", "--reassign", "b", "--drain"]
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        agent.wait_event("binding.draining")
        time.sleep(0.3)
        os.kill(watching.pid, signal.SIGINT)
        _, text = watching.communicate(timeout=5)
        check("exit status", watching.returncode, 130)
        says("farewell", text, "what was begun goes on", "binding resume a")
        check("goes on", agent.json("status")["removals"], [{"name": "a", "connections": 2, "at_start": 2}])
        joined = Later(agent, "binding", "remove", "a", "--drain")
        time.sleep(0.5)
        agent.ctl("binding", "resume", "a")
        result = joined.wait(5)
        check("resumed", (result.returncode, "resumed meanwhile" in result.stdout), (1, True))
        drain = Later(agent, "binding", "remove", "a", "--drain")
        wait_for("the second drain", lambda: len(agent.events("binding.draining")) == 2)
        agent.kill()
        check("an agent that is gone", drain.wait(5).returncode, 3)
        agent.start()
        check("suspended, not removed", (agent.json("binding", "show", "a")["suspended"], names(agent)), (True, ["a", "b"]))
        untouched(stop(), 4)


@test("the number of a removed binding is not given away while a connection or a socket carries it")
def _():
    def conf(*others):
        return ("mark-mask 0x70000;\n" + "".join(binding(name, n) for n, name in enumerate(("c", "d", "e") + others, 13)) +
                "policy { user 4004 use c; }\n")

    with Lab() as lab:
        agent = lab.agent("mark-mask 0x70000;\n" + binding("a", 11) + binding("b", 12) +
                          "".join(binding(name, n) for n, name in enumerate(("c", "d", "e"), 13)) +
                          "policy { user 4001 use a; user 4004 use c; }\n")
        marks = {name: agent.mark(name) for name in "abcde"}
        stop = lab.stream(LIVE[4], 1, uid=4001)
        agent.write(conf())
        agent.ctl("reload")
        agent.kill()
        agent.write(conf("f"))
        agent.start()
        check("not a's", agent.mark("f"), marks["b"])
        agent.write(conf("f", "g"))
        refusal = agent.ctl("reload", ok=False)
        check("none is left", (refusal.returncode, "still carried" in refusal.stderr), (1, True))
        untouched(stop(), 4)
        lab.run("sender", "conntrack", "-F")
        agent.ctl("reload")
        check("a's now", agent.mark("g"), marks["a"])
        check("who lived kept theirs", [agent.mark(name) for name in "cde"], [marks[name] for name in "cde"])

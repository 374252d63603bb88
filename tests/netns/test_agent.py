# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's own life: start, adopt, reload, heal, refuse, stop."""

import os
import re
import socket
import subprocess
import time

from cases import test
from lab import BUILD, FAR, Lab, Skip, binding, check, pool, wait_for
from place import PATIENCE

CONF = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }"


@test("a flushed ruleset is healed within a second where the table is not owned")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, "--no-owner")
        check("owned", agent.json("status")["owned"], False)
        for again in range(3):
            lab.nft("flush", "ruleset")
            start = time.monotonic()
            wait_for("the table to be back", lambda: lab.source(FAR[4], uid=4001) == pool(11, 4), 3)
            took = time.monotonic() - start
            check("%.2f s is under a second" % took, took < 1, True)
            check("healed", len(agent.wait_event("table.healed", again)), 1)
        check("status counts", agent.json("status")["heals"] >= 3, True)


@test("foreign changes to an unowned table are healed within a second: elements, rules, chains")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, "--no-owner")
        before = agent.ruleset()
        for command in ("flush map inet outbind by_user", "flush set inet outbind usable4",
                        "delete element inet outbind by_user { 4001 }", "flush chain inet outbind output",
                        "add element inet outbind by_user { 4999 : 0x1 }",
                        "delete chain inet outbind guard", "delete table inet outbind"):
            lab.nft(*command.split(), ok=False)
            start = time.monotonic()

            wait_for("healed after " + command, lambda: strip(agent.ruleset()) == strip(before), 6, 0.02)
            took = time.monotonic() - start
            check("%s: %.2f s is under a second" % (command, took), took < 1.2 or PATIENCE > 1, True)
        check("works", lab.source(FAR[4], uid=4001), pool(11, 4))


def strip(ruleset):
    """A ruleset without its counters' values."""
    return re.sub(r"packets \d+ bytes \d+", "", ruleset)


@test("a foreign change to an owned table is refused by the kernel")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        if not agent.json("status")["owned"]:
            raise Skip("this kernel cannot protect a table from others (flags owner and persist, 6.9)")
        for command in ("flush map inet outbind by_user", "delete table inet outbind",
                        "add element inet outbind by_user { 4999 : 0x1 }"):
            result = lab.run("sender", "nft", *command.split(), ok=False)
            check(command, result.returncode != 0, True)
        check("works", lab.source(FAR[4], uid=4001), pool(11, 4))


@test("a second agent on the same table is refused, and names the first one's process")
def _():
    for options in ((), ("--no-owner",)):
        with Lab() as lab:
            first = lab.agent(CONF, *options)
            before = first.ruleset()
            second = lab.agent(CONF, *options, start=False)
            second.spawn()
            wait_for("the second to end", second.ended, 5)
            status = os.waitstatus_to_exitcode(lab.reap(second.pid))
            check("exit status", status, 4)
            check("it names process %d: %s" % (first.pid, second.read_log()), str(first.pid) in second.read_log(), True)
            check("ruleset", first.ruleset(), before)
            check("the first works", lab.source(FAR[4], uid=4001), pool(11, 4))
            other = lab.agent("mark-mask 0x1e000;\n" + binding("c", 15) + "policy { user 4003 use c; }",
                              *options, table="another")
            check("another table and mask are fine", lab.source(FAR[4], uid=4003), pool(15, 4))
            check("both work", lab.source(FAR[4], uid=4002), pool(12, 4))
            check("it stops", other.stop(), 0)


@test("a command line that is wrong is exit status 2, of all programs, with words, and nothing is done")
def _():
    for program, lines in (("outbindd", (["--nonsense"], ["--config"], ["more"], ["--table", "a b"], ["--on-stop", "x"])),
                           ("outbind-relay", (["--nonsense"], ["--config"], ["more"])),
                           ("outbindctl", (["--nonsense"], ["nonsense"], [], ["status", "more"])),
                           ("outbind-exporter", ([], ["0"], ["1", "2"]))):
        for words in lines:
            result = subprocess.run([BUILD + "/" + program] + words, capture_output=True, text=True, timeout=20)
            check("%s %s" % (program, words), (result.returncode, program in result.stderr), (2, True))
            check("nothing on stdout", result.stdout, "")


@test("a refused reload says all problems and leaves the ruleset as it is, byte for byte")
def _():
    bad = (CONF.replace("user 4001", "user 4009") +
           "binding x:y { address 198.51.100.13; }\nbinding c { adress 198.51.100.14; }\n"
           "policy { user 4003 use nobody-knows; }\nbinding d { address 224.0.0.1; }\n")
    with Lab() as lab:
        agent = lab.agent(CONF)
        before = lab.nft("-a", "list", "ruleset")
        agent.write(bad)
        result = agent.ctl("reload", ok=False)
        check("exit status", result.returncode, 1)
        said = result.stdout + result.stderr
        for place in ("outbind.conf:3:", "outbind.conf:4:", "outbind.conf:5:", "outbind.conf:6:"):
            check("%s is in: %s" % (place, said), place in said, True)
        check("suggestion", "address" in said, True)
        check("ruleset", lab.nft("-a", "list", "ruleset"), before)
        agent.hangup()
        agent.wait_event("config.refused")
        check("ruleset after SIGHUP", lab.nft("-a", "list", "ruleset"), before)
        check("works", lab.source(FAR[4], uid=4001), pool(11, 4))
        agent.write(CONF)
        agent.ctl("reload")
        check("ruleset after the old text", strip(lab.nft("-a", "list", "ruleset")), strip(before))


@test("SIGHUP reads the configuration again")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        agent.write(CONF.replace("user 4001 use a", "user 4003 use a"))
        agent.hangup()
        wait_for("the new rule", lambda: lab.source(FAR[4], uid=4003) == pool(11, 4), 3)
        check("the old rule is gone", lab.source(FAR[4], uid=4001), "198.51.100.1")


@test("a clean stop leaves the data path in place, `--on-stop remove` takes it away")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        check("exit status", agent.stop(), 0)
        check("still bound", lab.source(FAR[4], uid=4001), pool(11, 4))
        check("unknown mark still refused", lab.source(FAR[4], mark=0x1eee), "!ECONNREFUSED")
        agent.options += ["--on-stop", "remove"]
        agent.start()
        check("exit status", agent.stop(), 0)
        check("table", "inet outbind" in agent.ruleset(), False)
        check("unbound", lab.source(FAR[4], uid=4001), "198.51.100.1")


@test("a restart adopts the live table without writing to it")
def _():
    with Lab() as lab:
        lab.cgroup("/x.slice")
        agent = lab.agent(CONF + 'policy { cgroup "/x.slice" use b; }')
        before = lab.nft("-a", "list", "ruleset")
        for how in ("kill", "stop"):
            getattr(agent, how)()
            agent.start()
            check("handles and elements after " + how, table_of(lab), chop(before))
        check("adopted", len(agent.events("table.adopted")), 2)
        check("written once", len(agent.events("table.written")), 1)
        agent.write(CONF.replace("user 4001 use a", "user 4001 use b"))
        agent.kill()
        agent.start()
        check("a configuration changed meanwhile counts", lab.source(FAR[4], uid=4001), pool(12, 4))


def chop(ruleset):
    """Without the line of the table's owner, which changes with the process."""
    return [line for line in ruleset.splitlines() if "progname" not in line and "flags owner" not in line
            and "flags persist" not in line]


def table_of(lab):
    return chop(lab.nft("-a", "list", "ruleset"))


def written(lab):
    """Handles and elements of the table, without counters and without what packets have added."""
    text = strip("\n".join(line for line in table_of(lab) if "\tpackets " not in line))
    return re.sub(r"(\tflags dynamic.*\n(?:\t\ttimeout.*\n)?)\t\telements = \{[^}]*\}\n", r"\1", text).split("\n")


def damaged(lab, *commands):
    agent = lab.agent(CONF, "--no-owner")
    good = strip(agent.ruleset())
    for command in commands:
        agent.kill()
        lab.nft(*command.split())
        agent.start()
        wait_for("whole again after " + command, lambda: strip(agent.ruleset()) == good, 2)


@test("a table whose chains were damaged while no agent ran is whole after the next start")
def _():
    with Lab() as lab:
        damaged(lab, "flush chain inet outbind guard", "delete table inet outbind", "flush ruleset")


@test("a table whose elements were damaged while no agent ran is whole after the next start")
def _():
    with Lab() as lab:
        damaged(lab, "delete element inet outbind by_user { 4001 }", "flush set inet outbind usable4",
                "add element inet outbind by_user { 4999 : 0x1 }")


@test("numbers stay with their names over restart, reordering, removal and return")
def _():
    names = ["n%d" % i for i in range(8)]

    def conf(order):
        return "".join(binding(name, 11 + names.index(name)) for name in order)

    with Lab() as lab:
        agent = lab.agent(conf(names))
        want = {name: agent.mark(name) for name in names}
        check("all different", len(set(want.values())), 8)
        agent.write(conf(reversed(names)))
        agent.ctl("reload")
        check("after reordering", {name: agent.mark(name) for name in names}, want)
        agent.kill()
        agent.write(conf(sorted(names, key=lambda name: int(name[1:]) * 5 % 8)))
        agent.start()
        check("after a restart", {name: agent.mark(name) for name in names}, want)
        agent.write(conf(names[4:]))
        agent.ctl("reload")
        agent.write(conf(names[4:]) + "binding fresh { address 198.51.100.20; }")
        agent.ctl("reload")
        check("a new one takes no number that was given away", agent.mark("fresh") in want.values(), False)
        agent.write(conf(names))
        agent.ctl("reload")
        check("after removal and return", {name: agent.mark(name) for name in names}, want)


@test("a configuration that is not valid refuses the start, with every problem and exit status 2")
def _():
    with Lab() as lab:
        agent = lab.agent("binding a { address 1.2.3; }\nbinding a { address 198.51.100.11; }\n", start=False)
        agent.spawn()
        wait_for("the agent to end", agent.ended, 5)
        check("exit status", os.waitstatus_to_exitcode(lab.reap(agent.pid)), 2)
        for place in ("outbind.conf:1:", "outbind.conf:2:"):
            check("%s in %s" % (place, agent.read_log()), place in agent.read_log(), True)
        check("no table", "outbind" in agent.ruleset(), False)


@test("the watchdog is fed and stopping is told to the service manager")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, start=False, env={"WATCHDOG_USEC": "200000"})
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(agent.dir + "/manager")
            notify.settimeout(3)
            agent.spawn(agent.dir + "/manager")
            heard = b""
            end = time.monotonic() + 5
            while heard.count(b"WATCHDOG=1") < 5 and time.monotonic() < end:
                heard += notify.recv(4096) + b"\n"
            check("ready", b"READY=1" in heard, True)
            check("watchdog fed", heard.count(b"WATCHDOG=1") >= 5, True)
            agent.hangup()
            while b"RELOADING=1" not in heard and time.monotonic() < end:
                heard += notify.recv(4096) + b"\n"
            check("reloading", b"RELOADING=1" in heard, True)
            bindings = len(agent.json("binding", "list"))
            agent.ctl("binding", "add", "late", "address", pool(14, 4))
            said, end = b"STATUS=%d bindings" % (bindings + 1), time.monotonic() + 5
            while said not in heard and time.monotonic() < end:
                heard += notify.recv(4096) + b"\n"
            check("what outbindctl changed, in the status", said in heard, True)
            check("stopped", agent.stop(), 0)
            heard = b""
            notify.settimeout(0.2)
            try:
                while True:
                    heard += notify.recv(4096) + b"\n"
            except socket.timeout:
                pass
            check("stopping", b"STOPPING=1" in heard, True)


@test("an agent without a cgroup file system starts, and users and marks still work")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF + 'policy { unit "x.service" use a; }', start=False)
        agent.options += ["--cgroup-root", lab.dir]
        agent.start()
        check("says so", len(agent.events("cgroups.unavailable")), 1)
        check("user", lab.source(FAR[4], uid=4001), pool(11, 4))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrade and rollback: another version of the agent takes over table and state, under traffic."""

import fcntl
import os
import re
import shutil
import subprocess

from cases import test
from lab import FAR, Lab, PORT, ROOT, Skip, check, pool, wait_for
from live import CONF, Beginner, Live

# The version that this one must be able to take over from, and to give back to: one back.
PREVIOUS = "4337ccbd6da328f4bb7f48a77dcef5bb18353c51"


def previous():
    """The agent of that version: $OUTBIND_PREVIOUS, or built from this repository's history."""
    if "OUTBIND_PREVIOUS" in os.environ:
        return os.environ["OUTBIND_PREVIOUS"]
    place = os.path.join(ROOT, "build/previous", PREVIOUS)
    if not shutil.which("git"):
        raise Skip("no git, to take the version before from this checkout's history")
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", PREVIOUS + "^{commit}"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("the history of this checkout does not reach back to the version before (%s)" % PREVIOUS)
    os.makedirs(place, exist_ok=True)
    with open(place + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(place + "/Makefile"):
            subprocess.run("git -C '%s' archive %s | tar -x -C '%s'" % (ROOT, PREVIOUS, place), shell=True, check=True)
        made = subprocess.run(["make", "-s", "-j2", "build/outbindd"], cwd=place, capture_output=True, text=True,
                              env={key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))})
        check("make of the version before: " + made.stderr[-500:], made.returncode, 0)
    return place + "/build/outbindd"


@test("upgrade, rollback, upgrade again under traffic: nothing from another address, nothing live is lost", seconds=300)
def _():
    before = previous()
    with Lab() as lab:
        agent = lab.agent(CONF, start=False)
        now, agent.program = agent.program, before
        agent.start()
        mark = agent.mark("marked")
        beginner = Beginner(lab, 4001)
        live = Live(lab, agent)
        delayed = 0
        for program, end in ((now, agent.stop), (before, agent.kill), (now, agent.kill), (before, agent.stop),
                             (now, agent.stop)):
            end()
            check("new connection between the two", lab.source(FAR[4], uid=4001, timeout=10), pool(11, 4))
            agent.program = program
            agent.start()
            check("new connection", lab.source(FAR[6], uid=4001, timeout=10), pool(11, 6))
            check("the number stays", lab.source(FAR[4], mark=mark, timeout=10), pool(13, 4))
            if program == now:                  # the one before neither waits for a moment nor counts it
                delayed += agent.json("status")["counters"]["delayed_change"]
        counts = beginner.stop()
        check("began", min(counts["datagrams"], counts["connections"]) > 100, True)
        check("refused, unanswered", (counts["refused"], counts["silent"]), (0, 0))
        check("%d dropped, %d of them in the moment of a replacement" % (counts["delayed"], delayed),
              counts["delayed"] <= delayed, True)
        live.survived(extra={pool(13, 4)})
        check("datagrams seen from", live.capture.sources(proto="udp", dport=PORT), {pool(11, 4), pool(11, 6)})


@test("changes made at run time outlive the way to another version and back")
def _():
    before = previous()
    with Lab() as lab:
        agent = lab.agent(CONF)
        agent.ctl("binding", "suspend", "group")
        agent.ctl("policy", "add", "user", "4009", "use", "unrelated")
        for program in (before, agent.program):
            agent.stop()
            agent.program = program
            agent.start()
            check("a rule", lab.source(FAR[4], uid=4009), pool(14, 4))
            check("suspended", lab.source(FAR[4], mark=agent.mark("group")), "!ECONNREFUSED")


def refused(lab, agent, what):
    """A start that ends with status 5, says that `what` is newer, and leaves the table as it is."""
    agent.spawn()
    wait_for("its end", agent.ended, 10)
    check("exit status", agent.stop(), 5)
    check("words", what + " was written by a newer outbindd (format 2, and this one knows 1)" in agent.read_log(), True)
    check("the table goes on", lab.source(FAR[4], uid=4001), pool(11, 4))


@test("a table or a state of a newer version is refused with words, exit status 5, and the table goes on")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        agent.kill()
        with open(agent.state + "/marks") as marks:
            text = marks.read()
        with open(agent.state + "/marks", "w") as marks:
            marks.write(text.replace("outbind-numbers 1", "outbind-numbers 2"))
        refused(lab, agent, agent.state + "/marks")
        with open(agent.state + "/marks", "r+") as marks:
            check("the file is as it was", marks.read().startswith("outbind-numbers 2"), True)
            marks.seek(0)
            marks.write(text)
        agent.start()
        agent.kill()
        about = re.search(r'elements = \{ (\S+) comment "outbind 1 ([^"]*)"', lab.nft("list", "set", "inet", "outbind", "about"))
        lab.nft("delete element inet outbind about { %s }; add element inet outbind about { %s comment \"outbind 2 %s\" }"
                % (about[1], about[1], about[2]))
        refused(lab, agent, "table inet outbind")

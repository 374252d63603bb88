# SPDX-License-Identifier: GPL-2.0-or-later
"""Warm-up: so many new connections a day, counted in the kernel. Days pass by editing the state file."""

import collections
import re
import time

from cases import test
from lab import FAR, Lab, PORT, binding, check, pool, wait_for

DAYS = "warmup { day 1 5; day 2 8; day 3 9; overflow b; }"
CONF = (binding("a", 11, more=DAYS) + binding("b", 12) + binding("c", 13, more="warmup { day 1 4; }") +
        "policy { user 4001 use a; user 4003 use c; }\n")


def many(lab, count, uid=4001, family=4):
    return collections.Counter(result["source"] or result["error"] for result in
                               lab.probe_all([(FAR[family], PORT, "tcp")] * count, uid=uid))


def status(agent, name="a"):
    return agent.json("binding", "warmup", name, "status")["warmup"]


def age(agent, seconds):
    """Let the present days have begun so many seconds earlier; the agent must not be running."""
    path = agent.state + "/warmup"
    with open(path) as file:
        lines = file.read().splitlines()
    for n, line in enumerate(lines[1:], 1):
        words = line.split()
        words[3] = str(int(words[3]) - seconds)
        lines[n] = " ".join(words)
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


@test("a warm-up gives each day its number, over restarts, and ends after the last day", 90)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        check("before it is started", many(lab, 12), {pool(11, 4): 12})
        check("status", status(agent)["state"], "not started")
        agent.ctl("binding", "warmup", "a", "start")
        check("first", many(lab, 3), {pool(11, 4): 3})
        check("IPv6 counts too", many(lab, 1, family=6), {pool(11, 6): 1})
        agent.kill()
        agent.start()
        check("adopted", len(agent.events("table.adopted")), 1)
        check("the rest of day 1", many(lab, 5), {pool(11, 4): 1, pool(12, 4): 4})
        check("used", (status(agent)["day"], status(agent)["used"], status(agent)["quota"]), (1, 5, 5))
        shown = agent.json("binding", "show", "a")["warmup"]
        check("shown", (shown["state"], shown["day"], shown["used"]), ("running", 1, 5))
        check("in words", "running, day 1 of 3, 5 of 5" in agent.ctl("binding", "show", "a").stdout, True)
        agent.stop()
        age(agent, 86400 + 60)
        agent.start()
        wait_for("day 2", lambda: status(agent)["day"] == 2, 5)
        time.sleep(10)                          # while it is known as spent
        check("day 2", many(lab, 10), {pool(11, 4): 8, pool(12, 4): 2})
        agent.stop()
        age(agent, 10 * 86400)
        agent.start()
        wait_for("day 3: one day, whatever the clock says", lambda: status(agent)["day"] == 3, 5)
        time.sleep(2)
        check("still day 3", status(agent)["day"], 3)
        agent.stop()
        age(agent, -5 * 86400)
        agent.start()
        time.sleep(1.5)
        check("a day in the future begins now", 86000 < status(agent)["left"] <= 86400, True)
        agent.stop()
        age(agent, 86400 + 60)
        agent.start()
        wait_for("the end", lambda: status(agent)["state"] == "over", 5)
        check("no limit", many(lab, 20), {pool(11, 4): 20})
        check("log", len(agent.events("warmup.ended")), 1)


@test("what a day has used is known after the table was written anew, and a paused day stays", 90)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        agent.ctl("binding", "warmup", "c", "start")
        check("first", many(lab, 3, 4003), {pool(13, 4): 3})
        agent.stop()
        agent.write(CONF + "mark-mask 0x3fff;\n")
        agent.start()                           # another mask: another table
        wait_for("what was used", lambda: status(agent, "c")["used"] == 3, 5)
        time.sleep(1.5)
        check("the rest", many(lab, 6, 4003), {pool(13, 4): 1, "ECONNREFUSED": 5})
        agent.ctl("binding", "warmup", "c", "pause")
        agent.stop()
        age(agent, -40 * 86400)
        with open(agent.state + "/warmup") as file:
            check("kept", bool(re.search(r"^c 1 paused ", file.read(), re.M)), True)
        agent.start()
        time.sleep(1.5)
        check("paused", (status(agent, "c")["state"], status(agent, "c")["day"]), ("paused", 1))
        check("still refused", many(lab, 3, 4003), {"ECONNREFUSED": 3})
        check("twice", agent.ctl("binding", "warmup", "c", "pause", ok=False).returncode != 0, True)
        agent.ctl("binding", "warmup", "c", "resume")
        check("no warm-up", agent.ctl("binding", "warmup", "b", "start", ok=False).returncode != 0, True)
        agent.stop()
        with open(agent.state + "/warmup", "a") as file:
            file.write("c 1 running 5\n")
        agent.spawn()
        wait_for("the agent to refuse a file that it did not write", agent.ended, 5)
        check("and to say where", "/warmup:3: not a line" in agent.read_log(), True)

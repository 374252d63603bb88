# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes at run time, through the control socket: on the wire, over restarts, or not at all."""

import os
import shutil
import time

from cases import test
from lab import FAR, Lab, binding, check, pool, wait_for
from place import PATIENCE
from test_agent import written

CONF = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n"


def call(agent, method, **parameters):
    """One call; (error or None, parameters of the answer)."""
    answer = agent.call("org.outbind." + method, **parameters)
    return answer.get("error"), answer["parameters"]


def change(agent, text, **more):
    error, answer = call(agent, "Change", text=text, name="test", **more)
    check("change: %s" % answer, error, None)
    return answer


def sources(lab, uid):
    return tuple(lab.source(FAR[family], uid=uid) for family in (4, 6))


def both(number):
    return (pool(number, 4), pool(number, 6))


@test("a change reaches the wire, wins over the files, and survives reload, kill and restart")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        stop = lab.stream("203.0.113.2", 10, uid=4001)
        answer = change(agent, binding("c", 13) + binding("a", 14) + "policy { user 4003 use c; user 4002 use c; }")
        check("changes", len(answer["changes"]), 4)
        check("affected", {one["binding"]: one["connections"] for one in answer["affected"]}, {"a": 10})
        want = {4001: both(14), 4002: both(13), 4003: both(13)}
        for round in ("at once", "after a reload", "after a restart"):
            check(round, {uid: sources(lab, uid) for uid in want}, want)
            if round == "at once":
                agent.ctl("reload")
            else:
                agent.kill()
                agent.start()
        result = stop()
        check("live ones keep theirs", (result["sources"], result["errors"]), ([pool(11, 4)], []))
        agent.stop()
        agent.start()
        change(agent, "remove policy { user 4003; user 4002; } remove binding c;" + binding("a", 11))
        check("taken away", sources(lab, 4001), both(11))
        check("what is kept", "remove policy" in call(agent, "GetRuntime")[1]["text"], True)


@test("settings of one binding are set and taken away by keyword")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11, more="ehlo a.example; allow user 4001; ") + "policy { user 4001 use a; }")
        error, answer = call(agent, "SetBinding", name="a",
                             settings="address %s, %s; remove ehlo;" % both(12))
        check("answer: %s" % answer, error, None)
        check("addresses", sources(lab, 4001), both(12))
        shown = agent.json("binding", "show", "a")
        check("the rest", (shown["ehlo"], shown["allow"]), (None, ["user 4001"]))
        error, answer = call(agent, "SetBinding", name="a", settings="adress 192.0.2.1;")
        check("misspelt", (error, answer["problems"][0]["place"]), ("org.outbind.ConfigurationInvalid", "settings:1:13"))


@test("a change that is refused leaves table, files and traffic as they were, and says where it is wrong")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        change(agent, "bypass { 192.0.2.0/24; }")
        runtime = open(agent.state + "/runtime.conf").read()
        before = written(lab)
        for text, place in (("binding c {\n address nonsense; }", "test:2:10"),
                            ("policy { user 4003 use nobody; }", "test:1:24"),
                            (binding("c", 11), "test:1:21"),
                            ("remove binding a;", "outbind.conf:"),
                            ("remove binding z;", "test:1:")):
            error, answer = call(agent, "Change", text=text, name="test")
            check(text, error, "org.outbind.ConfigurationInvalid")
            said = " ".join(one["place"] + " " + one["text"] for one in answer["problems"])
            check("%s: %s is in %s" % (text, place, said), place in said, True)
        check("table", written(lab), before)
        check("file", open(agent.state + "/runtime.conf").read(), runtime)
        check("traffic", (sources(lab, 4001), sources(lab, 4002)), (both(11), both(12)))
        answer = change(agent, binding("a", 13), dry_run=True)
        check("dry run: operations", answer["operations"] > 0, True)
        check("dry run: traffic", sources(lab, 4001), both(11))


@test("a damaged file of changes is refused with its line, and the copy that is offered works")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        change(agent, binding("a", 13))
        change(agent, binding("a", 14))
        agent.kill()
        path = agent.state + "/runtime.conf"
        text = open(path).read()
        for damaged, line in ((text[:-10], 3), (text.replace(pool(14, 4), pool(15, 4)), 3), ("", 1)):
            with open(path, "w") as out:
                out.write(damaged)
            agent.spawn()
            lab.reap(agent.pid)
            said = agent.events("agent.failed")[-1]
            check("%s:%d: is in %s" % (path, line, said), "%s:%d:" % (path, line) in said, True)
            check("offer", "mv %s.last %s" % (path, path) in said, True)
            check("the table stays", "inet outbind" in agent.ruleset(), True)
            check("traffic goes on", sources(lab, 4001), both(14))
        os.replace(path + ".last", path)
        agent.start()
        check("the version before", sources(lab, 4001), both(13))


def killed_at_any_write(text, back, new, old):
    """The agent is killed in each of these calls while it applies @text; @back undoes it."""
    if not shutil.which("strace"):
        raise AssertionError("strace is missing: make deps")
    with Lab() as lab:
        agent = lab.agent(CONF)
        seen = set()
        for call_name in ("fsync", "fdatasync", "rename", "link", "sendmsg", "sendto", "write"):
            for n in (1, 2, 3):
                tracer = lab.spawn("sender", ["strace", "-qq", "-f", "-p", str(agent.pid), "-o", "/dev/null", "-e",
                                              "inject=%s:signal=SIGKILL:when=%d" % (call_name, n)])
                wait_for("strace", lambda: is_traced(agent.pid))
                try:
                    call(agent, "Change", text=text, name="test")
                except (AssertionError, OSError):
                    pass
                lab.end(tracer)         # asked to, it waits for ever for the last of several threads
                if has_ended(agent):
                    lab.reap(agent.pid)
                    agent.start()
                got = {uid: sources(lab, uid) if uid == 4001 or agent_has(agent, "c") else None for uid in new}
                check("killed at %s %d" % (call_name, n), got in (new, old), True)
                seen.add(got == new)
                if got == new:
                    change(agent, back)
        check("both states were seen", seen, {True, False})


@test("killed at any write of a change, the next agent has all of the old state or all of the new one")
def _():
    killed_at_any_write(binding("a", 13) + binding("c", 14) + "policy { user 4003 use c; }",
                        "remove policy { user 4003; } remove binding c;" + binding("a", 11),
                        {4001: both(13), 4003: both(14)}, {4001: both(11), 4003: None})


@test("the same for a binding that is changed in place")
def _():
    killed_at_any_write(binding("a", 13), binding("a", 11), {4001: both(13)}, {4001: both(11)})


def has_ended(agent):
    """Its threads end one after the other, so a moment after the kill."""
    end = time.monotonic() + 0.3 * PATIENCE
    while not agent.ended():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def agent_has(agent, name):
    return name in [one["name"] for one in agent.json("binding", "list")["bindings"]]


def is_traced(pid):
    with open("/proc/%d/status" % pid) as status:
        return "TracerPid:\t0\n" not in status.read()

# SPDX-License-Identifier: GPL-2.0-or-later
"""top: the view in a terminal emulator, driven by its keys; and snapshots without a terminal."""

import json
import re
import time

from cases import test
from lab import BUILD, FAR, Lab, PORT, binding, check, pool, wait_for
from terminal import Terminal
from test_flows import Holder

CONF = (binding("acme", 11) + binding("beta", 12) + binding("gamma", 13) + "group all { member acme; member beta; }\n" +
        "policy { user 4001 use acme; user 4002 use beta; user 4003 use gamma; }\n")


def top(lab, agent, *words, **options):
    return Terminal(lab, "sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "top",
                                    "--interval", "0.5", *words], **options)


def row(lines, name):
    """Words of the row of a name, without the mark of the chosen one and the graph; None: there is none."""
    for line in lines[4:-1]:
        words = line.lstrip(">").split()
        if words and words[0] == name:
            return words
    return None


def names(lines):
    """Names of the rows in sight, from the top."""
    found = (re.match(r"[> ] (\S+)( \(group\))? +\d", line) for line in lines[4:-1])
    return [match.group(1) for match in found if match]


def chosen(lines):
    return [line[2:].split()[0] for line in lines[4:-1] if line.startswith(">")]


def masked(lines):
    """What does not depend on the moment: no clock, ages and rates, and no graph."""
    text = "\n".join(line.rstrip() for line in lines)
    text = re.sub(r"\d\d:\d\d:\d\d", "HH:MM:SS", text)
    text = re.sub(r"conntrack has \d+, counted \d+ s ago", "conntrack has N, counted N s ago", text)
    text = re.sub(r"(new/s|bytes/s|refused/s) [-0-9.kMKG]+", r"\1 N", text)
    text = re.sub(r" *[▁▂▃▄▅▆▇█_.:=+*#]+$", "", text, flags=re.M)
    return re.sub(r"^(..\S+(?: \(group\))? +\d+) +[-0-9.]+ +[-0-9.KM]+ +[-0-9.]+ ", r"\1 RATES ", text, flags=re.M)


SCREEN = """outbindctl top  HH:MM:SS  every 0.5 s  4 bindings and groups
connections 4, new/s N, bytes/s N; conntrack has N, counted N s ago
refused/s N
  NAME               CONNS▼  NEW/s  BYTES/s  REF/s HEALTH     PORTS CONNS SO FAR
> all (group)             4 RATES usable      0.0%
  acme                    3 RATES usable      0.0%
  beta                    1 RATES usable      0.0%
  gamma                   0 RATES usable         -""" + "\n" * 16 + \
    "? help  < > sort  / filter  Enter expand  s suspend or resume  q quit"


@test("top: the screen in 80x24; sorted, filtered and expanded by keys; help; quitting restores the terminal")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        held = [Holder(lab, [(FAR[4], PORT), (FAR[6], PORT), (FAR[4], 25)], uid=4001),
                Holder(lab, [(FAR[4], PORT)], uid=4002)]
        with top(lab, agent) as view:
            lines = view.wait("rows", lambda lines: row(lines, "all") and row(lines, "all")[2] == "4")
            check("the screen", masked(lines), SCREEN)
            view.press("<")
            lines = view.wait("by name", lambda lines: names(lines) == ["acme", "all", "beta", "gamma"])
            check("the column that is sorted by", re.findall(r"\w+[▲▼]", lines[3]), ["NAME▲"])
            view.press("r")
            lines = view.wait("reversed", lambda lines: names(lines) == ["gamma", "beta", "all", "acme"])
            check("and its direction", re.findall(r"\w+[▲▼]", lines[3]), ["NAME▼"])
            view.press("2")
            view.wait("by connections", lambda lines: names(lines) == ["all", "acme", "beta", "gamma"] and "CONNS▼" in lines[3])
            view.press("6")
            view.wait("by health", lambda lines: "HEALTH▼" in lines[3] and names(lines)[0] == "acme")
            view.press("2")
            view.press("/")
            view.type("MM")
            lines = view.wait("filtered", lambda lines: names(lines) == ["gamma"])
            check("while it is typed", lines[-1].split("(")[0].strip(), "filter: MM_")
            check("and above", '1 of 4 with "MM"' in lines[0], True)
            view.press("BSpace", "BSpace")
            view.type("a")
            view.press("Enter")
            view.wait("all that have an a", lambda lines: len(names(lines)) == 4 and '4 of 4 with "a"' in lines[0])
            view.press("Escape")
            view.wait("no filter", lambda lines: "4 bindings and groups" in lines[0] and len(names(lines)) == 4)
            view.press("Home", "Down")
            view.wait("acme is chosen", lambda lines: chosen(lines) == ["acme"])
            view.press("Enter")
            lines = view.wait("expanded", lambda lines: any("destinations" in line for line in lines))
            at = next(i for i, line in enumerate(lines) if line.startswith("> acme"))
            check("clients and destinations", [lines[at + 1].strip(), lines[at + 3].strip()], ["1 client", "3 destinations"])
            body = [" ".join(line.split()[:-2]) for line in lines[at + 1:at + 7]]
            check("who, and connections", body[1], "uid 4001, python3 3")
            check("where to", sorted(body[3:]), sorted(["%s:25 tcp 1" % FAR[4], "%s:%d tcp 1" % (FAR[4], PORT),
                                                        "[%s]:%d tcp 1" % (FAR[6], PORT)]))
            check("what stands below", lines[at + 7].split()[0], "beta")
            view.press("Enter")
            view.wait("closed", lambda lines: not any("destinations" in line for line in lines))
            view.press("?")
            view.wait("help", lambda lines: "keys" in lines[0] and any("suspend or resume it" in line for line in lines))
            view.press("x")
            view.wait("back", lambda lines: len(names(lines)) == 4)
            view.press("q")
            wait_for("its end", lambda: view.ended() is not None)
            check("exit status", view.ended(), 0)
            lines = view.wait("the terminal as before", lambda lines: "after" in lines)
            check("what stood there, stands there", [line for line in lines if line], ["before", "after"])
        for one in held:
            one.close()


@test("top: suspend after a question, y and n, and resume; new connections are refused, or not; wider, resized")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        with top(lab, agent, "--sort", "name", width=132, height=30) as view:
            lines = view.wait("rows", lambda lines: names(lines) == ["acme", "all", "beta", "gamma"])
            check("as wide as the terminal", {len(line) for line in lines[4:8]}, {132})
            view.press("s")
            view.wait("the question", lambda lines: lines[-1].startswith("suspend acme: new connections refused"))
            view.press("Enter")
            time.sleep(0.3)
            check("Enter is no answer", view.lines()[-1].startswith("suspend acme"), True)
            view.press("n")
            view.wait("no", lambda lines: lines[-1].strip() == "nothing was changed")
            check("a new connection", lab.source(FAR[4], uid=4001), pool(11, 4))
            view.press("s")
            view.wait("the question", lambda lines: lines[-1].startswith("suspend acme"))
            view.press("y")
            lines = view.wait("yes", lambda lines: lines[-1].strip() == "acme: suspended" and
                              "suspended" in row(lines, "acme"))
            check("a new connection is refused", lab.source(FAR[4], uid=4001), "!ECONNREFUSED")
            check("another one's is not", lab.source(FAR[4], uid=4002), pool(12, 4))
            check("counted above", "1 suspended" in lines[0], True)
            view.press("s")
            view.wait("the question", lambda lines: lines[-1].startswith("resume acme?"))
            view.press("Escape")
            view.wait("Escape is no", lambda lines: lines[-1].strip() == "nothing was changed")
            check("still refused", lab.source(FAR[4], uid=4001), "!ECONNREFUSED")
            view.press("s")
            view.press("y")
            view.wait("resumed", lambda lines: lines[-1].strip() == "acme: resumed" and "usable" in row(lines, "acme"))
            check("a new connection again", lab.source(FAR[4], uid=4001), pool(11, 4))
            view.resize(60, 12)
            lines = view.wait("narrow", lambda lines: len(lines) == 12 and names(lines) == ["acme", "all", "beta", "gamma"])
            check("columns that are left out", ("PORTS" in lines[3], "BYTES/s" in lines[3]), (False, True))
            check("no line is longer", max(map(len, lines)) <= 60, True)
            view.resize(80, 7)
            view.wait("two rows in sight", lambda lines: len(lines) == 7 and names(lines) == ["acme", "all"])
            view.press("End")
            view.wait("the last ones", lambda lines: names(lines) == ["beta", "gamma"] and chosen(lines) == ["gamma"])
            view.resize(132, 30)
            view.wait("wide", lambda lines: len(lines) == 30 and len(names(lines)) >= 2)
            agent.stop()
            view.wait("the agent is gone", lambda lines: "cannot reach outbindd" in lines[-1] or "closed" in lines[-1])
            agent.start()
            view.press("Home")
            view.wait("and back", lambda lines: lines[-1].startswith("? help") and len(names(lines)) == 4)
            view.press("q")
            wait_for("its end", lambda: view.ended() == 0)


@test("top: without colour, in ASCII where the locale is not UTF-8, and not on what is no terminal")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        colour = re.compile(r"\033\[[0-9;]*(3[0-7]|38;5)[0-9;]*m")
        with top(lab, agent, env={"LC_ALL": "C.UTF-8"}) as view:
            view.wait("rows", lambda lines: len(names(lines)) == 4)
            check("in colour", bool(colour.search(view.raw())), True)
        with top(lab, agent, env={"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}) as view:
            view.wait("rows", lambda lines: len(names(lines)) == 4)
            check("NO_COLOR", colour.findall(view.raw()), [])
        with top(lab, agent, "--color", "never", env={"LC_ALL": "C", "LANG": "C"}) as view:
            lines = view.wait("rows and a graph", lambda lines: len(names(lines)) == 4 and "_" in lines[4])
            check("--color never", colour.findall(view.raw()), [])
            check("ASCII", [c for line in lines for c in line if ord(c) > 126], [])
            check("the order", "CONNSv" in lines[3], True)
            view.tmux("send-keys", "C-c")
            wait_for("its end by ^C", lambda: view.ended() == 0)
            view.wait("the terminal as before", lambda lines: [line for line in lines if line][:1] == ["before"])
        with top(lab, agent, env={"TERM": "dumb"}) as view:
            wait_for("its end", lambda: view.ended() is not None)
            check("TERM=dumb", view.ended(), 2)
            check("why, and what to do", "top --batch" in " ".join(view.lines()), True)
        result = agent.ctl("top", ok=False)
        check("no terminal", (result.returncode, "top --batch" in result.stderr), (2, True))


@test("top: snapshots as text and JSON, sorted and filtered, without a terminal")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        held = Holder(lab, [(FAR[4], PORT), (FAR[6], PORT)], uid=4002)
        text = agent.ctl("top", "--batch", "2", "--interval", "0.5", "--sort", "-connections").stdout
        check("two snapshots", len(re.findall("^NAME ", text, re.M)), 2)
        rows = [line.split()[:3] for line in text.splitlines() if "binding " in line or "group " in line]
        check("rows", rows[4:], [["acme", "binding", "0"], ["gamma", "binding", "0"], ["all", "group", "2"],
                                 ["beta", "binding", "2"]])
        lines = agent.ctl("top", "--batch", "2", "--json", "--interval", "0.5", "--filter", "ET").stdout.splitlines()
        check("an object a snapshot", len(lines), 2)
        reply = json.loads(lines[1])
        check("counted", (reply["things"], reply["matching"], reply["totals"]["connections"]), (4, 1, 2))
        beta = reply["rows"][0]
        check("row", (beta["name"], beta["state"], beta["connections"]), ("beta", "usable", 2))
        check("ports", (beta["ports"]["used"], beta["ports"]["to_port"], beta["ports"]["of"] > 1000), (1, PORT, True))
        check("--json alone", len(agent.ctl("top", "--json", "--interval", "0.5").stdout.splitlines()), 1)
        check("as a user without rights", lab.run("sender", "setpriv", "--reuid", "4001", "--clear-groups", BUILD + "/outbindctl",
                                                  "--runtime-dir", agent.runtime, "top", "--batch", ok=False).returncode, 4)
        held.close()


@test("top: new connections, bytes and refusals a second are those that there were")
def _():
    with Lab() as lab:
        agent = lab.agent("metrics { traffic on; }\n" + CONF)
        agent.ctl("binding", "suspend", "gamma")
        held = Holder(lab, [(FAR[4], PORT)], uid=4002)
        path = agent.dir + "/snapshot"
        began = time.monotonic()
        pid = lab.spawn("sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "top", "--batch", "--json",
                                   "--interval", "4"], log=path)
        time.sleep(0.7)                         # the look before
        sent = lab.probe_all([(FAR[4], PORT, "tcp")] * 20 + [(FAR[6], PORT, "tcp")] * 10, uid=4001)
        check("they were seen", {probe["source"] for probe in sent}, {pool(11, 4), pool(11, 6)})
        for probe in lab.probe_all([(FAR[4], PORT, "tcp")] * 5, uid=4003):
            check("refused", probe["error"], "ECONNREFUSED")
        check("all of that in time", time.monotonic() - began < 4, True)
        lab.reap(pid)
        with open(path) as file:
            reply = json.loads(file.read())
        rates = {row["name"]: row["rates"] for row in reply["rows"]}

        def about(what, rate, count):
            check("%s: %s a second for %d in about 4 s" % (what, rate, count), count / 4.6 <= rate <= count / 3.6, True)
        about("new", rates["acme"]["new"], 30)
        about("of the group", rates["all"]["new"], 30)
        about("in all", reply["totals"]["rates"]["new"], 30)
        check("of others", (rates["beta"]["new"], rates["gamma"]["new"]), (0, 0))
        about("refused", rates["gamma"]["refused"], 5)
        check("of others", (rates["acme"]["refused"], rates["beta"]["refused"]), (0, 0))
        check("bytes", rates["acme"]["sent"] * 4 > 30 * 100 and rates["acme"]["received"] * 4 > 30 * 100, True)
        check("nothing was sent", (rates["beta"]["sent"], rates["beta"]["received"]), (0, 0))
        agent.write(CONF)
        agent.ctl("reload")
        reply = json.loads(agent.ctl("top", "--json", "--interval", "1").stdout)
        check("bytes are not counted, and not made up", {row["rates"]["sent"] for row in reply["rows"]}, {None})
        check("connections are", {row["rates"]["new"] for row in reply["rows"]}, {0})
        held.close()

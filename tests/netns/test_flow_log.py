# SPDX-License-Identifier: GPL-2.0-or-later
"""The flow log: a record for each connection that ended, rotation, and a disk that is full, slow or gone."""

import json
import os
import time

from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool, wait_for
from test_flows import Holder

BINDINGS = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n"


def records(path):
    if not os.path.exists(path):
        return []
    with open(path) as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def forget(lab):
    """Have conntrack's entries end now: by themselves they do so minutes later."""
    lab.run("sender", "conntrack", "-F")


@test("a record for each connection that ended, in both families; after a reload in a new file")
def _():
    with Lab() as lab:
        with lab.inside("sender"):
            lab.sysctl("net.netfilter.nf_conntrack_acct", 1)
            lab.sysctl("net.netfilter.nf_conntrack_timestamp", 1)
        path = lab.dir + "/flows.json"
        agent = lab.agent('flow-log "%s";\n' % path + BINDINGS)
        held = Holder(lab, [(FAR[4], PORT), (FAR[6], PORT)], uid=4001)
        lab.source(FAR[4], PORT)                # nobody's
        time.sleep(0.2)
        check("none has ended", records(path), [])
        forget(lab)
        wait_for("two", lambda: len(records(path)) == 2)
        for record, family in zip(sorted(records(path), key=lambda r: ":" in r["to"]), (4, 6)):
            seen = held.results[0 if family == 4 else 1]
            check("what it was", (record["binding"], record["protocol"], record["verdict"], record["uid"]),
                  ("a", "tcp", "own", 4001))
            check("from where to where", (record["from"], record["source"], record["source_port"], record["to"],
                                          record["to_port"]), (HOST[family], pool(11, family), seen[1], FAR[family], PORT))
            check("how much", record["sent_packets"] >= 2 and record["answered_bytes"] > 60 and
                  0 <= record["duration_ms"] < 20000, True)
        check("mode", os.stat(path).st_mode & 0o777, 0o640)
        os.rename(path, path + ".1")
        check("reload", agent.ctl("reload").returncode, 0)
        wait_for("its beginning", lambda: os.path.exists(path))     # by a thread: a disk may hang
        lab.source(FAR[4], uid=4002)
        forget(lab)
        wait_for("a new file", lambda: [r["binding"] for r in records(path)] == ["b"])
        os.rename(path, path + ".2")
        agent.write('flow-log "%s";\nnonsense;' % path)
        check("a reload that is refused", agent.ctl("reload", ok=False).returncode, 1)
        wait_for("its beginning", lambda: os.path.exists(path))
        lab.source(FAR[4], uid=4002)
        forget(lab)
        wait_for("a new file all the same", lambda: len(records(path)) == 1)
        check("in the renamed ones", (len(records(path + ".1")), len(records(path + ".2"))), (2, 1))
        check("status", {k: v for k, v in agent.json("status")["flow_log"].items() if k != "file"},
              {"written": 4, "dropped": 0, "error": None})
        agent.write(BINDINGS)
        agent.ctl("reload")
        check("no log any more", agent.json("status")["flow_log"], None)
        lab.source(FAR[4], uid=4002)
        forget(lab)
        time.sleep(0.3)
        check("nothing more", len(records(path)), 1)
        held.close()


@test("a log that cannot be opened, or whose disk is full, is told, counted, and mended without a restart")
def _():
    with Lab() as lab:
        small = lab.dir + "/small"
        path = small + "/flows.json"
        agent = lab.agent('flow-log "%s";\n' % path + BINDINGS)
        agent.wait_event("flow-log.failed")
        lab.source(FAR[4], uid=4001)
        forget(lab)
        wait_for("dropped", lambda: agent.json("status")["flow_log"]["dropped"] == 1)
        check("why", agent.json("status")["flow_log"]["error"], "No such file or directory")
        check("the sender does not care", lab.source(FAR[4], uid=4001), pool(11, 4))
        os.mkdir(small)
        lab.run("sender", "mount", "-t", "tmpfs", "-o", "size=8k", "none", small)
        try:
            forget(lab)
            agent.wait_event("flow-log.mended")
            with open(small + "/ballast", "w") as ballast:
                ballast.write("x" * 4096)
            written = 0
            for turn in range(40):
                lab.source(FAR[4], uid=4001)
                forget(lab)
                if len(agent.events("flow-log.failed")) > 1:
                    break
            agent.wait_event("flow-log.failed", 1)      # it is said once a second, at most
            os.unlink(small + "/ballast")
            lab.source(FAR[4], uid=4001)
            forget(lab)
            agent.wait_event("flow-log.mended", 1)
            # a torn line stands alone, the ones after it are whole
            with open(path) as lines:
                for line in lines:
                    try:
                        json.loads(line)
                        written += 1
                    except json.JSONDecodeError:
                        pass
            state = agent.json("status")["flow_log"]
            check("counted", (state["written"], state["dropped"] >= 2), (written, True))
        finally:
            agent.stop()
            lab.run("sender", "umount", small)


@test("a pipe is refused, and does not hold up the agent")
def _():
    with Lab() as lab:
        path = lab.dir + "/pipe"
        os.mkfifo(path)
        agent = lab.agent('flow-log "%s";\n' % path + BINDINGS)
        agent.wait_event("flow-log.failed")
        lab.source(FAR[4], uid=4001)
        forget(lab)
        wait_for("dropped", lambda: agent.json("status")["flow_log"]["dropped"] == 1)
        start = time.monotonic()
        check("stops", agent.stop(), 0)
        check("at once", time.monotonic() - start < 2, True)

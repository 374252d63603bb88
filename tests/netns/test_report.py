# SPDX-License-Identifier: GPL-2.0-or-later
"""outbindctl report: what is in the archive, and above all what is not."""

import io
import json
import os
import stat
import subprocess
import tarfile

from cases import test
from lab import BUILD, Lab, binding, check
from unix_server import UnixServer

CONF = binding("acme", 11) + "policy { user 4001 use acme; }\n"
RELAY = """# the old password was PLANTED-COMMENT
include "%(dir)s/more.conf";
relay {
    tls-ca "%(dir)s/PLANTED-CA";
    listen 127.0.0.1:2525 {
        tls required;   # PLANTED-TAIL
        certificate "%(dir)s/PLANTED-CERT"; key "%(dir)s/PLANTED-KEY";
        auth file "%(dir)s/PLANTED-USERS";
    }
    sender acme.example use acme;
}
"""
FILES = ("PLANTED-CA", "PLANTED-CERT", "PLANTED-KEY", "PLANTED-USERS")
JOURNAL = """#!/bin/sh
echo "Nov 30 outbind-relay: cannot read %(dir)s/PLANTED-USERS"
echo "Nov 30 outbind-relay: password=PLANTED-PASSWORD AUTH PLAIN PLANTED-AUTH"
echo "Nov 30 outbind-relay: https://bob:PLANTED-URL@example.org/ $*"
"""


def read(archive):
    """{path below the archive's folder: text}, and the modes."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        members = tar.getmembers()
        check("one folder", len({member.name.split("/")[0] for member in members}), 1)
        return ({member.name.split("/", 1)[1]: tar.extractfile(member).read().decode() for member in members},
                {member.mode for member in members}, members[0].name.split("/", 1)[1])


def planted(lab, agent):
    """A configuration with secrets, files with secrets that it names, a journal that speaks of both."""
    for name in FILES:
        with open(os.path.join(agent.dir, name), "w") as out:
            out.write("PLANTED-CONTENT of " + name)
    with open(agent.dir + "/more.conf", "w") as out:
        out.write(CONF)
    agent.write(RELAY % {"dir": agent.dir})
    tools = agent.dir + "/tools"
    os.mkdir(tools)
    with open(tools + "/journalctl", "w") as out:
        out.write(JOURNAL % {"dir": agent.dir})
    os.chmod(tools + "/journalctl", 0o755)
    return dict(os.environ, PATH=tools + ":" + os.environ["PATH"])


@test("an archive with all that a bug report needs, bounded, readable by its owner only, and without what was planted", seconds=120)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, start=False)
        env = planted(lab, agent)
        agent.start()
        path = agent.dir + "/report.tar.gz"
        result = agent.ctl("report", "-o", path, env=env)
        check("where", result.stdout, path + "\n")
        check("mode", stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, "rb") as archive:
            texts, modes, first = read(archive.read())
        check("modes inside", modes, {0o600})
        check("first", first, "MANIFEST")
        for name in ("versions.txt", "settings.txt", "status.json", "doctor.json", "health.json", "bindings.json", "policy.json",
                     "events.json", "ruleset.nft", "configuration/0", "configuration/1", "network/addresses.txt",
                     "network/rules4.txt", "network/routes6.txt", "journal/relay.txt"):
            check(name + " is in, has something, and is in the manifest",
                  (bool(texts.get(name)), name in texts["MANIFEST"]), (True, True))
        check("left out, and said", ("relay.json" in texts, "relay.json                   left out: the relay: it does not answer"
                                     in texts["MANIFEST"]), (False, True))
        for name, text in texts.items():
            check("secrets in %s: %s" % (name, text), "PLANTED" in text, False)
        check("the rest is there", all(words in texts["configuration/0"] for words in
                                       ("relay {", "127.0.0.1:2525", "tls required", "sender acme.example use acme")), True)
        check("the include", "address 198.51.100.11" in texts["configuration/1"], True)
        status = json.loads(texts["status.json"])
        check("digest", len(status["digest"]), 32)
        check("ruleset", "198.51.100.11" in texts["ruleset.nft"] and "chain guard" in texts["ruleset.nft"], True)
        check("doctor", "findings" in json.loads(texts["doctor.json"]), True)
        events = [json.loads(line) for line in texts["events.json"].splitlines()]
        check("events, though nobody listened", "agent.started" in [event["event"] for event in events], True)
        check("the journal, scrubbed", "password=[removed]" in texts["journal/relay.txt"] and
              "cannot read [removed]" in texts["journal/relay.txt"], True)
        again = agent.ctl("report", "-o", path, env=env, ok=False)
        check("not overwritten", (again.returncode, "File exists" in again.stderr), (1, True))


@test("to standard output, as JSON, without an agent, with a file that cannot be written", seconds=120)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, start=False)
        env = planted(lab, agent)
        command = ["nsenter", "--net=" + lab.path("sender"), BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "report",
                   "--config", agent.conf]
        texts, _, _ = read(subprocess.run(command + ["--stdout"], env=env, capture_output=True, check=True, timeout=60).stdout)
        agent.write(CONF)
        bare, _, _ = read(subprocess.run(command + ["--stdout"], env=env, capture_output=True, check=True, timeout=60).stdout)
        check("no relay", "relay.json                   left out: the relay: the configuration has none" in bare["MANIFEST"], True)
        check("why", "status.json                  left out: the agent: it does not answer" in texts["MANIFEST"], True)
        check("doctor all the same", "does not answer" in texts["doctor.json"], True)
        for name, text in texts.items():
            check("secrets in %s: %s" % (name, text), "PLANTED" in text, False)
        made = subprocess.run(command + ["--json", "--output", agent.dir + "/a.tar.gz"], env=env, capture_output=True,
                              check=True, timeout=60)
        members = {one["name"]: one for one in json.loads(made.stdout)["members"]}
        check("in and out", (members["settings.txt"]["in"], members["status.json"]["in"]), (True, False))
        for words, status, said in ((["--output", "/nowhere/a"], 1, "cannot write /nowhere/a"),
                                    (["--output", "x", "--stdout"], 2, "one of them")):
            result = subprocess.run(command + words, env=env, capture_output=True, text=True, timeout=60)
            check(str(words), (result.returncode, said in result.stderr), (status, True))
        with open("/dev/full", "w") as full:
            result = subprocess.run(command + ["--stdout"], env=env, stdout=full, stderr=subprocess.PIPE, timeout=60)
        check("full", result.returncode, 1)


class Refuser(UnixServer):
    """Answers each call of varlink with an error, but for GetStatus; mute, it does not answer at all."""

    def __init__(self, path, error, mute=False):
        self.error, self.mute = error, mute
        super().__init__(path)

    def serve(self, sock):
        call = b""
        while not call.endswith(b"\0"):
            got = sock.recv(4096)
            if not got:
                return
            call += got
        if self.mute:
            sock.recv(1)
            return
        answer = {"error": self.error, "parameters": {"text": "later"}}
        if self.error.startswith("org.outbind.Busy") and b".GetStatus" in call:
            answer = {"parameters": {}}
        sock.sendall(json.dumps(answer).encode() + b"\0")


@test("what agent and relay refuse stays out of the archive, and a relay that hangs does not hold it up", seconds=120)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, start=False)
        busy = [Refuser(agent.runtime + "/org.outbind", "org.outbind.Busy"),
                Refuser(agent.dir + "/control", "org.outbind.relay.Busy")]
        env = dict(os.environ, OUTBIND_RELAY_RUNTIME_DIR=agent.dir)
        command = ["nsenter", "--net=" + lab.path("sender"), BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "report",
                   "--config", agent.conf, "--stdout", "--json"]
        made = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
        texts, _, _ = read(made.stdout)
        check("nothing is said", made.stderr.decode(), "")
        check("the agent was asked", "status.json" in texts, True)
        for name, who in (("doctor.json", "agent"), ("relay.json", "relay")):
            check(name, "left out: the %s" % who in next(line for line in texts["MANIFEST"].splitlines()
                                                         if line.startswith(name)), True)
        busy[1].close()
        os.unlink(agent.dir + "/control")
        hangs = Refuser(agent.dir + "/control", "", mute=True)
        texts, _, _ = read(subprocess.run(command, env=env, capture_output=True, check=True, timeout=60).stdout)
        check("the one that hangs", "relay.json                   left out: the relay: it does not answer" in texts["MANIFEST"],
              True)
        hangs.close()
        busy[0].close()

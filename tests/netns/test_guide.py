# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipes of outbind-guide(7): their text is taken from the manual and run, and the receiver's view is asserted.
Only directories are replaced, since a test has its own."""

import collections
import http.server
import ipaddress
import json
import os
import re
import shlex
import subprocess
import time

from cases import test
from lab import BUILD, FAR, FAR4, FAR6, HOST6, ROOT, Lab, check, pool, wait_for
from mail_programs import Exim, Postfix, nodemailer, peer, surroundings, within
from relay_lab import RelayLab
from smtp_client import Client, tcp
from smtp_peer import Manner, SENT

GUIDE = os.path.join(ROOT, "docs", "outbind-guide.7")
USERS = {"alice": 4001, "bob": 4002}
WEB = 8080


def recipes():
    """{title: {first line of a block, without "# ": its text}} as a reader sees it."""
    out, title, block = {}, None, None
    with open(GUIDE) as guide:
        for line in guide.read().splitlines():
            if line.startswith(".Ss "):
                title = line[4:]
                out[title] = {}
            elif line.startswith(".Bd -literal"):
                block = []
            elif line == ".Ed":
                out[title][block[0].removeprefix("# ")] = "\n".join(block) + "\n"
                block = None
            elif block is not None:
                block.append(line.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\"))
    return out


def recipe(title):
    """A recipe's blocks by name."""
    return recipes()[title]


def commands(blocks):
    """Words of each command, without `outbindctl`."""
    lines = [shlex.split(line) for line in blocks["as root"].splitlines() if not line.startswith("#")]
    check("commands", {words[0] for words in lines}, {"outbindctl"})
    return [words[1:] for words in lines]


def start(lab, blocks):
    """An agent with the recipe's configuration, on a host that has the recipe's users."""
    where = surroundings(lab)
    with open(where + "/passwd", "a") as passwd, open(where + "/group", "a") as group:
        for name, number in USERS.items():
            passwd.write("%s:x:%d:%d::/nonexistent:/bin/false\n" % (name, number, number))
            group.write("%s:x:%d:\n" % (name, number))
    agent = lab.agent(blocks["outbind.conf"], start=False)
    os.mkdir(agent.dir + "/conf.d")
    plain = agent.command()
    agent.command = lambda: within(lab, plain)
    check("outbindctl check", lab.run("sender", *within(lab, [BUILD + "/outbindctl", "check", agent.conf])).returncode, 0)
    return agent.start()


# --- mail ---------------------------------------------------------------------------------------


ZONE = {"x.example MX": ["10 host.x.example."], "host.x.example A": ["203.0.113.41"]}


def start_mail(lab, blocks):
    """Agent, resolver, receiver and relay; the relay's directory is its own."""
    lab.resolver(ZONE, port=53)
    receiver = lab.receiver({25: Manner()})
    agent = start(lab, blocks)
    relay = lab.relay(blocks["outbind.conf"].replace('"/run/outbind-relay/', '"RUN/'), agent=agent)
    return receiver, relay


def arrived(receiver, wanted):
    """Every message came from the address and under the name that its sender's domain has in @wanted."""
    messages = receiver.wait(len(wanted), 30)
    receiver.settle()
    got = {message.sender.split("@")[1]: (message.source, message.helo, message.replied) for message in messages}
    check("messages", (len(messages), got), (len(wanted), {name: (*want, SENT) for name, want in wanted.items()}))


@test("Postfix, one transport, ten customers", seconds=120)
def _():
    peer("postfix", "usr/lib/postfix/sbin/lmtp")
    blocks = recipe("Postfix: one transport, ten customers")
    with RelayLab() as lab:
        receiver, relay = start_mail(lab, blocks)
        postfix = Postfix(lab, blocks["main.cf"].replace("/run/outbind-relay/", relay.runtime + "/"))
        with lab.inside("sender"):
            sock = tcp("127.0.0.1", postfix.port)
        with Client(sock) as client:
            client.hello()
            for n in range(10):
                outcome = client.transaction("bill@customer%d.example" % n, ["a@x.example"], b"Subject: x\r\n\r\ntext\r\n")
                check("Postfix takes it", outcome.code, 250)
        arrived(receiver, {"customer%d.example" % n: (pool(11 + n, 4), "mx.customer%d.example" % n) for n in range(10)})
        with lab.inside("sender"):
            sock = tcp("127.0.0.1", postfix.port)
        with Client(sock) as client:
            client.hello()
            check("nobody's", client.transaction("x@stranger.example", ["a@x.example"], b"\r\n").code, 250)
        wait_for("nobody's mail to wait: " + postfix.errors(), lambda: "status=deferred" in postfix.errors() or
                 "status=bounced" in postfix.errors(), 20)
        check("and not to leave", len(receiver.messages), 10)


@test("Exim through the relay", seconds=90)
def _():
    blocks = recipe("Exim")
    with RelayLab() as lab:
        receiver, _ = start_mail(lab, blocks)
        exim = Exim(lab, "127.0.0.1", 2500)
        with open(exim.dir + "/exim.conf") as conf:
            text = conf.read()
        with open(exim.dir + "/exim.conf", "w") as conf:
            conf.write(text[:text.index("begin routers")] + blocks["exim.conf"] + text[text.index("begin retry"):])
        for sender in ("bill@acme.example", "bill@beta.example", "bill@else.example"):
            exim.run(sender, ["a@x.example"], "Subject: x\n\ntext\n")
        arrived(receiver, {"acme.example": (pool(11, 4), "mx.acme.example"), "beta.example": (pool(12, 4), "mx.beta.example"),
                           "else.example": (pool(13, 4), "mx.host.example")})


@test("nodemailer through the relay", seconds=60)
def _():
    blocks = recipe("Nodemailer, Haraka and other programs that speak SMTP")
    with RelayLab() as lab:
        peer("nodemailer", "node_modules")
        receiver, _ = start_mail(lab, blocks)
        transport = json.loads(blocks["transport, for createTransport()"].split("\n", 1)[1])
        messages = [{"envelope": {"from": "bill@%s.example" % name, "to": ["a@x.example"]}, "from": "b@b.example",
                     "to": "a@x.example", "subject": "x", "text": "text"} for name in ("acme", "beta")]
        results = nodemailer(lab, transport, messages)
        check("taken: %s" % results, [result.get("accepted") for result in results], [["a@x.example"]] * 2)
        arrived(receiver, {"acme.example": (pool(11, 4), "mx.acme.example"), "beta.example": (pool(12, 4), "mx.beta.example")})


# --- everything else ----------------------------------------------------------------------------


class Echo(http.server.BaseHTTPRequestHandler):
    """Says where the request came from."""

    def do_GET(self):
        text = self.client_address[0].removeprefix("::ffff:").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = 10                         # AF_INET6, and IPv4 mapped


def web(lab):
    """A web server in the receiver."""
    with lab.inside("receiver"):
        server = Server(("::", WEB), Echo)
    lab.fork("receiver", server.serve_forever)
    server.server_close()


def curl(lab, family, uid=None, namespace="sender", source=None):
    """What the web server saw of curl, run by that user; "!CODE" if curl failed."""
    url = "http://%s:%d/" % (FAR4 if family == 4 else "[%s]" % FAR6, WEB)
    words = ["curl", "-s", "-m", "5"] + (["--interface", source] if source else []) + [url]
    if uid is not None:
        words = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"] + words
    done = lab.run(namespace, *words, ok=False)
    return done.stdout if done.returncode == 0 else "!%d" % done.returncode


@test("a crawler with a pool of addresses", seconds=60)
def _():
    blocks = recipe("A crawler with a pool of addresses")
    with Lab(serve=False) as lab:
        web(lab)
        group = lab.cgroup("/crawler.slice/spider.service")
        agent = start(lab, blocks)
        (command,) = commands(blocks)
        seen = collections.Counter(agent.ctl(*command).stdout for _ in range(6))
        check("in turn", seen, {pool(n, 4): 2 for n in (11, 12, 13)})
        for family in (4, 6):
            results = {lab.run("sender", "sh", "-c", "echo $$ > %s/cgroup.procs; exec curl -s -m 5 http://%s:%d/" % (
                group, FAR4 if family == 4 else "[%s]" % FAR6, WEB)).stdout for _ in range(6)}
            check("of the slice v%d" % family, results, {pool(n, family) for n in (11, 12, 13)})


@test("containers and virtual machines", seconds=60)
def _():
    blocks = recipe("Containers and virtual machines")
    with Lab(guest=True, serve=False) as lab:
        web(lab)
        start(lab, blocks)
        for family in (4, 6):
            one = "10.88.7.3" if family == 4 else "fd00:88:7::3"
            check("tenants v%d" % family, curl(lab, family, namespace="guest"), pool(11, family))
            check("the mailer v%d" % family, curl(lab, family, namespace="guest", source=one), pool(12, family))


@test("user accounts", seconds=60)
def _():
    blocks = recipe("User accounts")
    with Lab() as lab:
        start(lab, blocks)
        for family in (4, 6):
            for uid, n in ((4001, 11), (4002, 12), (10000, 13), (19999, 13)):
                check("uid %d v%d" % (uid, family), lab.source(FAR[family], uid=uid), pool(n, family))
                check("its mail", lab.source(FAR[family], port=25, uid=uid), pool(n, family))
            check("mail of others", lab.source(FAR[family], port=25, uid=33), "!ECONNREFUSED")


@test("two uplinks, and verify says so", seconds=60)
def _():
    blocks = recipe("Two uplinks")
    with Lab(uplink=True, serve=False) as lab:
        web(lab)
        agent = start(lab, blocks)
        second = lab.capture(links=("eth1",))
        for family, own in ((4, "192.0.2.11"), (6, "2001:db8:3::11")):
            check("first v%d" % family, curl(lab, family, uid=4001), pool(11, family))
            check("second v%d" % family, curl(lab, family, uid=4002), own)
        (command,) = commands(blocks)
        text = agent.ctl(*command).stdout
        check("verify: " + text, ("2 passed, 0 failed" in text, "left from 192.0.2.11 by eth1" in text), (True, True))
        check("by the second way", second.sources(proto="tcp"), {"192.0.2.11", "2001:db8:3::11"})


@test("an IPv6 /64 for each customer", seconds=60)
def _():
    blocks = recipe("An IPv6 /64 for each customer")
    with Lab(serve=False) as lab:
        web(lab)
        for n in (1, 2):
            lab.ip("receiver", "route add 2001:db8:7:%d::/64 via %s" % (n, HOST6))
        start(lab, blocks)
        for name, n in (("alice", 1), ("bob", 2)):
            seen = [curl(lab, 6, uid=USERS[name]) for _ in range(2)]
            check("%s: %s" % (name, seen), (ipaddress.ip_address(seen[0]) in ipaddress.ip_network("2001:db8:7:%d::/64" % n),
                                            seen[0]), (True, seen[1]))
            check("no IPv4", curl(lab, 4, uid=USERS[name])[0], "!")


@test("warm-up of a new address", seconds=60)
def _():
    blocks = recipe("Warm-up of a new address")
    with Lab(serve=False) as lab:
        web(lab)
        agent = start(lab, blocks)
        (command,) = commands(blocks)
        agent.ctl(*command)
        seen = collections.Counter(curl(lab, 4, uid=USERS["alice"]) for _ in range(8))
        check("day 1", seen, {pool(12, 4): 5, pool(11, 4): 3})


@test("moving a customer to another address under load", seconds=90)
def _():
    blocks = recipe("Moving a customer to another address under load")
    with Lab() as lab:
        agent = start(lab, blocks)
        stops = [lab.stream(FAR[family], 20, uid=USERS["alice"]) for family in (4, 6)]
        capture = lab.capture()
        add, remove, save = commands(blocks)
        agent.ctl(*add)
        drain = subprocess.Popen(["nsenter", "--net=/run/netns/" + lab.namespaces["sender"], BUILD + "/outbindctl",
                                  "--runtime-dir", agent.runtime] + remove, stdout=subprocess.PIPE, text=True)
        agent.wait_event("binding.draining")
        for family in (4, 6):
            check("the next one v%d" % family, lab.source(FAR[family], uid=USERS["alice"]), pool(12, family))
        time.sleep(1)
        check("live ones go on", {pool(11, family) for family in (4, 6)} <= capture.sources(proto="tcp"), True)
        for stop in stops:
            result = stop()
            check("no connection lost", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        said = drain.communicate(timeout=30)[0]
        check("removed: " + said, (drain.returncode, "removed old" in said), (0, True))
        check("saving", lab.run("sender", *within(lab, [BUILD + "/outbindctl", "--runtime-dir", agent.runtime] + save)).returncode, 0)
        with open(agent.conf) as conf:
            check("in the file", "binding old" in conf.read(), False)


@test("every recipe has its test, every configuration is valid by itself")
def _():
    text = recipes()
    check("ten", len(text), 10)
    with open(__file__) as here:
        tested = set(re.findall(r'= recipe\("(.*)"\)', here.read()))
    check("tested", tested, set(text))
    with Lab(serve=False) as lab:
        where = surroundings(lab)
        with open(where + "/passwd", "a") as passwd:
            passwd.writelines("%s:x:%d:%d::/:/bin/false\n" % (name, n, n) for name, n in USERS.items())
        for title, blocks in text.items():
            path = os.path.join(lab.dir, "outbind.conf")
            with open(path, "w") as conf:
                conf.write(blocks["outbind.conf"])
            done = lab.run("sender", *within(lab, [BUILD + "/outbindctl", "check", path]), ok=False)
            check("%s: %s" % (title, done.stdout + done.stderr), done.returncode, 0)

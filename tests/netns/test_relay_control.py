# SPDX-License-Identifier: GPL-2.0-or-later
"""What outbindctl says of a relay that runs: status, metrics, and what would become of a message."""

import json
import os
import signal
import socket
import time

from cases import test
from lab import FAR, check, pool, wait_for
from relay_lab import DESTINATION, RELAY_UID, RelayLab, mail_binding, relay_block, smarthost
from smtp_peer import Manner
from socketmap import SocketMap

ZONE = {"far.example MX": ["10 mx.far.example."], "mx.far.example A": ["203.0.113.9"]}
CONF = mail_binding("acme", 11) + mail_binding("beta", 12) + mail_binding("gone", 13) + relay_block("""
    listen 127.0.0.1:2500 { name apps; }
    listen 127.0.0.1:2501 { name other; }
    listen 127.0.0.1:2502 { name passing; protocol socks5; }
    smarthost %s for acme;
    sender acme.example use acme;
    sender beta.example use beta;
    sender gone.example use gone;
""" % smarthost(4))

GROUP = "".join(mail_binding(name, number, families=(4,)) for name, number in (("acme", 11), ("beta", 12), ("gone", 13), ("last", 14))) + \
    "group g { member acme; member beta; member gone; member last; allow user %d; }\n" % RELAY_UID


def relay_ctl(relay, *words, ok=True):
    return relay.ctl("relay", words[0], "--relay-socket", relay.path("control"), *words[1:], ok=ok).stdout


def explain(relay, *words):
    return json.loads(relay_ctl(relay, "explain", "--json", *words, ok=False))


@test("`outbindctl relay`: status counts what passes, metrics too, and explain says what then happens", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        lab.resolver(ZONE)
        relay = lab.relay(CONF)
        with lab.client(2500) as client:
            check("delivered", client.transaction("a@acme.example", ["b@far.example"], b"\r\nhi\r\n").code, 250)
            check("refused", client.transaction("a@nobody.example", ["b@far.example"], b"\r\nhi\r\n").code, 451)
            check("over", client.command("RSET")[0], 250)
            status = json.loads(relay_ctl(relay, "status", "--json"))
            check("listeners", [(one["name"], one["sessions"], one["accepted"]) for one in status["listeners"]],
                  [("apps", 1, 1), ("other", 0, 0), ("passing", 0, 0)])
        check("messages", (status["messages"]["delivered"], status["messages"]["refused"]), (1, 1))
        check("upstreams", (status["upstreams"]["opened"], status["upstreams"]["idle"]), (1, 1))
        check("agent", status["agent"], True)
        metrics = relay_ctl(relay, "metrics")
        check("metrics", 'outbind_relay_messages_total{outcome="delivered"} 1\n' in metrics, True)
        wait_for("the session's end", lambda: json.loads(relay_ctl(relay, "status", "--json"))["sessions"] == 0, 5)

        told = explain(relay, "--sender", "x@acme.example", "--rcpt", "b@far.example")
        seen = receiver.messages[-1]
        check("as it was", (told["binding"], told["ehlo"], pool(11, 4) in told["addresses"], told["refused"]),
              ("acme", seen.helo, seen.source == pool(11, 4), None))
        check("smarthost", told["destinations"], ["%s [%s]:%d" % (FAR[4], FAR[4], DESTINATION)])
        told = explain(relay, "--sender", "x@beta.example", "--rcpt", "b@far.example")
        check("by MX", (told["destinations"], told["connect_point"]), (["mx.far.example [203.0.113.9]:25"], "rcpt"))
        lab.ip("sender", "addr del %s dev eth0" % pool(13, 4), "addr del %s/128 dev eth0" % pool(13, 6))
        relay.agent.wait_event("binding.unusable")
        told = explain(relay, "--sender", "x@gone.example", "--rcpt", "b@far.example")
        check("unusable", told["refused"][:9], "451 4.4.4")
        told = explain(relay, "--listener", "passing", "--parameter", "beta", "--destination", FAR[4])
        check("SOCKS", told["binding"], "beta")
        check("SOCKS goes where it was told", (told["destinations"], told["ehlo"], told["ehlo_of"], told["tls"]),
              (["%s [%s]" % (FAR[4], FAR[4])], None, "client", "none"))
        told = explain(relay, "--listener", "passing", "--parameter", "acme", "--destination", FAR[6], "--port", "443")
        check("to that port, by no smarthost", told["destinations"], ["%s [%s]:443" % (FAR[6], FAR[6])])
        for port in ("0", "65536", "x", "-1", "25x", ""):
            check("port %r" % port, relay.ctl("relay", "explain", "--relay-socket", relay.path("control"), "--port", port, ok=False).returncode, 2)
        told = explain(relay, "--listener", "passing", "--sender", "x@acme.example", "--destination", FAR[4])
        check("SOCKS knows no sender", (told["binding"], told["refused"][:9]), (None, "451 4.7.1"))
        told = explain(relay, "--sender", "x@nobody.example", "--rcpt", "b@far.example")
        check("no rule", told["refused"][:9], "451 4.7.1")


@test("explain names the member of a group that the message then leaves from, and asks policy-map as a worker does", seconds=60)
def _():
    with RelayLab() as lab:
        lab.closing.append(SocketMap(lab.dir + "/map", lambda asked: "OK beta" if "sender=mapped@" in asked else "NOTFOUND "))
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(GROUP + relay_block("listen 127.0.0.1:2500 { name apps; }\notherwise use g;", smarthost=smarthost(),
                                      policy_map='"socketmap:unix:%s/map:bindings"' % lab.dir))
        relay, sources = lab.relays[0], set()
        for n in range(12):
            sender = "s%d@acme.example" % n
            with lab.client(2500) as client:
                outcome = client.transaction(sender, ["b@far.example"], b"\r\nhi\r\n")
            check("delivered: %s" % outcome, outcome.code, 250)
            told, source = explain(relay, "--sender", sender, "--rcpt", "b@far.example"), receiver.messages[-1].source
            check("of " + sender, told["addresses"], [source])
            sources.add(source)
        check("members used", len(sources) > 2, True)
        told = explain(relay, "--sender", "mapped@acme.example", "--rcpt", "b@far.example")
        check("by the map", (told["binding"], told["refused"]), ("beta", None))
    with RelayLab() as lab:
        relay = lab.relay(GROUP + relay_block("listen 127.0.0.1:2500 { name apps; }\notherwise use g;", smarthost=smarthost(),
                                              policy_map='"socketmap:unix:%s/map:bindings"' % lab.dir))
        told = explain(relay, "--sender", "a@acme.example", "--rcpt", "b@far.example")
        check("the map is away", told["refused"][:9], "451 4.3.0")


@test("explain says which EHLO name is used where the binding has none, and whose it is, for the family of the destination", seconds=40)
def _():
    conf = "".join("binding %s { address %s; address %s; allow user %d; %s }\n" % (name, pool(number, 4), pool(number, 6), RELAY_UID, more)
                   for name, number, more in (("none", 11, ""), ("both", 12, "ehlo four.example for ipv4; ehlo six.example for ipv6;")))
    conf += relay_block('listen 127.0.0.1:2500 { name four; }\nlisten 127.0.0.1:2501 { name six; }\n' + "".join(
        'sender "%s.example" on %s use %s smarthost %s;\n' % (name, front, name, smarthost(family))
        for name in ("none", "both") for front, family in (("four", 4), ("six", 6))))
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(conf)
        for sender, port, front, name, whose in (
                ("none", 2500, "four", "mx.relay.example", "relay"), ("none", 2501, "six", "mx.relay.example", "relay"),
                ("both", 2500, "four", "four.example", "binding"), ("both", 2501, "six", "six.example", "binding")):
            with lab.client(port) as client:
                check("delivered", client.transaction("a@%s.example" % sender, ["b@far.example"], b"\r\nhi\r\n").code, 250)
            words = ("--listener", front, "--sender", "a@%s.example" % sender, "--rcpt", "b@far.example")
            told = explain(relay, *words)
            check("%s at %s" % (sender, front), (told["ehlo"], told["ehlo_of"]), (receiver.messages[-1].helo, whose))
            check("%s at %s" % (sender, front), told["ehlo"], name)
            text = relay_ctl(relay, "explain", *words)
            check("for people: " + text, name in text and ("as the binding has none" in text) == (whose == "relay"), True)


@test("calls behind an Explain in the same octets are answered in their turn", seconds=40)
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(CONF)
        explain_call = {"method": "org.outbind.relay.Explain", "parameters": {"sender": "a@acme.example", "rcpt": "b@far.example"}}
        calls = [explain_call, {"method": "org.outbind.relay.GetStatus"}] * 3
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(relay.path("control"))
            peer.sendall(b"".join(json.dumps(call).encode() + b"\0" for call in calls))
            got = b""
            while got.count(b"\0") < len(calls):
                octets = peer.recv(65536)
                if not octets:
                    break
                got += octets
        answers = [json.loads(text)["parameters"] for text in got.split(b"\0") if text]
        check("answers", [one.get("binding", one.get("agent")) for one in answers], ["acme", True] * 3)


@test("the access log goes to a file, to standard error and back with reloads, and no descriptor is left behind", seconds=60)
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        text = "listen 127.0.0.1:2500;\notherwise use acme;"
        conf = {name: mail_binding("acme", 11) + relay_block(text, smarthost=smarthost(), access_log=name and '"RUN/%s"' % name)
                for name in (None, "one", "two")}
        relay = lab.relay(conf[None])

        def lines(name):
            path = relay.path(name) if name else relay.log
            with open(path, errors="replace") as log:
                return log.read().count("relay.delivery ")

        def send():
            with lab.client(2500) as client:
                check("reply", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)

        send()
        wait_for("a line", lambda: lines(None) == 1, 5)
        before, sent = None, {None: 1}
        for name in ("one", None, "two", "one", None) * 3:
            relay.reload(conf[name])
            send()
            sent[name] = sent.get(name, 0) + 1
            wait_for("a line in %s" % name, lambda: lines(name) == sent[name], 5)
            if name is None:
                before = before or relay.descriptors()
        check("lines", {name: lines(name) for name in sent}, sent)
        check("descriptors", relay.descriptors(), before)
        os.rename(relay.path("one"), relay.path("old"))
        relay.reload(conf["one"])
        send()
        wait_for("a line in the new file", lambda: os.path.exists(relay.path("one")) and lines("one") == 1, 5)


@test("told to end twice, at once or in the midst of it, the relay ends well", seconds=90)
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(mail_binding("acme", 11) + relay_block("listen 127.0.0.1:2500;\notherwise use acme;",
                                                               smarthost=smarthost(), workers=4))
        for n in range(12):
            client = lab.client(2500)
            for _ in range(1 + n % 3):
                relay.signal(signal.SIGTERM)
                time.sleep(0.002 * (n // 3))
            check("the end", relay.stop(), 0)
            client.sock.close()
            relay.start()


@test("a second relay in the same directory does not start, and the first one can still be asked", seconds=40)
def _():
    with RelayLab() as lab:
        relay = lab.relay(CONF)
        pid = json.loads(relay_ctl(relay, "status", "--json"))["pid"]
        second = lab.spawn("sender", relay.command(), log=relay.dir + "/second", uid=relay.uid, gid=relay.uid)
        wait_for("its end", lambda: os.waitid(os.P_PID, second, os.WEXITED | os.WNOHANG | os.WNOWAIT), 10)
        with open(relay.dir + "/second") as log:
            check("why", log.read(), "outbind-relay: cannot make %s: Address already in use\n" % relay.path("control"))
        check("the first", json.loads(relay_ctl(relay, "status", "--json"))["pid"], pid)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where mail goes: MX and smarthosts, several recipients, and upstream connections that are used again."""

import socket
import threading
import time

from cases import test
from lab import FAR, check, pool
from place import wait_for
from relay_lab import DESTINATION, NAME, RELAY_UID, RelayLab, certificate, mail_binding, relay_block, smarthost
from smtp_client import Client, any_certificate, tcp, unix
from smtp_peer import CAPS, Manner, SENT

HOSTS = {n: ("203.0.113.%d" % n, "2001:db8:2::%d" % n) for n in range(1, 20)}
ZONE = {
    "mx.example MX": ["20 b.mx.example.", "10 a.mx.example.", "30 c.mx.example."],
    "a.mx.example A": [HOSTS[1][0]], "a.mx.example AAAA": [HOSTS[1][1]], "b.mx.example A": [HOSTS[2][0]], "c.mx.example A": [HOSTS[3][0]],
    "implicit.example A": [HOSTS[4][0]],
    "null.example MX": ["0 ."], "null.example A": [HOSTS[5][0]],
    "alias.example CNAME": ["mx.example."],
    "nohost.example MX": ["10 nothing.example."], "nohost.example A": [HOSTS[5][0]],
    "empty.example TXT": ["x"],
    "servfail.example MX": "SERVFAIL", "later.example MX": ["10 servfail-host.example."], "servfail-host.example A": "SERVFAIL",
    "servfail-host.example AAAA": "SERVFAIL",
    "own.example MX": ["10 a.mx.example.", "20 %s." % NAME, "30 b.mx.example."], NAME + " A": [HOSTS[6][0]],
    "loop.example MX": ["10 %s." % NAME, "20 b.mx.example."],
    "six.example MX": ["10 six-host.example."], "six-host.example AAAA": [HOSTS[7][1]],
    "both.example MX": ["10 six-host.example.", "20 b.mx.example."],
    "equal.example MX": ["10 e%d.mx.example." % n for n in range(1, 7)],
    "dead.example MX": ["10 dead-host.example.", "20 b.mx.example."], "dead-host.example A": [HOSTS[8][0]],
    "many.example MX": ["10 m%02d.mx.example." % n for n in range(60)],
}
ZONE.update({"e%d.mx.example A" % n: [HOSTS[10 + n][0]] for n in range(1, 7)})
ZONE.update({"m%02d.mx.example A" % n: [HOSTS[2][0]] for n in range(60)})
BINDINGS = mail_binding("acme", 11) + mail_binding("only4", 12, families=(4,))


def send(lab, rcpt, sender="a@b.example", port=2500, content=b"x\r\n", **options):
    with lab.client(port, **options) as client:
        return client.transaction(sender, [rcpt], content).last


@test("MX: preference, implicit, null, CNAME, own host, families, failover, and what a resolver may say", seconds=90)
def _():
    with RelayLab() as lab:
        names = lab.resolver(ZONE)
        receiver = lab.receiver({25: Manner()})
        lab.relay(BINDINGS + relay_block('listen 127.0.0.1:2500;\nsender "four.example" use only4;\notherwise use acme;'))
        for domain, want in (("mx.example", HOSTS[1]), ("implicit.example", HOSTS[4]), ("alias.example", HOSTS[1]),
                             ("own.example", HOSTS[1]), ("both.example", HOSTS[7]), ("six.example", HOSTS[7]),
                             ("many.example", HOSTS[2]), ("[%s]" % HOSTS[9][0], HOSTS[9]), ("[IPv6:%s]" % HOSTS[9][1], HOSTS[9]),
                             ("MX.Example", HOSTS[1])):
            check("reply for " + domain, send(lab, "x@" + domain), (250, "2.0.0 recorded"))
            check("%s went to %s" % (domain, receiver.messages[-1].to), receiver.messages[-1].to in want, True)
        for domain, code, words in (("null.example", 556, "5.1.10"), ("nosuch.example", 550, "5.1.2"), ("empty.example", 550, "5.1.2"),
                                    ("servfail.example", 451, "4.4.3"), ("later.example", 451, "4.4.3"), ("loop.example", 554, "5.4.6")):
            before = receiver.n_connections
            reply = send(lab, "x@" + domain)
            good = reply[0] == code and words in reply[1] or (domain == "empty.example" and reply[0] // 100 == 5)
            check("%s: %s" % (domain, reply), good, True)
            check("connections for " + domain, receiver.n_connections, before)
        reply = send(lab, "x@nohost.example")
        check("an MX without address is no implicit MX: %s" % (reply,), reply[0] in (451, 550, 556), True)
        reply = send(lab, "x@six.example", "a@four.example")
        check("lacks the family: %s" % (reply,), (reply[0], "4.4.4" in reply[1]), (451, True))
        check("reply", send(lab, "x@both.example", "a@four.example")[0], 250)
        check("the MX of the family that there is", receiver.messages[-1].to, HOSTS[2][0])
        targets = {receiver.messages[-1].to for n in range(24) if send(lab, "x@equal.example", "a%d@b%d.example" % (n, n))[0] == 250}
        check("equal preferences are shuffled: %s" % sorted(targets), len(targets) >= 3, True)
        again = {receiver.messages[-1].to for _ in range(6) if send(lab, "x@equal.example", "same@b.example")[0] == 250}
        check("the same message goes to the same one", len(again), 1)
        check("the resolver was ours", "mx.example MX" in names.asked, True)
        check("violations", receiver.violations, [])


@test("MX: the next host is tried after one that is not there, resets, says 4xx or 5xx, or fails TLS; not once a reply was passed on", seconds=90)
def _():
    with RelayLab() as lab:
        lab.resolver(dict(ZONE, **{"dead.example MX": ["10 dead-host.example.", "20 other-host.example."], "other-host.example A": [HOSTS[2][0]]}))
        receiver = lab.receiver({25: Manner()})
        lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;\nreuse off;"))
        lab.refuse(HOSTS[8][0])
        check("not there", send(lab, "x@dead.example")[0], 250)
        check("who got it", receiver.messages[-1].to, HOSTS[2][0])
        lab.refuse()
        for fault in ("connect-reset", "connect-close", "greeting-4xx", "greeting-5xx", "greeting-421", "greeting-close", "greeting-garbage",
                      "ehlo-close", "ehlo-421", "ehlo-4xx"):
            before = receiver.counts[25]
            receiver.manners[25] = Manner(script=[()] * before + [(fault,)])
            reply = send(lab, "x@dead.example")
            check("%s: %s" % (fault, reply), reply[0], 250)
            check("tried two after " + fault, receiver.counts[25] - before, 2)
        for verb in ("mail", "rcpt", "data"):
            before, sender, rcpt = receiver.counts[25], "a+%s-4xx@b.example" % verb, "x@dead.example"
            if verb == "rcpt":
                sender, rcpt = "a@b.example", "x+rcpt-4xx@dead.example"
            reply = send(lab, rcpt, sender)
            check("%s: %s" % (verb, reply), (reply[0], receiver.counts[25] - before), (451, 1))


@test("SMTP: the first recipient decides; others elsewhere get 452 4.5.3, and LIMITS says so where mail goes by MX", seconds=60)
def _():
    with RelayLab() as lab:
        lab.resolver(ZONE)
        receiver = lab.receiver({25: Manner(), DESTINATION: Manner()})
        lab.relay(BINDINGS + relay_block(
            "listen 127.0.0.1:2500;\nlisten 127.0.0.1:2501 { name fixed; smarthost %s; }\n"
            "listen 127.0.0.1:2502 { name head; trust header; smarthost %s; }\n"
            "listen 127.0.0.1:2503 { name plain; smarthost %s; }\n"
            'recipient "big.example" on fixed use only4;\notherwise use acme;' % (smarthost(), smarthost(), smarthost())))
        with lab.client(2500) as client:
            check("LIMITS", client.caps.get("LIMITS"), ["RCPTDOMAINMAX=1"])
            for pipelined in (False, True):
                outcome = client.transaction("a@b.example", ["1@mx.example", "2@implicit.example", "3@mx.example"], b"x\r\n", pipelined)
                check("replies: %s" % outcome, [reply[0] for reply in outcome.rcpts], [250, 452, 250])
                check("4.5.3", "4.5.3" in outcome.rcpts[1][1], True)
                check("acknowledged", (outcome.code, receiver.messages[-1].rcpts), (250, ["1@mx.example", "3@mx.example"]))
                outcome = client.transaction("a@b.example", ["2@implicit.example"], b"x\r\n", pipelined)
                check("then the other", (outcome.code, receiver.messages[-1].to), (250, HOSTS[4][0]))
        with lab.client(2503) as client:
            check("a smarthost needs no limit", client.caps.get("LIMITS"), None)
        with lab.client(2501) as client:
            outcome = client.transaction("a@b.example", ["1@mx.example", "2@implicit.example", "3@big.example"], b"x\r\n")
            check("replies: %s" % outcome, [reply[0] for reply in outcome.rcpts], [250, 250, 452])
        with lab.client(2502) as client:
            check("header", client.caps.get("LIMITS"), ["RCPTMAX=1"])
            outcome = client.transaction("a@b.example", ["1@mx.example", "2@mx.example"], b"X-Binding: only4\r\nSubject: x\r\n\r\nx\r\n")
            check("replies: %s" % outcome, [reply[0] for reply in outcome.rcpts], [250, 452])
            check("by the header", receiver.messages[-1].source, pool(12, 4))
            check("which was taken out", receiver.messages[-1].text, b"Subject: x\r\n\r\nx\r\n")
        check("violations", receiver.violations, [])


@test("LMTP: recipients of many destinations in one transaction, each with the reply of its own", seconds=60)
def _():
    rcpts = ["1@mx.example", "2@implicit.example", "3+rcpt-5xx@mx.example", "4@null.example", "5@six.example", "6+rcpt-4xx@implicit.example",
             "7@mx.example", "8@refused.example", "9@slow.example"]
    zone = dict(ZONE, **{"refused.example MX": ["10 refused-host.example."], "refused-host.example A": [HOSTS[8][0]],
                         "slow.example MX": ["10 slow-host.example."], "slow-host.example A": [HOSTS[9][0]]})
    with RelayLab() as lab:
        lab.resolver(zone)
        receiver = lab.receiver({25: Manner(), 2526: Manner("end-5xx"), 2527: Manner("end-stall-8")})
        lab.relay(BINDINGS + relay_block(
            'listen "RUN/lmtp" { protocol lmtp; mode 0666; }\nrecipient "refused.example" use acme smarthost "%s:2526";\n'
            'recipient "slow.example" use only4 smarthost "%s:2527";\notherwise use acme;' % (FAR[4], FAR[4])))
        for pipelined in (False, True):
            receiver.forget()
            with lab.client(lab.relays[0].path("lmtp"), lmtp=True) as client:
                outcome = client.transaction("a@b.example", rcpts, b"Subject: x\r\n\r\n" + b"y" * 200000 + b"\r\n", pipelined)
                check("RCPT: %s" % outcome, [reply[0] for reply in outcome.rcpts], [250, 250, 550, 556, 250, 451, 250, 250, 250])
                check("dot", [reply[0] for reply in outcome.ends], [250, 250, 250, 250, 550, 250])
                check("RSET and again", client.transaction("a@b.example", rcpts[:2], b"x\r\n").acknowledged, True)
            receiver.settle()
            got = sorted(tuple(message.rcpts) for message in receiver.messages if len(message.content) > 1000)
            check("what arrived", got, [("1@mx.example", "7@mx.example"), ("2@implicit.example",), ("5@six.example",), ("9@slow.example",)])
            check("all acknowledged", {message.replied for message in receiver.messages}, {SENT})
            check("sources", {message.source for message in receiver.messages if message.rcpts[0][0] == "9"}, {pool(12, 4)})
            check("whole", {len(message.text) for message in receiver.messages if len(message.content) > 1000}, {200016})
        lines = [line for line in lab.relays[0].events("outcome=delivered") if "size=200" in line]
        check("lines", sorted({(line.split('host="')[1].split('"')[0], line.split('rcpt="')[1].split('"')[0]) for line in lines}),
              [(FAR[4], "9@slow.example"), ("a.mx.example", "1@mx.example"), ("implicit.example", "2@implicit.example"),
               ("six-host.example", "5@six.example")])
        with lab.client(lab.relays[0].path("lmtp"), lmtp=True) as client:
            outcome = client.transaction("a@b.example", ["3+rcpt-5xx@mx.example", "7@mx.example"], b"x\r\n")
            check("RCPT: %s" % outcome, [reply[0] for reply in outcome.rcpts], [550, 250])
        wait_for("the accepted one in the log", lambda: [line for line in lab.relays[0].events('rcpt="7@mx.example" accepted=1 refused=1')
                                                         if "outcome=delivered" in line], 5)
        check("violations", receiver.violations, [])


@test("upstream sessions are used again: one connection for clients of one message each, bounded, and never another binding's", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block(
            'listen 127.0.0.1:2500;\nsender "four.example" use only4;\notherwise use acme;\nreuse messages 10 age 300s idle 2s;', smarthost=smarthost()))
        for n in range(30):
            check("reply", send(lab, "x@d.example", "a%d@b.example" % n)[0], 250)
        check("connections for 30 messages", receiver.n_connections, 3)
        check("reply", send(lab, "x@d.example", "a@four.example")[0], 250)
        check("the other binding has its own", (receiver.n_connections, receiver.messages[-1].source), (4, pool(12, 4)))
        wait_for("idle ones to be closed", lambda: not receiver.peers, 6)
        receiver.forget()
        check("reply", send(lab, "x@d.example")[0], 250)
        receiver.drop_connections()             # dies while it idles
        time.sleep(0.1)
        check("dead one noticed", send(lab, "x@d.example")[0], 250)
        check("connections", receiver.n_connections, 2)
        relay.ctl("binding", "set", "acme", "address", pool(13, 4) + ",", pool(13, 6))
        check("reply", send(lab, "x@d.example")[0], 250)
        check("after a change of addresses", receiver.messages[-1].source, pool(13, 4))
        check("violations", receiver.violations, [])


@test("a group that changes while its destination is looked for: the old member's connection serves the message in hand, and no other")
def _():
    with RelayLab() as lab:
        names, found = lab.resolver({"slow.example A": [HOSTS[9][0]]}), threading.Event()
        look_up = names.look_up
        names.look_up = lambda *question: found.wait(10) and look_up(*question)
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + mail_binding("beta", 14) + "group all { member acme; allow user %d; }\n" % RELAY_UID + relay_block(
            'listen 127.0.0.1:2500;\notherwise use all smarthost "slow.example:%d";' % DESTINATION))
        with lab.client(2500) as client:
            client.send(b"MAIL FROM:<a@b.example>\r\n")
            wait_for("a question", lambda: names.asked, 5)
            relay.ctl("group", "set", "all", "member", "beta")
            time.sleep(0.2)                     # the relay hears of it
            found.set()
            check("MAIL", client.reply()[0], 250)
            check("RCPT", client.command("RCPT TO:<x@d.example>")[0], 250)
            check("DATA", client.command("DATA")[0], 354)
            check("text", client.command("x\r\n.")[0], 250)
        for _ in range(2):
            check("reply", send(lab, "x@d.example")[0], 250)
        check("left from", [message.source for message in receiver.messages], [pool(11, 4), pool(14, 4), pool(14, 4)])


@test("what a destination says in one segment with its answer to EHLO is heard at once")
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner("ehlo-extra")})
        lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost()))
        began = time.monotonic()
        reply = send(lab, "x@d.example")
        check("reply", reply[0], 451)
        check("in %.1f s" % (time.monotonic() - began), time.monotonic() - began < 5, True)


@test("a session that was used before and dies at MAIL is dialled again once, silently; a fresh one is not", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost()))
        for fault in ("mail-close", "mail-reset", "mail-421", "mail-cut-5"):
            receiver.manners[DESTINATION] = Manner()
            check("reply", send(lab, "x@d.example")[0], 250)
            before = receiver.n_connections
            for peer in list(receiver.peers.values()):
                peer.manner = Manner(fault)
            check("%s: dialled again" % fault, send(lab, "x@d.example")[0], 250)
            check("connections", receiver.n_connections - before, 1)
            for peer in list(receiver.peers.values()):
                peer.manner = Manner(fault)
            receiver.manners[DESTINATION] = Manner(fault)
            before = receiver.n_connections
            reply = send(lab, "x@d.example")
            check("%s: but once: %s" % (fault, reply), (reply[0] // 100, receiver.n_connections - before), (4, 1))
            receiver.drop_connections()
        check("violations", receiver.violations, [])


@test("what a destination cannot take is refused before its text: 8-bit, SMTPUTF8, size; DSN and CHUNKING are not promised", seconds=60)
def _():
    bare = ("PIPELINING", "SIZE 1000")
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(caps=bare), 2526: Manner(caps=CAPS)})
        relay = lab.relay(BINDINGS + relay_block(
            'listen 127.0.0.1:2500;\nlisten "RUN/lmtp" { protocol lmtp; mode 0666; }\nrecipient "able.example" use acme smarthost "%s:2526";\notherwise use acme;'
            % FAR[4], smarthost=smarthost()))
        for port, lmtp in ((2500, False), (relay.path("lmtp"), True)):
            with lab.client(port, lmtp=lmtp) as client:
                for word in ("CHUNKING", "BINARYMIME", "DSN", "VRFY", "ETRN"):
                    check(word + " is not offered", word in client.caps, False)
                for word in ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE"):
                    check(word + " is offered", word in client.caps, True)
                for what, sender, params, content, enhanced in (
                        ("8-bit", "a@b.example", "BODY=8BITMIME", b"x\xe4\r\n", "5.6.3"),
                        ("UTF-8", "\xe4@b.example", "SMTPUTF8", b"x\r\n", "5.6.7"),
                        ("size", "a@b.example", "SIZE=2000", b"x\r\n", "5.3.4"),
                        ("size unsaid", "a@b.example", "", b"x" * 2000 + b"\r\n", None)):
                    outcome = client.transaction(sender, ["c@d.example"], content, params=params)
                    if enhanced:
                        check("%s: %s" % (what, outcome), (outcome.code // 100, enhanced in outcome.last[1]), (5, True))
                    outcome = client.transaction(sender, ["c@able.example"], content, params=params)
                    check("%s where it can: %s" % (what, outcome), outcome.code, 250)
                for line, codes in (("BDAT 5 LAST", (502, 503, 500)), ("ETRN x", (500, 502)), ("VRFY a", (252,)), ("NOOP", (250,)),
                                    ("MAIL FROM:<a@b.example> RET=HDRS", (555,)), ("RCPT TO:<a@b.example>", (503,)), ("DATA", (503,))):
                    reply = client.command(line)
                    check("%s: %s" % (line, reply), reply[0] in codes, True)
        check("8-bit text only where it may be", [message.port for message in receiver.messages if b"\xe4" in message.content and message.port != 2526], [])


@test("the banner waits for its client: who speaks first is refused; unknown commands end at some time; idle Unix clients as well as TCP", seconds=60)
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block('listen 127.0.0.1:2500;\nlisten "RUN/smtp" { mode 0666; }\notherwise use acme;', smarthost=smarthost()))
        with lab.inside("sender"):
            sockets = [tcp("127.0.0.1", 2500), unix(relay.path("smtp"))]
        for sock in sockets:
            with Client(sock) as client:
                client.hello()
                codes = [client.command("FOO %d" % n)[0] for n in range(19)]
                check("unknown commands", set(codes) <= {500, 502}, True)
                check("then the end", client.command("FOO")[0] in (421, 500), True)
        check("is alive", send(lab, "x@d.example")[0], 250)
        check("families", socket.has_ipv6, True)


@test("a session that says EHLO again by another name, in the clear or behind STARTTLS, leaves from the binding of that", seconds=40)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir, "relay.example")
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(mail_binding("acme", 11) + mail_binding("beta", 12) + relay_block(
            'listen 127.0.0.1:2500 { tls offered; certificate "%s"; key "%s"; }\n' % (cert, key) +
            'ehlo "a.example" use acme;\nehlo "b.example" use beta;', smarthost=smarthost()))
        with lab.client(2500, name="a.example") as client:
            got = []
            for name, starttls in (("a.example", False), ("b.example", False), ("a.example", True), ("nobody.example", False), ("nobody.example", False),
                                   ("b.example", False)):
                if starttls:
                    client.starttls(any_certificate())
                client.name = name
                check("EHLO", client.hello()[0], 250)
                before = len(receiver.messages)
                code = client.transaction("x@y.example", ["c@d.example"], b"x\r\n").code
                got.append((name, code, receiver.messages[-1].source if len(receiver.messages) > before else None))
        check("where they left from", got, [("a.example", 250, pool(11, 4)), ("b.example", 250, pool(12, 4)), ("a.example", 250, pool(11, 4)),
                                            ("nobody.example", 451, None), ("nobody.example", 451, None), ("b.example", 250, pool(12, 4))])
        check("violations", receiver.violations, [])

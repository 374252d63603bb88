# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipes of outbind-relay(8) with real mail programs: each customer's mail from the customer's address."""

import time

from cases import test
from lab import FAR, check, pool
from mail_programs import Exim, Postfix, nodemailer, peer, swaks
from place import run, wait_for
from relay_lab import DESTINATION, RelayLab, mail_binding, relay_block, smarthost
from smtp_client import Client, tcp
from smtp_peer import Manner, SENT

CUSTOMERS = ["customer%d" % n for n in range(10)]
BINDINGS = "".join(mail_binding(name, 11 + n) for n, name in enumerate(CUSTOMERS)) + mail_binding("nobody", 26)
RULES = "".join('sender "%s.example" use %s;\n' % (name, name) for name in CUSTOMERS) + "otherwise use nobody;"


def hand_in(lab, port, messages):
    """Give messages, (sender, recipients) each, to the MTA that listens there."""
    with lab.inside("sender"):
        sock = tcp("127.0.0.1", port)
    with Client(sock) as client:
        client.hello()
        for n, (sender, rcpts) in enumerate(messages):
            outcome = client.transaction(sender, rcpts, b"Subject: %d\r\n\r\n.text\r\nline\r\n" % n)
            check("the MTA's answer: %s" % outcome, outcome.code, 250)


def each_customer(receiver, count=1, names=None):
    """Every message came from its customer's address under its customer's name; wait for all of them."""
    messages = receiver.wait(len(CUSTOMERS) * count, 30)
    check("messages", len(messages), len(CUSTOMERS) * count)
    receiver.settle()
    for message in messages:
        name = message.sender.split("@")[1].split(".")[0]
        want = (pool(11 + CUSTOMERS.index(name), 4), (names or {}).get(name, name + ".out.example"), SENT)
        check("from " + message.sender, (message.source, message.helo, message.replied), want)


@test("Postfix with the relay as LMTP relayhost: ten customers by envelope sender, recipients in many domains", seconds=120)
def _():
    peer("postfix", "usr/lib/postfix/sbin/lmtp")
    zone = {"mx%d.example MX" % n: ["10 host%d.example." % n] for n in range(3)}
    zone.update({"host%d.example A" % n: ["203.0.113.%d" % (20 + n)] for n in range(3)})
    with RelayLab() as lab:
        lab.resolver(zone)
        receiver = lab.receiver({25: Manner()})
        relay = lab.relay(BINDINGS + relay_block('listen "RUN/lmtp" { protocol lmtp; mode 0666; }\n' + RULES))
        postfix = Postfix(lab, "default_transport = lmtp:unix:%s\nrelay_transport = $default_transport\n"
                          "lmtp_destination_recipient_limit = 50\n" % relay.path("lmtp"))
        hand_in(lab, postfix.port, [("bill@%s.example" % name, ["a@mx0.example", "b@mx1.example", "c@mx2.example"]) for name in CUSTOMERS])
        each_customer(receiver, 3)
        check("violations", receiver.violations, [])
        hand_in(lab, postfix.port, [("bill@customer0.example", ["ok@mx0.example", "no+rcpt-5xx@mx1.example", "later+rcpt-4xx@mx2.example"])])
        receiver.wait(31)
        wait_for("one recipient deferred, one bounced", lambda: "status=bounced" in postfix.errors() and "status=deferred" in postfix.errors(), 15)


@test("Postfix with the relay as SMTP smarthost: ten customers by envelope sender", seconds=120)
def _():
    with RelayLab() as lab:
        peer("postfix", "usr/lib/postfix/sbin/smtp")
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\n" + RULES, smarthost=smarthost()))
        postfix = Postfix(lab, "relayhost = [127.0.0.1]:2500\n")
        hand_in(lab, postfix.port, [("bill@%s.example" % name, ["a@x.example"]) for name in CUSTOMERS for _ in range(3)])
        each_customer(receiver, 3)
        check("violations", receiver.violations, [])


@test("Postfix intercepted on port 25: ten customers by envelope sender, its own MX choice and failover, loops nowhere", seconds=120)
def _():
    zone = {"x.example MX": ["10 dead.x.example.", "20 live.x.example."], "dead.x.example A": ["203.0.113.40"],
            "live.x.example A": ["203.0.113.41"], "six.example MX": ["10 host.six.example."], "host.six.example AAAA": ["2001:db8:2::42"]}
    with RelayLab() as lab:
        peer("postfix", "usr/lib/postfix/sbin/smtp")
        lab.resolver(zone, port=53)
        receiver = lab.receiver({25: Manner()})
        lab.refuse("203.0.113.40")
        lab.relay(BINDINGS + relay_block('intercept postfix { cgroup "/mail.slice/postfix.service"; port 25; listen *:2540; }\n' + RULES))
        lab.turned("/mail.slice/postfix.service")
        postfix = Postfix(lab, "smtp_address_preference = ipv4\n")
        hand_in(lab, postfix.port, [("bill@%s.example" % name, ["a@x.example"]) for name in CUSTOMERS for _ in range(2)])
        each_customer(receiver, 2)
        check("where to", {message.to for message in receiver.messages}, {"203.0.113.41"})
        check("no trace field of ours", [message.sender for message in receiver.messages if b"by mx.relay.example" in message.content], [])
        hand_in(lab, postfix.port, [("bill@customer3.example", ["a@six.example"])])
        message = receiver.wait(21)[-1]
        check("by IPv6", (message.source, message.to), (pool(14, 6), "2001:db8:2::42"))
        check("violations", receiver.violations, [])


@test("Postfix: a message that the destination refuses bounces, one that it defers is tried again from the same address", seconds=90)
def _():
    with RelayLab() as lab:
        peer("postfix", "usr/lib/postfix/sbin/smtp")
        receiver = lab.receiver({DESTINATION: Manner(script=[("mail-4xx",), ("mail-4xx",)])})
        lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\n" + RULES + "\nreuse off;", smarthost=smarthost()))
        postfix = Postfix(lab, "relayhost = [127.0.0.1]:2500\n")
        hand_in(lab, postfix.port, [("bill@customer5.example", ["a@x.example"])])
        message = receiver.wait(1, 30)[0]
        check("source", message.source, pool(16, 4))
        check("tried at least three times", receiver.n_connections >= 3, True)
        hand_in(lab, postfix.port, [("bill@customer5.example", ["no+rcpt-5xx@x.example"])])
        wait_for("the bounce", lambda: "5.7.1 not wanted" in postfix.errors(), 15)
        time.sleep(0.1)


@test("Exim through the relay: ten customers, several recipients, and the destination's own words in its log", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(BINDINGS + relay_block('listen 127.0.0.1:2500;\nrecipient "nobody.example" use nobody;\n' + RULES, smarthost=smarthost()))
        exim = Exim(lab, "127.0.0.1", 2500)
        for name in CUSTOMERS:
            exim.run("bill@%s.example" % name, ["a@x.example", "b@x.example"], "Subject: x\n\n.text\n")
        each_customer(receiver)
        check("recipients", [message.rcpts for message in receiver.messages][-1], ["a@x.example", "b@x.example"])
        exim.run("bill@customer1.example", ["no+rcpt-5xx@x.example"], "Subject: x\n\nx\n")
        wait_for("the refusal in its log", lambda: "5.7.1 not wanted" in exim.log(), 10)
        wait_for("nothing to wait in its spool but a bounce: " + exim.log()[-1500:], lambda: exim.waiting() <= 1, 10)
        check("violations", receiver.violations, [])


@test("swaks: plain, pipelined, LMTP by a Unix socket, AUTH, and a refusal with its code", seconds=60)
def _():
    with RelayLab() as lab:
        with open(lab.dir + "/users", "w") as out:
            out.write("alice:" + run("openssl", "passwd", "-6", "secret").stdout)
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block(
            'listen 127.0.0.1:2500;\nlisten "RUN/lmtp" { protocol lmtp; mode 0666; }\n'
            'listen 127.0.0.1:2501 { name submission; auth file "%s/users"; auth required; auth plain-text; }\nauth "alice" on submission use customer9;\n'
            % lab.dir + RULES, smarthost=smarthost()))
        common = ("--from", "bill@customer2.example", "--to", "a@x.example,b@x.example")
        for words, number in ((("--server", "127.0.0.1:2500"), 13), (("--server", "127.0.0.1:2500", "--pipeline"), 13),
                              (("--socket", relay.path("lmtp"), "--protocol", "LMTP"), 13),
                              (("--server", "127.0.0.1:2501", "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", "secret"), None),
                              (("--server", "127.0.0.1:2501", "--auth", "LOGIN", "--auth-user", "alice", "--auth-password", "secret"), None)):
            swaks(lab, *words, *common)
            if number:
                check("source", receiver.messages[-1].source, pool(number, 4))
            check("recipients", receiver.messages[-1].rcpts, ["a@x.example", "b@x.example"])
        before = len(receiver.messages)
        done = swaks(lab, "--server", "127.0.0.1:2501", "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", "wrong", *common, ok=False)
        check("wrong password", (done.returncode != 0, len(receiver.messages)), (True, before))
        done = swaks(lab, "--server", "127.0.0.1:2500", "--from", "bill@customer2.example", "--to", "no+rcpt-5xx@x.example", ok=False)
        check("exit status of a refused recipient", done.returncode, 24)
        check("violations", receiver.violations, [])


@test("nodemailer: one connection for each message, pooled, LMTP, and the destination's reply as its error", seconds=60)
def _():
    with RelayLab() as lab:
        peer("nodemailer", "node_modules")
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block('listen 127.0.0.1:2500;\nlisten "RUN/lmtp" { protocol lmtp; mode 0666; }\n' + RULES, smarthost=smarthost()))
        messages = [{"envelope": {"from": "bill@%s.example" % name, "to": ["a@x.example"]}, "from": "Bill <b@b.example>", "to": "a@x.example",
                     "subject": "gr\xfc\xdfe", "text": ".dot\n\xe4\n" + "long " * 500} for name in CUSTOMERS]
        for transport in ({"host": "127.0.0.1", "port": 2500}, {"host": "127.0.0.1", "port": 2500, "pool": True}):
            receiver.forget()
            results = nodemailer(lab, dict(transport, ignoreTLS=True), messages)
            check("responses", {result.get("response") for result in results}, {"250 2.0.0 recorded"})
            each_customer(receiver)
        refused = dict(messages[0], envelope={"from": "bill@customer0.example", "to": ["no+rcpt-5xx@x.example"]})
        results = nodemailer(lab, {"host": "127.0.0.1", "port": 2500, "ignoreTLS": True}, [refused])
        check("refused: %s" % results, (results[0].get("code"), "5.7.1 not wanted" in results[0]["response"]), (550, True))
        check("the relay is there", relay.ended(), False)
        check("destination", FAR[4] == receiver.messages[-1].to, True)
        check("violations", receiver.violations, [])

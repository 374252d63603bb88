# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of messages: octet for octet what was sent, whatever it is; and no way to smuggle a second one."""

import random
import re

from cases import test
from lab import FAR, check
from relay_lab import DESTINATION, NAME, RelayLab, mail_binding, relay_block, smarthost
from smtp_client import Client, Raw, any_certificate, proxy, socks5, stuff, tcp, unix
from smtp_peer import BAD_REPLIES, Manner

CONF = mail_binding("acme", 11) + relay_block(
    """listen *:2500;
    listen "RUN/smtp" { mode 0666; }
    listen *:2510 { protocol lmtp; }
    listen "RUN/lmtp" { protocol lmtp; mode 0666; }
    listen *:2520 { protocol socks5; }
    listen *:2530 { protocol proxy; }
    listen *:2501 { bare-newline normalise; }
    intercept clients { cgroup "/mail.slice"; port 25; listen *:2540; }
    otherwise use acme;""", smarthost=smarthost(), size="64M")
FRONTS = ("smtp", "smtp-unix", "lmtp", "lmtp-unix", "intercept", "socks5", "proxy")

ENDINGS = {                                     # none of them ends a message
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r", "LF.CR": b"\n.\r", "CR.LF": b"\r.\n", "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
}
WITH_NUL = {"CRLF NUL.CRLF": b"\r\n\0.\r\n", "CRLF.NUL CRLF": b"\r\n.\0\r\n"}   # content, like any other


def bodies(seed):
    """(what, content); all end with CRLF or are empty."""
    dice = random.Random(seed)
    yield "nothing", b""
    yield "an empty line", b"\r\n"
    yield "a header only", b"Subject: x\r\n"
    yield "no header", b"\r\nhello\r\n"
    yield "text that is no header", b"hello, world\r\nhow: are you\r\n"
    yield "dots", b"Subject: dots\r\n\r\n" + b"".join(b"." * n + b"\r\n" for n in range(1, 6)) + b".\r\n..\r\n.x\r\nx.\r\n"
    yield "dots only", b".\r\n.\r\n..\r\n"
    yield "a dot in the first line", b".hello\r\n.\r\n"
    yield "long lines", b"Subject: x\r\n\r\n" + b"".join(b"y" * n + b"\r\n" for n in (997, 998, 999, 1000, 4095, 4096, 70000))
    yield "a long header field", b"Subject: " + b"z" * 9000 + b"\r\n folded " + b"q" * 3000 + b"\r\n\r\nx\r\n"
    yield "every octet", b"Subject: x\r\n\r\n" + bytes(n for n in range(256) if n not in (10, 13)) * 9 + b"\r\n"
    yield "NUL", b"Subject: x\r\n\r\n\0\0\0\r\n.\0\r\n\0.\r\n"
    yield "signed header", b"DKIM-Signature: v=1;\r\n\tb=abc;\r\nReceived: from a by b;\r\n Thu, 1 Jan 1970\r\nFrom: a@b\r\n\r\nx \t\r\n\r\n\r\n"
    for n in range(6):
        lines = [bytes(dice.choice(b".a\0\xff -") for _ in range(dice.choice((0, 1, 2, 3, 80, 3000)))) for _ in range(dice.randrange(1, 60))]
        yield "dice %d" % n, b"Subject: x\r\n\r\n" + b"\r\n".join(lines) + b"\r\n"


def open_front(relay, front):
    if front == "intercept":
        return tcp(FAR[4], 25)
    if front.endswith("unix"):
        return unix(relay.path(front.split("-", maxsplit=1)[0]))
    if front == "socks5":
        return socks5(("127.0.0.1", 2520), FAR[4], DESTINATION)
    if front == "proxy":
        return proxy(("127.0.0.1", 2530), "192.0.2.7", FAR[4], DESTINATION, "acme")
    return tcp("127.0.0.1", {"smtp": 2500, "lmtp": 2510, "normalise": 2501}[front])


def send_all(relay, front, contents, split):
    """Codes of these messages, sent by one client."""
    codes = []
    with Client(open_front(relay, front), front.startswith("lmtp")) as client:
        client.hello()
        for n, content in enumerate(contents):
            client.split = split if len(content) < 2000 else 0
            codes.append(client.transaction("n%d@b.example" % n, ["c@d.example"], content.encode("latin-1"), params="BODY=8BITMIME").code)
    return codes


def compare(front, sent, messages):
    """What is wrong, as texts."""
    for (what, content), message in zip(sent, messages):
        if front in ("intercept", "socks5", "proxy"):
            got = message.content
        else:
            got = message.text
            if not re.match(rb"Received: from client\.example.*\sby %s\s.*\swith (ESMTP|LMTP)\s.*;[^;]+\r\n$"
                            % re.escape(NAME.encode()), message.trace, re.S):
                yield "%s, %s: trace field %r" % (front, what, message.trace)
        if got != content:
            at = next((n for n, (a, b) in enumerate(zip(got, content)) if a != b), min(len(got), len(content)))
            yield "%s, %s: %d octets instead of %d, differ at %d: %r instead of %r" % (
                front, what, len(got), len(content), at, got[at:at + 40], content[at:at + 40])


@test("bodies arrive octet for octet by every front: dots, long lines, 8-bit, NUL, nothing; whole and octet by octet", seconds=120)
def _():
    wrong = []
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(CONF)
        for front in FRONTS:
            for split in (0, 1):
                sent = list(bodies(len(front) * 2 + split))
                before = len(receiver.messages)
                codes = lab.as_client(send_all, relay, front, [content.decode("latin-1") for _, content in sent], split,
                                      cgroup=lab.turned("/mail.slice") if front == "intercept" else None)
                check("replies at " + front, codes, [250] * len(sent))
                wrong += compare(front, sent, receiver.messages[before:])
        wrong += receiver.violations
    check("what went wrong", "\n".join(wrong), "")


@test("a message of 50 MB arrives octet for octet, in little memory", seconds=120)
def _():
    dice = random.Random(50)
    line = bytes(dice.choice(b"abcdefgh. \xe4\0") for _ in range(4096))
    content = b"Subject: big\r\n\r\n" + b"".join(line[:dice.randrange(1, 4096)] + b"\r\n" for _ in range(25600))
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(CONF)
        before = relay.memory()
        for front in ("smtp", "lmtp"):
            with lab.inside("sender"):
                sock = open_front(relay, front)
            with Client(sock, front == "lmtp", timeout=60) as client:
                client.hello()
                check("reply", client.transaction("a@b.example", ["c@d.example"], content, params="BODY=8BITMIME").code, 250)
            check("the same", receiver.messages[-1].text == content, True)
        check("octets", len(content) > 48 << 20, True)
        check("memory, which grew by %d KB" % ((relay.memory() - before) >> 10), relay.memory() - before < 16 << 20, True)
        with lab.client(2500) as client:        # what is too big is refused, said or not
            check("SIZE", client.caps["SIZE"], [str(64 << 20)])
            check("said", client.transaction("a@b.example", ["c@d.example"], b"x\r\n", params="SIZE=%d" % (65 << 20)).code, 552)
        with lab.client(2500, timeout=60) as client:
            outcome = client.transaction("a@b.example", ["c@d.example"], b"x" * (65 << 20) + b"\r\n")
            check("not said: %s" % outcome, outcome.code, 552)
            check("still there", client.command("NOOP")[0], 250)
        check("messages", len(receiver.messages), 2)
        check("violations", receiver.violations, [])


def smuggle(relay, front, wire):
    """(outcome as text, code, reply to NOOP after it) of a message whose text is `wire`."""
    with Client(open_front(relay, front), front.startswith("lmtp"), timeout=10) as client:
        client.hello()
        outcome = client.transaction("a@b.example", ["c@d.example"], Raw(wire.encode("latin-1")))
        try:
            after = client.command("NOOP")[0]
        except Exception as error:              # the test says what it wanted
            after = repr(error)
        return repr(outcome), outcome.code, after


@test("none of ten malformed ends of data ends a message, at any front: 550 5.5.2, and nothing arrives", seconds=120)
def _():
    inner = b"MAIL FROM:<smuggled@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    wrong = []
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(CONF)
        for front in ("smtp", "smtp-unix", "lmtp", "intercept"):
            cgroup = lab.turned("/mail.slice") if front == "intercept" else None
            for name, ending in ENDINGS.items():
                text, code, after = lab.as_client(smuggle, relay, front, "Subject: a\r\n\r\nx" + (ending + inner).decode("latin-1"),
                                                  cgroup=cgroup)
                if code != 550 or "5.5.2" not in text or after not in (250, 220):
                    wrong.append("%s, %s: %s, then %s" % (front, name, text, after))
            if receiver.messages:
                wrong.append("%s: %d arrived" % (front, len(receiver.messages)))
                receiver.messages.clear()
        for name, ending in WITH_NUL.items():
            wire = b"Subject: a\r\n\r\nx" + ending + inner
            with lab.client(2500) as client:
                check(name, client.transaction("a@b.example", ["c@d.example"], Raw(wire)).code, 250)
            check(name + ": one message, whole", [message.text.count(b"smuggled") for message in receiver.messages], [2])
            receiver.messages.clear()
        wrong += receiver.violations
    check("what went wrong", "\n".join(wrong), "")


@test("where a listener mends bare newlines, one message arrives, with CRLF and its dots stuffed")
def _():
    inner = b"MAIL FROM:<smuggled@b.example>\r\n"
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(CONF)
        for name, ending in ENDINGS.items():
            with lab.client(2501) as client:
                outcome = client.transaction("a@b.example", ["c@d.example"], Raw(b"Subject: a\r\n\r\nx" + ending + inner + b".\r\n"))
                if outcome.code == 250:
                    outcome = client.command("NOOP")[0]
                else:                           # the mended text had an end of its own: then no more than that
                    outcome = outcome.code
            check("%s: %s" % (name, outcome), outcome in (250, 550), True)
        check("violations", receiver.violations, [])
        check("nothing was smuggled", [one.sender for one in receiver.messages if one.sender != "a@b.example"], [])
        check("they arrived", len(receiver.messages), len(ENDINGS))


@test("hostile destinations: malformed, endless, doubled replies never reach a client and never acknowledge", seconds=120)
def _():
    wrong = []
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(CONF)
        for verb in ("mail", "rcpt", "data", "end"):
            for what in sorted(BAD_REPLIES) + ["extra"]:
                if what == "onlylf" and verb != "end":
                    continue                    # waits for the end of the line, as it has to
                who = ("s+%s-%s@b.example" % (verb, what), "r@d.example") if verb != "rcpt" else \
                    ("s@b.example", "r+rcpt-%s@d.example" % what)
                if what == "onlylf":
                    continue
                with lab.client(2500, timeout=15) as client:
                    before = len(receiver.messages)
                    outcome = client.transaction(who[0], [who[1]], b"Subject: x\r\n\r\nx\r\n")
                    last = outcome.last
                    arrived = len(receiver.messages) - before
                    if what == "extra":
                        good = outcome.gone or (last[0] == 250) == (arrived == 1) or last[0] // 100 == 4
                    else:
                        good = last and last[0] // 100 == 4 and not outcome.acknowledged
                    if last and re.search("[\0-\x08\x0b-\x1f\x7f]", last[1].replace("\n", "")):
                        good = False
                    if not good:
                        wrong.append("%s at %s: %s" % (what, verb, outcome))
    check("what went wrong", "\n".join(wrong), "")


@test("what is pipelined behind STARTTLS is forgotten, on both sides", seconds=60)
def _():
    from relay_lab import certificate
    import ssl
    with RelayLab() as lab:
        cert, key = certificate(lab.dir)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        receiver = lab.receiver({DESTINATION: Manner(tls=context), 2526: Manner("starttls-extra", tls=context)})
        lab.relay(mail_binding("acme", 11) + relay_block(
            'listen 127.0.0.1:2500 { tls offered; certificate "%s"; key "%s"; }\n' % (cert, key) +
            'sender "inject.example" use acme smarthost "%s:2526";\notherwise use acme;' % FAR[4], smarthost=smarthost()))
        with lab.client(2500) as client:
            check("STARTTLS is offered", "STARTTLS" in client.caps, True)
            client.starttls(any_certificate(), inject=b"EHLO x\r\nMAIL FROM:<injected@b.example>\r\n")
            check("EHLO", client.hello()[0], 250)
            check("offered once", "STARTTLS" in client.caps, False)
            check("reply", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
            check("the destination had TLS", bool(receiver.messages[-1].tls), True)
            check("the trace says so", b"with ESMTPS" in receiver.messages[-1].trace, True)
            outcome = client.transaction("a@inject.example", ["c@d.example"], b"x\r\n")
            check("a destination that injects: %s" % outcome, outcome.code in (250, 451), True)
        check("violations", receiver.violations, [])
        check("senders", {one.sender for one in receiver.messages} <= {"a@b.example", "a@inject.example"}, True)
        check("wire", stuff(b"."), b"..\r\n.\r\n")

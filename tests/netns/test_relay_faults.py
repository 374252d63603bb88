# SPDX-License-Identifier: GPL-2.0-or-later
"""What was acknowledged was delivered, exactly; what was refused or lost was not acknowledged.

Thousands of transactions from a seed, with something going wrong at a verb or a byte of the destination or
of the client; and every single byte of a short dialogue. OUTBIND_TRANSACTIONS and OUTBIND_SEED in the
environment make it longer or different. A message may arrive and not be acknowledged only where the
destination's own acknowledgement was lost, or the client had gone (RFC 1047); those are counted, and a client
that comes again after it had gone must not cause a second delivery.
"""

import collections
import os
import random
import socket
import time

from cases import test
from lab import FAR, check
from place import wait_for
from relay_lab import DESTINATION, RelayLab, mail_binding, relay_block, smarthost
from smtp_client import Client, Gone, stuff, tcp, unix
from smtp_peer import CAPS, Manner, SENT, fault_of

TRANSACTIONS = int(os.environ.get("OUTBIND_TRANSACTIONS", "3000"))
SEED = int(os.environ.get("OUTBIND_SEED", "1"))
PLAIN_CAPS = tuple(cap for cap in CAPS if cap != "PIPELINING")
SECOND, BROKEN = 2526, 2527                     # ports: no PIPELINING there; its greeting or EHLO fails

CONF = mail_binding("acme", 11) + mail_binding("beta", 12) + relay_block(
    """listen *:2500 { name smtp; }
    listen "RUN/smtp" { name local; mode 0666; }
    listen *:2501 { name accept; }
    listen *:2502 { name hello; }
    listen *:2503 { name mail; }
    listen *:2504 { name header; trust header; }
    listen *:2510 { protocol lmtp; name lmtp; }
    listen *:2511 { protocol lmtp; name lmtp-header; trust header; }
    ehlo "nobody.example" on hello use beta;
    sender "nobody.example" on mail use beta;
    intercept clients { cgroup "/mail.slice"; port 25; listen *:2540; }
    """ + "".join('recipient "two.example" on %s use beta smarthost "%s:%d";\n' % (name, FAR[4], SECOND)
                  for name in ("smtp", "local", "lmtp", "lmtp-header")) +
    "".join('recipient "broken.example" on %s use beta smarthost "%s:%d";\n' % (name, FAR[4], BROKEN)
            for name in ("smtp", "lmtp")) + "otherwise use acme;", smarthost=smarthost())
PORT_OF = {"smtp": 2500, "smtp-accept": 2501, "smtp-hello": 2502, "smtp-mail": 2503, "smtp-header": 2504, "lmtp": 2510,
           "lmtp-header": 2511}
FRONTS = tuple(PORT_OF) + ("smtp-unix", "intercept")

REFUSALS = ("4xx", "5xx", "421", "close", "reset", "cut", "stall-1", "drip", "garbage", "long", "lines", "barelf", "barecr",
            "mixed", "short", "letters", "high", "extra")


class Case:
    """One transaction as it is planned; to be sent by a worker, and judged by the test."""

    def __init__(self, number, dice, front):
        self.number, self.front = number, front
        self.pipelined, self.reset = dice.random() < 0.5, dice.random() < 0.3
        lines = [bytes(dice.choice(b"ab .\0") for _ in range(dice.choice((0, 1, 5, 70)))) for _ in range(dice.randrange(1, 40))]
        self.content = b"Subject: %d\r\n\r\n" % number + b"\r\n".join(lines) + b"\r\n"
        self.fault, self.budget, faults_of_rcpt = "", None, {}
        kind = dice.choice(("none", "verb", "verb", "verb", "end", "end", "body", "rcpt", "client", "client", "dot", "both"))
        count = dice.choice((1, 1, 2, 3))
        if kind in ("verb", "both"):
            self.fault = "+" + dice.choice(("mail", "data", "rset", "quit", "end")) + "-" + self.what(dice, 30)
        elif kind == "end":
            self.fault = "+end-" + dice.choice((self.what(dice, 22), "lost", "close", "reset", "cut-%d" % dice.randrange(22)))
        elif kind == "body":
            self.fault = "+body-%s-%d" % (dice.choice(("close", "reset", "421", "stall")), dice.randrange(len(self.content) + 4))
        elif kind == "rcpt":
            faults_of_rcpt = {dice.randrange(count): "+rcpt-" + self.what(dice, 27)}
        domains = [dice.choice(("d.example", "d.example", "two.example")) for _ in range(count)]
        if front.startswith("smtp") and dice.random() < 0.8:
            domains = domains[:1] * count       # else the others are 452
        self.sender = "m%d%s@acme.example" % (number, self.fault)
        self.rcpts = ["r%d%s@%s" % (n, faults_of_rcpt.get(n, ""), domain) for n, domain in enumerate(domains)]
        if kind in ("client", "both"):
            self.budget = dice.randrange(self.octets())
        elif kind == "dot":
            self.budget = self.octets()
            self.fault = dice.choice(("", "+end-stall-2", "+end-4xx"))
            self.budget -= len(self.sender)
            self.sender = "m%d%s@acme.example" % (number, self.fault)
            self.budget += len(self.sender)

    @staticmethod
    def what(dice, length):
        what = dice.choice(REFUSALS)
        return "cut-%d" % dice.randrange(length) if what == "cut" else what

    def octets(self):
        """Of the whole transaction as the client sends it."""
        return len("MAIL FROM:<%s>\r\n" % self.sender) + sum(len("RCPT TO:<%s>\r\n" % rcpt) for rcpt in self.rcpts) + \
            len("DATA\r\n") + len(stuff(self.content))

    def plan(self):
        return [self.number, self.sender, self.rcpts, self.content.decode("latin-1"), self.pipelined, self.budget, self.reset]


# --- in a worker: a process of its own ----------------------------------------------------------


def open_front(relay, front):
    if front == "smtp-unix":
        return unix(relay.path("smtp"))
    if front == "intercept":
        return tcp(FAR[4], 25)
    return tcp("127.0.0.1", PORT_OF[front])


def greet(relay, front, timeout=30):
    """A client that has said EHLO, or None if it was not let in."""
    try:
        client = Client(open_front(relay, front), front.startswith("lmtp"), timeout=timeout)
        if client.banner[0] == 220 and client.hello()[0] == 250:
            return client
        client.sock.close()
    except (Gone, OSError):
        pass
    return None


def send_one(client, plan):
    _, sender, rcpts, content, pipelined, budget, reset = plan
    client.budget, client.reset = budget, reset
    if budget == 0:
        client.budget = None
    outcome = client.transaction(sender, rcpts, content.encode("latin-1"), pipelined)
    client.budget = None
    return outcome


def again(relay, front, plan):
    """The same message from a client that had gone, until somebody says something."""
    time.sleep(0.3)
    for _ in range(5):
        client = greet(relay, front)
        if client:
            with client:
                outcome = send_one(client, plan[:5] + [None, False])
            if outcome.last:
                return outcome
        time.sleep(0.1)
    return outcome


def row(outcome):
    return [outcome.mail, outcome.rcpts, outcome.text, outcome.ends, outcome.dot_sent, outcome.gone, outcome.silent]


def work(relay, front, plans):
    """Rows [number, outcome, outcome of the second try or None]; a session is kept as long as it lives."""
    client, rows = None, []
    for plan in plans:
        client = client or greet(relay, front)
        if not client:
            rows.append([plan[0], None, None])
            continue
        outcome = send_one(client, plan)
        second = None
        if outcome.gone:
            client.sock.close()
            client = None
            if outcome.dot_sent and plan[5]:
                second = row(again(relay, front, plan))
        rows.append([plan[0], row(outcome), second])
        if client and outcome.last and outcome.last[0] == 421:
            client.sock.close()
            client = None
    return rows


# --- the judge ----------------------------------------------------------------------------------


class Judge:
    def __init__(self, receiver):
        self.by_sender = collections.defaultdict(list)
        for message in receiver.messages:
            self.by_sender[message.sender].append(message)
        self.wrong, self.counts = [], collections.Counter()

    def blame(self, case, text, outcome):
        self.wrong.append("%s %s %s budget %s%s: %s\n        %s\n        %s" % (
            case.front, case.sender, case.rcpts, case.budget, " pipelined" if case.pipelined else "", text, outcome,
            [(one.rcpts, one.replied) for one in self.by_sender[case.sender]]))

    @staticmethod
    def acknowledged(case, outcome):
        """Recipients that the client was told are delivered."""
        mail, rcpts, text, ends = outcome[:4]
        accepted = [rcpt for rcpt, reply in zip(case.rcpts, rcpts) if reply and reply[0] == 250]
        if case.front.startswith("lmtp"):
            return {rcpt for rcpt, reply in zip(accepted, ends) if reply[0] // 100 == 2}
        return set(accepted) if ends and ends[0][0] // 100 == 2 else set()

    def judge(self, case, outcome, second):
        messages = self.by_sender[case.sender]
        if outcome is None:
            self.counts["not let in"] += 1
            if messages:
                self.blame(case, "delivered without a client", outcome)
            return
        if outcome[6] or (second and second[6]):
            self.blame(case, "the relay said nothing for half a minute", (outcome, second))
        for message in messages:
            if (message.text if case.front != "intercept" else message.content) != case.content:
                self.blame(case, "something else was delivered: %r" % message.content, outcome)
        delivered = collections.Counter(rcpt for message in messages for rcpt in message.rcpts)
        said = self.acknowledged(case, outcome) | (self.acknowledged(case, second) if second else set())
        # The destination's own acknowledgement was lost: then it may stand there and be sent once more.
        window = any(message.replied != SENT for message in messages)
        for rcpt in case.rcpts:
            count = delivered[rcpt]
            if rcpt in said and count == 0:
                self.blame(case, "acknowledged and not delivered: " + rcpt, (outcome, second))
            elif count > 1 and not window:
                self.blame(case, "delivered %d times: %s" % (count, rcpt), (outcome, second))
            elif count and rcpt not in said and not window and not (outcome[4] and outcome[5]):
                self.blame(case, "delivered and not acknowledged: " + rcpt, (outcome, second))
            elif count and not outcome[4]:
                self.blame(case, "delivered before the dot: " + rcpt, (outcome, second))
        self.count(case, outcome, second, said, delivered, window)

    def count(self, case, outcome, second, said, delivered, window):
        self.counts["acknowledged" if said else "gone" if outcome[5] else "refused"] += 1
        self.counts["acknowledgement of the destination lost"] += window
        self.counts["client gone after the dot"] += bool(second)
        self.counts["came again and was spared"] += bool(second) and bool(said) and max(delivered.values(), default=0) == 1
        self.counts["duplicates"] += any(count > 1 for count in delivered.values())
        fault = fault_of(case.sender)
        if not fault and case.budget is None and not any(fault_of(rcpt) for rcpt in case.rcpts):
            expected = set(case.rcpts) if case.front.startswith("lmtp") else None
            if not said or (expected and said != expected):
                self.blame(case, "nothing was wrong and it was not acknowledged", outcome)
        if fault and case.budget is None and fault.verb in ("MAIL", "DATA", "END") and fault.what in ("4xx", "5xx"):
            told = [outcome[0]] + outcome[1] + [outcome[2]] + outcome[3]
            if not any(reply and reply[0] // 100 == int(fault.what[0]) for reply in told):
                self.blame(case, "the destination's refusal was not told", outcome)


def plans_of(cases):
    by_front = collections.defaultdict(list)
    for case in cases:
        by_front[case.front].append(case)
    return by_front


def run_workers(lab, relay, cases, share=400):
    """All rows; each worker is a process that sends a share of one front's."""
    import json
    running = []
    for front, mine in plans_of(cases).items():
        cgroup = lab.turned("/mail.slice") if front == "intercept" else None
        for at in range(0, len(mine), share):
            read, write = os.pipe()

            def child(plans=[case.plan() for case in mine[at:at + share]], front=front, write=write, cgroup=cgroup):
                import traffic
                traffic.enter({"cgroup": cgroup})
                with os.fdopen(write, "w") as pipe:
                    json.dump(work(relay, front, plans), pipe)

            pid = lab.fork("sender", child)
            os.close(write)
            running.append((pid, os.fdopen(read)))
    rows = []
    for pid, pipe in running:
        with pipe:
            text = pipe.read()
        lab.reap(pid)
        if not text:
            raise AssertionError("a worker failed")
        rows += json.loads(text)
    return rows


@test("thousands of transactions with faults at every verb on either side: acknowledged is delivered, once; lost is not", seconds=240)
def _():
    dice = random.Random(SEED)
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner(), SECOND: Manner(caps=PLAIN_CAPS)})
        relay = lab.relay(CONF)
        known = FRONTS
        cases = [Case(number, dice, dice.choice(known)) for number in range(TRANSACTIONS)]
        rows = run_workers(lab, relay, cases)
        time.sleep(0.3)
        judge = Judge(receiver)
        for number, outcome, second in rows:
            judge.judge(cases[number], outcome, second)
        print("seed %d: %s" % (SEED, ", ".join("%s: %d" % item for item in sorted(judge.counts.items()))))
        check("rows", len(rows), len(cases))
        violations = [text for text in receiver.violations if "8-bit" not in text]
        check("what went wrong (%d)" % len(judge.wrong), "\n".join(judge.wrong[:12]), "")
        check("violations", violations[:5], [])
        check("some of each: %s" % judge.counts, all(judge.counts[what] for what in (
            "acknowledged", "refused", "gone", "client gone after the dot", "came again and was spared")), True)


# --- every byte -----------------------------------------------------------------------------------

TEXT = b"Subject: a\r\n\r\n.b\r\nc\r\n"


def abort_at_each_byte(relay, front, pipelined):
    """[budget, dot was sent] of clients that broke off after so many octets."""
    rows = []
    for budget in range(1, 10000):
        client = greet(relay, front)
        if not client:
            rows.append([budget, "not let in"])
            continue
        sender = "b%03d-%s-%s@acme.example" % (budget, front, "p" if pipelined else "s")
        total = len("MAIL FROM:<%s>\r\nRCPT TO:<r@d.example>\r\nDATA\r\n" % sender) + len(stuff(TEXT))
        client.budget, client.reset = budget, budget % 2 == 0 and budget < total - 5
        outcome = client.transaction(sender, ["r@d.example"], TEXT, pipelined)
        rows.append([budget, outcome.dot_sent])
        client.sock.close()
        if outcome.dot_sent:
            break
    return rows


@test("a client that breaks off after any byte before the end of the dot delivers nothing", seconds=120)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner(), SECOND: Manner(caps=PLAIN_CAPS)})
        relay = lab.relay(CONF)
        for front in FRONTS:
            for pipelined in (False, True):
                rows = lab.as_client(abort_at_each_byte, relay, front, pipelined,
                                     cgroup=lab.turned("/mail.slice") if front == "intercept" else None)
                check("rows: %d" % len(rows), len(rows) > 70, True)
                check("all were let in", [one for one in rows if one[1] == "not let in"], [])
                # The last said all and went, so its message may be there; once nobody is left, no more will come. Not
                # from a front that was still calling the destination when its client went.
                wait_for("the sessions of %s to end" % front, lambda: relay.sessions() == 0, 20)
                if not front.endswith("header"):
                    wait_for("the last of %s, %s" % (front, rows[-1]), lambda: receiver.messages, 5)
                receiver.settle()
                check("%s: senders of what was delivered" % front, [one.sender for one in receiver.messages] or rows[-1][0],
                      rows[-1][0] if not receiver.messages else ["b%03d-%s-%s@acme.example" % (rows[-1][0], front, "p" if pipelined else "s")])
                receiver.messages.clear()
        check("violations", receiver.violations, [])
        wait_for("the upstream connections to end or idle", lambda: len(receiver.peers) < 20, 10)


def cuts(verb, length):
    return ["%s-cut-%d" % (verb, n) for n in range(length)]


@test("a destination that breaks off after any byte of any reply, or of the text: never acknowledged, and nothing is told twice", seconds=180)
def _():
    faults = cuts("mail", 21) + cuts("data", 11) + cuts("end", 20) + ["body-close-%d" % n for n in range(len(TEXT) + 3)] + \
        ["body-reset-%d" % n for n in range(0, len(TEXT) + 3, 5)] + ["rcpt-cut-%d" % n for n in range(24)]
    wrong = []
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), SECOND: Manner(caps=PLAIN_CAPS)})
        relay = lab.relay(CONF)
        for front in ("smtp", "lmtp"):
            for domain in ("d.example", "two.example"):
                for fault in faults:
                    sender, rcpt = "s+%s@acme.example" % fault, "r@" + domain
                    if fault.startswith("rcpt"):
                        sender, rcpt = "s-%s@acme.example" % fault, "r+%s@%s" % (fault, domain)
                    before = len(receiver.messages)
                    with lab.inside("sender"):
                        client = greet(relay, front)
                    outcome = client.transaction(sender, [rcpt], TEXT, True)
                    client.sock.close()
                    recorded = len(receiver.messages) - before
                    if outcome.acknowledged or not outcome.refusal or outcome.refusal[0] // 100 != 4 or \
                            recorded != fault.startswith("end"):
                        wrong.append("%s %s %s: %s, %d recorded" % (front, domain, fault, outcome, recorded))
        check("what went wrong (%d)" % len(wrong), "\n".join(wrong[:12]), "")
        check("violations", receiver.violations, [])


@test("greeting, EHLO and connection that fail in every way: 451 to the client, and the next one is served", seconds=180)
def _():
    faults = cuts("greeting", 12) + cuts("ehlo", 40)[::3] + ["connect-close", "connect-reset"] + [
        "%s-%s" % (verb, what) for verb in ("greeting", "ehlo") for what in REFUSALS if what not in ("stall-1", "drip", "cut", "extra")]
    wrong = []
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(CONF)
        for n, fault in enumerate(faults):
            receiver.listen(BROKEN, Manner(fault))
            with lab.inside("sender"):
                client = greet(relay, ("smtp", "lmtp")[n % 2])
            outcome = client.transaction("a@acme.example", ["r@broken.example"], TEXT)
            classes = (4, 5) if fault.endswith("5xx") else (4,)
            if not outcome.last or outcome.last[0] // 100 not in classes or outcome.acknowledged:
                wrong.append("%s: %s" % (fault, outcome))
            if outcome.last and outcome.last[0] != 421 and client.transaction("a@acme.example", ["r@d.example"], TEXT).code != 250:
                wrong.append("%s: the session is of no use afterwards" % fault)
            client.sock.close()
        check("what went wrong (%d)" % len(wrong), "\n".join(wrong[:12]), "")
        check("violations", receiver.violations, [])


@test("a client that closes its half behind dot and QUIT is told what became of its message; one that closes all of it is not there", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(CONF)
        for front in ("smtp", "smtp-unix", "smtp-mail", "smtp-header", "lmtp"):
            for fault, code in (("", 250), ("+end-stall-2", 250), ("+end-5xx", 550)):
                with lab.inside("sender"):
                    client = greet(relay, front)
                with client:
                    for line in ("MAIL FROM:<%s%s@b.example>" % (front, fault), "RCPT TO:<r@d.example>", "DATA"):
                        client.command(line)
                    client.send(stuff(TEXT) + b"QUIT\r\n")
                    client.sock.shutdown(socket.SHUT_WR)
                    check("%s%s: the dot" % (front, fault), client.reply()[0], code)
                    check("QUIT", client.reply()[0], 221)
                    check("the end", client.sock.recv(10), b"")
        check("messages", len(receiver.messages), 10)
        client = lab.client(2500)               # closes both: its 250 is read by nobody
        for line in ("MAIL FROM:<gone+end-stall-2@b.example>", "RCPT TO:<r@d.example>", "DATA"):
            client.command(line)
        client.send(stuff(TEXT) + b"QUIT\r\n")
        client.sock.close()
        wait_for("the log to say so", lambda: "ack=lost" in relay.read_log(), 5)
        check("violations", receiver.violations, [])


@test("clients that give up while the destination takes its time: only what had its dot, and late answers harm nobody", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(CONF)
        before = relay.descriptors()
        for verb in ("mail", "rcpt", "data", "end"):
            for _ in range(5):
                sender, rcpt = "a+%s-%s@b.example" % (verb, "hang" if verb == "end" else "stall-6"), "r@d.example"
                if verb == "rcpt":
                    sender, rcpt = "a@b.example", "r+rcpt-stall-6@d.example"
                client = lab.client(2500, timeout=0.2)
                check("said nothing", client.transaction(sender, [rcpt], TEXT).silent, True)
                client.sock.close()
        # Behind a 354 that was ours the dot comes early: delivered, and what is sent again is spared.
        check("recorded: only what had its dot, whose verdict is awaited", [one.sender for one in receiver.messages],
              ["a+data-stall-6@b.example"] + ["a+end-hang@b.example"] * 5)
        time.sleep(0.8)
        for n in range(20):
            with lab.client(2500) as client:
                check("reply", client.transaction("n%d@b.example" % n, ["r@d.example"], TEXT, n % 2 == 0).code, 250)
        check("each once", [one.sender for one in receiver.messages[6:]], ["n%d@b.example" % n for n in range(20)])
        wait_for("descriptors of the relay", lambda: relay.descriptors() <= before + 20, 10)
        check("violations", receiver.violations, [])


# --- the judge, judged ------------------------------------------------------------------------------


class Arrived:
    def __init__(self, case, rcpts, content=None, replied=SENT):
        self.sender, self.rcpts, self.replied, self.content = case.sender, rcpts, replied, content or case.content
        self.text = self.content


@test("the judge of these tests finds every lie")
def _():
    case = next(case for case in (Case(n, random.Random(n), "smtp") for n in range(1000))
                if len(case.rcpts) == 2 and not case.fault and case.budget is None and
                not any(map(fault_of, case.rcpts)))
    ok, one, both = [250, "ok"], case.rcpts[:1], case.rcpts
    told = [ok, [ok, ok], [354, "go"], [ok], True, False, False]
    lost = [ok, [ok, ok], [354, "go"], [], True, True, False]
    no = [ok, [ok, ok], [354, "go"], [[451, "no"]], True, False, False]
    early = [ok, [ok, ok], [354, "go"], [], False, True, False]
    for what, arrived, outcome, second, wrong in (
            ("delivered and told", [Arrived(case, both)], told, None, False),
            ("told and nowhere", [], told, None, True),
            ("told and one recipient only", [Arrived(case, one)], told, None, True),
            ("twice", [Arrived(case, both), Arrived(case, both)], told, None, True),
            ("in part", [Arrived(case, both, case.content[:-5])], told, None, True),
            ("delivered though refused", [Arrived(case, both)], no, None, True),
            ("refused though nothing was wrong", [], no, None, True),
            ("delivered before the dot", [Arrived(case, both)], early, None, True),
            ("again and again", [Arrived(case, both), Arrived(case, both)], lost, told, True),
            ("again and spared", [Arrived(case, both)], lost, told, False),
            ("the destination's word was lost", [Arrived(case, both, replied="in part"), Arrived(case, both)], lost, told, False),
            ("silence", [], lost[:6] + [True], None, True)):
        judge = Judge(type("Fake", (), {"messages": arrived}))
        judge.judge(case, outcome, second)
        check("%s: %s" % (what, judge.wrong), bool(judge.wrong), wrong)

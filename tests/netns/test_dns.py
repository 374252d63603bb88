# SPDX-License-Identifier: GPL-2.0-or-later
"""Sender identity checks against a real resolver with zones of ours, and against resolvers that are dead, slow or lying."""

import json
import os
import socket
import time

from cases import test
from lab import BUILD, Lab, check, pool
from smtp_names import Names
from unbound import Unbound, reverse

EXAMPLE = """
mx1.good A 198.51.100.11
mx1.good AAAA 2001:db8:1::11
mx2.good A 198.51.100.12
good TXT "v=spf1 include:_spf.good.example -all"
_spf.good TXT "v=spf1 ip4:198.51.100.11 ip4:198.51.100.12 " "ip6:2001:db8:1::/64 -all"
elsewhere A 198.51.100.99
dsl-pool-14.isp A 198.51.100.14
mx5.good A 198.51.100.15
soft TXT "v=spf1 ip4:198.51.100.11 ~all"
broken-spf TXT "v=spf1 ip4:198.51.100.11 moo -all"
2.0.0.127.bl A 127.0.0.2
15.100.51.198.bl A 127.0.0.3
15.100.51.198.bl TXT "sent spam, see https://bl.example/15"
2.0.0.127.everything A 127.0.0.2
*.everything A 127.0.0.2
"""
PTRS = {pool(11, 4): "mx1.good.example", pool(11, 6): "mx1.good.example", pool(12, 4): "mx2.good.example",
        pool(13, 4): "elsewhere.example", pool(14, 4): "dsl-pool-14.isp.example", pool(15, 4): "mx5.good.example",
        pool(17, 4): "mx.broken.example"}
CONF = """
binding good { address %s, %s; ehlo mx1.good.example; sender-domain good.example; }
binding plain { address %s; ehlo mx2.good.example; }
binding elsewhere { address %s; ehlo nowhere.good.example; sender-domain soft.example; }
binding generic { address %s; ehlo mx1.good.example; sender-domain broken-spf.example; }
binding listed { address %s; sender-domain none.example; }
binding nameless { address %s; }
binding broken { address %s; ehlo mx.broken.example; sender-domain broken.example; }
dns { resolver 127.0.0.1:5300; blocklist bl.example; sender-domain good.example; }
""" % (pool(11, 4), pool(11, 6), *[pool(n, 4) for n in range(12, 18)])
CHECKS = ("fcrdns", "ehlo", "generic", "spf", "blocklist")


def zones(ptrs=None, example=EXAMPLE):
    lines = {"in-addr.arpa": "", "ip6.arpa": "", "example": example}
    for address, name in (PTRS if ptrs is None else ptrs).items():
        lines["ip6.arpa" if ":" in address else "in-addr.arpa"] += "%s. PTR %s.\n" % (reverse(address), name)
    return lines


class Checker:
    """`outbindctl check --dns` in the sender."""

    def __init__(self, lab, conf=CONF):
        self.lab, self.conf = lab, lab.dir + "/dns.conf"
        with open(self.conf, "w") as out:
            out.write(conf)

    def run(self, *words, **options):
        return self.lab.run("sender", BUILD + "/outbindctl", "check", "--dns", "--config", self.conf, *words, ok=False,
                            **options)

    def ask(self, *words, **options):
        """(reply, {binding: {check: (state, text)}}, exit status); of several addresses the last one."""
        result = self.run("--json", *words, **options)
        check("no complaint", result.stderr, "")
        reply = json.loads(result.stdout)
        return reply, {row["binding"]: {name: (row[name]["state"], row[name]["text"]) for name in CHECKS}
                       for row in reply["results"]}, result.returncode


def states(row):
    return " ".join(row[name][0] for name in CHECKS)


@test("each way in which DNS can disagree is found, by a real resolver, and what agrees is good", seconds=60)
def _():
    with Lab(serve=False) as lab:
        with lab.inside("sender"):
            failing = Liar(lambda q: header(q, 0x8182, 0) + q[12:question_end(q)], port=5309)
        Unbound(lab, zones(), forward={"broken.example": "127.0.0.1@5309"})
        checker = Checker(lab)
        reply, rows, status = checker.ask(timeout=60)
        check("not all is well", status, 1)
        check("no problem", reply["problem"], None)
        check("asked", reply["resolver"], "127.0.0.1:5300")
        check("both addresses", [row["address"] for row in reply["results"] if row["binding"] == "good"],
              [pool(11, 4), pool(11, 6)])
        # an IPv4 list says nothing of IPv6 addresses
        check("good", [states({name: (row[name]["state"],) for name in CHECKS}) for row in reply["results"]
                       if row["binding"] == "good"], ["good good good good good", "good good good good unasked"])
        check("domains of the stanza", states(rows["plain"]), "good good good good good")
        check("elsewhere", rows["elsewhere"], {
            "fcrdns": ("bad", "PTR elsewhere.example is 198.51.100.99, not 198.51.100.13"),
            "ehlo": ("bad", "ehlo nowhere.good.example has no A record"), "generic": ("good", None),
            "spf": ("bad", "SPF of soft.example: softfail ('~all' of soft.example matches)"), "blocklist": ("good", None)})
        check("generic", rows["generic"], {
            "fcrdns": ("good", None), "ehlo": ("bad", "ehlo mx1.good.example is 198.51.100.11, not 198.51.100.14"),
            "generic": ("bad", "dsl-pool-14.isp.example looks generic: it has the word 'dsl' in it"),
            "spf": ("bad", "SPF of broken-spf.example: permerror ('moo' is wrong)"), "blocklist": ("good", None)})
        check("listed", rows["listed"], {
            "fcrdns": ("good", None), "ehlo": ("unasked", None), "generic": ("good", None),
            "spf": ("bad", "SPF of none.example: none (none.example has no SPF record)"),
            "blocklist": ("bad", "listed on bl.example (127.0.0.3: sent spam, see https://bl.example/15)")})
        check("nameless", rows["nameless"]["fcrdns"], ("bad", "198.51.100.16 has no PTR record"))
        servfail = "the resolver could not find out (SERVFAIL)"
        check("broken", rows["broken"], {
            "fcrdns": ("unknown", "PTR mx.broken.example: " + servfail),
            "ehlo": ("unknown", "ehlo mx.broken.example: " + servfail), "generic": ("good", None),
            "spf": ("unknown", "SPF of broken.example: temperror (broken.example: %s)" % servfail), "blocklist": ("good", None)})
        check("counts", reply["counts"], {"good": 3, "unknown": 1, "bad": 4})

        text = checker.run("good", "nameless")
        check("a table", text.returncode, 1)
        check("what is bad comes first", [line.split()[0] for line in text.stdout.splitlines()],
              ["BINDING", "nameless", "good", "good", "3"])
        check("it says why", "198.51.100.16 has no PTR record" in text.stdout, True)
        check("only good ones", checker.run("good").returncode, 0)
        failing.close()
        unknown = checker.run("goo")
        check("no such binding", (unknown.returncode, unknown.stderr),
              (2, "outbindctl: there is no binding 'goo'; did you mean 'good'?\n"))


@test("options stand in for what the configuration says: resolver, sender domains, blocklists", seconds=60)
def _():
    with Lab(serve=False) as lab:
        Unbound(lab, zones(), port=5311)
        checker = Checker(lab)
        to = ("--resolver", "127.0.0.1:5311")
        _, rows, status = checker.ask(*to, "--sender-domain", "good.example,soft.example", "plain")
        check("SPF of both", (status, rows["plain"]["spf"]),
              (1, ("bad", "SPF of soft.example: softfail ('~all' of soft.example matches)")))
        _, rows, _ = checker.ask(*to, "--blocklist", "everything.example,none.example", "plain")
        check("lists that are none", rows["plain"]["blocklist"], (
            "unknown", "everything.example lists everything: its word does not count; none.example does not list its own "
            "test entry: it is no blocklist, or does not answer us"))
        for wrong in (("--resolver", "ns.example"), ("--resolver", "127.0.0.1:0"), ("--resolver", "2001:db8::53:x"),
                      ("--blocklist", "a..b"), ("--timeout", "0"), ("--print",)):
            check("wrong: %s" % (wrong,), checker.run(*wrong).returncode, 2)
        result = lab.run("sender", BUILD + "/outbindctl", "check", "--resolver", "127.0.0.1", checker.conf, ok=False)
        check("needs --dns", (result.returncode, result.stderr), (2, "outbindctl: --resolver needs --dns\n"))


def took(work):
    start = time.monotonic()
    result = work()
    return time.monotonic() - start, result


@test("a dead resolver: nobody there, no way there, silence, or it dies in the middle; words, not a hang", seconds=120)
def _():
    with Lab(serve=False) as lab:
        checker = Checker(lab)
        for what, to, reason in (("nobody", "127.0.0.1:5399", "nobody listens there, or no way leads there"),
                                 ("no way", "10.99.99.99", "nobody listens there, or no way leads there")):
            seconds, (reply, rows, status) = took(lambda to=to: checker.ask("--resolver", to))
            check("%s: %.1f s" % (what, seconds), seconds < 8, True)
            check(what, (status, reply["problem"]), (1, "resolver %s does not answer: %s" % (reply["resolver"], reason)))
            check("nothing is known", states(rows["good"]), "unknown unknown unasked unknown unknown")
            check("and why", rows["plain"]["fcrdns"][1], "PTR of 198.51.100.12: the resolver does not answer")
        with lab.inside("sender"):
            silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 5398))
        seconds, (reply, _, status) = took(lambda: checker.ask("--resolver", "127.0.0.1:5398"))
        check("silence: %.1f s" % seconds, (seconds < 9, status, reply["problem"]),
              (True, 1, "resolver 127.0.0.1:5398 does not answer: no answer in time"))
        result = checker.run("--resolver", "127.0.0.1:5398", "--timeout", "1")
        check("no more time than it is given", (result.returncode, result.stderr), (
            1, "outbindctl: after 1 s not all was told: what is missing is unknown (--timeout gives more)\n"))
        silent.close()


@test("a resolver that dies in the middle of a thousand addresses is given up after a few seconds", seconds=120)
def _():
    with Lab(serve=False) as lab:
        conf, ptrs, example = many(1000)
        checker = Checker(lab, conf)
        with lab.inside("sender"):
            names = Dying(400, {"%s PTR" % reverse(address): [name] for address, name in ptrs.items()}, port=5301)
        try:
            seconds, (reply, rows, status) = took(lambda: checker.ask("--resolver", "127.0.0.1:5301", timeout=60))
        finally:
            names.close()
        check("%.1f s" % seconds, seconds < 30, True)
        check("words", (status, reply["problem"]),
              (1, "resolver 127.0.0.1:5301 stopped answering: what was not told is unknown"))
        check("every address has its row", len(rows), 1000)
        unknown = sum("unknown" in states(row) for row in rows.values())
        check("unknown: %d" % unknown, unknown > 500, True)


class Dying(Names):
    """Answers that many questions, and then none any more."""

    def __init__(self, left, *arguments, **options):
        self.left = left
        super().__init__(*arguments, **options)

    def answer(self, question):
        self.left -= 1
        return super().answer(question) if self.left > 0 else None


class Slow(Names):
    """Every answer takes its time; one after the other."""

    def answer(self, question):
        time.sleep(0.25)
        return super().answer(question)


@test("a resolver that lies: addresses for names that cannot exist, answers to other questions, nonsense", seconds=120)
def _():
    with Lab(serve=False) as lab:
        checker = Checker(lab)
        for what, answer, problem in (
                ("wildcard", lambda q: header(q, 0x8180, 1) + record(q, 1, b"\xc0\0\2\1"), "makes answers up"),
                ("refused", lambda q: header(q, 0x8185, 0) + q[12:question_end(q)], "is of no use"),
                ("nonsense", lambda q: q[:2] + b"\xff" * 40, "does not answer"),
                ("cut short", lambda q: header(q, 0x8180, 9) + q[12:question_end(q)], "is of no use"),
                ("another number", lambda q: bytes([q[0] ^ 1]) + header(q, 0x8183, 0)[1:] + q[12:question_end(q)], "does not answer"),
                ("another question", lambda q: header(q, 0x8183, 0) + b"\5other\0\0\1\0\1", "does not answer")):
            with lab.inside("sender"):
                names = Liar(answer, port=5302)
            try:
                seconds, (reply, rows, status) = took(lambda: checker.ask("--resolver", "127.0.0.1:5302"))
            finally:
                names.close()
            check("%s: %s" % (what, reply["problem"]), problem in reply["problem"], True)
            check("%s: %.1f s" % (what, seconds), (seconds < 10, status), (True, 1))
            check("nothing is good", {states(row) for name, row in rows.items() if name == "plain"},
                  {"unknown unknown unasked unknown unknown"})


class Liar(Names):
    def __init__(self, what, **options):
        self.what = what
        super().__init__({}, **options)

    def answer(self, question):
        return self.what(question)


def question_end(question):
    at = 12
    while question[at]:
        at += 1 + question[at]
    return at + 5


def header(question, flags, answers):
    return question[:2] + flags.to_bytes(2, "big") + b"\0\1" + answers.to_bytes(2, "big") + b"\0\0\0\0"


def record(question, kind, octets):
    return question[12:question_end(question)] + b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + \
        len(octets).to_bytes(2, "big") + octets


def many(count):
    """A configuration of that many bindings with an address each, and what DNS has to say."""
    address = ["10.9.%d.%d" % (n // 250, n % 250 + 1) for n in range(count)]
    conf = "".join("binding b%d { address %s; ehlo mx%d.many.example; }\n" % (n, ip, n) for n, ip in enumerate(address))
    conf += "dns { resolver 127.0.0.1:5300; blocklist bl.example; sender-domain many.example; }\n"
    example = EXAMPLE + 'many TXT "v=spf1 ip4:10.9.0.0/16 -all"\n'
    example += "".join("mx%d.many A %s\n" % (n, ip) for n, ip in enumerate(address))
    return conf, {ip: "mx%d.many.example" % n for n, ip in enumerate(address)}, example


@test("a thousand addresses, all checks, by a real resolver in seconds; and a slow one is waited for no longer than allowed",
      seconds=120)
def _():
    with Lab(serve=False) as lab:
        conf, ptrs, example = many(1000)
        Unbound(lab, zones(ptrs, example))
        checker = Checker(lab, conf)
        seconds, (reply, _, status) = took(lambda: checker.ask(timeout=60))
        print("%.2f s for 1000 addresses, %d questions" % (seconds, reply["questions"]))
        check("all are good", (status, reply["counts"]), (0, {"good": 1000, "unknown": 0, "bad": 0}))
        check("seconds: %.1f" % seconds, seconds < 20, True)
        with lab.inside("sender"):
            slow = Slow({}, port=5303)
        try:
            seconds, (reply, rows, status) = took(lambda: checker.ask("--resolver", "127.0.0.1:5303", "--timeout", "4"))
        finally:
            slow.close()
        check("slow: %.1f s" % seconds, (seconds < 6, status, len(rows)), (True, 1, 1000))
        check("why", reply["problem"], "after 4 s not all was told: what is missing is unknown (--timeout gives more)")


@test("a bar on a terminal, none elsewhere")
def _():
    with Lab(serve=False) as lab:
        conf, ptrs, example = many(50)
        Unbound(lab, zones(ptrs, example))
        checker = Checker(lab, conf)
        check("no terminal", checker.run().stderr, "")
        main, tty = os.openpty()
        pid = lab.spawn("sender", ["/bin/sh", "-c", 'exec "$0" check --dns --config "$1" 2>"$2" >/dev/null', BUILD + "/outbindctl",
                                   checker.conf, os.ttyname(tty)])
        lab.reap(pid, 20)
        seen = os.read(main, 65536).decode()
        os.close(main)
        os.close(tty)
        check("the bar: %r" % seen, "] 50 of 50 addresses" in seen and seen.endswith("\r\x1b[K"), True)

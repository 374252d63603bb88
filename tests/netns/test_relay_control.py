# SPDX-License-Identifier: GPL-2.0-or-later
"""What outbindctl says of a relay that runs: status, metrics, and what would become of a message."""

import json

from cases import test
from lab import FAR, check, pool, wait_for
from relay_lab import DESTINATION, RelayLab, mail_binding, relay_block, smarthost
from smtp_peer import Manner

ZONE = {"far.example MX": ["10 mx.far.example."], "mx.far.example A": ["203.0.113.9"]}
CONF = mail_binding("acme", 11) + mail_binding("beta", 12) + mail_binding("gone", 13) + relay_block("""
    listen 127.0.0.1:2500 { name apps; }
    listen 127.0.0.1:2501 { name other; }
    smarthost %s for acme;
    sender acme.example use acme;
    sender beta.example use beta;
    sender gone.example use gone;
""" % smarthost(4))


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
                  [("apps", 1, 1), ("other", 0, 0)])
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
        told = explain(relay, "--sender", "x@nobody.example", "--rcpt", "b@far.example")
        check("no rule", told["refused"][:9], "451 4.7.1")

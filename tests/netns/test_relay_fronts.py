# SPDX-License-Identifier: GPL-2.0-or-later
"""Each front and each key of policy: the destination sees the binding's address and its EHLO name."""

import os

from cases import test
from lab import FAR, check, pool
from place import run, wait_for
from relay_lab import DESTINATION, RELAY_UID, RelayLab, mail_binding, relay_block, seen, smarthost
from smtp_client import Client, Refused, proxy, socks5, tcp, unix
from smtp_peer import Manner, SENT
from socketmap import SocketMap

KEYS = ("parameter", "header", "map", "address", "domain", "subdomain", "recipient", "auth", "ehlo", "cgroup", "user",
        "client", "destination", "listener", "otherwise")
NUMBER = {key: 11 + n for n, key in enumerate(KEYS)}
PEER_UID = 4801
OTHER = {4: "203.0.113.9", 6: "2001:db8:2::9"}  # a destination with a rule
LOCAL = {4: "127.0.0.1", 6: "::1"}
CLIENT = {4: "127.0.0.9", 6: pool(26, 6)}       # a client with a rule
ROLES = {"plain": 0, "special": 1, "trusted": 2}
PORT_OF = {"smtp": 2500, "lmtp": 2510, "socks5": 2520, "proxy": 2530, "intercept": 25}

# What is other than usual in a message that a key decides.
SAYS = {
    "parameter": {"params": "XOUTBIND=by-parameter", "names": "by-parameter", "role": "trusted"},
    "header": {"header": "X-Binding: by-header\r\n", "role": "trusted"},
    "map": {"sender": "mapped@two.example"},
    "address": {"sender": "bill@One.Example"},
    "domain": {"sender": "anybody@two.example"},
    "subdomain": {"sender": "anybody@deep.below.three.example"},
    "recipient": {"rcpt": "somebody@big.example"},
    "auth": {"login": ("alice", "secret")},
    "ehlo": {"name": "app1.internal"},
    "cgroup": {"cgroup": "/apps.slice/worker"},
    "user": {"uid": PEER_UID},
    "client": {"bound": True},
    "destination": {"other": True},
    "listener": {"role": "special"},
    "otherwise": {},
}
BY_TEXT = ("map", "address", "domain", "subdomain", "recipient", "auth", "ehlo")
FRONTS = {                                      # front -> keys that it knows
    "smtp-tcp": ("parameter", "header", "client", "listener", "otherwise") + BY_TEXT,
    "lmtp-tcp": ("parameter", "header", "client", "listener", "otherwise") + BY_TEXT,
    "smtp-unix": ("parameter", "header", "cgroup", "user", "listener", "otherwise") + BY_TEXT,
    "lmtp-unix": ("parameter", "header", "cgroup", "user", "listener", "otherwise") + BY_TEXT,
    "intercept": ("client", "destination", "listener", "otherwise") + tuple(key for key in BY_TEXT if key != "auth"),
    "socks5": ("parameter", "client", "destination", "listener", "otherwise"),
    "socks5-unix": ("parameter", "cgroup", "user", "destination", "listener", "otherwise"),
    "proxy": ("parameter",),                    # and the source address: see below
}


def configuration(lab, family, users):
    lines = []
    for kind, port in PORT_OF.items():
        for role, n in ROLES.items():
            if kind == "intercept":
                if role != "trusted":
                    lines.append('intercept intercept-%s { cgroup "/%s.slice"; port 25; listen *:%d; }' % (role, role, 2540 + n))
                continue
            trust = " trust parameter; trust header;" if role == "trusted" and kind in ("smtp", "lmtp") else ""
            login = ' auth file "%s"; auth plain-text;' % users if role == "plain" and kind in ("smtp", "lmtp") else ""
            lines.append("listen *:%d { protocol %s; name %s-tcp-%s;%s%s }" % (port + n, kind, kind, role, trust, login))
            if kind in ("smtp", "lmtp", "socks5"):
                lines.append('listen "RUN/%s-%s" { protocol %s; mode 0666; name %s-unix-%s;%s%s }' % (
                    kind, role, kind, kind, role, trust, login))
    lines += ["listener %s use by-listener;" % name for name in (
        "smtp-tcp-special", "lmtp-tcp-special", "smtp-unix-special", "lmtp-unix-special", "socks5-tcp-special",
        "socks5-unix-special", "intercept-special")]
    lines += ['sender "bill@one.example" use by-address;', 'sender "two.example" use by-domain;',
              'sender ".three.example" use by-subdomain;', 'recipient "big.example" use by-recipient;',
              'auth "alice" use by-auth;', 'ehlo "app1.internal" use by-ehlo;', "peer user %d use by-user;" % PEER_UID,
              'peer cgroup "/%s/apps.slice" use by-cgroup;' % lab.prefix, "client %s use by-client;" % CLIENT[family], "client %s use by-client;" % pool(26, 4),
              "destination %s use by-destination;" % OTHER[family], "otherwise use by-otherwise;"]
    bindings = "".join(mail_binding("by-" + key, NUMBER[key]) for key in KEYS)
    return bindings + relay_block("\n".join(lines), smarthost=smarthost(family), policy_map='"socketmap:unix:%s:bindings"' % (
        lab.dir + "/map"))


def open_front(relay, front, family, says):
    """A connected socket, and whether it speaks LMTP. In a child of the test or in the sender."""
    kind, _, transport = front.partition("-")
    role = says.get("role", "plain")
    to = OTHER[family] if says.get("other") else FAR[family]
    bound = CLIENT[family] if says.get("bound") else None
    if kind == "intercept":
        return tcp(to, 25, bound and pool(26, family))
    if transport == "unix" and kind == "socks5":
        return socks5(relay.path("%s-%s" % (kind, role)), to, DESTINATION, user=says.get("names", ""))
    if transport == "unix":
        return unix(relay.path("%s-%s" % (kind, role)))
    port = PORT_OF[kind] + ROLES[role]
    if kind == "socks5":
        return socks5((LOCAL[family], port, bound), to, DESTINATION, user=says.get("names", ""))
    if kind == "proxy":
        return proxy((LOCAL[family], port), {4: "192.0.2.77", 6: "2001:db8:77::1"}[family], to, DESTINATION, says.get("names"))
    return tcp(LOCAL[family], port, bound)


def deliver(relay, front, family, says, number):
    """Send one message there; the reply that decided."""
    with Client(open_front(relay, front, family, says), front.startswith("lmtp"), says.get("name", "client.example")) as client:
        client.hello()
        if "login" in says:
            reply = client.login(*says["login"])
            if reply[0] != 235:
                return list(reply)
        content = says.get("header", "").encode() + b"Subject: number %d\r\n\r\n.text\r\n" % number
        outcome = client.transaction(says.get("sender", "plain@nowhere.example"), [says.get("rcpt", "r@far.example")], content,
                                     params="" if front.startswith(("socks5", "proxy")) else says.get("params", ""))
        return list(outcome.last or (0, "nothing"))


def each_key(family):
    wrong = []
    with RelayLab() as lab:
        users = lab.dir + "/users"
        with open(users, "w") as out:
            out.write("alice:" + run("openssl", "passwd", "-6", "secret").stdout)
        os.chmod(users, 0o644)
        database = SocketMap(lab.dir + "/map", lambda request: "OK by-map" if "sender=mapped@" in request else "NOTFOUND ")
        lab.closing.append(database)
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(configuration(lab, family, users))
        number = 0
        for front, keys in FRONTS.items():
            for key in keys:
                number += 1
                says, before = SAYS[key], len(receiver.messages)
                cgroup = says.get("cgroup") and lab.cgroup(says["cgroup"])
                if front == "intercept":
                    cgroup = lab.turned("/special.slice" if says.get("role") == "special" else "/plain.slice")
                reply = lab.as_client(deliver, relay, front, family, says, number, uid=says.get("uid"),
                                      cgroup=cgroup)
                receiver.settle()
                got = receiver.messages[before:]
                own_name = front.startswith(("socks5", "proxy"))
                want = (pool(NUMBER[key], family), "client.example" if own_name else "by-%s.out.example" % key)
                if reply[0] != 250 or len(got) != 1 or seen(got[0]) != want or got[0].replied != SENT:
                    wrong.append("%s by %s: %s, %s instead of %s" % (front, key, reply, [seen(one) for one in got], want))
                elif b"X-Binding" in got[0].content:
                    wrong.append("%s by %s: the field was not taken out" % (front, key))
        wrong += receiver.violations
    check("what went wrong", "\n".join(wrong), "")


@test("each front, each key: the message comes from the binding's IPv4 address under its EHLO name", seconds=120)
def _():
    each_key(4)


@test("each front, each key: the message comes from the binding's IPv6 address under its EHLO name", seconds=120)
def _():
    each_key(6)


@test("SOCKS5 takes the user as a binding, PROXY the source address or the authority")
def _():
    conf = mail_binding("acme", 11) + mail_binding("beta", 12) + relay_block(
        "listen 127.0.0.1:2520 { protocol socks5; }\nlisten 127.0.0.1:2530 { protocol proxy; }\n")
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(conf)
        for family in (4, 6):
            with lab.inside("sender"):
                sockets = [(socks5(("127.0.0.1", 2520), FAR[family], DESTINATION, user="beta"), 12),
                           (proxy(("127.0.0.1", 2530), pool(11, family), FAR[family], DESTINATION), 11),
                           (proxy(("127.0.0.1", 2530), "192.0.2.7" if family == 4 else "2001:db8:7::7", FAR[family],
                                  DESTINATION, authority="beta"), 12)]
            for sock, number in sockets:
                with Client(sock) as client:
                    client.hello()
                    outcome = client.transaction("a@b.example", ["c@d.example"], b"x\r\n")
                    check("reply", outcome.code, 250)
                check("source", receiver.messages[-1].source, pool(number, family))
        with lab.inside("sender"):
            for user in ("nosuch", ""):
                try:
                    socks5(("127.0.0.1", 2520), FAR[4], DESTINATION, user=user).close()
                    raise AssertionError("a connection for user %r" % user)
                except Refused:
                    pass
            with proxy(("127.0.0.1", 2530), "192.0.2.7", FAR[4], DESTINATION) as sock:
                check("no rule, no such binding", sock.recv(10), b"")
        check("connections", receiver.n_connections, 6)
        wait_for("a line for each", lambda: len(lab.relays[0].events("relay.connection")) == 9, 3)
        lines = lab.relays[0].events("relay.connection")
        ended = [line for line in lines if "outcome=ended" in line]
        check("where they left from", sorted(line.split('source="')[1].split('"')[0] for line in ended),
              sorted(pool(number, family) for family in (4, 6) for number in (11, 12, 12)))
        check("octets", [line for line in ended if " up=0 " in line or " down=0 " in line], [])
        refused = [line for line in lines if "outcome=refused" in line]
        check("why not: %s" % refused, ['reason="' in line for line in refused], [True] * 3)
        check("violations", receiver.violations, [])


@test("a policy map is asked for a SOCKS5 client that names nobody; what it cannot say is refused")
def _():
    conf = mail_binding("acme", 11) + mail_binding("beta", 12) + relay_block(
        """listen 127.0.0.1:2520 { protocol socks5; name socks; }
        listen 127.0.0.1:2530 { protocol proxy; }
        otherwise use acme;""", policy_map='"socketmap:unix:DIR/map:m"')
    answers = ["OK beta", "NOTFOUND ", "TEMP not now", "OK beta", "OK no:name"]
    with RelayLab() as lab:
        database = SocketMap(lab.dir + "/map", lambda _: answers[len(database.asked) - 1])
        lab.closing.append(database)
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(conf.replace("DIR", lab.dir))
        for user, want, asked in (("", 12, 1), ("", 11, 2), ("", None, 3), ("acme", 11, 3), ("", 12, 4), ("", None, 5)):
            try:
                with lab.inside("sender"):
                    sock = socks5(("127.0.0.1", 2520), FAR[4], DESTINATION, user=user)
                with Client(sock) as client:
                    client.hello()
                    check("reply", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
                got = receiver.messages[-1].source
            except Refused:
                got = None
            check("source, after %d questions" % asked, (got, len(database.asked)), (want and pool(want, 4), asked))
        with lab.inside("sender"), proxy(("127.0.0.1", 2530), pool(11, 4), FAR[4], DESTINATION) as sock:
            check("PROXY names it itself", sock.recv(4), b"220 ")
        check("the key", set(database.asked), {"m client=127.0.0.1 listener=socks"})


@test("what a SOCKS5 client is refused for is counted by its reason, as mail is")
def _():
    conf = mail_binding("acme", 11) + relay_block("listen 127.0.0.1:2520 { protocol socks5; }")
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        lab.resolver({})
        relay = lab.relay(conf)
        for user, to, port in (("", FAR[4], 25), ("nosuch", FAR[4], 25), ("acme", "no.example", 25), ("acme", FAR[4], 9)):
            try:
                with lab.inside("sender"):
                    socks5(("127.0.0.1", 2520), to, port, user=user).close()
                raise AssertionError("a connection for %r to %s" % (user, to))
            except Refused:
                pass
        metrics = relay.ctl("relay", "metrics", "--relay-socket", relay.path("control")).stdout
        counts = {reason: int(metrics.split('unrouted_total{reason="%s"} ' % reason)[1].split()[0])
                  for reason in ("rule", "binding", "dns", "connect", "agent", "family")}
        check("counts", counts, {"rule": 1, "binding": 1, "dns": 1, "connect": 1, "agent": 0, "family": 0})


@test("a group that a PROXY client names is chosen from by the address in the header, not by the proxy's own")
def _():
    conf = mail_binding("acme", 11) + mail_binding("beta", 12) + "group both { member acme; member beta; allow user %d; }\n" % RELAY_UID + \
        relay_block('listen 127.0.0.1:2530 { protocol proxy; }\nlisten "RUN/proxy" { protocol proxy; mode 0666; }')
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(conf)
        for front in (("127.0.0.1", 2530), relay.path("proxy")):
            chosen = []
            for _ in range(2):
                for n in range(12):
                    with lab.inside("sender"):
                        sock = proxy(front, "192.0.2.%d" % n, FAR[4], DESTINATION, authority="both")
                    with Client(sock) as client:
                        client.hello()
                        check("reply", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
                    chosen.append(receiver.messages[-1].source)
            check("sources", set(chosen), {pool(11, 4), pool(12, 4)})
            check("again the same", chosen[:12], chosen[12:])


@test("a listener of both families takes an IPv4 client for one, at the mail and the SOCKS5 front")
def _():
    conf = mail_binding("acme", 11) + relay_block(
        "listen *:2500;\nlisten *:2520 { protocol socks5; }\nclient 127.0.0.0/8 use acme;\n",
        smarthost=smarthost())
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(conf)
        with lab.inside("sender"):
            sockets = [socks5(("127.0.0.1", 2520), FAR[4], DESTINATION), tcp("127.0.0.1", 2500)]
        for sock in sockets:
            with Client(sock) as client:
                client.hello()
                check("reply", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
            check("source", receiver.messages[-1].source, pool(11, 4))
        check("trace field of the mail front", b"([127.0.0.1])" in receiver.messages[-1].content, True)


@test("more specific keys go before others, whatever the order of the text; `on` before the same without")
def _():
    rules = ['otherwise use d;', "client 127.0.0.0/8 use c;", 'ehlo "h.example" use b;', 'sender ".s.example" use c;',
             'sender "x.s.example" use a;', 'sender "x.s.example" on two use b;', 'recipient "r.example" use d;']
    conf = "".join(mail_binding(name, 11 + n) for n, name in enumerate("abcd")) + relay_block(
        "listen 127.0.0.1:2500 { name one; }\nlisten 127.0.0.1:2501 { name two; }\n" + "\n".join(reversed(rules)),
        smarthost=smarthost())
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(conf)
        for port, name, sender, rcpt, want in (
                (2500, "other", "a@other.example", "a@o.example", "c"), (2500, "H.Example", "a@other.example", "a@o.example", "b"),
                (2500, "h.example", "a@y.s.example", "a@r.example", "c"), (2500, "h.example", "a@x.s.example", "a@r.example", "a"),
                (2501, "h.example", "a@x.s.example", "a@r.example", "b"), (2500, "h.example", "a@s.example", "a@r.example", "d"),
                (2500, "other", "", "a@o.example", "c")):
            with lab.client(port, name=name) as client:
                check("reply", client.transaction(sender, [rcpt], b"x\r\n").code, 250)
            check("%s %s %s at %d" % (name, sender, rcpt, port), receiver.messages[-1].source, pool("abcd".index(want) + 11, 4))
        check("the relay's user", RELAY_UID, lab.relays[0].uid)
        check("violations", receiver.violations, [])

# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS on both sides, by each way that the configuration has."""

import contextlib
import os
import ssl
import time

from cases import test
from lab import FAR, check
from place import run
from relay_lab import DESTINATION, RelayLab, certificate, mail_binding, relay_block, smarthost
from smtp_client import Client, any_certificate, tcp
from smtp_peer import Manner

PORTS = {"good": 2526, "none": 2527, "broken": 2528, "refuses": 2529, "other": 2530}
NAME = "mx.receiver.example"


def server_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def receivers(lab):
    good = server_context(*certificate(lab.dir))
    other = server_context(*certificate(lab.dir, "other.receiver.example"))
    return lab.receiver({DESTINATION: Manner(tls=good), PORTS["good"]: Manner(tls=good), PORTS["none"]: Manner(),
                         PORTS["broken"]: Manner("handshake-garbage", tls=good), PORTS["refuses"]: Manner("starttls-4xx", tls=good),
                         PORTS["other"]: Manner(tls=other)})


@test("TLS to destinations: may uses it and goes on without, encrypt and verify never do", seconds=90)
def _():
    hosts = {name: NAME if name == "good" else name + ".receiver.net" for name in PORTS}
    zone = {"%s A" % host: ["203.0.113.%d" % (n + 1)] for n, host in enumerate(hosts.values())}
    with RelayLab() as lab:
        lab.resolver(zone)
        receiver = receivers(lab)
        rules = "".join('recipient "%s.example" use acme smarthost "%s:%d";\n' % (name, hosts[name], port) for name, port in PORTS.items())
        for level, works in (("none", {"good": None, "none": None, "broken": None, "refuses": None, "other": None}),
                             ("may", {"good": "TLS", "none": None, "broken": None, "refuses": None, "other": "TLS"}),
                             ("encrypt", {"good": "TLS", "other": "TLS"}), ("verify", {"good": "TLS"})):
            relay = lab.relay(mail_binding("acme", 11) + relay_block(
                "listen 127.0.0.1:2500;\n" + rules, tls=level, tls_ca='"%s"' % certificate(lab.dir)[0]), agent=lab.agents[0] if lab.agents else None)
            for name in PORTS:
                for turn in range(2):
                    before, arrived = receiver.n_connections, len(receiver.messages)
                    with lab.client(2500) as client:
                        outcome = client.transaction("a@b.example", ["c@%s.example" % name], b"x\r\n")
                    what = "%s to %s: %s" % (level, name, outcome)
                    if name in works:
                        check(what, outcome.code, 250)
                        check(what, (receiver.messages[-1].tls or "")[:3] or None, works[name])
                    else:
                        check(what, (outcome.code, len(receiver.messages)), (451, arrived))
                    if turn and name == "broken" and level == "may":
                        check("remembered", receiver.n_connections - before <= 1, True)
            relay.stop()
        check("violations", receiver.violations, [])


@test("TLS of listeners: offered, required, implicit; a new certificate comes with a reload", seconds=60)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir, "relay.example")
        receiver = lab.receiver({DESTINATION: Manner()})
        text = "\n".join('listen 127.0.0.1:%d { tls %s; certificate "%s"; key "%s"; }' % (port, mode, cert, key)
                         for port, mode in ((2500, "offered"), (2501, "required"), (2502, "implicit")))
        conf = mail_binding("acme", 11) + relay_block(text + "\notherwise use acme;", smarthost=smarthost())
        relay = lab.relay(conf)
        with lab.client(2500) as client:
            check("offered, not used", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
        with lab.client(2501) as client:
            check("required: %s" % client.caps, client.command("MAIL FROM:<a@b.example>")[0], 530)
            client.starttls(any_certificate())
            client.hello()
            check("required and there", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
        serials = []
        for _ in range(2):
            with lab.inside("sender"):
                sock = any_certificate().wrap_socket(tcp("127.0.0.1", 2502))
            with Client(sock) as client:
                client.hello()
                serials.append(sock.getpeercert(binary_form=True))
                check("implicit", client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)
                check("trace", b"with ESMTPS" in receiver.messages[-1].trace, True)
            os.unlink(cert)
            os.unlink(key)
            certificate(lab.dir, "relay.example")
            relay.reload(conf)
        check("another certificate", serials[0] != serials[1], True)
        with open(cert, "w") as out:
            out.write("no certificate\n")
        done = run(*relay.command(), "--check", ok=False)
        check("a file that is none is told: %s%s" % (done.stdout, done.stderr), (done.returncode != 0, "relay.example.pem" in done.stdout + done.stderr),
              (True, True))
        check("violations", receiver.violations, [])


@test("intercepted TLS: passed through blind where the binding is known, hidden where it is not, terminated where told", seconds=60)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir, "relay.example")
        receiver = lab.receiver({25: Manner(tls=server_context(*certificate(lab.dir)))})
        lab.relay(mail_binding("acme", 11) + mail_binding("beta", 12) + relay_block(
            "".join('intercept %s { cgroup "/%s.slice"; port 25; listen *:%d; %s }\n' % (name, name, port, more) for name, port, more in (
                ("blind", 2540, ""), ("strip", 2541, "tls strip;"), ("own", 2542, 'tls terminate; certificate "%s"; key "%s";' % (cert, key)),
                ("late", 2543, ""))) + 'sender "x.example" on late use beta;\notherwise use acme;'))
        for name, offered, names in (("blind", True, ("client.example",)), ("strip", False, ("acme.out.example",)),
                                     ("own", True, ("acme.out.example",)), ("late", False, ("acme.out.example",))):
            result = lab.as_client(by_tls, cgroup=lab.turned("/%s.slice" % name))
            check("%s: %s" % (name, result), (result[0], result[1]), (offered, 250))
            message = receiver.messages[-1]
            check("%s: EHLO name" % name, message.helo in names, True)
            check("%s: TLS to the destination" % name, bool(message.tls), True)
            check("%s: whose certificate" % name, result[2], {"blind": NAME, "own": "relay.example"}.get(name))
        check("violations", receiver.violations, [])


def by_tls():
    """In a client: [STARTTLS was offered, code, name in the certificate]."""
    with Client(tcp(FAR[4], 25)) as client:
        client.hello()
        offered, name = "STARTTLS" in client.caps, None
        if offered:
            client.starttls(any_certificate())
            text = ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(binary_form=True))
            name = run("openssl", "x509", "-noout", "-subject", text=text).stdout.split("=")[-1].strip()
            client.hello()
        return [offered, client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, name]


@test("intercepted TLS, terminated: once the client has it, no later connection to its destination goes without", seconds=60)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir, "relay.example")
        receiver = lab.receiver({25: Manner(tls=server_context(*certificate(lab.dir)), script=[("body-close-1",), ("starttls-4xx",)])})
        lab.relay(mail_binding("acme", 11) + relay_block(
            'intercept own { cgroup "/own.slice"; port 25; listen *:2542; tls terminate; certificate "%s"; key "%s"; }\n'
            "otherwise use acme;" % (cert, key)))
        codes = lab.as_client(by_tls_again, cgroup=lab.turned("/own.slice"))
        check("lost within the text, then TLS refused, then as at first", codes, [451, 451, 250])
        check("TLS of what arrived", [bool(message.tls) for message in receiver.messages], [True])


def by_tls_again():
    """In a client: codes of three messages in one session, with TLS."""
    with Client(tcp(FAR[4], 25)) as client:
        client.hello()
        client.starttls(any_certificate())
        client.hello()
        return [client.transaction("a@b.example", ["c@d.example"], b"x\r\n").code for _ in range(3)]


def end_of(sock):
    """Seconds until the other side closes it."""
    began = time.monotonic()
    sock.settimeout(70)
    with contextlib.suppress(ConnectionResetError):
        check("only the end", sock.recv(100), b"")
    return time.monotonic() - began


@test("TLS of listeners: a handshake that does not go on ends after a minute, one that fails is none, one that is done has no hurry",
      seconds=90)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir, "relay.example")
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(mail_binding("acme", 11) + relay_block("".join(
            'listen 127.0.0.1:%d { tls %s; certificate "%s"; key "%s"; }\n' % (port, mode, cert, key)
            for port, mode in ((2500, "offered"), (2502, "implicit"))) + "otherwise use acme;", smarthost=smarthost()))
        with lab.inside("sender"):
            done = Client(any_certificate().wrap_socket(tcp("127.0.0.1", 2502)))
        with done, lab.connect(port=2502) as silent, lab.client(2500) as halfway, lab.connect(port=2502) as broken:
            done.hello()
            check("STARTTLS", halfway.command("STARTTLS")[0], 220)
            broken.sendall(b"EHLO client.example\r\n")
            with contextlib.suppress(ConnectionResetError):
                while broken.recv(100):         # an alert, and the end
                    pass
            metrics = relay.ctl("relay", "metrics", "--relay-socket", relay.path("control")).stdout
            check("clients with TLS", [line for line in metrics.splitlines() if line.startswith("outbind_relay_session_tls")],
                  ["outbind_relay_session_tls_total 1"])
            took = end_of(silent)
            check("silence from the first byte: %.1f s" % took, 50 < took < 65, True)
            check("silence behind STARTTLS ends with it", end_of(halfway.sock) < 5, True)
            check("done long ago", done.transaction("a@b.example", ["c@d.example"], b"x\r\n").code, 250)

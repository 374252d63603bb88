# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS that the destination itself asks for: by TLSA records (DANE), and by a published policy (MTA-STS)."""

import hashlib
import ssl

from cases import test
from lab import check
from place import run
from relay_lab import RelayLab, certificate, mail_binding, relay_block
from smtp_peer import Manner
from socketmap import SocketMap

BROKEN = 2528                                   # port of a host whose handshakes fail
HOSTS = {name: "203.0.113.%d" % (n + 30) for n, name in enumerate(("right", "wrong", "bare", "broken"))}


def spki_digest(cert):
    """SHA-256 of the public key of a certificate: what "3 1 1" compares, RFC 7671 section 5.1."""
    pem = run("openssl", "x509", "-in", cert, "-noout", "-pubkey").stdout
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.replace("PUBLIC KEY", "CERTIFICATE"))).hexdigest()


def context(cert, key):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(cert, key)
    return made


def zone(digest):
    made = {}
    for name, address in HOSTS.items():
        made["%s.example MX" % name] = ["10 mx.%s.example." % name]
        made["mx.%s.example A" % name] = [address]
    made["else.example MX"] = ["10 mx.right.example."]
    made["_25._tcp.mx.right.example TLSA"] = ["3 1 1 " + digest]
    made["_25._tcp.mx.wrong.example TLSA"] = ["3 1 1 " + "00" * 32]
    made["_25._tcp.mx.broken.example TLSA"] = "SERVFAIL"
    return made


def deliver(lab, name):
    with lab.client(2500) as client:
        return client.transaction("a@b.example", ["c@%s.example" % name], b"\r\nhi\r\n")


@test("DANE: the certificate that the TLSA record names, or none; without records as `may`; records count only if they are secure",
      seconds=90)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir)
        receiver = lab.receiver({25: Manner(tls=context(cert, key)), BROKEN: Manner("handshake-garbage", tls=context(cert, key))})
        names = lab.resolver(zone(spki_digest(cert)), secure=True)
        relay = lab.relay(mail_binding("acme", 11) + relay_block(
            'listen 127.0.0.1:2500;\nrecipient "garbage.example" use acme smarthost "mx.bare.example:%d";\notherwise use acme;' % BROKEN, tls="dane"))
        for name, code, is_tls in (("right", 250, True), ("wrong", 451, None), ("bare", 250, True), ("broken", 451, None)):
            before = len(receiver.messages)
            outcome = deliver(lab, name)
            check("%s: %s" % (name, outcome), outcome.code, code)
            check(name, [bool(message.tls) for message in receiver.messages[before:]], [is_tls] if code == 250 else [])
        for turn in ("no record and a handshake that fails: without TLS", "which is remembered"):
            before = receiver.n_connections
            check(turn, deliver(lab, "garbage").code, 250)
        check("connections for the second", receiver.n_connections - before <= 1, True)
        names.secure = False
        check("a record that is not secure does not count", deliver(lab, "wrong").code, 250)
        check("the end, with nothing left behind", relay.stop(), 0)


@test("MTA-STS: what the policy names is demanded, a policy that cannot be had defers, none is `may`", seconds=60)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir, "mx.right.example")
        receiver = lab.receiver({25: Manner(tls=context(cert, key))})
        lab.resolver(zone("00" * 32))
        policies = {"right.example": "OK secure match=mx.right.example servername=hostname",
                    "wrong.example": "OK secure match=.other.example servername=hostname", "broken.example": "TEMP not now"}
        lab.closing.append(SocketMap(lab.dir + "/sts", lambda request: policies.get(request.split(" ")[1], "NOTFOUND ")))
        lab.relay(mail_binding("acme", 11) + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", tls_ca='"%s"' % cert,
                                                         sts_map='"socketmap:unix:%s/sts:postfix"' % lab.dir))
        for name, code in (("right", 250), ("wrong", 451), ("broken", 451), ("bare", 250)):
            before = len(receiver.messages)
            outcome = deliver(lab, name)
            check("%s: %s" % (name, outcome), (outcome.code, len(receiver.messages) - before), (code, int(code == 250)))
        for name, policy, code in (("right", "secure", 250), ("else", "secure", 451), ("else", "secure match=nexthop", 451),
                                   ("else", "secure match=hostname", 250), ("else", "verify", 250)):
            policies[name + ".example"] = "OK " + policy    # mx.right.example stands for both
            check("%s, %s" % (name, policy), deliver(lab, name).code, code)


@test("MTA-STS: `dane-only` demands records that are secure, and mail waits where there are none", seconds=60)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir)
        receiver = lab.receiver({25: Manner(tls=context(cert, key))})
        names = lab.resolver(zone(spki_digest(cert)), secure=True)
        lab.closing.append(SocketMap(lab.dir + "/sts", lambda request: "OK dane-only"))
        relay = lab.relay(mail_binding("acme", 11) + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", reuse="off",
                                                                 sts_map='"socketmap:unix:%s/sts:postfix"' % lab.dir))
        for name, code in (("right", 250), ("wrong", 451), ("bare", 451), ("broken", 451)):
            outcome = deliver(lab, name)
            check("%s: %s" % (name, outcome), outcome.code, code)
        names.secure = False
        outcome = deliver(lab, "right")
        check("not secure: %s" % outcome, (outcome.code, "TLSA" in outcome.last[1]), (451, True))
        check("by TLS", [bool(message.tls) for message in receiver.messages], [True])
        check("the end, with nothing left behind", relay.stop(), 0)

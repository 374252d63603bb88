# SPDX-License-Identifier: GPL-2.0-or-later
"""What sts-map says of a domain: it holds for connections that there are already, and it never weakens `tls`."""

from cases import test
from lab import check
from relay_lab import RelayLab, mail_binding, relay_block
from smtp_peer import Manner
from socketmap import SocketMap
from test_relay_tls import certificate, server_context

ZONE = {"d.example MX": ["10 mx.d.example."], "mx.d.example A": ["203.0.113.9"]}
TEXT = b"Subject: x\r\n\r\nx\r\n"
SECURE = "OK secure match=mx.d.example servername=hostname"


class Policies(SocketMap):
    """A table that says what `now` holds."""

    def __init__(self, lab):
        self.now, self.setting = "NOTFOUND ", '"socketmap:unix:%s/sts:m"' % lab.dir
        super().__init__(lab.dir + "/sts", lambda _: self.now)
        lab.closing.append(self)


def code_of(client):
    client.command("RSET")
    return client.transaction("a@b.example", ["c@d.example"], TEXT).code


@test("a policy that came since holds for the idle connection that there is: not used again; without news, it is", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({25: Manner()})
        lab.resolver(ZONE)
        policies = Policies(lab)
        lab.relay(mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", sts_map=policies.setting))
        with lab.client(2500) as client:
            check("no policy", [code_of(client), code_of(client)], [250, 250])
            check("one connection for both", (receiver.n_connections, len(policies.asked)), (1, 2))
            policies.now = SECURE
            check("a policy, and no TLS there", (code_of(client), len(receiver.messages)), (451, 2))
            policies.now = "TEMP not now"
            check("a policy that cannot be had", (code_of(client), len(receiver.messages)), (451, 2))
            policies.now = "NOTFOUND "
            check("none any more", code_of(client), 250)
        check("violations", receiver.violations, [])


@test("a policy never goes below what `tls` says: a word that asks for less, and DANE without records", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({25: Manner()})
        lab.resolver(ZONE)
        policies = Policies(lab)
        relay = lab.relay(mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", sts_map=policies.setting))
        wrong = []
        for level, words in (("encrypt", ("none", "may", "encrypt", "dane")), ("verify", ("none", "may", "encrypt", "verify", "dane")),
                             ("dane", ("secure match=mx.d.example", "dane-only"))):
            relay.reload(mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", sts_map=policies.setting,
                                                                tls=level, reuse="off"))
            for word in words:
                policies.now = "OK " + word
                with lab.client(2500) as client:
                    wrong += ["tls %s, policy %s: %s" % (level, word, code) for code in [code_of(client)] if code != 451]
        check("without TLS", "\n".join(wrong), "")
        check("messages", len(receiver.messages), 0)
        policies.now = "OK may"
        relay.reload(mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", sts_map=policies.setting, tls="may"))
        with lab.client(2500) as client:
            check("as configured", code_of(client), 250)


@test("a policy without verification, where `tls verify` is: a certificate that fits no name is not enough", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({25: Manner(tls=server_context(*certificate(lab.dir)))})
        lab.resolver(ZONE)
        policies = Policies(lab)
        relay = lab.relay(mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", sts_map=policies.setting,
                                                                 tls="verify"))
        for word in ("encrypt", "dane"):
            policies.now = "OK " + word
            with lab.client(2500) as client:
                check(word, (code_of(client), len(receiver.messages)), (451, 0))
        relay.reload(mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", sts_map=policies.setting,
                                                            tls="encrypt"))
        with lab.client(2500) as client:
            check("encrypted is enough", (code_of(client), len(receiver.messages)), (250, 1))

# SPDX-License-Identifier: GPL-2.0-or-later
"""outbind-relay under its unit: sandbox, socket activation, the agent's tags, refusal of what it cannot see."""

from cases import ACME4, BETA4, BINDINGS, check, case, wait_for

RELAY = """
relay {
	listen "/run/outbind-relay/lmtp" { protocol lmtp; mode 0666; }
	listen 127.0.0.1:2525;
	sender acme.example use acme smarthost "198.51.100.25:26";
	sender beta.example use beta smarthost "198.51.100.25:26";
	%s
	otherwise reject "nobody";
}
"""
SERVER = """
import socketserver
log = open('/run/mail.log', 'a', buffering=1)


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b'220 x ESMTP\\r\\n')
        for line in self.rfile:
            verb, reply = line[:4].upper(), b'250 ok\\r\\n'
            if verb == b'MAIL':
                sender = line.decode()
            elif verb == b'DATA':
                self.wfile.write(b'354 go\\r\\n')
                while self.rfile.readline() != b'.\\r\\n':
                    pass
                log.write('%s %s' % (self.client_address[0], sender))
            elif verb == b'QUIT':
                return
            self.wfile.write(reply)


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('198.51.100.25', 26), Mail).serve_forever()
"""
CLIENT = """
import smtplib, sys
for sender in sys.argv[2:]:
    where = sys.argv[1]
    mail = smtplib.LMTP(where, local_hostname='x') if where[0] == '/' else smtplib.SMTP('127.0.0.1', 2525, 'x')
    print(mail.sendmail('a@' + sender, ['b@c.example'], 'Subject: x\\r\\n\\r\\nx\\r\\n'))
"""


def started(site, more=""):
    machine = site.machine()
    try:
        machine.install("outbind-relay")
        for name, text in (("server", SERVER), ("client", CLIENT)):
            machine.sh("cat >/run/%s.py <<'X'\n%s\nX" % (name, text))
        machine.sh("systemd-run -q --unit=mail ip netns exec world python3 /run/server.py")
        machine.configure("policy { user outbind-relay reject; }\n" + RELAY % more, BINDINGS)
    except BaseException:
        machine.close()
        raise
    return machine


@case("relay: in its sandbox, by LMTP and SMTP, handed sockets: each sender from its own address")
def _(site):
    with started(site) as machine:
        check("not started by the package", machine.out("systemctl is-active outbind-relay", ok=False), "inactive")
        machine.sh("systemctl enable --now outbind-relay.socket outbind-relay.service")
        machine.sh("systemctl is-active outbind-relay")
        for where in ("/run/outbind-relay/lmtp", "smtp"):
            machine.sh("python3 /run/client.py %s acme.example beta.example" % where, properties=("User=nobody",))
        machine.sh("systemctl restart outbind-relay && systemctl reload outbind-relay && sleep 0.3 && "
                   "python3 /run/client.py smtp acme.example")
        rows = machine.out("cat /run/mail.log").splitlines()
        check("sources", [row.split()[0] for row in rows], [ACME4, BETA4, ACME4, BETA4, ACME4])
        status = machine.out("cat /proc/$(pidof outbind-relay)/status")
        check("no capability", "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status, True)
        check("status", machine.sh("outbindctl relay status").status, 0)
        check("its files", machine.out("cd /proc/$(pidof outbind-relay)/root; ls").split(),
              "bin dev etc lib lib64 proc root run sbin sys tmp usr var".split())
        check("others' state", machine.sh("cd /proc/$(pidof outbind-relay)/root; ls var/lib", ok=False).status != 0, True)


@case("relay: rules about local users and units are refused in the sandbox, with words, and work with the drop-in")
def _(site):
    with started(site, "peer user nobody use beta;") as machine:
        check("started", machine.sh("systemctl start outbind-relay", ok=False).status != 0, True)
        said = machine.out("journalctl -u outbind-relay --no-pager")
        check("words: " + said, "which local user or unit the client is" in said and "PrivateUsers" in said, True)
        machine.sh("cp -r /usr/share/doc/outbind-relay/examples/outbind-relay.service.d /etc/systemd/system/ && "
                   "systemctl daemon-reload && systemctl start outbind-relay")
        wait_for("the relay", lambda: machine.out("systemctl is-active outbind-relay", ok=False) == "active")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Real mail programs as clients: unpacked below build/peers by tests/peers.sh, with directories of their own.

They run in the sender, in a mount namespace where users, groups, hosts and resolver are what the test
needs, so that nothing of the machine's own mail system is read or written. Users that Debian's packages would
make are there only. Processes end with the lab: each program has a cgroup, or ends by itself.
"""

import json
import os
import shutil
import socket

from lab import ROOT
from place import Skip, wait_for

PEERS = os.path.join(ROOT, "build", "peers")
USERS = (("postfix", 4901), ("postdrop", 4902), ("Debian-exim", 4903), ("outbind-relay", 4990))
INSIDE = ('cd / && for file in passwd group hosts resolv.conf; do mount --bind "$0/$file" /etc/$file || exit 99; done; '
          'exec "$@"')

MAIN_CF = """
compatibility_level = 3.6
myhostname = mta.example
queue_directory = {dir}/queue
data_directory = {dir}/data
daemon_directory = {tree}/usr/lib/postfix/sbin
command_directory = {tree}/usr/sbin
shlib_directory = {tree}/usr/lib/postfix
meta_directory = {dir}/etc
mail_owner = postfix
setgid_group = postdrop
import_environment = MAIL_CONFIG MAIL_LOGTAG LANG=C LD_LIBRARY_PATH
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
inet_interfaces = 127.0.0.1
inet_protocols = all
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_tls_security_level = may
smtputf8_enable = no
smtp_host_lookup = dns, native
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 2s
{more}
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def peer(name, path):
    """Path of a program of an unpacked package."""
    full = os.path.join(PEERS, name, path)
    if not os.path.exists(full):
        raise Skip("no %s in build/peers (tests/peers.sh), or it cannot be had here" % name)
    return full


def surroundings(lab, resolver="127.0.0.1"):
    """A directory with passwd, group, hosts and resolv.conf; made once."""
    where = os.path.join(lab.dir, "etc")
    if not os.path.isdir(where):
        os.mkdir(where)
        for name, line in (("passwd", "%s:x:%d:%d::/nonexistent:/bin/false\n"), ("group", "%s:x:%d:\n")):
            with open("/etc/" + name) as ours, open(os.path.join(where, name), "w") as out:
                out.writelines(text for text in ours if text.split(":")[0] not in dict(USERS))
                for user, number in USERS:
                    out.write(line % ((user, number, number) if name == "passwd" else (user, number)))
        for name, text in (("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", "nameserver %s\n" % resolver)):
            with open(os.path.join(where, name), "w") as out:
                out.write(text)
    return where


def within(lab, command):
    """The command, run where only the surroundings are seen."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", INSIDE, surroundings(lab)] + list(command)


class Postfix:
    """A whole Postfix with an smtpd at a port of 127.0.0.1, in a cgroup of its own."""

    def __init__(self, lab, more="", port=10025, cgroup="/mail.slice/postfix.service", namespace="sender", master=""):
        peer("postfix", "usr/lib/postfix/sbin/master")
        self.tree = os.path.join(PEERS, "postfix")
        self.lab, self.port, self.namespace = lab, port, namespace
        self.dir = os.path.join(lab.dir, "postfix%d" % port)
        self.cgroup = lab.cgroup(cgroup)
        self.libraries = os.path.join(self.tree, "usr/lib/postfix")
        self.make_directories()
        with open(self.dir + "/etc/main.cf", "w") as out:
            out.write(MAIN_CF.format(dir=self.dir, tree=self.tree, more=more))
        with open(self.dir + "/etc/master.cf", "w") as out:
            out.write(MASTER_CF.format(port=port) + master)
        self.pid = lab.spawn(namespace, within(lab, ["setsid", self.tree + "/usr/lib/postfix/sbin/master", "-d", "-c",
                                                     self.dir + "/etc"]), cgroup=self.cgroup, log=self.dir + "/errors",
                             env={"LD_LIBRARY_PATH": self.libraries, "MAIL_CONFIG": self.dir + "/etc"})
        wait_for("Postfix to answer: " + self.errors(), self.answers, 15)

    def make_directories(self):
        owner, drop = dict(USERS)["postfix"], dict(USERS)["postdrop"]
        for path in ("", "/etc", "/queue", "/queue/pid"):
            os.mkdir(self.dir + path)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
                     "trace", "maildrop", "public"):
            os.mkdir(self.dir + "/queue/" + name, 0o700)
            os.chown(self.dir + "/queue/" + name, owner, drop if name in ("maildrop", "public") else -1)
        os.mkdir(self.dir + "/data", 0o700)
        os.chown(self.dir + "/data", owner, -1)

    def answers(self):
        try:
            with self.lab.inside(self.namespace), socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                sock.settimeout(5)
                return sock.recv(100).startswith(b"220")
        except OSError:
            return False

    def errors(self):
        text = ""
        for name in ("/errors", "/log"):
            if os.path.exists(self.dir + name):
                with open(self.dir + name, errors="replace") as file:
                    text += file.read()[-4000:]
        return text

    def tool(self, name, *words, **options):
        return self.lab.run(self.namespace, *within(self.lab, ["env", "LD_LIBRARY_PATH=" + self.libraries, "MAIL_CONFIG=" +
                            self.dir + "/etc", self.tree + "/usr/sbin/" + name] + list(words)), **options)


EXIM_CONF = """
primary_hostname = mta.example
exim_path = {dir}/exim4
spool_directory = {dir}/spool
log_file_path = {dir}/spool/log/%s
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
trusted_users = root
keep_environment =
tls_advertise_hosts =
disable_ipv6 = false
begin routers
all:
  driver = manualroute
  transport = {transport}
  route_list = * {host}
  self = send
begin transports
to_relay:
  driver = smtp
  port = {port}
  hosts_try_fastopen =
{more}
begin retry
* * F,1m,1s
"""


class Exim:
    """An Exim that hands all mail to one host; run() delivers at once."""

    def __init__(self, lab, host, port, more=""):
        self.lab, self.dir = lab, os.path.join(lab.dir, "exim%d" % port)
        binary = peer("exim4-daemon-light", "usr/sbin/exim4")
        os.mkdir(self.dir)
        self.binary = shutil.copy(binary, self.dir + "/exim4")
        owner = dict(USERS)["Debian-exim"]
        for path in ("/spool", "/spool/log", "/spool/input", "/spool/db", "/spool/msglog"):
            os.mkdir(self.dir + path)
            os.chown(self.dir + path, owner, owner)
        with open(self.dir + "/exim.conf", "w") as out:
            out.write(EXIM_CONF.format(dir=self.dir, host=host, port=port, more=more, transport="to_relay"))

    def run(self, sender, rcpts, text, namespace="sender"):
        return self.lab.run(namespace, *within(self.lab, [self.binary, "-C", self.dir + "/exim.conf", "-odf", "-oi", "-f",
                                                          sender] + list(rcpts)), text=text, timeout=60)

    def log(self):
        path = self.dir + "/spool/log/main"
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as log:
            return log.read()

    def waiting(self):
        """How many messages are still in the spool."""
        return sum(name.endswith("-H") for _, _, names in os.walk(self.dir + "/spool/input") for name in names)


def swaks(lab, *words, namespace="sender", ok=True):
    script = peer("swaks", "usr/bin/swaks")
    return lab.run(namespace, "perl", script, "--hide-all", "--suppress-data", *words, ok=ok, timeout=60)


NODEMAILER = """
const nodemailer = require('nodemailer'), options = JSON.parse(process.argv[2]);
(async () => {
    const transport = nodemailer.createTransport(options.transport), results = [];
    for (const message of options.messages) {
        try {
            const done = await transport.sendMail(message);
            results.push({accepted: done.accepted, response: done.response});
        }
        catch (error) { results.push({code: error.responseCode || 0, response: String(error.response || error)}); }
    }
    transport.close();
    console.log(JSON.stringify(results));
})();
"""


def nodemailer(lab, transport, messages, namespace="sender"):
    """Results of messages sent one after the other by one transport."""
    if not shutil.which("node"):
        raise Skip("no node")
    modules = peer("nodemailer", "node_modules")
    script = os.path.join(lab.dir, "mail.js")
    with open(script, "w") as out:
        out.write(NODEMAILER)
    done = lab.run(namespace, "env", "NODE_PATH=" + modules, "node", script,
                   json.dumps({"transport": transport, "messages": messages}), timeout=60)
    return json.loads(done.stdout)

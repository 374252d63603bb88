# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian root file system from the mirror that this machine's apt uses, made once for a list of packages."""

import hashlib
import os
import re
import shutil
import subprocess

# Beside what the packages of outbind depend on. systemd-container: for nspawn.
PACKAGES = """apt bash bash-completion conntrack curl dbus dbus-user-session iproute2 iputils-ping kmod libcap2-bin libpam-systemd
netcat-openbsd nftables openssl procps python3 strace systemd systemd-container systemd-sysv util-linux util-linux-extra zsh""".split()


def mirror():
    """(uri, codename) of the main archive of Debian."""
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)",
                           "Created-By: Packages"], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        origin, uri, codename, component = line.split("|")
        if origin == "Debian" and component == "main" and re.fullmatch(r"[a-z]+", codename):
            return uri, codename
    return None


def dependencies(debs):
    """Names of what the packages need, the first of alternatives; not each other."""
    own, needed = set(), set()
    for deb in debs:
        text = subprocess.run(["dpkg-deb", "-f", deb, "Package", "Depends"], capture_output=True, text=True,
                              check=True).stdout
        own.add(re.search(r"^Package: (\S+)", text, re.M).group(1))
        for clause in re.sub(r"\([^)]*\)", "", (re.search(r"^Depends: (.*)", text, re.M) or [0, ""])[1]).split(","):
            needed.add(clause.split("|")[0].strip())
    return needed - own - {""}


def make(where, debs):
    """Path of the root directory that the packages can be installed in; made if it is not there. None and a reason
    if it cannot be had."""
    return made_of(where, sorted(set(PACKAGES) | dependencies(debs)))


def made_of(where, packages):
    """The same for a list of packages; of none, it is the least that apt works in."""
    source = mirror()
    if not source:
        return None, "apt knows no Debian mirror here"
    if not shutil.which("mmdebstrap"):
        return None, "no mmdebstrap"
    uri, codename = source
    key = hashlib.sha256(" ".join([uri, codename] + packages).encode()).hexdigest()[:12]
    path = os.path.join(where, "root-" + key)
    if not os.path.isdir(path):
        half = path + ".half"
        shutil.rmtree(half, ignore_errors=True)
        result = subprocess.run(["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--components=main",
                                 *(["--include=" + ",".join(packages)] if packages else []),
                                 "--dpkgopt=path-exclude=/usr/share/locale/*", codename, half, uri],
                                capture_output=True, text=True, timeout=900)
        if result.returncode:
            shutil.rmtree(half, ignore_errors=True)
            return None, "mmdebstrap: " + (result.stderr.strip().splitlines() or ["failed"])[-1]
        os.rename(half, path)
    return path, None

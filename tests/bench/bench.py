#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure outbind against the bare kernel and against nft, and print ratios.

  (a) connections set up per second: bind() by the client itself without nftables, against outbind
      with 1, 1,000 and 100,000 bindings and rules, with a group and with limits, and one linear SNAT
      rule per binding;
  (b) cold load of bindings from a configuration file, against `nft -f` of the same elements;
  (c) one binding changed in 100,000: from the control call to the kernel's acknowledgement;
  (d) changes at run time among 100,000 bindings, as the caller sees them: one binding added, set,
      suspended, resumed and removed; a rule and a group, for which everything is compiled anew. State
      directory on tmpfs, and on the disk of the temporary directory, where fsync(2) dominates;
  (e) figures of 100,000 bindings, scraped at the Unix socket: the busiest 1,000 and all of them, with and
      without counting of packets; and what a control call takes meanwhile;
  (f) what counting of packets costs: connections and datagrams with `traffic on` against off.

Variants run interleaved, since machines are noisy; a ratio is taken within a round, and the median
over the rounds is printed. Everything lives in network namespaces of its own. Needs root.
"""

import argparse
import ipaddress
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "netns"))
from lab import call                            # noqa: E402

BUILD = os.path.join(ROOT, "build")
CONNECT = os.path.join(BUILD, "bench", "connect")
POOL = ipaddress.ip_address("10.64.0.1")        # AnyIP below 10.64.0.0/10: four million addresses
FIRST_UID = 100000
START_SECONDS = 120


def address(i):
    return str(POOL + i)


def write_configuration(path, bindings, with_rules):
    with open(path, "w") as out:
        out.write("mark-mask 0x3fffff;\n")
        for i in range(bindings):
            out.write(f"binding b{i} {{ address {address(i)}; }}\n")
        if with_rules:
            out.write("policy {\n")
            for i in range(bindings):
                out.write(f"\tuser {FIRST_UID + i} use b{i};\n")
            out.write("}\n")


OTHER_KINDS = {
    "outbind group": "group g { member a; member b; member c; member d; pick round-robin; }\n"
                     f"policy {{ user {FIRST_UID} use g; }}\n",
    "outbind limits": "binding l { address %s; limit connections 1000000; limit new 1000000/second; }\n"
                      f"policy {{ user {FIRST_UID} use l; }}\n" % address(4),
}


def write_other(path, text):
    with open(path, "w") as out:
        for n, name in enumerate("abcd"):
            out.write(f"binding {name} {{ address {address(n)}; }}\n")
        out.write(text)


class Place:
    """A sender and a receiver namespace on one link, and what runs in them."""

    def __init__(self, name, directory):
        self.sender = f"ob-bench-{os.getpid()}-{name}-s"
        self.receiver = f"ob-bench-{os.getpid()}-{name}-r"
        self.directory = os.path.join(directory, name)
        self.children = []
        os.mkdir(self.directory)

    def run(self, where, *command, **options):
        return subprocess.run(["nsenter", f"--net=/run/netns/{where}", *command], check=True, **options)

    def spawn(self, where, *command, **options):
        child = subprocess.Popen(["nsenter", f"--net=/run/netns/{where}", *command], **options)
        self.children.append(child)
        return child

    def build(self):
        for namespace in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "add", namespace], check=True)
            self.run(namespace, "ip", "link", "set", "lo", "up")
        subprocess.run(["ip", "link", "add", "v0", "netns", self.sender, "type", "veth",
                        "peer", "name", "v0", "netns", self.receiver], check=True)
        for namespace, host in ((self.sender, "198.51.100.1"), (self.receiver, "198.51.100.254")):
            self.run(namespace, "ip", "address", "add", f"{host}/24", "dev", "v0")
            self.run(namespace, "ip", "link", "set", "v0", "up")
        self.run(self.sender, "ip", "route", "add", "local", "10.64.0.0/10", "dev", "lo")
        self.run(self.receiver, "ip", "route", "add", "10.64.0.0/10", "via", "198.51.100.1")
        self.spawn(self.receiver, CONNECT, "serve", "198.51.100.254", "8000")

    def load(self, connections, uid, bind=None, how="load"):
        command = [CONNECT, how, "198.51.100.254", "8000", str(connections), str(uid)]
        done = self.run(self.sender, *command, *([bind] if bind else []), stdout=subprocess.PIPE, text=True)
        return connections / float(done.stdout)

    def start_agent(self, configuration, state=None):
        """Start outbindd and wait until it says READY; returns the child and the seconds."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.directory, "notify")
        if os.path.exists(path):
            os.unlink(path)
        notify.bind(path)
        notify.settimeout(START_SECONDS)
        start = time.monotonic()
        child = self.spawn(self.sender, os.path.join(BUILD, "outbindd"), "--config", configuration,
                           "--runtime-dir", os.path.join(self.directory, "run"),
                           "--state-dir", state or os.path.join(self.directory, "state"),
                           env={**os.environ, "NOTIFY_SOCKET": path}, stderr=subprocess.DEVNULL)
        while b"READY=1" not in notify.recv(4096):
            pass
        seconds = time.monotonic() - start
        notify.close()
        return child, seconds

    def stop(self, child):
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        self.children.remove(child)

    def drop(self):
        for child in self.children:
            child.kill()
            child.wait()
        for namespace in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "del", namespace], stderr=subprocess.DEVNULL, check=False)


def peak_memory(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def linear_rules(bindings):
    rules = "\n".join(f"\t\tmeta skuid {FIRST_UID + i} snat ip to {address(i)}" for i in range(bindings))
    return ("table inet linear {\n\tchain post {\n\t\ttype nat hook postrouting priority srcnat;\n"
            f"{rules}\n\t}}\n}}\n")


def bench_connections(directory, places, args):
    """(a): every variant in every round, in an order that turns."""
    variants = {"bind": None, "outbind 1": 1, "outbind 1,000": 1000, "outbind 100,000": args.many,
                "linear 1,000": 1000, **{name: 1 for name in OTHER_KINDS}}
    made = {}
    for index, (name, bindings) in enumerate(variants.items()):
        place = Place(f"a{index}", directory)
        places.append(place)
        place.build()
        made[name] = place
        if name.startswith("outbind"):
            configuration = os.path.join(place.directory, "outbind.conf")
            if name in OTHER_KINDS:
                write_other(configuration, OTHER_KINDS[name])
            else:
                write_configuration(configuration, bindings, True)
            place.start_agent(configuration)
        elif name.startswith("linear"):
            place.run(place.sender, "nft", "-f", "-", input=linear_rules(bindings), text=True)
    rates = {name: [] for name in variants}
    datagrams = {name: [] for name in variants}
    order = list(variants)
    for turn in range(args.rounds + 1):
        for name in order:
            last = (variants[name] or 1) - 1     # the worst place for a linear search
            rate = made[name].load(args.connections, FIRST_UID + last,
                                   address(7) if name == "bind" else None)
            flood = made[name].load(args.connections * 20, FIRST_UID + last,
                                    address(7) if name == "bind" else None, "flood")
            if turn:                             # the first round warms caches
                rates[name].append(rate)
                datagrams[name].append(flood)
        order = order[1:] + order[:1]
    ratio = {name: statistics.median(a / b for a, b in zip(rates[name], rates["bind"]))
             for name in variants}
    many_to_one = statistics.median(a / b for a, b in zip(rates["outbind 100,000"], rates["outbind 1"]))
    return {"connections_per_second": {n: round(statistics.median(r)) for n, r in rates.items()},
            "ratio_to_bind": ratio, "ratio_100000_to_1": many_to_one,
            "datagrams_per_second": {n: round(statistics.median(r)) for n, r in datagrams.items()},
            "datagrams_ratio": {n: statistics.median(a / b for a, b in zip(r, datagrams["bind"]))
                                for n, r in datagrams.items()}}


def time_nft(place, text):
    """Seconds and peak memory of `nft -f`; the table is removed after."""
    start = time.monotonic()
    child = subprocess.Popen(["nsenter", f"--net=/run/netns/{place.sender}", "nft", "-f", text])
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise RuntimeError("nft -f failed")
    place.run(place.sender, "nft", "delete", "table", "inet", "outbind")
    return seconds, usage.ru_maxrss * 1024


def bench_load(directory, places, bindings, rounds):
    """(b): agent from a configuration file to a live table, against nft -f of the same elements."""
    place = Place(f"b{bindings}", directory)
    places.append(place)
    place.build()
    configuration = os.path.join(place.directory, "outbind.conf")
    text = os.path.join(place.directory, "elements.nft")
    write_configuration(configuration, bindings, False)
    with open(text, "w") as out:
        subprocess.run([os.path.join(BUILD, "outbindctl"), "render", configuration], stdout=out, check=True)
    ours, theirs, ours_memory, theirs_memory = [], [], [], []
    for _ in range(rounds):
        shutil.rmtree(os.path.join(place.directory, "state"), ignore_errors=True)
        child, seconds = place.start_agent(configuration)
        ours.append(seconds)
        ours_memory.append(peak_memory(child.pid))
        place.stop(child)
        place.run(place.sender, "nft", "delete", "table", "inet", "outbind")
        seconds, memory = time_nft(place, text)
        theirs.append(seconds)
        theirs_memory.append(memory)
    return {"bindings": bindings, "seconds": statistics.median(ours),
            "nft_seconds": statistics.median(theirs),
            "ratio_time": statistics.median(a / b for a, b in zip(ours, theirs)),
            "memory_mb": statistics.median(ours_memory) / 1e6,
            "nft_memory_mb": statistics.median(theirs_memory) / 1e6,
            "ratio_memory": statistics.median(a / b for a, b in zip(ours_memory, theirs_memory))}


def varlink(connection, method, parameters):
    reply = call(connection, f"org.outbind.{method}", **parameters)
    if "error" in reply:
        raise RuntimeError(reply)
    return reply["parameters"]


def bench_change(directory, places, args):
    """(c): suspend and resume one binding; the agent's own figure, and the caller's round trip."""
    place = Place("c", directory)
    places.append(place)
    place.build()
    configuration = os.path.join(place.directory, "outbind.conf")
    write_configuration(configuration, args.many, True)
    place.start_agent(configuration)
    kernel, trip = [], []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.path.join(place.directory, "run", "org.outbind"))
        for i in range(args.changes):
            for method in ("SuspendBinding", "ResumeBinding"):
                start = time.monotonic()
                reply = varlink(connection, method, {"name": f"b{i * 7919 % args.many}"})
                trip.append((time.monotonic() - start) * 1e6)
                kernel.append(reply["microseconds"])
    kernel.sort()
    trip.sort()
    return {"bindings": args.many, "changes": len(kernel),
            "microseconds_median": statistics.median(kernel), "microseconds_p99": kernel[len(kernel) * 99 // 100],
            "round_trip_median": statistics.median(trip)}


def time_calls(connection, calls):
    """Round trips in microseconds of (method, parameters) pairs, ascending."""
    trips = []
    for method, parameters in calls:
        start = time.monotonic()
        varlink(connection, method, parameters)
        trips.append((time.monotonic() - start) * 1e6)
    return sorted(trips)


def bench_runtime(directory, places, args, where):
    """(d) with the state directory below @where."""
    place = Place("d-" + os.path.basename(where), directory)
    places.append(place)
    place.build()
    configuration = os.path.join(place.directory, "outbind.conf")
    write_configuration(configuration, args.many, True)
    state = tempfile.mkdtemp(prefix="ob-bench-state-", dir=where)
    place.start_agent(configuration, state)
    names = [(i, f"n{i}") for i in range(args.changes)]
    steps = [
        ("add", [("Change", {"text": f"binding {n} {{ address {address(args.many + i)}; }}"}) for i, n in names]),
        ("set", [("SetBinding", {"name": n, "settings": f"address {address(2 * args.many + i)};"}) for i, n in names]),
        ("set, of the files", [("SetBinding", {"name": f"b{i * 7919 % args.many}", "settings": "ehlo mail.example;"})
                               for i, _ in names]),
        ("suspend", [("SuspendBinding", {"name": n}) for _, n in names]),
        ("resume", [("ResumeBinding", {"name": n}) for _, n in names]),
        ("remove", [("Change", {"text": f"remove binding {n};"}) for _, n in names]),
        ("a rule", [("Change", {"text": f"policy {{ source 192.0.2.{i} use b{i}; }}"}) for i in range(7)]),
        ("a group", [("Change", {"text": f"group g{i} {{ member b1; member b2; }}"}) for i in range(7)]),
    ]
    results = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.path.join(place.directory, "run", "org.outbind"))
        for what, calls in steps:
            trips = time_calls(connection, calls)
            results[what] = {"median": statistics.median(trips), "p99": trips[len(trips) * 99 // 100]}
    shutil.rmtree(state, ignore_errors=True)
    return results


def scrape(path):
    """Seconds of a scrape, and its bytes."""
    start = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall(b"GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n")
        size, piece = 0, b"x"
        while piece:
            piece = connection.recv(1 << 20)
            size += len(piece)
    return time.monotonic() - start, size


def call_all_the_time(path, results, stop):
    """Round trips of ShowBinding in seconds, until @stop is set."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        while not stop.is_set():
            start = time.monotonic()
            varlink(connection, "ShowBinding", {"name": "b1"})
            results.append(time.monotonic() - start)
            time.sleep(0.002)


def bench_scrape(directory, places, args):
    """(e)"""
    results = {}
    for n, words in enumerate(("", "bindings all;", "traffic on;", "traffic on; bindings all;")):
        place = Place(f"e{n}", directory)
        places.append(place)
        place.build()
        configuration = os.path.join(place.directory, "outbind.conf")
        write_configuration(configuration, args.many, True)
        with open(configuration, "a") as out:
            out.write(f"metrics {{ {words} }}\n")
        child, _ = place.start_agent(configuration)
        run = os.path.join(place.directory, "run")
        first, _ = scrape(os.path.join(run, "metrics"))
        calls, stop, took = [], threading.Event(), []
        caller = threading.Thread(target=call_all_the_time, args=(os.path.join(run, "org.outbind"), calls, stop))
        caller.start()
        for _ in range(args.rounds):
            time.sleep(0.5)
            took.append(scrape(os.path.join(run, "metrics")))
        stop.set()
        caller.join()
        place.stop(child)
        took.sort()
        calls.sort()
        results[words or "(default)"] = {
            "first": first, "median": took[len(took) // 2][0], "worst": took[-1][0], "bytes": took[0][1],
            "call_median": calls[len(calls) // 2], "call_p99": calls[len(calls) * 99 // 100], "call_worst": calls[-1]}
    return results


def bench_traffic(directory, places, args):
    """(f)"""
    made, rates = {}, {}
    for n, words in enumerate(("", "traffic on;")):
        place = Place(f"f{n}", directory)
        places.append(place)
        place.build()
        configuration = os.path.join(place.directory, "outbind.conf")
        write_configuration(configuration, 1000, True)
        with open(configuration, "a") as out:
            out.write(f"metrics {{ {words} }}\n")
        place.start_agent(configuration)
        made[words] = place
    kinds = [(how, uid) for how in ("load", "flood") for uid in (FIRST_UID, FIRST_UID - 1)]
    for turn in range(args.rounds + 1):
        for how, uid in kinds:
            count = args.connections if how == "load" else args.connections * 20
            rate = {words: made[words].load(count, uid, None, how)
                    for words in (list(made) if turn % 2 else list(made)[::-1])}
            if turn:
                rates.setdefault((how, uid), []).append(rate["traffic on;"] / rate[""])
    names = {"load": "connections", "flood": "datagrams"}
    return {f"{names[how]}, {'a binding' if uid == FIRST_UID else 'no binding'}": sorted(ratios)
            for (how, uid), ratios in rates.items()}


def print_table(title, rows):
    print(f"\n{title}")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


def report(results):
    a, c = results.get("connections"), results.get("change")
    if a:
        print_table("(a) connections set up, ratio to the client's own bind() without nftables",
                    [(n, f"{r:.3f}   {a['connections_per_second'][n]}/s") for n, r in a["ratio_to_bind"].items()]
                    + [("outbind 100,000 to 1", f"{a['ratio_100000_to_1']:.3f}")])
        print_table("    datagrams sent on one socket, ratio to the same",
                    [(n, f"{r:.3f}   {a['datagrams_per_second'][n]}/s") for n, r in a["datagrams_ratio"].items()])
    for b in results.get("load", []):
        print_table(f"(b) cold load of {b['bindings']:,} bindings, ratio to nft -f of the same elements",
                    [("time", f"{b['ratio_time']:.3f}   {b['seconds']:.2f} s, nft {b['nft_seconds']:.2f} s"),
                     ("memory", f"{b['ratio_memory']:.3f}   {b['memory_mb']:.0f} MB, nft {b['nft_memory_mb']:.0f} MB")])
    if c:
        print_table(f"(c) one of {c['bindings']:,} bindings changed",
                    [("control call to kernel's ACK, median", f"{c['microseconds_median']:.0f} us"),
                     ("the same, 99th percentile", f"{c['microseconds_p99']:.0f} us"),
                     ("round trip of the caller, median", f"{c['round_trip_median']:.0f} us")])


def report_runtime(results):
    for where, steps in results.items():
        print_table(f"(d) changes at run time, round trip of the caller, state directory on {where}",
                    [(what, f"{one['median'] / 1e3:9.3f} ms, 99th percentile {one['p99'] / 1e3:9.3f} ms")
                     for what, one in steps.items()])


def report_metrics(results):
    for words, one in results.get("scrape", {}).items():
        print_table(f"(e) a scrape of {one['bytes'] / 1e6:.1f} MB, metrics {{ {words} }}",
                    [("first", f"{one['first'] * 1e3:.0f} ms"),
                     ("then, median and worst", f"{one['median'] * 1e3:.0f} ms, {one['worst'] * 1e3:.0f} ms"),
                     ("control calls meanwhile, median, p99, worst",
                      f"{one['call_median'] * 1e3:.2f} ms, {one['call_p99'] * 1e3:.2f} ms, "
                      f"{one['call_worst'] * 1e3:.2f} ms")])
    if "traffic" in results:
        print_table("(f) with `traffic on`, ratio to off: median and quartiles",
                    [(what, f"{statistics.median(r):.3f}   {r[len(r) // 4]:.3f} to {r[len(r) * 3 // 4]:.3f}")
                     for what, r in results["traffic"].items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=["connections", "load", "change", "runtime", "scrape",
                                           "traffic"], action="append")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=4000, help="in each round and variant")
    parser.add_argument("--many", type=int, default=100000, help="bindings of the large variants")
    parser.add_argument("--million", type=int, default=1000000, help="bindings of the largest load; 0: skip")
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--json", default=os.path.join(BUILD, "bench.json"))
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root, for network namespaces")
    parts = args.only or ["connections", "load", "change", "runtime", "scrape", "traffic"]
    os.makedirs(os.path.dirname(CONNECT), exist_ok=True)
    subprocess.run(["cc", "-O2", "-o", CONNECT, os.path.join(HERE, "connect.c")], check=True)
    directory, places, results = tempfile.mkdtemp(prefix="ob-bench-"), [], {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        os.chmod(directory, 0o755)
        if "connections" in parts:
            print(f"(a) {args.rounds} rounds of {args.connections} connections in 7 variants ...", flush=True)
            results["connections"] = bench_connections(directory, places, args)
        if "load" in parts:
            print("(b) cold loads ...", flush=True)
            results["load"] = [bench_load(directory, places, args.many, 5)]
            if args.million:
                results["load"].append(bench_load(directory, places, args.million, 3))
        if "change" in parts:
            print("(c) changes ...", flush=True)
            results["change"] = bench_change(directory, places, args)
        if "runtime" in parts:
            print("(d) changes at run time ...", flush=True)
            results["runtime"] = {where: bench_runtime(directory, places, args, where)
                                  for where in ("/dev/shm", tempfile.gettempdir())}
        if "scrape" in parts:
            print("(e) scrapes ...", flush=True)
            results["scrape"] = bench_scrape(directory, places, args)
        if "traffic" in parts:
            print("(f) counting of packets ...", flush=True)
            results["traffic"] = bench_traffic(directory, places, args)
    finally:
        for place in places:
            place.drop()
        shutil.rmtree(directory, ignore_errors=True)
    report(results)
    report_runtime(results.get("runtime", {}))
    report_metrics(results)
    with open(args.json, "w") as out:
        json.dump(results, out, indent=2)
    print(f"\nfigures as JSON: {os.path.relpath(args.json)}")


if __name__ == "__main__":
    main()

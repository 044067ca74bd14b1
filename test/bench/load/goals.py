#!/usr/bin/env python3
"""Measures the built broker against the physical limit (climit) and prints one table: figure, limit, ratio, goal.
Standard library only. About 35 minutes with 5 rounds; see docs/performance.md.
usage: goals.py [--rounds N] [--minutes N] [--scenario NAME ...] [--json FILE] [--from FILE] [--write]"""
import argparse, contextlib, json, os, socket, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
PAGE = os.path.join(ROOT, "docs", "performance.md")
OURS, SEND, COALESCE, BARE = "countersign", "limit", "limit-co", "bare"
BROKER = "node --max-semi-space-size=4 %s start --config %s --port {port}" % (
    os.path.join(ROOT, "server", "dist", "cli", "main.js"), os.path.join(HERE, "..", "broker.json"))
FLOOR = "node --max-semi-space-size=4 %s {port}" % os.path.join(HERE, "..", "dist", "peers", "bare.js")
CLIMIT = os.path.join(HERE, "climit")

US, RATE, REQUEST, CONNECT = "us_per_delivery", "deliveries_per_s", "us_per_publish", "connect_cpu_us"
CPU = "CPU us / delivery"
# scenario, state, name of the figure, how it is read, yardstick (none: the goal is a number), goal, moonshot; no goal: for comparison
GOALS = [
    ("fanout-1000-max", "warm", CPU, US, COALESCE, 1.5, 1.0),
    ("fanout-1000-max", "warm", "deliveries/s", RATE, COALESCE, 0.6, 0.85),
    ("fanout-10000-max", "warm", CPU, US, COALESCE, 1.3, 1.1),
    ("fanout-1000-rate", "warm", CPU, US, SEND, 1.75, 1.35),
    ("fanout-1000-rate", "cold", CPU, US, SEND, None, None),
    ("fanout-1000-rate-2000b", "warm", CPU, US, SEND, 1.6, 1.3),
    ("fanout-1000-rate-2000b", "cold", CPU, US, SEND, None, None),
    ("fanout-10000-rate", "warm", CPU, US, SEND, 1.35, 1.2),
    ("fanout-10000-rate", "cold", CPU, US, SEND, None, None),
    ("fanout-1000-at-500", "warm", "p99 ms", "p99_ms", None, 40, None),
    ("fanout-1000-at-1000", "warm", "p99 ms", "p99_ms", None, None, 40),
    ("fanout-1000-at-1000", "warm", "% of a core", "cpu_pct", None, None, 60),
    ("many-rooms-rate", "warm", CPU, US, SEND, 2.3, 2.0),
    ("many-rooms-rate", "cold", CPU, US, SEND, None, None),
    ("many-rooms-max", "warm", CPU, US, SEND, 2.0, 1.7),
    ("chat-rate", "warm", CPU, US, SEND, 1.7, 1.5),
    ("chat-rate", "cold", CPU, US, SEND, None, None),
    ("chat-max", "warm", CPU, US, COALESCE, 1.3, 1.0),
    ("http-publish", "warm", "CPU us / request", REQUEST, SEND, 4.2, 3.5),
    ("connect-storm", "warm", "CPU us / connection", CONNECT, BARE, 1.05, 0.9),
    ("connect-storm", "cold", "CPU us / connection", CONNECT, BARE, 1.25, 1.0),
    ("idle-10000", "warm", "KiB / connection", "kib_per_conn_idle", None, 2.9, 2.6),
    ("slow-consumer", "warm", "peak growth MiB", "growth_mib", None, 10, 3),
]
# where the floor of plain Node stands beside ours
WITH_BARE = ["many-rooms-rate", "many-rooms-max", "chat-rate", "chat-max", "http-publish", "connect-storm"]
STATES = {"warm": "", "cold": ", first after a start"}
MORE_IS_BETTER = {RATE}

def figure(run, name):
    if name == "p99_ms":
        return run["lat_us"]["p99"] / 1000
    if name == "growth_mib":
        return (run["rss_max_kib"] - run["rss_first_kib"]) / 1024
    return run.get(name)

def undisturbed(run):
    """The generator polls all the time it publishes: if it had less than its core, somebody else used the machine."""
    return run.get("gen_cpu_pct", 100) >= 95

def measure(scenarios, rounds, minutes, path):
    """Returns whether every run has done all of its work."""
    def servers(yardstick):
        return "+".join(sorted({goal[0] for goal in GOALS if goal[4] == yardstick}))
    # Nothing in a C program warms up. All ports are open at once, so that they differ.
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        ports = tuple(each.getsockname()[1] for each in sockets)
    command = [sys.executable, os.path.join(HERE, "bench.py"), "--rounds", str(rounds), "--minutes", str(minutes), "--json", path,
               "--server", "name=%s,port=%d :: %s" % (OURS, ports[0], BROKER),
               "--server", "name=%s,port=%d,states=warm,only=%s :: %s {port} send" % (SEND, ports[1], servers(SEND), CLIMIT),
               "--server", "name=%s,port=%d,states=warm,only=%s :: %s {port} coalesce" % (COALESCE, ports[2], servers(COALESCE), CLIMIT),
               "--server", "name=%s,port=%d,only=%s :: %s" % (BARE, ports[3], "+".join(WITH_BARE), FLOOR)]
    for scenario in scenarios:
        command += ["--scenario", scenario]
    return subprocess.run(command, stdout=sys.stderr).returncode == 0

def spread(values, digits="%.3g"):
    low, middle, high = (digits % x for x in (min(values), statistics.median(values), max(values)))
    return middle if low == high else "%s [%s–%s]" % (middle, low, high)

def verdict(value, goal, moonshot, more):
    def holds(bound):
        return bound is not None and (value >= bound if more else value <= bound)
    if holds(moonshot):
        return "moonshot"
    if goal is None:
        return "no"
    if holds(goal):
        return "reached"
    return "missed by %.0f %%" % (abs(value / goal - 1) * 100)

def complete(runs, scenario, state, server, name):
    """By round: the runs that did all of their work."""
    return {run["round"]: run for run in runs
            if (run["scenario"], run["state"], run["server"]) == (scenario, state, server) and not run["faults"] and figure(run, name) is not None}

def rows(runs):
    for scenario, state, title, name, yardstick, goal, moonshot in GOALS:
        if not any(run["scenario"] == scenario for run in runs):
            continue
        here = [run for run in runs if (run["scenario"], run["state"], run["server"]) == (scenario, state, OURS)]
        failed = "%d of %d" % (sum(bool(run["faults"]) for run in here), len(here))
        ours = complete(runs, scenario, state, OURS, name)
        limit = complete(runs, scenario, state if yardstick == BARE else "warm", yardstick, name)
        all_rounds = [r for r in ours if yardstick is None or r in limit]
        quiet = [r for r in all_rounds if undisturbed(ours[r]) and (yardstick is None or undisturbed(limit[r]))]
        rounds = quiet or all_rounds
        sign = ">=" if name in MORE_IS_BETTER else "<="
        goals = "" if goal is moonshot is None else " / ".join("–" if g is None else "%s %g" % (sign, g) for g in (goal, moonshot))
        if not rounds:
            yield [scenario + STATES[state], title, "failed", "", "", "", goals, "", failed, "0"]
            continue
        values = [figure(ours[r], name) for r in rounds]
        compared, floor, judged = ["", ""], "", statistics.median(values)
        if yardstick is not None:
            base = [figure(limit[r], name) for r in rounds]
            ratios = [v / b for v, b in zip(values, base)]
            compared, judged = [yardstick + " " + spread(base), spread(ratios, "%.2f")], statistics.median(ratios)
        if yardstick in (SEND, COALESCE):
            bare = complete(runs, scenario, state, BARE, name)
            ratios = [figure(bare[r], name) / figure(limit[r], name) for r in rounds if r in bare]
            floor = "%.2f" % statistics.median(ratios) if ratios else ""
        reached = verdict(judged, goal, moonshot, name in MORE_IS_BETTER) if goals else ""
        count = "%d" % len(rounds) if quiet else "%d, disturbed" % len(rounds)
        yield [scenario + STATES[state], title, spread(values)] + compared + [floor, goals, reached, failed, count]

def table(runs):
    head = ["scenario", "figure", "countersign", "yardstick", "ratio", "bare to yardstick", "goal / moonshot", "", "failed runs", "rounds"]
    lines = [head, ["---"] * len(head)] + list(rows(runs))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

def write(text, page, begin="<!-- goals -->", end="<!-- /goals -->"):
    with open(page) as file:
        before, rest = file.read().split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(page, "w") as file:
        file.write(before + begin + "\n" + text + "\n" + end + after)

def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown processor")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    return "Node %s, Linux %s, %d x %s." % (node, os.uname().release, os.cpu_count(), model)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=32, help="after them no new round begins")
    parser.add_argument("--scenario", action="append", default=[])
    parser.add_argument("--json", default="", help="append the raw results to this file")
    parser.add_argument("--from", dest="source", default="", help="measure nothing, read raw results from this file")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    path = arguments.source or arguments.json or os.path.join(tempfile.mkdtemp(prefix="countersign-"), "goals.jsonl")
    scenarios = arguments.scenario or list(dict.fromkeys(goal[0] for goal in GOALS))
    is_whole = arguments.source or measure(scenarios, arguments.rounds, arguments.minutes, path)
    with open(path) as file:
        text = machine() + "\n\n" + table([json.loads(line) for line in file])
    print(text)
    if arguments.write:
        write(text, PAGE)
    sys.exit(0 if is_whole else 1)

if __name__ == "__main__":
    main()

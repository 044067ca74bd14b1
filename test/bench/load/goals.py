#!/usr/bin/env python3
"""Measures the built broker against the physical limit (climit) and prints one table: figure, limit, ratio, goal.
Standard library only. About half an hour with 5 rounds; see docs/performance.md.
usage: goals.py [--rounds N] [--scenario NAME ...] [--json FILE] [--from FILE] [--write]"""
import argparse, json, os, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
PAGE = os.path.join(ROOT, "docs", "performance.md")
OURS, SEND, COALESCE = "countersign", "limit", "limit-co"
BROKER = "node --max-semi-space-size=4 %s start --config %s --port {port}" % (
    os.path.join(ROOT, "server", "dist", "cli", "main.js"), os.path.join(HERE, "..", "broker.json"))
CLIMIT = os.path.join(HERE, "climit")

US, RATE, REQUEST, CONNECT = "us_per_delivery", "deliveries_per_s", "us_per_publish", "connect_cpu_us"
CPU = "CPU us / delivery"
# scenario, name of the figure, how it is read, yardstick (none: the goal is a number), reachable, moonshot
GOALS = [
    ("fanout-1000-max", CPU, US, COALESCE, 1.5, 1.0),
    ("fanout-1000-max", "deliveries/s", RATE, COALESCE, 0.6, 0.85),
    ("fanout-10000-max", CPU, US, COALESCE, 1.3, 1.1),
    ("fanout-1000-rate", CPU, US, SEND, 1.75, 1.35),
    ("fanout-1000-rate-2000b", CPU, US, SEND, 1.6, 1.3),
    ("fanout-10000-rate", CPU, US, SEND, 1.3, 1.1),
    ("fanout-1000-at-500", "p99 ms", "p99_ms", None, 40, None),
    ("fanout-1000-at-1000", "p99 ms", "p99_ms", None, None, 40),
    ("fanout-1000-at-1000", "% of a core", "cpu_pct", None, None, 60),
    ("many-rooms-rate", CPU, US, SEND, 2.4, 1.6),
    ("many-rooms-max", CPU, US, SEND, 1.7, 1.3),
    ("chat-rate", CPU, US, SEND, 1.8, 1.4),
    ("chat-max", CPU, US, SEND, 1.0, 0.7),
    ("http-publish", "CPU us / request", REQUEST, SEND, 3.0, 2.2),
    ("connect-storm", "CPU us / connection", CONNECT, SEND, 8, 5),
    ("idle-10000", "KiB / connection", "kib_per_conn_idle", None, 4.0, 2.9),
    ("slow-consumer", "peak growth MiB", "growth_mib", None, 10, 3),
]
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

def measure(scenarios, rounds, path):
    def servers(yardstick):
        return "+".join(sorted({s for s, _, _, y, _, _ in GOALS if y == yardstick}))
    command = [sys.executable, os.path.join(HERE, "bench.py"), "--rounds", str(rounds), "--json", path,
               "--server", "name=%s,port=7001 :: %s" % (OURS, BROKER),
               "--server", "name=%s,port=7002,only=%s :: %s {port} send" % (SEND, servers(SEND), CLIMIT),
               "--server", "name=%s,port=7003,only=%s :: %s {port} coalesce" % (COALESCE, servers(COALESCE), CLIMIT)]
    for scenario in scenarios:
        command += ["--scenario", scenario]
    subprocess.run(command, check=True, stdout=sys.stderr)

def spread(values, digits="%.3g"):
    low, middle, high = (digits % x for x in (min(values), statistics.median(values), max(values)))
    return middle if low == high else "%s [%s–%s]" % (middle, low, high)

def verdict(value, reachable, moonshot, more):
    def holds(goal):
        return goal is not None and (value >= goal if more else value <= goal)
    if holds(moonshot):
        return "moonshot"
    if reachable is None:
        return "no"
    if holds(reachable):
        return "reached"
    return "missed by %.0f %%" % (abs(value / reachable - 1) * 100)

def rows(runs):
    for scenario, title, name, yardstick, reachable, moonshot in GOALS:
        here = {}
        for run in runs:
            complete = run["ready"] == run["conns"]
            if run["scenario"] == scenario and complete and figure(run, name) is not None:
                here.setdefault(run["server"], {})[run["round"]] = run
        ours, limit = here.get(OURS, {}), here.get(yardstick, {})
        all_rounds = [r for r in ours if yardstick is None or r in limit]
        quiet = [r for r in all_rounds if undisturbed(ours[r]) and (yardstick is None or undisturbed(limit[r]))]
        rounds = quiet or all_rounds
        if not rounds:
            continue
        values = [figure(ours[r], name) for r in rounds]
        more = name in MORE_IS_BETTER
        if yardstick is None:
            compared, judged = ["", ""], statistics.median(values)
        else:
            base = [figure(limit[r], name) for r in rounds]
            ratios = [v / b for v, b in zip(values, base)]
            compared, judged = [yardstick + " " + spread(base), spread(ratios, "%.2f")], statistics.median(ratios)
        faults = sum(abs(ours[r].get(k, 0)) for r in all_rounds for k in ("lost", "out_of_order", "http_err"))
        sign = ">=" if more else "<="
        goals = " / ".join("–" if g is None else "%s %g" % (sign, g) for g in (reachable, moonshot))
        count = "%d" % len(rounds) if quiet else "%d, disturbed" % len(rounds)
        yield [scenario, title, spread(values)] + compared + [goals, verdict(judged, reachable, moonshot, more), str(faults), count]

def table(runs):
    head = ["scenario", "figure", "countersign", "limit", "ratio", "goal: reachable / moonshot", "", "lost, out of order, refused", "rounds"]
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
    parser.add_argument("--scenario", action="append", default=[])
    parser.add_argument("--json", default="", help="append the raw results to this file")
    parser.add_argument("--from", dest="source", default="", help="measure nothing, read raw results from this file")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    path = arguments.source or arguments.json or os.path.join(tempfile.mkdtemp(prefix="countersign-"), "goals.jsonl")
    if not arguments.source:
        measure(arguments.scenario or list(dict.fromkeys(goal[0] for goal in GOALS)), arguments.rounds, path)
    with open(path) as file:
        text = machine() + "\n\n" + table([json.loads(line) for line in file])
    print(text)
    if arguments.write:
        write(text, PAGE)

if __name__ == "__main__":
    main()

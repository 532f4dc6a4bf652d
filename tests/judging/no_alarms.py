#!/usr/bin/python3
"""Good programs, under what no correct program may notice: nothing is found.

    tests/judging/no_alarms.py BUILD [RUNS [JOBS]]

Each pair of programs runs RUNS times (2) without faults and under short transfers,
interruptions and delays, each time with another seed. Prints each finding, and
fails where there is one, or where a program did not do its work.
"""
import collections
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

FAULTS = {
    "no faults": [],
    "short": ["%in:short=3:prob=0.3", "%out:short=3:prob=0.3"],
    "signal": ["%in,%out,%accept,%wait,connect:signal=SIGNAL:prob=0.3"],
    "delay": ["%in,%out:delay=1ms..10ms:prob=0.2", "%accept,connect:delay=1ms..10ms"],
}
# What a program has a handler for, and goes on after. The others, curl, redis and iperf3,
# handle none but to end: SIGCHLD, which they ignore, ends their epoll_wait with EINTR all
# the same, and their poll and select, which Linux restarts, can have no EINTR.
SIGNALS = {"nginx": "SIGUSR1", "haproxy": "SIGHUP", "memcached": "SIGHUP"}

NGINX = r"""daemon off; master_process off; pid {dir}/nginx.pid; events {{ worker_connections 128; }
http {{ access_log off; client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
  uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{ listen 127.0.0.1:PORT; root {dir}; } }
"""
HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{port:behind}
"""
MEMCACHE = r"""import socket
s = socket.create_connection(("127.0.0.1", {port}))
f = s.makefile("rb")
for i in range(20):
    s.sendall(b"set k 0 0 1000\r\n%s\r\nget k\r\n" % (b"x" * 1000))
    assert f.readline() == b"STORED\r\n" and f.readline() == b"VALUE k 0 1000\r\n", i
    assert f.readline() == b"x" * 1000 + b"\r\n" and f.readline() == b"END\r\n", i
"""


def nginx(port):
    return {"run": "nginx -p {dir} -e stderr -c {dir}/nginx.conf",
            "files": {"nginx.conf": NGINX.replace("PORT", port), "page": "a page of some length\n" * 500}}


CURL = {"run": "curl -sS --max-time 8 http://127.0.0.1:{port}/page -o {dir}/got"}


def fixture(name, options=""):
    return {"run": "{fixtures}/%s -p {port} -t 8000%s" % (name, options)}


# The good fixtures that speak something of their own, or want other options.
PEERS = {"echo-good-records": "fetch-good-records", "exits-on-bind-failure-good": "client-silent"}
APART = {"fetch-good-records", "relay-good", "echo-good-starts-slowly"}


def good_fixtures():
    names = (os.path.basename(path)[:-2] for path in glob.glob(os.path.join(HERE, "../../fixtures/*.c")))
    return sorted(name for name in names if "good" in name.split("-") and name not in APART)


def pairs():
    """A name, and the programs of a case."""
    for name in good_fixtures():
        if name.startswith("fetch-"):
            yield name, {"server": fixture("reply-good"), "client": fixture(name)}
        elif name.startswith("reply-"):
            yield name, {"server": fixture(name), "client": fixture("fetch-good")}
        else:
            yield name, {"server": fixture(name), "client": fixture(PEERS.get(name, "half-close-client"))}
    yield "echo-good-starts-slowly", {"server": {"run": "{fixtures}/echo-good-starts-slowly -p {port} -t 100",
                                                 "ready": {"stdout": "/ready/"}},
                                      "client": fixture("half-close-client")}
    yield "relay-good", {"behind-server": {"run": "{fixtures}/echo-good -p {port:behind} -t 8000"},
                         "server": fixture("relay-good", " -u {port:behind}"),
                         "client": fixture("half-close-client")}
    yield "nginx and curl", {"server": nginx("{port}"), "client": CURL}
    yield "haproxy, nginx and curl", {
        "behind-server": nginx("{port:behind}"), "client": CURL,
        "server": {"run": "haproxy -db -f {dir}/haproxy.conf", "files": {"haproxy.conf": HAPROXY}}}
    yield "redis", {"server": {"run": "redis-server --port {port} --save '' --bind 127.0.0.1"},
                    "client": {"run": "redis-benchmark -p {port} -t set,get -n 100 -c 3 -q"}}
    yield "memcached", {"server": {"run": "memcached -u nobody -p {port} -U 0 -l 127.0.0.1 -t 2"},
                        "client": {"run": ["/usr/bin/python3", "-c", MEMCACHE]}}
    yield "iperf3", {"server": {"run": "iperf3 -s -p {port} -1"},
                     "client": {"run": "iperf3 -c 127.0.0.1 -p {port} -n 200K"}}


def case(name, programs, fault):
    programs = json.loads(json.dumps(programs))
    for program in programs.values():
        words = program["run"].split() if isinstance(program["run"], str) else program["run"]
        command = os.path.basename(words[0])
        signal = "SIGUSR1" if words[0].startswith("{fixtures}") else SIGNALS.get(command, "SIGCHLD")
        program["faults"] = [rule.replace("SIGNAL", signal) for rule in FAULTS[fault]]
    # What a benchmark prints is what it has measured.
    return {"name": "%s: %s" % (name, fault), "programs": programs, "allow_unfired": True,
            "allow": {"wrong-success": "it measures"} if name in ("redis", "iperf3") else {},
            "expect": {"server": {"exit": "any"}}}


def main():
    build, runs, jobs = sys.argv[1], *(sys.argv[2:] + ["2", "2"][len(sys.argv) - 2:])
    cases = [case(name, programs, fault) for name, programs in pairs() for fault in FAULTS]
    with tempfile.TemporaryDirectory() as scratch:
        suite, report = os.path.join(scratch, "good.yaml"), os.path.join(scratch, "report.json")
        with open(suite, "w", encoding="utf-8") as file:
            json.dump({"timeout": "20s", "cases": cases}, file)
        done = subprocess.run([os.path.join(build, "tcpfault"), "run", suite, "--repeat", runs, "-j", jobs, "--format",
                               "json", "-o", report], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if done.returncode not in (0, 1):
            sys.exit(done.returncode)
        with open(report, encoding="utf-8") as file:
            results = json.load(file)["cases"]
    seen = collections.Counter()
    for result in results:
        for finding in result["findings"]:
            seen["%s: %s: %s" % (result["name"], finding["check"], finding["message"])] += 1
        for failure in result["failures"]:
            seen["%s: %s %s: %s" % (result["name"], failure["program"], failure["check"], failure["got"])] += 1
    for line, times in seen.most_common():
        print("%4d %s" % (times, line))
    bad = sum(bool(result["findings"] or result["failures"]) for result in results)
    print("good_programs: %d passed, %d failed, %d findings" % (len(results) - bad, bad,
                                                 sum(len(result["findings"]) for result in results)))
    sys.exit(1 if bad or not results else 0)


main()

#!/usr/bin/python3
"""A run as a json report, made larger and worse: sample.py RUN CASES >LARGE

Its cases are repeated until there are so many; where the run has no findings, some
are added, so that every part of a report has something to show; with --hostile,
texts are replaced by what tries to get out of them.
"""
import copy
import json
import sys

CHECKS = [
    ("reset-taken-for-eof", "A broken connection taken for its end", "error",
     "After ECONNRESET the rest of the reply is lost, and nobody is told. A program that reads to the end treats an "
     "error of read as a failure, and only 0 as the end.", "recv(2), RETURN VALUE; RFC 9293 3.10.7.4",
     "took what it had for the whole reply after recv failed with ECONNRESET", "recv", "ECONNRESET"),
    ("sigpipe", "Killed by SIGPIPE", "error",
     "Writing to a connection that the peer has reset raises SIGPIPE, which ends a program that has not asked "
     "otherwise. A server ignores it, or sends with MSG_NOSIGNAL, and handles EPIPE.", "send(2), MSG_NOSIGNAL; "
     "signal(7)", "was killed by SIGPIPE when it wrote to a connection that was gone", "send", "EPIPE"),
    ("use-after-failed-connect", "A socket used again after a failed connect", "warning",
     "POSIX leaves the state of a socket unspecified after a failed connect. A new attempt needs a new socket.",
     "connect(2), NOTES", "called connect again on a socket whose first attempt had failed", "connect", "ETIMEDOUT"),
    ("no-keepalive", "No way to notice a silent peer", "note",
     "A connection that is idle for long may be dead without anybody being told. SO_KEEPALIVE or a timeout notices.",
     "tcp(7), SO_KEEPALIVE", "waits for ever on an idle connection", "recv", ""),
]
HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'><!-- {{data}} \u202e"


def finding(number, program, rule, life):
    name, title, severity, why, source, message, call, error = CHECKS[number]
    return {"id": "%016x" % (0x5eed0000 + number), "check": name, "title": title, "severity": severity, "why": why,
            "source": source, "state": "new", "excuse": "", "program": program, "message": message, "rule": rule,
            "call": call, "error": error, "event": 7, "time_ns": 12345678, "conn": 1, "times": 1 + 2 * number,
            "frames": [{"module": "/usr/lib/libexample.so", "offset": "0x1234", "function": "read_reply",
                        "file": "src/client.c", "line": 87 + number},
                       {"module": "/usr/bin/example", "offset": "0x2345", "function": "main", "file": "", "line": 0}],
            "life": life, "reproduce": "tcpfault inject '%s' -- example" % rule}


def add_findings(cases):
    chosen = [("reset in the middle", 0), ("does not kill", 1), ("needs a new socket", 2), ("a byte at a time", 3)]
    for part, number in chosen:
        for case in cases:
            if part in case["name"] and not case["findings"]:
                program = next((p for p in case["programs"] if p["rules"]), case["programs"][0])
                rule = program["rules"][0]["text"] if program["rules"] else ""
                made = finding(number, program["name"], rule, case["events"][-8:])
                about = [e["number"] for e in case["timeline"] if e["program"] == program["name"]]
                made["event"] = about[-1] if about else 0
                case["findings"].append(made)


def spoil(value):
    if isinstance(value, dict):
        kept = ("version", "status", "severity", "state", "id", "seed", "call", "offset", "role", "tool")
        return {key: each if key in kept else spoil(each) for key, each in value.items()}
    if isinstance(value, list):
        return [spoil(each) for each in value]
    return HOSTILE + value[:20] if isinstance(value, str) else value


def main():
    hostile = "--hostile" in sys.argv
    path, count = [word for word in sys.argv[1:] if not word.startswith("-")]
    with open(path, encoding="utf-8") as source:
        run = json.load(source)
    if not any(case["findings"] for case in run["cases"]):
        add_findings(run["cases"])
    cases = [copy.deepcopy(run["cases"][i % len(run["cases"])]) for i in range(int(count))]
    for number, case in enumerate(cases):
        if number >= len(run["cases"]):
            case["repeat"] = number // len(run["cases"]) + 1
    run["cases"] = cases
    for status in run["counts"]:
        run["counts"][status] = sum(case["status"] == status for case in cases)
    json.dump(spoil(run) if hostile else run, sys.stdout)


main()

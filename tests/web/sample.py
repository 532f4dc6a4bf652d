#!/usr/bin/python3
"""A run as a json report, made larger and worse: sample.py [OPTION]... RUN CASES >LARGE

Its cases are repeated until there are so many.

    --hostile  texts are replaced by what tries to get out of them
    --excused  of the findings the last is known, the one before suppressed
    --verdicts of a battery's passes the last is tolerated, the one before not tested
"""
import copy
import json
import sys

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'><!-- {{data}} \u202e"
KEPT = ("version", "status", "verdict", "severity", "state", "id", "seed", "call", "offset", "role", "tool")


def spoil(value):
    if isinstance(value, dict):
        return {key: each if key in KEPT else spoil(each) for key, each in value.items()}
    if isinstance(value, list):
        return [spoil(each) for each in value]
    return HOSTILE + value[:20] if isinstance(value, str) else value


def excuse(cases):
    suppressed, known = [finding for case in cases for finding in case["findings"]][-2:]
    known["state"] = "known"
    suppressed.update(state="suppressed", excuse="until the next release")


def vary_verdicts(cases):
    untested, tolerated = [case for case in cases if case["verdict"] == "pass"][-2:]
    tolerated.update(verdict="tolerated", reason="client exited with status 1")
    untested.update(verdict="not tested", status="skipped", reason="the machine permits no network of its own")


def main():
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    path, count = [word for word in sys.argv[1:] if not word.startswith("-")]
    with open(path, encoding="utf-8") as source:
        run = json.load(source)
    own = run["cases"]
    if "--excused" in options:
        excuse(own)
    if "--verdicts" in options:
        vary_verdicts(own)
    cases = [copy.deepcopy(own[i % len(own)]) for i in range(int(count) or len(own))]
    for number, case in enumerate(cases):
        if number >= len(own):
            case["repeat"] = number // len(own) + 1
    run["cases"] = cases
    for status in run["counts"]:
        run["counts"][status] = sum(case["status"] == status for case in cases)
    json.dump(spoil(run) if "--hostile" in options else run, sys.stdout)


main()

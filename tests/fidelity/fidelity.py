#!/usr/bin/python3
"""Is an injected fault what the real event is?

    fidelity.py [--update] [--brief] [--keep] [--row PATTERN]... BUILD
    fidelity.py --control [--row PATTERN]... BUILD

Each row of rows/*.ini is carried out twice by the programs beside this file: under
the real event, without the shim, and under its rule. What both saw is compared,
observation by observation, in ten cases: five ways of waiting, two address
families. reasons.tsv explains the cells that differ; one that it does not explain
fails, and so does an explanation of cells that are the same. The matrix is printed
(its sums alone with --brief), and FIDELITY.md beside this file has to be what it says
(--update writes it). With --keep the records are left in BUILD/fidelity.

--control is for who writes rows: it names the cases that would be the same without
the rule, too, and so prove nothing. Where a fault cannot be delivered, that is as it
should be.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import subprocess
import sys

import matrix
import rows

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 60  # for one row, once
LEAST = 95    # of a hundred cells must be the same


def run(command):
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("TCPFAULT")}
    environment["PATH"] = environment.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", env=environment, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, "", "no end after %d s" % SECONDS)


def record(text):
    """{(case, observation): value}"""
    found = {}
    for line in text.splitlines():
        case, observation, value = line.split("\t", 2)
        found[case, observation] = value
    return found


def real(build, row):
    done = run([os.path.join(build, "tests/fidelity/subject"), "real", os.path.join(build, "tests/fidelity/peer"),
                row.script])
    if done.returncode:
        raise RuntimeError("the real event: status %d: %s" % (done.returncode, done.stderr.strip()))
    return record(done.stdout)


def injected(build, row, rules):
    subject = os.path.join(build, "tests/fidelity/subject")
    done = run([os.path.join(build, "tcpfault"), "inject", "--sandbox", "--seed", "1", *rules, "--", subject,
                "injected", os.path.join(build, "tests/fidelity/peer"), row.script])
    if done.returncode:
        raise RuntimeError("the injected one: status %d: %s" % (done.returncode, done.stderr.strip()))
    return record(done.stdout)


def carry_out(build, row, rules=None):
    result = matrix.Result(row)
    if row.cannot:
        return result
    try:
        result.injected = injected(build, row, rules or row.rules)
        result.real = real(build, row)
    except (RuntimeError, ValueError) as error:
        result.problem = str(error)
    return result


def keep(folder, result):
    os.makedirs(folder, exist_ok=True)
    for name in ("real", "injected"):
        with open(os.path.join(folder, "%s.%s" % (result.row.name.replace(" ", "-").replace("/", "-"), name)), "w",
                  encoding="utf-8") as out:
            out.writelines("%s\t%s\t%s\n" % (*key, value) for key, value in getattr(result, name).items())


def control(build, wanted, pool):
    never = ["--allow-unfired", "connect:error=ECONNREFUSED:peer=:1"]
    for result in pool.map(lambda row: carry_out(build, row, never), wanted):
        same = [case for case in rows.CASES if not result.row.cannot and
                all(real == injected for _, at, real, injected in result.cells() if at == case)]
        if same:
            print("%s: %s" % (result.row.name, ", ".join(same) if len(same) < len(rows.CASES) else "all"))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--row", action="append")
    parser.add_argument("build")
    return parser.parse_args()


def main():
    chosen = arguments()
    every = rows.read(os.path.join(HERE, "rows"))
    wanted = [r for r in every if not chosen.row or any(fnmatch.fnmatch(r.name, p) for p in chosen.row)]
    reasons = rows.read_reasons(os.path.join(HERE, "reasons.tsv"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        if chosen.control:
            control(chosen.build, wanted, pool)
            return
        results = list(pool.map(lambda row: carry_out(chosen.build, row), wanted))
    if chosen.keep:
        for result in results:
            keep(os.path.join(chosen.build, "fidelity"), result)
    table = matrix.Matrix(results, reasons, whole=not chosen.row)
    text = table.markdown()
    print("\n".join(table.sums()) if chosen.brief else text)
    passed, failed = table.judge()
    if not chosen.row:
        path = os.path.join(HERE, "FIDELITY.md")
        if chosen.update:
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        try:
            with open(path, encoding="utf-8") as old:
                current = old.read() == text
        except FileNotFoundError:
            current = False
        if not current:
            print("FIDELITY.md is not what was found: make fidelity-update writes it")
            failed += 1
        if table.percent() < LEAST:
            print("%.1f %% of the cells are the same; at least %d %% must be" % (table.percent(), LEAST))
            failed += 1
    print("fidelity: %d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

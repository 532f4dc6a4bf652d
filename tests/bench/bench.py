#!/usr/bin/python3
"""What tcpfault adds to a call.

    bench.py [--check] BUILD

Instructions are callgrind's: two runs that differ only in their number of
iterations, so everything but the calls themselves cancels out; they are the
same on every machine, and --check holds them to LIMITS. Times are this
machine's, of one run, and never judged.
"""
import os
import re
import subprocess
import sys
import tempfile

CALLS = ("recv", "read")
# Instructions that a call may cost more than it would without us.
LIMITS = {"unarmed": 12, "armed for another peer": 25, "armed and counting": 25}
FEW, MANY = 1000, 51000
TIMED = 200000
LIBFIU = "/usr/lib/fiu/fiu_posix_preload.so"


def configurations(build, scratch):
    """Name -> environment."""
    shim = os.path.join(build, "libtcpfault.so")
    trace = os.path.join(scratch, "trace")
    rule = "recv,read:error=ECONNRESET"
    table = {
        "bare": {},
        "pass-through": {"LD_PRELOAD": os.path.join(build, "tests/bench/passthrough.so")},
        "unarmed": {"LD_PRELOAD": shim},
        "armed for another peer": {"LD_PRELOAD": shim, "TCPFAULT": rule + ":peer=:1"},
        "armed and counting": {"LD_PRELOAD": shim, "TCPFAULT": rule + ":when=1000000000"},
        "traced": {"LD_PRELOAD": shim, "TCPFAULT_TRACE": trace},
    }
    if os.path.exists(LIBFIU):
        table["libfiu's POSIX preload"] = {"LD_PRELOAD": LIBFIU}
    return table


def run(command, variables, scratch):
    trace = variables.get("TCPFAULT_TRACE")
    if trace and os.path.exists(trace):
        os.unlink(trace)
    environment = dict(os.environ, **variables)
    done = subprocess.run(command, env=environment, cwd=scratch, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    if done.returncode:
        sys.exit("bench: %s %s: status %d\n%s" % (variables, " ".join(command), done.returncode, done.stderr))
    return done.stdout


def instructions(program, call, iterations, variables, scratch):
    out = os.path.join(scratch, "callgrind.out")
    run(["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + out, program, call,
         str(iterations), "1"], variables, scratch)
    with open(out, encoding="utf-8", errors="replace") as lines:
        found = re.search(r"^(?:summary|totals): (\d+)", lines.read(), re.M)
    os.unlink(out)
    return int(found.group(1))


def per_call(program, call, variables, scratch):
    few = instructions(program, call, FEW, variables, scratch)
    many = instructions(program, call, MANY, variables, scratch)
    return (many - few) / (MANY - FEW)


def nanoseconds(program, call, table, rounds, scratch):
    """{(name, threads): ns}: the best of some rounds, in each of which all have
    their turn, so that what else the machine does hits them alike."""
    best = {}
    for _ in range(rounds):
        for name, variables in table.items():
            for threads in (1, 2):
                ns = float(run([program, call, str(TIMED), str(threads)], variables, scratch))
                best[name, threads] = min(ns, best.get((name, threads), ns))
    return best


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    if check:
        arguments.remove("--check")
    if len(arguments) != 1:
        sys.exit("usage: bench.py [--check] BUILD")
    build = os.path.abspath(arguments[0])
    program = os.path.join(build, "tests/bench/calls")
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="tcpfault-bench.") as scratch:
        table = configurations(build, scratch)
        for call in CALLS:
            times = nanoseconds(program, call, table, 1 if check else 5, scratch)
            print("%-26s %12s %9s %18s %18s" % (call, "instructions", "added", "time, 1 thread", "time, 2 threads"))
            base = None
            for name, variables in table.items():
                count = per_call(program, call, variables, scratch)
                base = count if base is None else base
                added = count - base
                print("%-26s %12.1f %+9.1f %s" % (name, count, added, " ".join(
                    "%9.0f ns %5.2fx" % (times[name, n], times[name, n] / times["bare", n]) for n in (1, 2))),
                    flush=True)
                if name in LIMITS:
                    if added <= LIMITS[name] + 0.05:
                        passed += 1
                    else:
                        failed += 1
                        print("bench: %s, %s: %.1f instructions added, at most %d are allowed"
                              % (call, name, added, LIMITS[name]), flush=True)
            print()
    if check:
        print("%d passed, %d failed" % (passed, failed))
        sys.exit(1 if failed else 0)


main()

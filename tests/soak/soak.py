#!/usr/bin/python3
"""Programs under random faults, for a long time.

    soak.py BUILD SECONDS SEED [SESSION]

Sessions (session.py) run two at a time until the time is over, each with its own
part of the seed. SEED and a session's number repeat its choices; what the kernel's
scheduler chooses they cannot.
"""
import os
import random
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
JOBS = int(os.environ.get("JOBS") or 2)
OVERTIME = 240  # seconds that a session may take beyond its own
APART = ["unshare", "-Urnmpf", "--kill-child", "--mount-proc"]


class Soak:
    def __init__(self, build, seconds, seed):
        self.build, self.seed = build, seed
        self.end = time.monotonic() + seconds
        self.each = min(max(seconds / 8, 10), 150)
        self.next, self.passed, self.failed = 0, 0, 0
        self.lock = threading.Lock()

    def session(self, number):
        command = APART + ["/usr/bin/python3", os.path.join(HERE, "session.py"), self.build, str(self.seed),
                           str(number), str(self.each)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            output, status = process.communicate(timeout=self.each + OVERTIME)[0], process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            output, status = process.communicate()[0] + "fault: the session hangs\n", 1
        with self.lock:
            self.passed += status == 0
            self.failed += status != 0
            print("== session %d, seed %d: %s" % (number, self.seed, "FAILED" if status else "passed"))
            print(output, end="", flush=True)
            if status:
                print("   again: make soak SEED=%d SESSION=%d" % (self.seed, number), flush=True)

    def lane(self):
        while time.monotonic() < self.end:
            with self.lock:
                number, self.next = self.next, self.next + 1
            self.session(number)


def main():
    build, seconds = sys.argv[1], float(sys.argv[2])
    seed = int(sys.argv[3]) if sys.argv[3:] and sys.argv[3] else random.SystemRandom().getrandbits(32)
    print("soak: seed %d" % seed, flush=True)
    soak = Soak(build, seconds, seed)
    if sys.argv[4:] and sys.argv[4]:
        soak.session(int(sys.argv[4]))
    else:
        lanes = [threading.Thread(target=soak.lane) for _ in range(JOBS)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
    print("soak: %d passed, %d failed" % (soak.passed, soak.failed))
    sys.exit(1 if soak.failed else 0)


main()

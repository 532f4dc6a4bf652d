"""One session: a server with a plan of random rules, in rounds, in namespaces of its own.

    session.py BUILD SEED NUMBER SECONDS

A round arms some of the rules while clients load the server, disarms them, and
then asks that everything is as it was before. Prints "fault: ..." for what is not.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import kernel
import rules
import services

CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS,
           signal.SIGTRAP)
# Deadlines are generous: others may be using this machine. Seconds.
START, CLIENT, DRAIN, PROBE, THREADS, STOP = 15, 20, 25, 40, 10, 15
# A client whose peer is unreachable ends without a word to it: the server would wait for ever. And what takes
# the second hand is refused where there is only the library.
CLIENTS_AVOID = ("error=E(HOST|NET)UNREACH", "^(?!%in:|read:|recv:|connect:).*drop")
GROWTH_KB = 32 << 10  # what a server may gain in a session, where it is flat when bare
IDLE_CPU = 0.5        # of an idle second


def until(holds, seconds):
    """Waits for it; whether it came to hold."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Session:
    def __init__(self, build, seed, number):
        self.random = random.Random("%d/%d" % (seed, number))
        self.build = os.path.abspath(build)
        self.helper = os.path.join(self.build, "tests/soak/plan")
        self.directory = tempfile.mkdtemp(prefix="soak-")
        self.service = services.SERVICES[number % len(services.SERVICES)](self.random, self.directory)
        self.segment = os.path.join(self.directory, "segment")
        self.faults = 0
        self.left = set()  # inodes of what stays open
        self.server = self.behind = self.hand = None
        self.log = open(os.path.join(self.directory, "log"), "w+", encoding="utf-8", errors="replace")
        count = self.random.choice((4, 12, 24))
        self.gentle = self.rules(count, True)
        self.lossy = self.rules(count, False)
        self.plan("create", self.segment, str(self.random.getrandbits(32)), *self.gentle, *self.lossy)

        if self.random.random() < 0.8:
            kind = self.random.choice(("wire", "wire", "host"))
            self.say("the second hand: %s" % kind)
            self.hand = subprocess.Popen([self.helper, "hand", self.segment, kind], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=self.log)
            self.hand.stdout.read(1)

    # ---- small things ----

    def rules(self, count, gentle, avoid=()):
        return rules.rules(self.random, self.helper, count, gentle, self.service.calls, self.service.avoid + avoid)

    def plan(self, *arguments):
        return subprocess.run([self.helper, *arguments], check=True, text=True, capture_output=True).stdout

    def say(self, text):
        print("%s: %s" % (self.service.name, text), flush=True)

    def fault(self, text):
        self.faults += 1
        self.say("fault: " + text)

    def shim(self, **variables):
        return dict(os.environ, LD_PRELOAD=os.path.join(self.build, "libtcpfault.so"), **variables)

    def spawn(self, command, environment=None, out=None):
        return subprocess.Popen(command, env=environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                                stdout=out or self.log, stderr=subprocess.STDOUT)

    def end(self, process):
        if process and process.poll() is None:
            process.kill()
            process.wait()

    def pids(self):
        return kernel.tree(self.server.pid)

    # ---- the server ----

    def start(self):
        if self.service.behind:
            self.behind = self.behind or self.spawn(self.service.behind())
        self.server = self.spawn(self.service.server(), self.shim(TCPFAULT_TRACE=self.segment))
        if not until(lambda: kernel.listens(services.PORT) or self.server.poll() is not None, START) or \
                self.server.poll() is not None:
            self.fault("the server did not start: %s" % self.server.poll())
            return False
        return self.probe("before all faults") and self.warm()

    def warm(self):
        """A first load without faults: what the server takes for itself it has then."""
        client = self.spawn(self.service.load(1, True))
        try:
            status = client.wait(CLIENT)
        except subprocess.TimeoutExpired:
            status = "it hangs"
            self.end(client)
        if status != 0:
            self.fault("a client fails without faults: %s" % status)
        return status == 0

    def stop(self):
        self.server.terminate()
        try:
            self.server.wait(STOP)
        except subprocess.TimeoutExpired:
            self.fault("the server does not end at SIGTERM")
            self.end(self.server)
        self.crashed("the server", self.server)
        self.end(self.behind)
        if self.hand:
            if self.hand.poll() is not None:
                self.fault("the second hand has ended: %d" % self.hand.returncode)
            self.hand.terminate()
            self.hand.wait(STOP)

    def crashed(self, who, process):
        if process.poll() is None or -process.returncode not in CRASHES:
            return False
        self.fault("%s died of %s" % (who, signal.Signals(-process.returncode).name))
        return True

    # ---- what must hold ----

    def probe(self, when):
        end, told = time.monotonic() + PROBE, ""
        while True:
            with tempfile.TemporaryFile("w+") as out:
                client = self.spawn(self.service.probe(), out=out)
                try:
                    client.wait(max(1, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self.end(client)
                out.seek(0)
                told = out.read()
            if client.returncode == 0 and "Socket errors" not in told and "Non-2xx" not in told:
                break
            # iperf3 is busy until it has noticed that the last client is gone.
            if "busy" not in told or time.monotonic() > end:
                self.fault("the client fails %s: status %s: %s" % (when, client.returncode, told[-300:]))
                return False
            time.sleep(0.2)
        page = self.service.expected()
        if page:
            try:
                with urllib.request.urlopen(page[0], timeout=PROBE) as reply:
                    body = reply.read()
            except OSError as error:
                body = error
            if body != page[1]:
                self.fault("a page is wrong %s: %s" % (when, body[:200] if isinstance(body, bytes) else body))
                return False
        return True

    def measured(self):
        pids = self.pids()
        return {
            "descriptors": sum(what[:5] != "pipe:" for pid in pids for what in kernel.descriptors(pid).values()),
            "kb": sum(kernel.anonymous_kb(pid) for pid in pids),
        }

    def connections(self):
        return [s for s in kernel.sockets() if s[0] not in ("LISTEN", "TIME_WAIT", "CLOSE") and s[5] not in self.left]

    def drained(self, before, ignored):
        """No connection, thread or descriptor is left that was not there before; but for pipes, of which haproxy
        keeps some in stock."""
        if not until(lambda: not self.connections(), DRAIN) and not ignored:
            left = self.connections()
            self.fault("%d connections are left %d s after the faults and the clients have ended" % (
                len(left), DRAIN))
            for socket in left[:5]:
                self.say("  %s; %s; %s" % (socket, self.plan("sockets", self.segment, str(socket[2])).strip(), [
                    (pid, text) for pid in self.pids() for text in kernel.registrations(pid, socket[5])]))
            self.say(subprocess.run("ss -Htano; nft list ruleset", shell=True, text=True, capture_output=True).stdout)
        if not until(lambda: all("tcpfault" not in kernel.threads(pid) for pid in self.pids()
                                 if kernel.may_start_threads(pid)), THREADS):
            self.fault("the shim's thread is still there")
        if not until(lambda: self.measured()["descriptors"] <= before["descriptors"] + ignored, 5):
            self.fault("descriptors were left: %d before, %d now: %s" % (
                before["descriptors"], self.measured()["descriptors"], [
                    what for pid in self.pids() for what in kernel.descriptors(pid).values()]))

    def idles(self):
        spent = -sum(kernel.cpu_seconds(pid) for pid in self.pids())
        time.sleep(0.5)
        spent += sum(kernel.cpu_seconds(pid) for pid in self.pids())
        if spent > IDLE_CPU * 0.5:
            self.fault("the idle server took %.2f s of processor time in 0.5 s" % spent)

    # ---- a round ----

    def clients(self, seconds, gentle):
        """Starts the load; some of it under the shim."""
        started = []
        for _ in range(self.random.choice(self.service.clients)):
            environment = None
            if not gentle and self.random.random() < 0.4:
                own = self.rules(3, False, CLIENTS_AVOID)
                self.say("  client under %s" % ";".join(own))
                environment = self.shim(TCPFAULT=";".join(own), TCPFAULT_SEED=str(self.random.getrandbits(32)))
            started.append(self.spawn(self.service.load(seconds, gentle), environment))
        return started

    def disarm(self):
        for path in [self.segment] + ["/dev/shm/" + name for name in os.listdir("/dev/shm")]:
            try:
                self.plan("arm", path)
            except subprocess.CalledProcessError:
                pass  # its program has just ended

    def finish(self, clients, gentle):
        end = time.monotonic() + (CLIENT if gentle else 2)
        for client in clients:
            try:
                client.wait(max(0, end - time.monotonic()))
                if gentle and client.returncode != 0:
                    self.fault("a client failed under faults that lose nothing: status %d" % client.returncode)
            except subprocess.TimeoutExpired:
                if gentle:
                    self.fault("a client hangs %d s after faults that lose nothing" % CLIENT)
                self.end(client)
            self.crashed("a client", client)
            if client.returncode >= 0:
                left = [n for n in os.listdir("/dev/shm") if n.startswith("tcpfault-%d-" % client.pid)]
                if left:
                    self.fault("left in /dev/shm: %s" % left)

    def leak(self, armed, fired):
        """How many descriptors the faults themselves may have left, or the program by its own doing."""
        return self.service.leaks + sum(fired[n - 1] for n in armed if "ignore" in (self.gentle + self.lossy)[n - 1])

    def round(self, number, seconds, before):
        gentle = self.random.random() < 0.4
        numbers = range(1, len(self.gentle) + 1) if gentle else range(len(self.gentle) + 1,
                                                                      len(self.gentle + self.lossy) + 1)
        armed = sorted(self.random.sample(numbers, self.random.randint(1, min(8, len(numbers)))))
        self.say("round %d%s: %s" % (number, ", gentle" if gentle else "",
                                     ";".join((self.gentle + self.lossy)[n - 1] for n in armed)))
        counts = self.plan("counts", self.segment)
        self.plan("arm", self.segment, *map(str, armed))
        clients = self.clients(seconds, gentle)
        time.sleep(seconds)
        self.disarm()
        self.finish(clients, gentle)
        fired = [(int(b.split()[2]) - int(a.split()[2])) for a, b in
                 zip(counts.splitlines(), self.plan("counts", self.segment).splitlines())]
        if self.server.poll() is not None:
            self.say("  the server has ended: %d" % self.server.returncode)
            return not self.crashed("the server", self.server) and self.start() and None
        ignored = 0 if gentle else self.leak(armed, fired)
        self.drained(before, ignored)
        if not ignored and not self.left: # of what is still open an epoll instance goes on telling (epoll(7))
            self.idles()
        self.say("  fired %d" % sum(fired))
        return self.probe("after round %d" % number) and not ignored

    def run(self, seconds):
        end, number, rounds = time.monotonic() + seconds, 0, 0
        good = self.start()
        before = first = self.measured() if good else None
        while good and time.monotonic() < end and not self.faults:
            number += 1
            good = self.round(number, self.random.choice((1, 2, 4)), before)
            if good is None: # another server
                good, before, first, rounds = True, self.measured(), None, 0
            elif good is False and not self.faults: # descriptors that it believes closed are left
                good, before, self.left = True, self.measured(), {s[5] for s in kernel.sockets() if s[5]}
            rounds += 1
            first = first or self.measured()
            if good and rounds > 1 and self.measured()["kb"] > first["kb"] + GROWTH_KB:
                self.fault("memory grows: %d KB after the first round, %d now" % (first["kb"], self.measured()["kb"]))
        if self.server.poll() is None:
            self.stop()
        if self.faults:
            self.log.seek(0)
            print(self.log.read()[-4000:])
        else:
            self.say("%d rounds" % number)


def alone():
    """Everything here ends with us, and is out of others' sight."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/dev/shm"], check=True)
    with open("/proc/sys/net/ipv4/tcp_fin_timeout", "w", encoding="ascii") as file:
        file.write("3")


def main():
    alone()
    session = Session(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    try:
        session.run(float(sys.argv[4]))
    finally:
        for process in (session.server, session.behind, session.hand):
            session.end(process)
        if not (session.faults and os.environ.get("SOAK_KEEP")):
            shutil.rmtree(session.directory, ignore_errors=True)
    sys.exit(1 if session.faults else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""What a delay of 200 ms on one connection does to a server, and to its others.

    late.py [--check] BUILD

Each program serves two connections, one of which is late by a rule. Printed are
the late one's median and longest round trip of 20; the other's median, as a ratio
to the bare program's, measured in turns; and the processor time that is used in a
second in which the late one waits. `shim` is LD_PRELOAD alone, `inject` the tool,
which traces every call. With --check the status is 1 where a median is not within
200 to 230 ms, the shim's ratio above 1.2, or the processor busier than 5 %.
"""
import contextlib
import http.server
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

HTTP = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
ECHO = """
import asyncio, sys
async def serve(r, w):
    while line := await r.readline():
        w.write(line)
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""
NGINX = """daemon off; master_process off; error_log stderr; pid {dir}/pid; events {{ }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 hello; }} }} }}
"""
HAPROXY = """defaults
  mode http
  timeout client 9s
  timeout server 9s
  timeout connect 9s
frontend f
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain string hello
"""
NODE = """const server = require("http").createServer((request, reply) => reply.end("hello"));
server.keepAliveTimeout = 0;
server.listen({port}, "127.0.0.1");
"""
PROGRAMS = (
    ("redis-server", b"PING\r\n", None, "redis-server --port {port} --bind 127.0.0.1 --save --dir {dir}"),
    ("nginx", HTTP, NGINX, "nginx -p {dir} -c {file}"),
    ("memcached", b"version\r\n", None, "memcached -u nobody -l 127.0.0.1 -p {port} -t 1"),
    ("haproxy", HTTP, HAPROXY, "haproxy -db -f {file}"),
    ("node", HTTP, NODE, "node {file}"),
    ("asyncio", b"hello\r\n", ECHO, "/usr/bin/python3 {file} {port}"),
)
RULE, TURNS, ASKED = "%in:delay=200ms:role=server:conn=1", 10, 400


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as held:
        return held.getsockname()[1]


def round_trip_ms(connection, request):
    start = time.perf_counter()
    connection.sendall(request)
    if not connection.recv(65536):
        raise EOFError("the server has closed the connection")
    return (time.perf_counter() - start) * 1e3


def ticks(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def of_group(leader):
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.getpgid(int(entry)) == leader:
                yield int(entry)


class Server:
    """A program, bare or under the rule, and a connection to it that is not late."""

    def __init__(self, build, program, way):
        self.name, self.request, text, command = program
        self.dir, port = tempfile.mkdtemp(), free_port()
        os.chmod(self.dir, 0o755)
        path = os.path.join(self.dir, "file")
        words = command.format(port=port, dir=self.dir, file=path).split()
        if words[0] == "redis-server":
            words.insert(words.index("--save") + 1, "")
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text if text is ECHO else text.format(port=port, dir=self.dir))
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
        if way == "shim":
            environment.update(LD_PRELOAD=os.path.abspath(os.path.join(build, "libtcpfault.so")), TCPFAULT=RULE)
        elif way == "inject":
            words = [os.path.join(build, "tcpfault"), "inject", "--allow-unfired", "-q", RULE, "--"] + words
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.late = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.late.settimeout(10)
        round_trip_ms(self.late, self.request)
        self.other = socket.create_connection(("127.0.0.1", port), timeout=10)
        for connection in self.late, self.other:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        round_trip_ms(self.other, self.request)

    def others_ms(self):
        return [round_trip_ms(self.other, self.request) for _ in range(ASKED)]

    def busy_percent(self):
        """While the late connection waits, five times in a row."""
        group = list(of_group(self.process.pid))
        before, start = sum(map(ticks, group)), time.monotonic()
        while time.monotonic() - start < 1:
            round_trip_ms(self.late, self.request)
        used = (sum(map(ticks, group)) - before) / os.sysconf("SC_CLK_TCK")
        return 100 * used / (time.monotonic() - start)

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.late.close()
        self.other.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def measure(build, program):
    servers = {way: Server(build, program, way) for way in ("bare", "shim", "inject")}
    others = {way: [] for way in servers}
    for _ in range(TURNS):
        for way, server in servers.items():
            others[way] += server.others_ms()
    bare, bad = statistics.median(others["bare"]), False
    for way in ("shim", "inject"):
        late = [round_trip_ms(servers[way].late, servers[way].request) for _ in range(20)]
        median, ratio = statistics.median(late), statistics.median(others[way]) / bare
        busy = servers[way].busy_percent()
        print("%-14s%-8s%10.1f%10.1f%12.3f%9.2fx%9.1f%%" % (program[0], way, median, max(late),
                                                           statistics.median(others[way]), ratio, busy))
        bad |= not 200 <= median <= 230 or busy > 5 or (way == "shim" and ratio > 1.2)
    for server in servers.values():
        server.close()
    return bad


def curl(build):
    """The client is late: what a download of 64 kB takes longer, of 20."""
    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "65536")
            self.end_headers()
            self.wfile.write(b"x" * 65536)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{time_total}", "http://127.0.0.1:%d/" % server.server_port]
    environment = dict(os.environ, LD_PRELOAD=os.path.abspath(os.path.join(build, "libtcpfault.so")),
                       TCPFAULT="%in:delay=200ms")
    taken = {}
    for name, env in ("bare", None), ("shim", environment):
        taken[name] = [float(subprocess.run(command, env=env, capture_output=True, check=True, timeout=30).stdout)
                       for _ in range(20)]
    median = 1e3 * (statistics.median(taken["shim"]) - statistics.median(taken["bare"]))
    print("%-14s%-8s%10.1f" % ("curl", "shim", median))
    server.shutdown()
    return not 200 <= median <= 230


def main():
    check = "--check" in sys.argv
    build = sys.argv[-1]
    print("%-14s%-8s%10s%10s%12s%10s%10s" % ("", "", "late, ms", "longest", "other, ms", "to bare", "busy"))
    bad = [program[0] for program in PROGRAMS if measure(build, program)]
    if curl(build):
        bad.append("curl")
    if bad:
        print("not as claimed: %s" % ", ".join(bad))
    sys.exit(1 if check and bad else 0)


main()

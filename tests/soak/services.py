"""The programs of the soak test: servers, and the clients that load and probe them."""
import os
import sys

PORT, BEHIND = 7100, 7101
HERE = os.path.dirname(os.path.abspath(__file__))

NGINX = """daemon off; worker_processes 2; user root; pid {dir}/nginx.pid; error_log {dir}/nginx.log info;
events {{ worker_connections 400; multi_accept {multi}; accept_mutex {mutex}; }}
http {{ access_log off; sendfile {sendfile}; keepalive_timeout 2; client_header_timeout 3; send_timeout 4;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s; reset_timedout_connection {mutex};
  server {{ listen 127.0.0.1:{port}; listen [::1]:{port}; root {dir}/www; }} }}
"""
HAPROXY = """global
  nbthread 2
  maxconn 400
defaults
  mode {mode}
  option {option}
  option redispatch
  timeout connect 2s
  timeout client 3s
  timeout server 3s
  timeout queue 2s
  timeout http-keep-alive 1s
  retries 3
frontend front
  bind 127.0.0.1:{port}
  bind [::1]:{port}
  default_backend back
backend back
  server one 127.0.0.1:{behind}
"""


def write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.join(directory, name)


class Service:
    """calls: what it makes often. behind(): what runs bare behind it. avoid: rules (regular expressions) that
    the program does not survive, and would not on a real network. leaks: descriptors that it loses by its own
    doing when a connection fails."""
    calls = ()
    behind = None
    avoid = ()
    clients = (1, 1, 2)
    leaks = 0

    def __init__(self, random, directory):
        self.random, self.directory = random, directory
        self.host = random.choice(("127.0.0.1", "::1"))
        self.url = "http://%s:%d/" % ("[::1]" if self.host == "::1" else self.host, PORT)

    def expected(self):
        """A path and its bytes, where the server speaks HTTP."""
        return None


class Redis(Service):
    name = "redis-server"
    calls = ("read", "write", "epoll_wait")
    # It forgets a client that it could not watch: createClient does not look at what epoll_ctl says.
    avoid = ("(epoll_ctl|%all):.*error=",)

    def __init__(self, random, directory):
        super().__init__(random, directory)
        self.length = random.choice((3, 1000, 20000))

    def server(self):
        return ["redis-server", "--port", str(PORT), "--save", "", "--bind", "127.0.0.1", "::1",
                "--daemonize", "no", "--io-threads", self.random.choice(("1", "2")), "--dir", self.directory]

    def load(self, seconds, gentle):
        del seconds
        return self.client("-t", "set,get", "-r", "100", "-d", str(self.length),
                           "-c", str(self.random.choice((2, 20, 50))), "-n", "600" if gentle else "20000",
                           "-P", str(self.random.choice((1, 1, 4))))

    def client(self, *arguments):
        return ["redis-benchmark", "-h", self.host, "-p", str(PORT), "-q", *arguments]

    def probe(self):
        return self.client("-t", "ping,set,get", "-c", "10", "-n", "500")


class Nginx(Service):
    name = "nginx"
    calls = ("recv", "writev", "sendfile", "epoll_wait")
    port = PORT

    def configure(self):
        os.makedirs(os.path.join(self.directory, "www"), exist_ok=True)
        for name, length in (("small", 300), ("large", 300000)):
            write(self.directory, "www/" + name, ("%s of the static files\n" % name * length)[:length])
        choose = lambda: self.random.choice(("on", "off"))
        return write(self.directory, "nginx.conf", NGINX.format(
            dir=self.directory, port=self.port, sendfile=choose(), multi=choose(), mutex=choose()))

    def server(self):
        return ["nginx", "-c", self.configure(), "-p", self.directory, "-e", self.directory + "/nginx.log"]

    def load(self, seconds, gentle):
        del gentle
        return ["wrk", "-t", "2", "-c", str(self.random.choice((4, 20, 60))), "-d", "%ds" % seconds,
                self.url + self.random.choice(("small", "large"))]

    def probe(self):
        return ["wrk", "-t", "1", "-c", "10", "-d", "1s", self.url + "small"]

    def expected(self):
        with open(os.path.join(self.directory, "www/large"), "rb") as file:
            return self.url + "large", file.read()


class Haproxy(Nginx):
    name = "haproxy"
    calls = ("recv", "send", "splice", "epoll_wait")
    port = BEHIND

    def server(self):
        mode = self.random.choice(("http", "tcp"))
        option = self.random.choice(("http-server-close", "http-keep-alive") if mode == "http" else ("splice-auto",))
        return ["haproxy", "-db", "-f", write(self.directory, "haproxy.conf", HAPROXY.format(
            port=PORT, behind=BEHIND, mode=mode, option=option))]

    def behind(self):
        return Nginx.server(self)


class Memcached(Service):
    name = "memcached"
    # It accepts no more until a connection is closed, and there may be none.
    avoid = ("error=EMFILE",)
    calls = ("read", "sendmsg", "epoll_wait")

    def server(self):
        return ["memcached", "-u", "root", "-p", str(PORT), "-U", "0", "-l", "127.0.0.1,::1", "-t", "3"]

    def client(self, seconds, *more):
        return [sys.executable, os.path.join(HERE, "memcache.py"), self.host, str(PORT), str(seconds), *more]

    def load(self, seconds, gentle):
        return self.client(seconds, "8", *(["strict"] if gentle else []))

    def probe(self):
        return self.client(0.5, "4", "strict")


class Iperf3(Service):
    name = "iperf3"
    calls = ("read", "write", "select")
    clients = (1,)
    leaks = 20
    # Its lengths and its JSON come unchecked from the peer.
    avoid = ("corrupt",)

    def server(self):
        return ["iperf3", "-s", "-p", str(PORT), "--rcv-timeout", "2000"]

    def load(self, seconds, gentle):
        del gentle
        return ["iperf3", "-c", self.host, "-p", str(PORT), "-t", str(int(seconds)), "-P", "3",
                "--connect-timeout", "2000", *self.random.choice(([], ["-R"], ["--bidir"], ["-Z"]))]

    def probe(self):
        return ["iperf3", "-c", self.host, "-p", str(PORT), "-n", "4M", "--connect-timeout", "3000"]


SERVICES = (Redis, Nginx, Memcached, Haproxy, Iperf3)

/* Programs that nobody here wrote. */
#include "check.h"
#include "net.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *redis(int port)
{
    return it_text("redis-server --port %d --bind 127.0.0.1 --save '' --dir %s", port, it_scratch());
}

static const char *memcached(int port)
{
    return it_text("memcached -l 127.0.0.1 -p %d -U 0 -t 1%s", port, geteuid() == 0 ? " -u nobody" : "");
}

static const char *haproxy(int port)
{
    return it_text("haproxy -db -f %s",
                   it_file("haproxy.cfg", it_text("global\n"
                                                  "  nbthread 1\n"
                                                  "defaults\n"
                                                  "  mode http\n"
                                                  "  timeout client 5s\n"
                                                  "  timeout connect 5s\n"
                                                  "  timeout server 5s\n"
                                                  "frontend f\n"
                                                  "  bind 127.0.0.1:%d\n"
                                                  "  http-request return status 200 "
                                                  "content-type text/plain string hello\n",
                                                  port)));
}

static const char *socat(int port)
{
    return it_text("socat TCP-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork EXEC:cat", port);
}

static const char *nginx(int port, const char *user)
{
    const char *dir = it_scratch();
    return it_text(
        "nginx -p %s -c %s", dir,
        it_file("nginx.conf",
                it_text("daemon off;\nerror_log stderr;\npid %s/nginx.pid;\n%sworker_processes 1;\n"
                        "events { accept_mutex off; }\n"
                        "http {\n  access_log off;\n"
                        "  client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f;\n"
                        "  uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
                        "  server { listen 127.0.0.1:%d; location / { return 200 hello; } }\n}\n",
                        dir, user, dir, dir, dir, dir, dir, port)));
}

static const char *nginx_alone(int port)
{
    return it_text("%s -g 'master_process off;'", nginx(port, ""));
}

static const char *node(int port)
{
    return it_text(
        "node -e 'require(\"http\").createServer((q, r) => r.end(\"hello\")).listen(%d, \"127.0.0.1\")'",
        port);
}

static const char *asyncio(int port)
{
    return it_text("/usr/bin/python3 %s %d",
                   it_file("late.py",
                           "import asyncio, sys\n"
                           "async def serve(r, w):\n"
                           "    while line := await r.readline():\n"
                           "        w.write(line)\n"
                           "async def main():\n"
                           "    s = await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1]))\n"
                           "    await s.serve_forever()\n"
                           "asyncio.run(main())\n"),
                   port);
}

static struct it_child *serve(enum it_way way, const char *rules, const char *command)
{
    return it_under_start(&(struct it_under){
        .way = way, .rules = rules, .argv = ARGV("sh", "-c", it_text("exec %s", command)), .deadline_s = 30});
}

#define HTTP "GET / HTTP/1.0\r\n\r\n"

static void persistent_ECONNABORTED_resets_each_client_and_makes_no_server_spin(void)
{
    struct {
        const char *name, *request;
        const char *(*command)(int port);
        int port;
        struct it_child *child;
        double cpu;
    } servers[] = {{"redis", "PING\r\n", redis, 0, NULL, 0},
                   {"memcached", "version\r\n", memcached, 0, NULL, 0},
                   {"haproxy", HTTP, haproxy, 0, NULL, 0},
                   {"socat", "hello\n", socat, 0, NULL, 0}};
    enum { SERVERS = sizeof servers / sizeof *servers, CLIENTS = 5 };

    for (int i = 0; i < SERVERS; i++) {
        servers[i].port = it_port();
        servers[i].child = serve(IT_BARE, "%accept:error=ECONNABORTED", servers[i].command(servers[i].port));
    }
    for (int i = 0; i < SERVERS; i++)
        if (!it_listens(servers[i].child, servers[i].port))
            return;
    for (int i = 0; i < SERVERS; i++)
        servers[i].cpu = it_cpu_seconds(servers[i].child->pid);
    uint64_t start = it_now_ns();
    for (int client = 0; client < CLIENTS; client++)
        for (int i = 0; i < SERVERS; i++) {
            int fd = it_connect(servers[i].port);
            CHECK_TEXT(it_text("%s: %s", servers[i].name, it_ask(fd, servers[i].request, "\n")),
                       it_text("%s: ECONNRESET", servers[i].name));
        }
    while (it_now_ns() - start < UINT64_C(1000000000))
        for (int i = 0; i < SERVERS; i++)
            it_attend(servers[i].child, 0.05);
    double seconds = (double)(it_now_ns() - start) / 1e9;
    for (int i = 0; i < SERVERS; i++) {
        double used = it_cpu_seconds(servers[i].child->pid) - servers[i].cpu;
        CHECK_SAYING(!servers[i].child->over && used / seconds < 0.15,
                     it_text("%s used %.2f of %.2f s, exit %d: %.500s", servers[i].name, used, seconds,
                             servers[i].child->over ? servers[i].child->exit : -1, servers[i].child->err));
        CHECK_SAYING(
            servers[i].child->err_bytes < 100000,
            it_text("%s wrote %llu bytes", servers[i].name, (unsigned long long)servers[i].child->err_bytes));
    }
}

/* The first client meets the fault, the second is served. */
static void first_and_second(struct it_child *server, int port, const char *request, const char *reply)
{
    if (!it_listens(server, port))
        return;
    int fd = it_connect(port);
    CHECK_TEXT(it_ask(fd, request, "\n"), "ECONNRESET");
    fd = it_connect(port);
    CHECK_HAS(it_ask(fd, request, reply), reply);
    CHECK_INT(it_fired(1), 1);
}

static void servers_that_call_accept4_are_struck_by_that_name(void)
{
    const char *rule = "accept4:error=ECONNABORTED:when=1";
    int port = it_port();
    first_and_second(serve(IT_PLAIN, rule, redis(port)), port, "PING\r\n", "+PONG");
    port = it_port();
    first_and_second(serve(IT_PLAIN, rule, memcached(port)), port, "version\r\n", "VERSION");
    port = it_port();
    first_and_second(serve(IT_PLAIN, rule, haproxy(port)), port, HTTP, "hello");
}

static void a_rule_for_accept_leaves_them_alone_and_counts_nothing(void)
{
    int port = it_port();
    struct it_child *server = serve(IT_PLAIN, "accept:error=ECONNABORTED", redis(port));
    if (it_listens(server, port))
        CHECK_HAS(it_ask(it_connect(port), "PING\r\n", "\n"), "+PONG");
    CHECK_INT(it_fired(1), 0);
    CHECK_INT(it_counted(1), 0);
}

static void nginx_stays_covered_after_its_workers_dropped_their_rights(void)
{
    /* Run as root, its workers belong to another user; an ordinary user's do not. */
    const char *user = geteuid() == 0 ? "user nobody nogroup;\n" : "";
    int port = it_port();
    size_t count;

    struct it_child *server =
        serve(IT_PLAIN, "accept4:error=ECONNABORTED:when=1;%out:short=1", nginx(port, user));
    first_and_second(server, port, HTTP, "hello");
    const struct tf_event *events = it_events(&count);
    CHECK(count >= 2);
    if (count == 0)
        return;
    const char *status = it_read_file(it_text("/proc/%u/status", events[0].pid));
    CHECK(events[0].pid != (uint32_t)server->pid);
    CHECK_HAS(status, geteuid() == 0 ? "Uid:\t65534\t65534" : it_text("Uid:\t%u", geteuid()));
    CHECK(it_fired(2) > 10);
}

static void one_byte_at_a_time_changes_no_reply(void)
{
    int redis_port = it_port(), nginx_port = it_port(), haproxy_port = it_port();
    struct it_child *redis_child = serve(IT_BARE, "%in:short=1;%out:short=1", redis(redis_port));
    struct it_child *nginx_child = serve(IT_BARE, "%in:short=1;%out:short=1",
                                         nginx(nginx_port, geteuid() == 0 ? "user nobody nogroup;\n" : ""));
    struct it_child *haproxy_child = serve(IT_BARE, "%in:short=1;%out:short=1", haproxy(haproxy_port));

    if (it_listens(redis_child, redis_port))
        CHECK_TEXT(it_ask(it_connect(redis_port), "SET key value\r\nGET key\r\n", "value\r\n"),
                   "+OK\r\n$5\r\nvalue\r\n");
    if (it_listens(nginx_child, nginx_port))
        CHECK_HAS(it_ask(it_connect(nginx_port), HTTP, "hello"), "hello");
    if (it_listens(haproxy_child, haproxy_port))
        CHECK_HAS(it_ask(it_connect(haproxy_port), HTTP, "hello"), "hello");
}

static void faults_of_clients_leave_logs_and_wake_up_pipes_alone(void)
{
    static const char *const rules[] = {"%in:error=ECONNRESET", "%out:error=EPIPE"};
    for (int i = 0; i < 2; i++) {
        int redis_port = it_port(), memcached_port = it_port();
        const char *log = it_text("%s/redis-%d.log", it_scratch(), i);
        struct it_child *redis_child =
            serve(IT_BARE, rules[i], it_text("%s --logfile %s", redis(redis_port), log));
        struct it_child *memcached_child = serve(IT_BARE, rules[i], memcached(memcached_port));
        if (!it_listens(redis_child, redis_port) || !it_listens(memcached_child, memcached_port))
            return;
        for (int client = 0; client < 3; client++) {
            CHECK_TEXT(it_ask(it_connect(redis_port), "PING\r\n", "\n"), "ECONNRESET");
            CHECK_TEXT(it_ask(it_connect(memcached_port), "version\r\n", "\n"), "ECONNRESET");
        }
        it_attend(redis_child, 0.1);
        CHECK(!redis_child->over && !memcached_child->over);
        kill(redis_child->pid, SIGTERM);
        CHECK_EXIT(it_finish(redis_child), 0);
        CHECK_HAS(it_read_file(log), "bye bye");
    }
}

static bool readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) > 0;
}

/* As it_ask, for any number of times: nothing is kept of it. */
static bool answers(int fd, const char *request, const char *reply)
{
    char got[4096];
    size_t have = 0;

    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return false;
    do {
        ssize_t more = recv(fd, got + have, sizeof got - 1 - have, 0);
        if (more <= 0)
            return false;
        have += (size_t)more;
        got[have] = 0;
    } while (!strstr(got, reply) && have < sizeof got - 1);
    return strstr(got, reply) != NULL;
}

/* Milliseconds until what the connection was asked has come; meanwhile another one
 * is asked again and again (NULL: nobody). */
static double late_ms(int fd, const char *request, const char *reply, int other, unsigned *answered)
{
    uint64_t start = it_now_ns();

    CHECK_INT(send(fd, request, strlen(request), 0), (long)strlen(request));
    for (*answered = 0; !readable(fd) && it_now_ns() - start < UINT64_C(10000000000);) {
        if (other < 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000);
        else if (answers(other, request, reply))
            ++*answered;
        else
            other = -1; /* a server has enough after so many requests */
    }
    double ms = (double)(it_now_ns() - start) / 1e6;
    CHECK_HAS(it_ask(fd, "", reply), reply);
    return ms;
}

static void a_late_connection_stalls_no_event_loop(void)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    static const struct {
        const char *name, *request, *reply;
        const char *(*command)(int port);
    } servers[] = {{"redis", "PING\r\n", "+PONG\r\n", redis},
                   {"memcached", "version\r\n", "\r\n", memcached},
                   {"haproxy", http, "hello", haproxy},
                   {"nginx", http, "hello", nginx_alone},
                   {"node", http, "hello", node},
                   {"asyncio", "hello\r\n", "hello\r\n", asyncio}};

    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        for (int way = IT_PLAIN; way <= IT_TRACED; way++) {
            int port = it_port();
            unsigned answered, nobody;
            struct it_child *server =
                serve(way, "%in:delay=300ms:role=server:conn=1", servers[i].command(port));
            if (!it_listens(server, port))
                return;
            int late = it_connect(port);
            double first = late_ms(late, servers[i].request, servers[i].reply, -1, &nobody);
            int other = it_connect(port);
            double second = late_ms(late, servers[i].request, servers[i].reply, other, &answered);
            CHECK_SAYING(first >= 300 && second >= 300 && first < 3000 && second < 3000,
                         it_text("%s: late by %.1f and %.1f ms", servers[i].name, first, second));
            CHECK_SAYING(answered > 30, it_text("%s: %u answers meanwhile", servers[i].name, answered));
            double cpu = it_cpu_seconds(server->pid);
            for (int n = 0; n < 3; n++)
                late_ms(late, servers[i].request, servers[i].reply, -1, &nobody);
            cpu = it_cpu_seconds(server->pid) - cpu;
            CHECK_SAYING(cpu < 0.1,
                         it_text("%s: %.2f s of CPU while it waited for 0.9 s", servers[i].name, cpu));
            CHECK(it_fired(1) >= 5);
            close(late);
            close(other);
            kill(server->pid, SIGKILL);
        }
}

static void a_client_that_waits_for_late_data_gets_it(void)
{
    const char *url = it_text("http://127.0.0.1:%d/", it_http_peer(100000));
    const char *const curl[] = {"curl", "-sS", "-o", "/dev/null", "-w", "%{time_total} %{size_download}",
                                url,    NULL};
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        double seconds = 0;
        int bytes = 0;
        struct it_child *child = it_shimmed(way, "%in:delay=200ms", curl);
        CHECK_EXIT(child, 0);
        CHECK(sscanf(child->out, "%lf %d", &seconds, &bytes) == 2);
        CHECK_SAYING(bytes == 100000 && seconds >= 0.2 && seconds < 5, child->out);
    }
    /* The program's own deadline is kept. */
    CHECK_EXIT(it_shimmed(IT_BARE, "%in:delay=30s", ARGV("curl", "-sS", "-m", "1", url)), 28);
}

static const char kinds[] =
    "import asyncio, http.client, json, os, select, socket, ssl, subprocess, tempfile, threading\n"
    "said = []\n"
    "with tempfile.TemporaryFile() as f:\n"
    "    f.write(b'file'); f.seek(0); said.append(f.read() == b'file')\n"
    "r, w = os.pipe(); os.write(w, b'pipe'); said.append(os.read(r, 9) == b'pipe')\n"
    "a, b = socket.socketpair(); a.send(b'unix'); said.append(b.recv(9) == b'unix')\n"
    "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))\n"
    "v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.sendto(b'udp', u.getsockname())\n"
    "said.append(u.recvfrom(9)[0] == b'udp')\n"
    "said.append(subprocess.run(['echo', 'child'], capture_output=True).stdout == b'child\\n')\n"
    "said.append(asyncio.run(asyncio.sleep(0, 'loop')) == 'loop')\n"
    "l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname())\n"
    "s, _ = l.accept()\n"
    "try:\n"
    "    s.send(b'tcp'); print(all(said), c.recv(9))\n"
    "except OSError as error:\n"
    "    print(all(said), type(error).__name__)\n";

static void python_keeps_its_imports_files_pipes_and_other_sockets(void)
{
    const char *const *argv = ARGV("/usr/bin/python3", "-c", kinds);
    CHECK_TEXT(it_shimmed(IT_BARE, "%in:error=ECONNRESET", argv)->out, "True ConnectionResetError\n");
    CHECK_TEXT(it_shimmed(IT_TRACED, "%in:error=ECONNRESET", argv)->out, "True ConnectionResetError\n");
    CHECK_TEXT(it_shimmed(IT_BARE, "%out:error=EPIPE", argv)->out, "True BrokenPipeError\n");
    CHECK_TEXT(it_shimmed(IT_PLAIN, "%in:eof", argv)->out, "True b''\n");
}

static void the_first_connect_that_counts_is_a_TCP_one(void)
{
    /* Name services and the program itself use AF_UNIX first. */
    const char *program =
        it_text("import socket\n"
                "u = socket.socket(socket.AF_UNIX)\n"
                "try: u.connect('/nowhere')\n"
                "except FileNotFoundError: print('unix')\n"
                "port = %d\n"
                "try: a = socket.getaddrinfo('localhost', port, socket.AF_INET, socket.SOCK_STREAM)[0][4]\n"
                "except socket.gaierror: a = ('127.0.0.1', port)\n" /* no /etc/hosts */
                "for i in range(2):\n"
                "    try: socket.create_connection(a); print('connected')\n"
                "    except ConnectionRefusedError: print('refused')\n",
                it_sink_peer());
    for (int way = IT_BARE; way <= IT_TRACED; way++)
        CHECK_TEXT(
            it_shimmed(way, "connect:error=ECONNREFUSED:when=1", ARGV("/usr/bin/python3", "-c", program))
                ->out,
            "unix\nrefused\nconnected\n");
}

IT_SUITE(servers, TEST(persistent_ECONNABORTED_resets_each_client_and_makes_no_server_spin),
         TEST(servers_that_call_accept4_are_struck_by_that_name),
         TEST(a_rule_for_accept_leaves_them_alone_and_counts_nothing),
         TEST(nginx_stays_covered_after_its_workers_dropped_their_rights),
         TEST(one_byte_at_a_time_changes_no_reply), TEST(a_late_connection_stalls_no_event_loop),
         TEST(a_client_that_waits_for_late_data_gets_it),
         TEST(faults_of_clients_leave_logs_and_wake_up_pipes_alone),
         TEST(python_keeps_its_imports_files_pipes_and_other_sockets),
         TEST(the_first_connect_that_counts_is_a_TCP_one))

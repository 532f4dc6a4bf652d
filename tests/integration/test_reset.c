/* reset: whatever a program may ask afterwards, it is told what it would be after
 * a real RST, which here comes from a peer that closes with SO_LINGER of 0. */
#include "check.h"
#include "looks.h"
#include "net.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <signal.h>

static const char *const receivers[] = {"read",     "readv",  "preadv2", "recv",     "recvfrom",    "recvmsg",
                                        "recvmmsg", "splice", "__read",  "sys_read", "sys_recvfrom"};
static const char *const senders[] = {"write",      "writev",  "pwritev2", "send",
                                      "sendto",     "sendmsg", "sendmmsg", "sendfile",
                                      "splice_out", "__write", "__send",   "sys_sendto"};

/* Over IPv4 and IPv6: `before`, then the step on which the rule strikes or that
 * comes behind a real RST, then each of so many looks. */
static void as_real(const char *file, unsigned line, const char *rule, const char *before, const char *step,
                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int six = 0; six < 2; six++) {
            const char *pair = six ? "pair6" : "pair";
            it_same(file, line, rule, it_text("%s on:PIPE %s %s hits %s", pair, before, step, looks[i]),
                    it_text("%s on:PIPE %s s.reset %s hits %s", pair, before, step, looks[i]));
        }
}

#define AS_REAL(rule, before, step) as_real(__FILE__, __LINE__, rule, before, step, LOOKS)
#define AS_REAL_AT_FIRST(rule, before, step) as_real(__FILE__, __LINE__, rule, before, step, 1)

static void a_call_that_receives_is_told_as_by_a_real_RST(void)
{
    for
        EACH(receivers)
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "", it_text("c.%s:9", receivers[i]));
    AS_REAL("%in:reset:role=client:when=1", "", "c.recv:9");
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "c.nb", "c.recv:9");
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "", "c.recv:9:peek");
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "", "c.recv:9:waitall");
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "", "c.recv:9:dontwait");
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "", "c.recv:0");
    AS_REAL_AT_FIRST("%in:reset:role=client:when=1", "", "c.read:0");
}

static void a_call_that_sends_is_told_as_by_a_real_RST(void)
{
    for
        EACH(senders)
    AS_REAL_AT_FIRST("%out:reset:role=client:when=1", "", it_text("c.%s:hello", senders[i]));
    AS_REAL("%out:reset:role=client:when=1", "", "c.send:hello");
    AS_REAL_AT_FIRST("%out:reset:role=client:when=1", "c.nb", "c.send:hello");
    AS_REAL_AT_FIRST("%out:reset:role=client:when=1", "", "c.send:hello:nosignal");
}

static void any_other_call_goes_on_upon_the_dead_socket(void)
{
    static const struct {
        const char *rule, *step;
    } cases[] = {{"shutdown", "c.shut:wr"},
                 {"getpeername", "c.peer"},
                 {"getsockname", "c.addr"},
                 {"setsockopt", "c.opt:TCP_NODELAY:1"},
                 {"setsockopt", "c.opt:SO_KEEPALIVE:1"},
                 {"getsockopt", "c.getopt:SO_ERROR"},
                 {"getsockopt", "c.getopt:TCP_NODELAY"},
                 {"getsockopt", "c.inform"},
                 {"epoll_ctl", "c.epoll"},
                 {"dup", "c.dup:d"},
                 {"fcntl", "c.dupfd:d"},
                 {"fcntl", "c.nb"},
                 {"ioctl", "c.ioctl"},
                 {"close", "c.close"}};

    for
        EACH(cases)
    AS_REAL_AT_FIRST(it_text("%s:reset:role=client:when=1", cases[i].rule), "", cases[i].step);
    AS_REAL("getpeername:reset:role=client:when=1", "", "c.peer");
    AS_REAL("connect:reset:role=client:when=2", "", "c.connect");
}

static void behind_the_peers_FIN_a_RST_is_an_EPIPE(void)
{
    for
        EACH(receivers)
    AS_REAL_AT_FIRST("%in:reset:role=client:when=2", "s.fin c.recv:9", it_text("c.%s:9", receivers[i]));
    for
        EACH(senders)
    AS_REAL_AT_FIRST("%out:reset:role=client:when=1", "s.fin c.recv:9", it_text("c.%s:hello", senders[i]));
    for
        EACH(receivers)
    AS_REAL_AT_FIRST("getpeername:reset:role=client:when=1", "s.fin c.recv:9",
                     it_text("c.peer c.%s:9 c.msg c.poll", receivers[i]));
    AS_REAL("%in:reset:role=client:when=2", "s.fin c.recv:9", "c.recv:9");
    AS_REAL("%out:reset:role=client:when=1", "s.fin c.recv:9", "c.send:hello");
    AS_REAL_AT_FIRST("%out:reset:role=client:when=1", "s.fin c.recv:9", "c.send:hello:nosignal");
}

static void behind_its_own_FIN_it_is_an_ECONNRESET(void)
{
    AS_REAL("%in:reset:role=client:when=2", "c.fin s.recv:9 s.send:ack c.recv:9", "c.recv:9");
    AS_REAL("%out:reset:role=client:when=1", "c.fin s.recv:9 s.send:ack c.recv:9", "c.send:hello");
    AS_REAL("getpeername:reset:role=client:when=1", "c.fin s.recv:9 s.send:ack c.recv:9", "c.peer");
}

static void what_could_not_be_sent_is_thrown_away(void)
{
    PROBE_AS_REAL("getpeername:reset:role=client:when=1",
                  it_text("pair on:PIPE c.nb c.send:#9000000:part c.peer %s", looks[1]),
                  it_text("pair on:PIPE c.nb c.send:#9000000:part s.reset c.peer %s", looks[1]));
}

static void a_connection_that_connect_has_not_reported_yet_can_be_reset(void)
{
    static const struct {
        const char *rule, *step;
    } cases[] = {{"%in", "c.recv:9"},
                 {"%out", "c.send:hello"},
                 {"getsockopt", "c.getopt:SO_ERROR"},
                 {"shutdown", "c.shut:wr"},
                 {"getpeername", "c.peer"}};
    static const char *const then[] = {"c.connect c.poll c.connect c.poll:2000:out",
                                       "c.shut:wr c.poll c.connect c.poll c.connect",
                                       "c.poll c.listen c.connect"};
    const char *start = "l.listen c.tcp c.nb c.connect c.poll:2000:out l.accept";

    for
        EACH(cases)
    for (size_t j = 0; j < 3; j++)
        PROBE_AS_REAL(it_text("%s:reset:role=client:when=1", cases[i].rule),
                      it_text("%s %s %s", start, cases[i].step, then[j]),
                      it_text("%s s.reset %s %s", start, cases[i].step, then[j]));
}

static void a_connect_is_followed_by_the_RST(void)
{
    for
        EACH(looks)
    PROBE_AS_REAL("connect:reset:when=1", it_text("l.listen c.tcp c.connect l.accept %s", looks[i]),
                  it_text("l.listen c.tcp c.connect l.accept s.reset %s", looks[i]));
    PROBE_FIRED(
        "connect:reset:when=1",
        "l.listen c.tcp c.nb c.connect c.poll:2000 c.getopt:SO_ERROR c.connect l.accept s.recv:9",
        "c.connect=EINPROGRESS c.poll=IN+OUT+ERR+HUP+RDHUP c.getopt=ECONNRESET c.connect=ECONNABORTED "
        "s.recv=ECONNRESET",
        1);
    PROBE_REFUSED("connect:reset:when=1", "l.dead c.tcp c.connect", "c.connect=ECONNREFUSED",
                  "the real call failed first");
}

static void who_sleeps_on_the_connection_is_woken(void)
{
    static const char *const waits[] = {"poll", "ppoll", "select", "pselect", "epollexcl", "epollone"};

    for
        EACH(receivers)
    for (int peek = 0; peek < 2; peek++)
        PROBE_AS_REAL("getpeername:reset:role=client:when=1",
                      it_text("pair c.%s:9& c.peer join %s", receivers[i], looks[peek]),
                      it_text("pair c.%s:9& s.reset c.peer join %s", receivers[i], looks[peek]));
    PROBE_AS_REAL("getpeername:reset:role=client:when=1",
                  it_text("pair c.recv:9:waitall& c.peer join %s", looks[0]),
                  it_text("pair c.recv:9:waitall& s.reset c.peer join %s", looks[0]));
    PROBE_AS_REAL("getpeername:reset:role=client:when=1",
                  it_text("pair c.send:#9000000:part& c.peer join %s", looks[1]),
                  it_text("pair c.send:#9000000:part& s.reset c.peer join %s", looks[1]));
    /* Between the RST and what makes the socket look shut, poll may look. */
    for
        EACH(waits)
        {
            struct it_child *child =
                it_shimmed(IT_PLAIN, "getpeername:reset:role=client:when=1",
                           it_probe_argv(it_text("pair c.%s:9000:in& c.peer join c.poll", waits[i])));
            CHECK_HAS(child->out, strstr(waits[i], "select") ? "select=IN " : "ERR+HUP");
            CHECK_HAS(child->out, "c.poll=IN+OUT+ERR+HUP+RDHUP");
        }
}

static void every_kind_of_epoll_reports_it(void)
{
    const char *before =
                   "c.dup:d d.epollone:0 c.dup:e e.epollexcl:0 c.dup:f f.epollnest:0 c.dup:g g.epollet:0",
               *after = "d.epollone d.epollone e.epollexcl e.epollexcl f.epollnest f.epollnest g.epollet "
                        "c.getopt:SO_ERROR e.epollexcl f.epollnest";

    PROBE_AS_REAL("getpeername:reset:role=client:when=1", it_text("pair %s c.peer %s", before, after),
                  it_text("pair %s s.reset c.peer %s", before, after));
}

static void duplicates_children_and_new_images_are_told(void)
{
    static const char *const ways[] = {"c.dup:d d.recv:9 c.addr d.connect c.send:x",
                                       "c.recv:9@ c.addr@ c.addr c.connect@ c.connect c.recv:9",
                                       "fork c.recv:9 c.addr c.connect c.inform",
                                       "c.recv:9 exec c.addr c.connect c.inform c.recv:9",
                                       "c.pass:p p.recv:9 p.addr p.connect c.addr c.connect c.recv:9"};

    for
        EACH(ways)
    PROBE_AS_REAL("recv:reset:role=client:when=1", it_text("pair %s", ways[i]),
                  it_text("pair s.reset %s", ways[i]));
    PROBE_AS_REAL("getpeername:reset:role=client:when=1",
                  "pair s.fin c.recv:9 c.peer@ c.recv:9@ c.send:x c.poll",
                  "pair s.fin c.recv:9 s.reset c.peer@ c.recv:9@ c.send:x c.poll");
}

static void a_socket_that_is_dissolved_connects_anew(void)
{
    const char *after =
        "c.unassociate c.addr c.poll c.connect c.peer l.accept s.send:data c.recv:9 s.fin c.recv:9";

    PROBE_AS_REAL("recv:reset:role=client:when=1", it_text("pair c.recv:9 %s", after),
                  it_text("pair s.reset c.recv:9 %s", after));
}

static void a_dead_socket_that_is_bound_has_the_new_name(void)
{
    PROBE_AS_REAL("recv:reset:role=client:when=1", "pair c.addr c.recv:9 c.addr c.dead c.addr c.listen",
                  "pair c.addr s.reset c.recv:9 c.addr c.dead c.addr c.listen");
}

static void the_peer_gets_a_real_RST(void)
{
    static const char *const states[] = {"", "s.fin c.recv:9", "c.fin s.recv:9", "c.send:unread",
                                         "c.nb c.send:#9000000:part"};

    for
        EACH(states)
    PROBE_FIRED("getpeername:reset:role=client:when=1",
                it_text("pair %s c.peer s.poll:2000:in s.getopt:SO_ERROR s.send:x", states[i]),
                it_text("%sc.peer=ENOTCONN s.poll=IN+ERR+HUP s.getopt=%s s.send=EPIPE",
                        i == 1   ? "c.recv=0 "
                        : i == 2 ? "s.recv=0 "
                        : i == 3 ? "c.send=6 "
                        : i == 4 ? "c.send=part "
                                 : "",
                        i == 2 ? "EPIPE" : "ECONNRESET"),
                1);
}

/* A RST leaves in Linux what has come before it; disconnecting does not. So the
 * call is struck where the RST has overtaken what was not read yet. */
static void what_was_not_read_is_overtaken(void)
{
    PROBE_FIRED("%in:reset:role=client:when=1", "pair s.send:data s.fin c.recv:9 c.recv:9 c.send:x c.poll",
                "s.send=4 c.recv=ECONNRESET c.recv=0 c.send=EPIPE c.poll=IN+OUT+HUP+RDHUP", 1);
    PROBE_FIRED("getpeername:reset:role=client:when=1", "pair s.send:data c.peer c.recv:9 c.recv:9",
                "s.send=4 c.peer=ENOTCONN c.recv=ECONNRESET c.recv=0", 1);
    /* Both ends have closed, and there is nothing to reset any more but that. */
    PROBE_FIRED("%in:reset:role=client:when=1",
                "pair s.send:data c.fin s.recv:9 s.fin c.poll:2000:in c.recv:9 c.recv:9 c.poll s.recv:9",
                "s.send=4 s.recv=0 c.poll=IN+HUP c.recv=ECONNRESET c.recv=0 c.poll=IN+OUT+HUP+RDHUP s.recv=0",
                1);
}

static void only_a_connection_can_be_reset_and_only_once(void)
{
    PROBE_FIRED("%in:reset:role=client", "pair c.recv:9 c.recv:9 c.recv:9",
                "c.recv=ECONNRESET c.recv=0 c.recv=0", 1);
    PROBE_REFUSED("getpeername:reset:role=client", "pair s.reset c.peer c.recv:9",
                  "c.peer=ENOTCONN c.recv=ECONNRESET", "the connection was already gone");
    PROBE_REFUSED("recv:error=ECONNRESET:role=client;getpeername:reset", "pair s.reset c.recv:9 c.recv:9",
                  "c.recv=ECONNRESET c.recv=0", "the connection was already gone");
    PROBE("getpeername:reset:role=client;recv:error=ETIMEDOUT;send:reset", "pair c.peer c.recv:9 c.send:x",
          "c.peer=ENOTCONN c.recv=ECONNRESET c.send=EPIPE");
    PROBE_REFUSED("recv:reset", "c.tcp c.recv:9", "c.recv=ENOTCONN", "the socket was not connected");
    PROBE_REFUSED("setsockopt:reset", "l.listen l.opt:TCP_NODELAY:1 c.tcp c.connect l.poll:2000:in",
                  "c.connect=0 l.poll=IN", "the socket was not connected");
    PROBE_REFUSED("getpeername:reset:role=client", "pair c.fin s.recv:9 s.fin c.poll:2000:in c.recv:9 c.peer",
                  "s.recv=0 c.poll=IN+HUP c.recv=0 c.peer=ENOTCONN", "the connection was already gone");
}

static void a_kernel_that_will_not_reset_it_is_said_to(void)
{
    const char *why = "this kernel resets no connection while another thread waits on it";

    PROBE_REFUSED("recv:reset:role=client", "pair6 busy s.send:data c.recv:9 c.send:x s.recv:9",
                  "s.send=4 c.recv=4:data c.send=1 s.recv=1:x", why);
    PROBE_REFUSED("recv:error=ECONNRESET:role=client", "pair6 busy s.send:data c.recv:9 c.send:x s.recv:9",
                  "s.send=4 c.recv=4:data c.send=1 s.recv=1:x", why);
}

static void it_goes_with_other_faults(void)
{
    PROBE_FIRED("%in:delay=10ms:reset:role=client:when=1",
                "pair s.send:data mark c.recv:9 since:10 c.recv:9 s.recv:9",
                "s.send=4 c.recv=ECONNRESET since=yes c.recv=0 s.recv=ECONNRESET", 1);
    /* To the program, the peer has closed its half. */
    PROBE("recv:eof:role=client;send:reset:role=client",
          "pair on:PIPE c.recv:9 c.send:x hits c.recv:9 c.getopt:SO_ERROR s.recv:9",
          "c.recv=0 c.send=EPIPE hits=1 c.recv=0 c.getopt=0 s.recv=ECONNRESET");
    PROBE_REFUSED("recv:eof:role=client;send:reset:role=client", "pair c.send:x c.recv:9 c.recv:9",
                  "c.send=ECONNRESET c.recv=0 c.recv=0", "the connection was already gone");
    PROBE("recv:reset:role=client;connect:error=ECONNREFUSED:when=2", "pair c.recv:9 c.connect c.connect",
          "c.recv=ECONNRESET c.connect=EISCONN c.connect=EISCONN");
    /* What replaces a real failure does not make the call again. */
    PROBE_FIRED("recv:errno=EAGAIN:error=ECONNRESET:role=client", "pair c.nb c.recv:9 c.recv:9 s.recv:9",
                "c.recv=ECONNRESET c.recv=0 s.recv=ECONNRESET", 1);
}

static void the_place_can_be_chosen_to_the_byte(void)
{
    PROBE_FIRED("%in:reset:role=client:bytes=3", "pair s.send:abcdef c.recv:9 c.recv:9 c.recv:9 s.recv:9",
                "s.send=6 c.recv=3:abc c.recv=ECONNRESET c.recv=0 s.recv=ECONNRESET", 1);
    PROBE_FIRED("%out:reset:role=client:bytes=3",
                "pair c.send:abcdef s.recv:9 c.send:def c.send:def s.recv:9",
                "c.send=3 s.recv=3:abc c.send=ECONNRESET c.send=EPIPE s.recv=ECONNRESET", 1);
}

/* A server in python that says what became of its one connection. */
static struct it_child *reporting_server(int port)
{
    static const char script[] =
        "import socket\n"
        "listener = socket.create_server(('127.0.0.1', %d))\n"
        "end, _ = listener.accept()\n"
        "end.recv(65536)\n"
        "try:\n"
        "    end.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n')\n"
        "    end.sendall(b'x' * 100000)\n"
        "    print('read', end.recv(9))\n"
        "except OSError as error:\n"
        "    print(type(error).__name__)\n";
    struct it_child *server =
        it_start(&(struct it_command){.argv = ARGV("/usr/bin/python3", "-c", it_text(script, port))});
    it_listens(server, port);
    return server;
}

static void curl_says_56_and_the_server_is_told(void)
{
    int port = it_port();
    struct it_child *server = reporting_server(port);
    struct it_child *curl =
        it_under_run(&(struct it_under){.way = IT_INJECT,
                                        .rules = "%in:reset:bytes=1000",
                                        .argv = ARGV("curl", "-sS", it_text("http://127.0.0.1:%d/", port))});

    CHECK_EXIT(curl, 56);
    CHECK_HAS(curl->err, "Connection reset by peer");
    CHECK_HAS(curl->err, "rule 1 fired once");
    CHECK_INT(curl->out_length, 1000 - (int)strlen("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"));
    it_finish(server);
    CHECK_TEXT(server->out, "ConnectionResetError\n");
}

static void no_connection_is_left_and_a_write_is_an_EPIPE(void)
{
    static const char script[] = "import signal, socket\n"
                                 "def left():\n" /* of proc_net_tcp(5): both addresses, and 01 to 0B */
                                 "    rows = [line.split() for line in open('/proc/self/net/tcp')][1:]\n"
                                 "    return [row[3] for row in rows if row[2].endswith(':%04X') or\n"
                                 "            row[1].endswith(':%04X') and row[3] != '0A']\n"
                                 "end = socket.create_connection(('127.0.0.1', %d))\n"
                                 "end.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')\n"
                                 "print(len(left()) > 0)\n"
                                 "try:\n"
                                 "    while end.recv(64): pass\n"
                                 "except OSError as error:\n"
                                 "    print(type(error).__name__)\n"
                                 "print(left())\n"
                                 "try:\n"
                                 "    end.send(b'x')\n"
                                 "except OSError as error:\n"
                                 "    print(type(error).__name__, flush=True)\n"
                                 "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
                                 "end.send(b'x')\n"
                                 "print('alive')\n";
    int port = it_port();
    struct it_child *server = reporting_server(port);
    struct it_child *client = it_under_run(
        &(struct it_under){.way = IT_INJECT,
                           .rules = "%in:reset:bytes=1000",
                           .argv = ARGV("/usr/bin/python3", "-c", it_text(script, port, port, port))});

    CHECK_EXIT(client, 128 + SIGPIPE);
    CHECK_TEXT(client->out, "True\nConnectionResetError\n[]\nBrokenPipeError\n");
    it_finish(server);
    CHECK_TEXT(server->out, "ConnectionResetError\n");
}

IT_SUITE(reset, TEST(a_call_that_receives_is_told_as_by_a_real_RST),
         TEST(a_call_that_sends_is_told_as_by_a_real_RST), TEST(any_other_call_goes_on_upon_the_dead_socket),
         TEST(behind_the_peers_FIN_a_RST_is_an_EPIPE), TEST(behind_its_own_FIN_it_is_an_ECONNRESET),
         TEST(what_could_not_be_sent_is_thrown_away),
         TEST(a_connection_that_connect_has_not_reported_yet_can_be_reset),
         TEST(a_connect_is_followed_by_the_RST), TEST(who_sleeps_on_the_connection_is_woken),
         TEST(every_kind_of_epoll_reports_it), TEST(duplicates_children_and_new_images_are_told),
         TEST(a_socket_that_is_dissolved_connects_anew), TEST(a_dead_socket_that_is_bound_has_the_new_name),
         TEST(the_peer_gets_a_real_RST), TEST(what_was_not_read_is_overtaken),
         TEST(only_a_connection_can_be_reset_and_only_once), TEST(the_place_can_be_chosen_to_the_byte),
         TEST(a_kernel_that_will_not_reset_it_is_said_to), TEST(it_goes_with_other_faults),

         TEST(curl_says_56_and_the_server_is_told), TEST(no_connection_is_left_and_a_write_is_an_EPIPE))

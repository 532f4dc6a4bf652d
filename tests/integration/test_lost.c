/* Errors that end a connection, or an attempt at one: what they leave behind is
 * what the real ones do. */
#include "check.h"
#include "looks.h"
#include "place.h"
#include "suite.h"
#include "under.h"

/* What was said behind these words, which only the real thing needs. */
static const char *behind(const char *said, const char *words)
{
    size_t length = strlen(words);
    bool holds = strncmp(said, words, length) == 0;
    CHECK_SAYING(holds, it_text("%s does not begin with %s", said, words));
    return holds ? said + length : said;
}

/* The real one: the peer hears nothing, and TCP_USER_TIMEOUT ends the waiting.
 * Only there the wait for it is in the script, and in what it says. */
static void a_timed_out_connection_is_as_after_a_real_timeout(void)
{
    static const struct {
        const char *rule, *step;
    } cases[] = {{"recv:error=ETIMEDOUT:role=client:when=1", "c.recv:9"},
                 {"splice:error=ETIMEDOUT:role=client:when=1", "c.splice:9"},
                 {"send:error=ETIMEDOUT:role=client:when=2", "c.send:hello"},
                 {"sendfile:error=ETIMEDOUT:role=client:when=1", "c.sendfile:hello"}};
    const char *deaf[] = {"pair s.opt:IP_MINTTL:255", "pair6 s.opt:IPV6_MINHOPCOUNT:255"};
    const char *after =
        "hits c.poll c.epoll c.getopt:SO_ERROR c.recv:9 c.send:x hits c.peer c.addr c.shut:wr "
        "c.connect c.ioctl";

    for
        EACH(cases)
        {
            const char *start = it_text("on:PIPE %s c.opt:TCP_USER_TIMEOUT:1 c.send:data", deaf[i % 2]);
            struct it_child *real = it_run(&(struct it_command){
                .argv = it_probe_argv(it_text("%s c.poll:9000:in %s %s", start, cases[i].step, after))});
            PROBE_FIRED(cases[i].rule, it_text("%s %s %s", start, cases[i].step, after),
                        it_text("c.send=4 %s", behind(real->out, "c.send=4 c.poll=IN+ERR+HUP ")), 1);
        }
}

/* Keepalive tells the peer with a RST; a network that is down tells nobody, until
 * the peer sends something itself. */
static void the_peer_of_an_unreachable_network_is_not_told(void)
{
    PROBE_FIRED("recv:error=ETIMEDOUT:role=client:when=1", "pair c.recv:9 s.recv:9",
                "c.recv=ETIMEDOUT s.recv=ECONNRESET", 1);
    static const char *const errors[] = {"EHOSTUNREACH", "ENETUNREACH"};
    for
        EACH(errors)
    PROBE_FIRED(
        it_text("%%in:error=%s:role=client:when=1", errors[i]),
        "pair s.nb c.recv:9 c.poll c.recv:9 c.send:x c.peer s.poll s.recv:9 s.send:x s.poll:2000:in s.recv:9",
        it_text("c.recv=%s c.poll=IN+OUT+HUP+RDHUP c.recv=0 c.send=EPIPE c.peer=ENOTCONN s.poll=OUT "
                "s.recv=EAGAIN s.send=1 s.poll=IN+ERR+HUP s.recv=ECONNRESET",
                errors[i]),
        1);
}

static void an_error_of_the_end_leaves_what_a_real_one_leaves(void)
{
    static const char *const struck[] = {"c.recv:9", "c.send:x"};
    static const char *const rules[] = {"recv:error=ECONNRESET:role=client:when=1",
                                        "send:error=ECONNRESET:role=client:when=1"};
    for
        EACH(struck)
    for (size_t j = 0; j < 3; j++)
        PROBE_AS_REAL(rules[i], it_text("pair on:PIPE %s %s", struck[i], looks[j]),
                      it_text("pair on:PIPE s.reset %s %s", struck[i], looks[j]));
    for (size_t j = 0; j < 3; j++) {
        PROBE_AS_REAL("getpeername:error=ENOTCONN:role=client:when=1",
                      it_text("pair on:PIPE c.peer %s", looks[j]),
                      it_text("pair on:PIPE s.reset c.peer %s", looks[j]));
        PROBE_AS_REAL("getpeername:error=ENOTCONN:role=client:when=1",
                      it_text("pair on:PIPE s.fin c.recv:9 c.peer %s", looks[j]),
                      it_text("pair on:PIPE s.fin c.recv:9 s.reset c.peer %s", looks[j]));
        const char *next = it_text("c.send:x hits %s", looks[j]);
        struct it_child *real = it_run(&(struct it_command){
            .argv = it_probe_argv(it_text("pair on:PIPE s.reset c.getopt:SO_ERROR %s", next))});
        PROBE("send:error=EPIPE:role=client:when=1", it_text("pair on:PIPE %s", next),
              behind(real->out, "c.getopt=ECONNRESET "));
    }
}

static void a_failed_connect_is_asked_about_by_the_next_one(void)
{
    static const char *const errors[] = {"ECONNREFUSED", "ETIMEDOUT", "ECONNRESET"};
    for
        EACH(errors)
        {
            const char *rule = it_text("connect:error=%s:when=1", errors[i]);
            PROBE(
                rule,
                "l.listen c.tcp c.nb c.connect c.poll:2000 c.peer c.connect c.poll c.connect c.poll:2000:out",
                it_text("c.connect=EINPROGRESS c.poll=IN+OUT+ERR+HUP+RDHUP c.peer=ENOTCONN c.connect=%s "
                        "c.poll=OUT+HUP "
                        "c.connect=EINPROGRESS c.poll=OUT",
                        errors[i]));
            PROBE(rule,
                  "l.listen c.tcp c.nb c.connect c.poll:2000 c.getopt:SO_ERROR c.connect c.connect "
                  "c.poll:2000:out",
                  it_text(
                      "c.connect=EINPROGRESS c.poll=IN+OUT+ERR+HUP+RDHUP c.getopt=%s c.connect=ECONNABORTED "
                      "c.connect=EINPROGRESS c.poll=OUT",
                      errors[i]));
        }
}

IT_SUITE(lost, TEST(a_timed_out_connection_is_as_after_a_real_timeout),
         TEST(the_peer_of_an_unreachable_network_is_not_told),
         TEST(an_error_of_the_end_leaves_what_a_real_one_leaves),
         TEST(a_failed_connect_is_asked_about_by_the_next_one))

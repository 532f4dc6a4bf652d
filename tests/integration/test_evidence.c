/* What is left of a run: events, counters, and that they add up. */
#include "check.h"
#include "frames.h"
#include "net.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* The nth event of a call, from 1; fails the test where there is none. */
static const struct tf_event *event_of(enum tf_call_id call, int n)
{
    static const struct tf_event none;
    size_t count;
    const struct tf_event *events = it_events(&count);

    for (size_t i = 0; i < count; i++)
        if (events[i].call == call && --n == 0)
            return &events[i];
    CHECK_SAYING(false, it_text("there is an event of %s\n%s", tf_call_info[call].name, it_history()));
    return &none;
}

static void an_event_tells_what_was_asked_and_what_came_of_it(void)
{
    struct it_child *child =
        it_shimmed(IT_TRACED, "recv:error=ENOMEM:when=2",
                   it_probe_argv("pair s.send:hello c.recv:3 c.recv:9 c.recv:9 c.close"));
    CHECK_EXIT(child, 0);
    const struct tf_event *connect = event_of(TF_connect, 1), *accept = event_of(TF_accept, 1);
    const struct tf_event *send = event_of(TF_send, 1), *first = event_of(TF_recv, 1),
                          *struck = event_of(TF_recv, 2), *last = event_of(TF_recv, 3);

    CHECK_INT(connect->role, TF_ROLE_CLIENT);
    CHECK_INT(connect->conn, 1);
    CHECK_INT(connect->pid, child->pid);
    CHECK_INT(connect->fd, 4);
    CHECK_INT(connect->peer.port, accept->local.port);
    CHECK_INT(accept->role, TF_ROLE_LISTENER);
    CHECK_INT(accept->result, 5);
    CHECK_INT(send->role, TF_ROLE_SERVER);
    CHECK_INT(send->conn, 2);
    CHECK_INT(send->peer.port, connect->local.port);
    CHECK_INT(send->local.port, connect->peer.port);
    CHECK(send->cookie != 0 && first->cookie != 0 && send->cookie != first->cookie);
    CHECK(first->cookie == struck->cookie && struck->cookie == last->cookie);
    CHECK(send->data_length == 5 && memcmp(send->data, "hello", 5) == 0);
    CHECK(first->data_length == 3 && memcmp(first->data, "hel", 3) == 0);
    CHECK_INT(first->position, 0);
    CHECK_INT(first->rule, 0);
    CHECK_INT(struck->position, 3);
    CHECK_INT(struck->rule, 1);
    CHECK_INT(struck->ordinal, 2);
    CHECK_INT(struck->error, ENOMEM);
    CHECK_INT(struck->result, -1);
    CHECK(struck->flags & TF_EVENT_FIRED);
    CHECK_INT(last->position, 3);
    CHECK_INT(last->result, 2);
    CHECK(last->number > struck->number && last->time_ns >= struck->time_ns);
    CHECK(last->duration_ns < UINT64_C(60000000000));
}

static void only_matched_calls_become_events_without_a_trace(void)
{
    it_shimmed(IT_PLAIN, "recv:error=ENOMEM:when=2",
               it_probe_argv("pair s.send:hello c.recv:3 c.recv:9 c.recv:9"));
    CHECK_TEXT(it_history(), "recv conn=1 = -1 ENOMEM rule=1#2 fired\n");
    CHECK_INT(it_counted(1), 3);
    CHECK_INT(it_fired(1), 1);
}

static void events_outlive_a_killed_program(void)
{
    struct it_child *child = it_under_start(
        &(struct it_under){.way = IT_TRACED,
                           .rules = "recv:error=ENOMEM:when=1",
                           .argv = it_probe_argv("pair s.send:hello c.recv:9 c.recv:9 c.recv:9")});
    uint64_t end = it_now_ns() + UINT64_C(10000000000);
    size_t count = 0;

    it_says(child, "c.recv=5:hello");
    while (it_events(&count), count < 10 && it_now_ns() < end)
        it_pause();
    kill(child->pid, SIGKILL);
    CHECK_EXIT(it_finish(child), 128 + SIGKILL);
    CHECK_INT(event_of(TF_recv, 1)->error, ENOMEM);
    CHECK_INT(event_of(TF_recv, 2)->result, 5);
    CHECK(event_of(TF_recv, 3)->duration_ns == UINT64_MAX);
}

static void every_image_of_a_process_is_registered(void)
{
    it_shimmed(IT_PLAIN, "recv:eof", ARGV("sh", "-c", "env -i true; exec true"));
    int images = 0;
    for (int i = 0; i < TF_PROCESSES && it_segment()->process[i].pid; i++)
        images++;
    CHECK_INT(images, 4); /* sh, env, true, true */
    CHECK_HAS(it_segment()->process[1].exe, "/env");
}

static void counts_are_exact_across_threads_and_processes(void)
{
    for (int way = IT_BARE; way <= IT_PLAIN; way++) {
        CHECK_TEXT(
            it_shimmed(way, "recv:error=ENOMEM:when=2+2", ARGV(it_program("counts"), "3", "4", "1000"))->out,
            "6000\n");
        CHECK_TEXT(
            it_shimmed(way, "recv:error=ENOMEM:when=777", ARGV(it_program("counts"), "3", "4", "1000"))->out,
            "1\n");
        CHECK_TEXT(it_shimmed(way, "recv:error=ENOMEM:when=11000..20000",
                              ARGV(it_program("counts"), "3", "4", "1000"))
                       ->out,
                   "1001\n");
        CHECK_TEXT(it_shimmed(way, "recv:error=ENOMEM:per=process:when=777",
                              ARGV(it_program("counts"), "3", "4", "1000"))
                       ->out,
                   "3\n");
    }
    CHECK_INT(it_counted(1), 12000);
    CHECK_INT(it_fired(1), 3);
}

static void how_many_chance_strikes_does_not_depend_on_the_threads_timing(void)
{
    const char *first = NULL;
    for (int i = 0; i < 5; i++) {
        struct it_child *child =
            it_under_run(&(struct it_under){.way = IT_PLAIN,
                                            .rules = "recv:error=ENOMEM:prob=0.3",
                                            .seed = 5,
                                            .argv = ARGV(it_program("counts"), "2", "3", "1000")});
        if (!first)
            first = child->out;
        CHECK_TEXT(child->out, first);
    }
    CHECK(atoi(first) > 1500 && atoi(first) < 2100);
}

static void more_connections_than_the_table_holds_are_all_known(void)
{
    enum { N = TF_SOCKETS / 2 + 1000 }; /* each has two ends here */
    struct it_child *child =
        it_under_run(&(struct it_under){.way = IT_PLAIN,
                                        .rules = "recv:error=ENOMEM:per=connection:when=1",
                                        .argv = ARGV(it_program("many"), it_text("%d", N)),
                                        .deadline_s = 120});
    CHECK_TEXT(child->out, it_text("ENOMEM EAGAIN %d ENOMEM\n", N));
    CHECK_INT(it_fired(1), N + 2);
    /* and the one that lived on kept its number */
    CHECK_INT(atomic_load(&it_segment()->conns), 2 * N + 2);
}

static void a_trace_file_is_made_by_the_shim_itself(void)
{
    const char *file = it_text("%s/own.events", it_scratch());
    struct it_child *child =
        it_run(&(struct it_command){.argv = it_probe_argv("pair s.send:x c.recv:9"),
                                    .env = ARGV(it_preload(NULL), it_text("TCPFAULT_TRACE=%s", file))});
    CHECK_EXIT(child, 0);
    struct tf_segment *segment = tf_segment_open(file);
    CHECK(segment != NULL);
    if (segment) {
        CHECK_INT(atomic_load(&segment->next_event), 8);
        tf_segment_close(segment);
    }
}

/* "receive left main", by what is known of the nth recv. */
static const char *way_to(int n)
{
    size_t count = 0;
    struct tf_callsites *sites = tf_callsites_new();
    struct tf_frame *frames = tf_frames_find(sites, it_segment(), event_of(TF_recv, n), &count);
    const char *text = "";

    for (size_t i = 0; i < count; i++)
        text = it_text("%s%s%s", text, i > 0 ? " " : "", frames[i].function);
    CHECK_SAYING(count > 0 && strstr(frames[0].file, "programs/paths.c"), "there is a line");
    tf_frames_free(frames, count);
    tf_callsites_free(sites);
    return text;
}

static void an_event_tells_what_called_its_call_site(void)
{
    CHECK_EXIT(it_shimmed(IT_TRACED, "", ARGV(it_program("paths"), "lrrl")), 0);
    CHECK_TEXT(way_to(1), "receive left main");
    CHECK_TEXT(way_to(2), "receive right main");
    CHECK_TEXT(way_to(3), "receive right main");
    CHECK_TEXT(way_to(4), "receive left main");
    CHECK(event_of(TF_recv, 1)->stack == event_of(TF_recv, 4)->stack);
    CHECK(event_of(TF_recv, 2)->stack == event_of(TF_recv, 3)->stack);
}

IT_SUITE(evidence, TEST(an_event_tells_what_was_asked_and_what_came_of_it),
         TEST(only_matched_calls_become_events_without_a_trace), TEST(events_outlive_a_killed_program),
         TEST(every_image_of_a_process_is_registered), TEST(counts_are_exact_across_threads_and_processes),
         TEST(how_many_chance_strikes_does_not_depend_on_the_threads_timing),
         TEST(more_connections_than_the_table_holds_are_all_known),
         TEST(an_event_tells_what_called_its_call_site), TEST(a_trace_file_is_made_by_the_shim_itself))

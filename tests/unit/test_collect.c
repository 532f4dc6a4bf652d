#include "collect.h"
#include "show.h"

#include "ring.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What was delivered, as text: "3+ " event 3 returned, "3~" blocked, "3!" never, "3=" resumed. */
static char told[4096];

static void on_event(void *data, enum tf_collect_what what, const struct tf_event *event)
{
    (void)data;
    size_t length = strlen(told);
    snprintf(told + length, sizeof told - length, "%llu%c ", (unsigned long long)event->number, "+~!="[what]);
}

static const struct tf_plan no_rules;

static struct tf_collect *open_collect(const char *jsonl, bool blocked)
{
    struct tf_error error;
    char path[256];
    snprintf(path, sizeof path, "%s", tf_scratch("collected"));
    unlink(path);
    told[0] = 0;
    struct tf_collect_options options = {.path = path,
                                         .plan = &no_rules,
                                         .jsonl_path = jsonl,
                                         .keep = true,
                                         .blocked = blocked,
                                         .on_event = on_event};
    struct tf_collect *collect = tf_collect_open(&options, &error);
    TF_CHECK(collect, "%s", error.text);
    return collect;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct tf_event event_of(uint32_t tid)
{
    return (struct tf_event){
        .call = TF_recv, .fd = 5, .pid = 17, .tid = tid, .time_ns = now_ns(), .duration_ns = UINT64_MAX};
}

static uint64_t enter(struct tf_collect *collect, uint32_t tid)
{
    struct tf_event event = event_of(tid);
    return tf_ring_enter(tf_collect_segment(collect), &event);
}

static void leave(struct tf_collect *collect, uint64_t number, uint32_t tid)
{
    struct tf_event event = event_of(tid);
    event.duration_ns = 10;
    tf_ring_leave(tf_collect_segment(collect), number, &event);
}

static void events_come_once_and_in_order(void)
{
    struct tf_collect *collect = open_collect(NULL, false);
    for (int i = 0; i < 3; i++)
        leave(collect, enter(collect, 1), 1);
    CU_ASSERT_EQUAL(tf_collect_drain(collect, NULL), 3);
    TF_SAME(told, "0+ 1+ 2+ ");
    CU_ASSERT_EQUAL(tf_collect_drain(collect, NULL), 0);
    leave(collect, enter(collect, 1), 1);
    CU_ASSERT_EQUAL(tf_collect_finish(collect, NULL), 0);
    TF_SAME(told, "0+ 1+ 2+ 3+ ");
    CU_ASSERT_EQUAL(tf_collect_lost(collect), 0);
    tf_collect_close(collect);
}

static void a_blocked_call_does_not_hold_up_the_others(void)
{
    struct tf_collect *collect = open_collect(NULL, false);
    size_t count;
    uint64_t blocked = enter(collect, 1);
    leave(collect, enter(collect, 2), 2);
    tf_collect_drain(collect, NULL);
    TF_SAME(told, "1+ ");
    leave(collect, enter(collect, 2), 2);
    leave(collect, blocked, 1);
    tf_collect_drain(collect, NULL);
    TF_SAME(told, "1+ 0+ 2+ ");
    const struct tf_event *events = tf_collect_events(collect, &count);
    CU_ASSERT_EQUAL(count, 3);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(events[i].number, i);
    tf_collect_close(collect);
}

static void one_thread_stays_in_order(void)
{
    struct tf_collect *collect = open_collect(NULL, false);
    uint64_t first = enter(collect, 1);
    tf_collect_drain(collect, NULL);
    /* What a drain sees that looks at the pending ones before it reads new ones. */
    leave(collect, first, 1);
    leave(collect, enter(collect, 1), 1);
    uint64_t third = enter(collect, 1);
    tf_collect_drain(collect, NULL);
    leave(collect, third, 1);
    tf_collect_drain(collect, NULL);
    TF_SAME(told, "0+ 1+ 2+ ");
    tf_collect_close(collect);
}

static void what_never_returned_is_told_at_the_end(void)
{
    struct tf_collect *collect = open_collect(NULL, false);
    enter(collect, 1);
    enter(collect, 2);
    leave(collect, enter(collect, 3), 3);
    tf_collect_drain(collect, NULL);
    CU_ASSERT_EQUAL(tf_collect_finish(collect, NULL), 0);
    TF_SAME(told, "2+ 0! 1! ");
    size_t count;
    const struct tf_event *events = tf_collect_events(collect, &count);
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL(events[0].duration_ns, UINT64_MAX);
    tf_collect_close(collect);
}

static void a_long_wait_is_told_while_it_lasts(void)
{
    struct tf_collect *collect = open_collect(NULL, true);
    struct tf_event old = event_of(1), young = event_of(2);
    old.time_ns -= (uint64_t)(TF_COLLECT_BLOCKED_MS + 100) * 1000000;
    uint64_t number = tf_ring_enter(tf_collect_segment(collect), &old);
    tf_ring_enter(tf_collect_segment(collect), &young);
    tf_collect_drain(collect, NULL);
    tf_collect_drain(collect, NULL);
    TF_SAME(told, "0~ ");
    leave(collect, number, 1);
    tf_collect_finish(collect, NULL);
    TF_SAME(told, "0~ 0= 1! ");
    size_t count;
    tf_collect_events(collect, &count);
    CU_ASSERT_EQUAL(count, 2);
    tf_collect_close(collect);
}

static void lost_events_are_counted(void)
{
    struct tf_collect *collect = open_collect(NULL, false);
    for (int i = 0; i < TF_EVENTS + 10; i++)
        leave(collect, enter(collect, 1), 1);
    uint64_t delivered = 0;
    for (int some; (some = tf_collect_drain(collect, NULL)) > 0;)
        delivered += (uint64_t)some;
    CU_ASSERT_EQUAL(tf_collect_lost(collect) + delivered, TF_EVENTS + 10);
    CU_ASSERT(tf_collect_lost(collect) >= 10);
    tf_collect_close(collect);
}

static void lines_are_written_as_it_happens(void)
{
    char path[256], line[2048] = "";
    snprintf(path, sizeof path, "%s", tf_scratch("lines"));
    struct tf_collect *collect = open_collect(path, false);
    leave(collect, enter(collect, 1), 1);
    leave(collect, enter(collect, 1), 1);
    tf_collect_drain(collect, NULL);
    FILE *file = fopen(path, "r");
    int lines = 0;
    while (file && fgets(line, sizeof line, file)) {
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(object, "number")), lines);
        TF_SAME(json_string_value(json_object_get(object, "call")), "recv");
        json_decref(object);
        lines++;
    }
    CU_ASSERT_EQUAL(lines, 2);
    if (file)
        fclose(file);
    tf_collect_close(collect);
}

static void a_full_disk_is_an_error(void)
{
    struct tf_error error = {0};
    struct tf_collect *collect = open_collect("/dev/full", false);
    leave(collect, enter(collect, 1), 1);
    CU_ASSERT_EQUAL(tf_collect_drain(collect, &error), -1);
    TF_SAME(error.text, "writing the file of events: No space left on device");
    tf_collect_close(collect);
}

static void an_existing_segment_is_refused(void)
{
    struct tf_error error = {0};
    struct tf_collect *collect = open_collect(NULL, false);
    char path[256];
    snprintf(path, sizeof path, "%s", tf_scratch("collected"));
    struct tf_collect_options options = {.path = path, .plan = &no_rules};
    CU_ASSERT_PTR_NULL(tf_collect_open(&options, &error));
    TF_CHECK(strstr(error.text, "File exists"), "%s", error.text);
    tf_collect_close(collect);
}

static void processes_are_counted(void)
{
    struct tf_collect *collect = open_collect(NULL, false);
    CU_ASSERT_EQUAL(tf_collect_processes(collect), 0);
    tf_collect_segment(collect)->process[0].pid = 5;
    CU_ASSERT_EQUAL(tf_collect_processes(collect), 1);
    tf_collect_close(collect);
}

TF_SUITE(collect, TF_TEST(events_come_once_and_in_order), TF_TEST(a_blocked_call_does_not_hold_up_the_others),
         TF_TEST(one_thread_stays_in_order), TF_TEST(what_never_returned_is_told_at_the_end),
         TF_TEST(a_long_wait_is_told_while_it_lasts), TF_TEST(lost_events_are_counted),
         TF_TEST(lines_are_written_as_it_happens), TF_TEST(a_full_disk_is_an_error),
         TF_TEST(an_existing_segment_is_refused), TF_TEST(processes_are_counted))

/* The ring of events: what writers of every kind leave for the reader. */
#include "ring.h"
#include "rule.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tf_segment *segment;

static void fresh(void)
{
    static const struct tf_plan none;
    tf_segment_close(segment);
    unlink(tf_scratch("ring"));
    segment = tf_segment_create(tf_scratch("ring"), &none, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
}

/* Every word tells of `mark`, so that a mixture of two events shows. */
static struct tf_event event(uint64_t mark)
{
    struct tf_event made;
    memset(&made, 0, sizeof(made));
    made.time_ns = made.cookie = made.ordinal = made.position = made.caller = mark;
    made.result = (int64_t)mark;
    made.pid = made.tid = (uint32_t)mark;
    for (int i = 0; i < 6; i++)
        made.arg[i] = mark * (uint64_t)(i + 1);
    memset(made.data, (int)(mark & 0xff), sizeof(made.data));
    return made;
}

static bool whole(const struct tf_event *found)
{
    struct tf_event expected = event(found->time_ns);
    expected.number = found->number;
    expected.duration_ns = found->duration_ns;
    return memcmp(found, &expected, sizeof(expected)) == 0;
}

static uint64_t enter(uint64_t mark)
{
    struct tf_event made = event(mark);
    return tf_ring_enter(segment, &made);
}

static void leave(uint64_t number, uint64_t mark)
{
    struct tf_event made = event(mark);
    made.duration_ns = 1;
    tf_ring_leave(segment, number, &made);
}

static enum tf_ring_got read_at(uint64_t *cursor, struct tf_event *found, uint64_t *lost)
{
    enum tf_ring_got got = tf_ring_read(segment, cursor, found, lost);
    if (got == TF_RING_DONE || got == TF_RING_UNFINISHED)
        TF_CHECK(whole(found), "event %llu is a mixture", (unsigned long long)found->number);
    return got;
}

static void a_call_that_has_not_returned_is_there_already(void)
{
    struct tf_event found;
    uint64_t cursor = 0, lost;
    fresh();
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_EMPTY);
    CU_ASSERT_EQUAL(enter(7), 0);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_UNFINISHED);
    CU_ASSERT_EQUAL(cursor, 1);
    CU_ASSERT_EQUAL(found.number, 0);
    CU_ASSERT_EQUAL(found.time_ns, 7);
    CU_ASSERT_EQUAL(found.duration_ns, UINT64_MAX);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_EMPTY);
}

static void an_unfinished_event_can_be_asked_for_again(void)
{
    struct tf_event found;
    uint64_t cursor = 0, lost;
    fresh();
    uint64_t number = enter(7);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_UNFINISHED);
    CU_ASSERT_EQUAL(tf_ring_again(segment, number, &found), TF_RING_UNFINISHED);
    leave(number, 8);
    CU_ASSERT_EQUAL(tf_ring_again(segment, number, &found), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.time_ns, 8);
    CU_ASSERT_EQUAL(found.duration_ns, 1);
    CU_ASSERT_EQUAL(found.number, number);
    for (uint64_t i = 0; i < TF_EVENTS; i++)
        enter(i);
    CU_ASSERT_EQUAL(tf_ring_again(segment, number, &found), TF_RING_LOST);
}

static void events_come_in_the_order_of_entry(void)
{
    struct tf_event found;
    uint64_t cursor = 0, lost;
    fresh();
    uint64_t one = enter(1), two = enter(2);
    leave(two, 2);
    leave(one, 1);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.number, one);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.number, two);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_EMPTY);
}

static void a_reader_that_falls_behind_is_told_how_many(void)
{
    struct tf_event found;
    uint64_t cursor = 0, lost, seen = 0;
    fresh();
    for (uint64_t i = 0; i < TF_EVENTS + 1000; i++)
        leave(enter(i), i);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_LOST);
    CU_ASSERT_EQUAL(lost, 1000);
    CU_ASSERT_EQUAL(cursor, 1000);
    while (read_at(&cursor, &found, &lost) == TF_RING_DONE)
        CU_ASSERT_EQUAL(found.time_ns, 1000 + seen++);
    CU_ASSERT_EQUAL(seen, TF_EVENTS);
    CU_ASSERT_EQUAL(segment->lost_events, 0);
}

static void a_late_return_leaves_the_newer_event_alone(void)
{
    struct tf_event found;
    fresh();
    uint64_t slow = enter(1), newer = 0;
    for (uint64_t i = 0; i < TF_EVENTS; i++)
        newer = enter(i + 2);
    CU_ASSERT_EQUAL(newer, slow + TF_EVENTS);
    leave(slow, 1);
    CU_ASSERT_EQUAL(tf_ring_again(segment, newer, &found), TF_RING_UNFINISHED);
    leave(newer, 99);
    CU_ASSERT_EQUAL(tf_ring_again(segment, newer, &found), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.time_ns, 99);
}

static void a_writer_that_was_overtaken_drops_its_event(void)
{
    struct tf_event found;
    fresh();
    for (uint64_t i = 0; i < TF_EVENTS + 3; i++)
        leave(enter(i), i);
    atomic_store(&segment->next_event, 1); /* it took its number a whole lap ago */
    uint64_t number = enter(9);
    leave(number, 9);
    CU_ASSERT_EQUAL(number, 1);
    CU_ASSERT_EQUAL(segment->lost_events, 1);
    CU_ASSERT_EQUAL(tf_ring_again(segment, TF_EVENTS + 1, &found), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.time_ns, TF_EVENTS + 1);
}

/* The states of ring.c, for what only a killed writer leaves behind. */
enum { BUSY = 1 };

static void a_writer_never_waits_for_one_that_died_in_its_slot(void)
{
    struct tf_event found;
    uint64_t cursor = 0, lost;
    fresh();
    atomic_store(&segment->event[0].state, BUSY); /* killed while it wrote event 0 */
    atomic_store(&segment->next_event, 1);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_EMPTY); /* it may live yet */
    leave(enter(1), 1);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_LOST);
    CU_ASSERT_EQUAL(lost, 1);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_DONE);
    for (uint64_t i = 2; i < TF_EVENTS; i++)
        leave(enter(i), i);
    uint64_t dropped = enter(5);
    CU_ASSERT_EQUAL(dropped, TF_EVENTS);
    CU_ASSERT_EQUAL(segment->lost_events, 1);
    leave(dropped, 5);
    leave(enter(6), 6);
    while (read_at(&cursor, &found, &lost) == TF_RING_DONE)
        ;
    CU_ASSERT_EQUAL(cursor, TF_EVENTS + 1); /* past the dropped one */
    CU_ASSERT_EQUAL(lost, 1);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.time_ns, 6);
}

static void a_number_that_was_never_used_is_lost_once_others_follow(void)
{
    struct tf_event found;
    uint64_t cursor = 0, lost;
    fresh();
    atomic_fetch_add(&segment->next_event, 1); /* killed right after it took its number */
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_EMPTY);
    CU_ASSERT_EQUAL(cursor, 0);
    leave(enter(3), 3);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_LOST);
    CU_ASSERT_EQUAL(read_at(&cursor, &found, &lost), TF_RING_DONE);
    CU_ASSERT_EQUAL(found.time_ns, 3);
}

enum { WRITERS = 4, EACH = 30000 };

static void *write_many(void *first)
{
    uint64_t mark = *(const uint64_t *)first;
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t number = enter(mark + i);
        leave(number, mark + i);
    }
    return NULL;
}

/* Reads until `total` events were seen or lost; how many were seen. */
static uint64_t drain(uint64_t total)
{
    uint64_t cursor = 0, lost, seen = 0, gone = 0, previous = 0;
    struct tf_event found;
    for (int idle = 0; seen + gone < total && idle < 100000;) {
        switch (read_at(&cursor, &found, &lost)) {
        case TF_RING_EMPTY:
            idle++;
            usleep(100);
            continue;
        case TF_RING_LOST:
            gone += lost;
            break;
        default:
            TF_CHECK(seen == 0 || found.number > previous, "event %llu comes after %llu",
                     (unsigned long long)found.number, (unsigned long long)previous);
            previous = found.number;
            seen++;
        }
        idle = 0;
    }
    TF_CHECK(seen + gone == total && cursor == total, "%llu seen, %llu lost of %llu, cursor at %llu",
             (unsigned long long)seen, (unsigned long long)gone, (unsigned long long)total,
             (unsigned long long)cursor);
    return seen;
}

static void threads_lose_and_mix_nothing_while_one_reads(void)
{
    pthread_t thread[WRITERS];
    uint64_t first[WRITERS];
    fresh();
    for (int i = 0; i < WRITERS; i++) {
        first[i] = (uint64_t)i << 32;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, write_many, &first[i]), 0);
    }
    uint64_t seen = drain(WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(thread[i], NULL);
    CU_ASSERT_EQUAL(segment->next_event, WRITERS * EACH);
    TF_CHECK(seen > EACH, "%llu seen", (unsigned long long)seen);
}

static void processes_lose_and_mix_nothing_while_one_reads(void)
{
    pid_t child[WRITERS];
    fresh();
    for (int i = 0; i < WRITERS; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            uint64_t first = (uint64_t)i << 32;
            write_many(&first);
            _exit(0);
        }
    }
    uint64_t seen = drain(WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++)
        CU_ASSERT_EQUAL(waitpid(child[i], NULL, 0), child[i]);
    TF_CHECK(seen > EACH, "%llu seen", (unsigned long long)seen);
}

static void killed_writers_leave_whole_events_and_an_open_ring(void)
{
    enum { ROUNDS = 20 };
    fresh();
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t i = 1;; i++)
                leave(enter(i), i);
        }
        uint64_t before = atomic_load(&segment->next_event);
        for (int i = 0; i < 10000 && atomic_load(&segment->next_event) < before + 100; i++)
            usleep(100);
        kill(child, SIGKILL);
        CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    }
    for (uint64_t i = 0; i < 100; i++)
        leave(enter(i), i);
    uint64_t total = atomic_load(&segment->next_event);
    uint64_t seen = drain(total);
    uint64_t kept = total < TF_EVENTS ? total : TF_EVENTS;
    TF_CHECK(seen >= kept - ROUNDS, "%llu seen of %llu", (unsigned long long)seen, (unsigned long long)kept);
}

static _Atomic uint64_t interruptions;

static void write_one(int signal)
{
    (void)signal;
    uint64_t mark = (uint64_t)1 << 40 | atomic_fetch_add(&interruptions, 1);
    leave(enter(mark), mark);
}

static void a_signal_handler_may_write_in_the_middle_of_a_write(void)
{
    struct sigaction action = {.sa_handler = write_one}, before;
    struct itimerval every = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    fresh();
    atomic_store(&interruptions, 0);
    CU_ASSERT_EQUAL_FATAL(sigaction(SIGALRM, &action, &before), 0);
    unsigned left = alarm(0);
    setitimer(ITIMER_REAL, &every, NULL);
    uint64_t written = 0;
    for (; written < 2000000 && (written < 20000 || atomic_load(&interruptions) < 100); written++)
        leave(enter(written), written);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    alarm(left);
    uint64_t total = written + atomic_load(&interruptions);
    TF_CHECK(atomic_load(&interruptions) >= 10, "%llu interruptions", (unsigned long long)interruptions);
    CU_ASSERT_EQUAL(drain(total), total < TF_EVENTS ? total : TF_EVENTS);
    CU_ASSERT_EQUAL(segment->lost_events, 0);
    tf_segment_close(segment);
    segment = NULL;
}

TF_SUITE(ring, TF_TEST(a_call_that_has_not_returned_is_there_already),
         TF_TEST(an_unfinished_event_can_be_asked_for_again), TF_TEST(events_come_in_the_order_of_entry),
         TF_TEST(a_reader_that_falls_behind_is_told_how_many),
         TF_TEST(a_late_return_leaves_the_newer_event_alone),
         TF_TEST(a_writer_that_was_overtaken_drops_its_event),
         TF_TEST(a_writer_never_waits_for_one_that_died_in_its_slot),
         TF_TEST(a_number_that_was_never_used_is_lost_once_others_follow),
         TF_TEST(threads_lose_and_mix_nothing_while_one_reads),
         TF_TEST(processes_lose_and_mix_nothing_while_one_reads),
         TF_TEST(killed_writers_leave_whole_events_and_an_open_ring),
         TF_TEST(a_signal_handler_may_write_in_the_middle_of_a_write))

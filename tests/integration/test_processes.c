/* The run goes on in children, in new images, for other users. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <stdlib.h>
#include <unistd.h>

/* Every way to a struck recv ends with this. */
#define RULE "recv:error=ENOMEM:role=client"
#define SCRIPT "pair", "c.recv:1"
#define STRUCK "c.recv=ENOMEM"

static void every_exec_of_a_cleared_environment_stays_covered(void)
{
    static const char *const ways[] = {"execve",   "execve-null", "execve-some",  "execv",  "execvp",
                                       "execvpe",  "execl",       "execlp",       "execle", "fexecve",
                                       "execveat", "posix_spawn", "posix_spawnp", "vfork",  "unset"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (int way = IT_BARE; way <= IT_PLAIN; way++) {
            struct it_child *child =
                it_shimmed(way, RULE, ARGV(it_program("execs"), ways[i], it_program("probe"), SCRIPT));
            CHECK_SAYING(strcmp(child->out, STRUCK) == 0,
                         it_text("%s: %d %s%s", ways[i], child->exit, child->out, child->err));
        }
}

static void env_i_children_stay_covered(void)
{
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        CHECK_TEXT(it_shimmed(way, RULE, ARGV("env", "-i", it_program("probe"), SCRIPT))->out, STRUCK);
        CHECK_TEXT(it_shimmed(way, RULE,
                              ARGV("sh", "-c", "exec env -i sh -c \"exec env -i $0 $*\"", it_program("probe"),
                                   SCRIPT))
                       ->out,
                   STRUCK);
    }
}

static void only_what_is_needed_is_put_into_a_cleared_environment(void)
{
    struct it_child *child = it_shimmed(IT_BARE, RULE, ARGV("env", "-i", "A=1", "env"));
    CHECK_HAS(child->out, "A=1\n");
    CHECK(!strstr(child->out, "PATH=") && !strstr(child->out, "HOME="));
}

static void a_program_that_runs_nothing_of_ours_keeps_its_environment(void)
{
    /* An idle shim adds nothing. */
    struct it_child *child =
        it_run(&(struct it_command){.argv = ARGV("env", "-i", "A=1", "env"), .env = ARGV(it_preload(NULL))});
    CHECK_TEXT(child->out, "A=1\n");
}

static void commands_of_a_shell_are_covered(void)
{
    CHECK_TEXT(it_shimmed(IT_BARE, RULE,
                          ARGV("sh", "-c",
                               it_text("%s pair c.recv:1; %s pair c.recv:1", it_program("probe"),
                                       it_program("probe"))))
                   ->out,
               STRUCK STRUCK);
    struct it_child *child = it_shimmed(IT_PLAIN, "recv:error=ENOMEM:role=client:when=2",
                                        ARGV("sh", "-c",
                                             it_text("%s pair c.recv:1:dontwait; %s pair c.recv:1:dontwait",
                                                     it_program("probe"), it_program("probe"))));
    CHECK_TEXT(child->out, "c.recv=EAGAIN" STRUCK);
}

static void another_preload_is_kept_on_either_side(void)
{
    const char *shim = it_built("libtcpfault.so"), *other = it_program("counting");
    const char *const orders[] = {it_text("LD_PRELOAD=%s:%s", shim, other),
                                  it_text("LD_PRELOAD=%s:%s", other, shim),
                                  it_text("LD_PRELOAD=%s %s", shim, other)};
    for (int i = 0; i < 3; i++) {
        struct it_child *child =
            it_under_run(&(struct it_under){.way = IT_BARE,
                                            .rules = "recv:short=2:role=client",
                                            .env = ARGV(orders[i]),
                                            .argv = it_probe_argv("pair s.send:hello c.recv:9 c.recv:9")});
        CHECK_TEXT(child->out, "s.send=5 c.recv=2:he c.recv=2:ll");
        CHECK_TEXT(child->err, "counted 2\n");
    }
}

/* Its constructor comes before the shim's. */
static void a_program_may_begin_without_a_free_descriptor(void)
{
    struct it_child *child = it_under_run(&(struct it_under){
        .way = IT_PLAIN,
        .rules = "socket:error=ENOBUFS",
        .env = ARGV(it_text("LD_PRELOAD=%s:%s", it_built("libtcpfault.so"), it_program("poor"))),
        .argv = it_probe_argv("c.tcp")});
    CHECK_TEXT(child->out, "c.tcp=ENOBUFS");
}

static void the_next_image_has_both_preloads(void)
{
    struct it_child *child = it_under_run(&(struct it_under){
        .way = IT_BARE,
        .rules = RULE,
        .argv = ARGV("env", it_text("LD_PRELOAD=%s", it_program("counting")), "sh", "-c",
                     it_text("exec %s pair s.send:x s.recv:1:dontwait c.recv:1", it_program("probe")))});
    CHECK_TEXT(child->out, "s.send=1 s.recv=EAGAIN " STRUCK);
    CHECK_HAS(child->err, "counted ");
}

static void stdbuf_and_faketime_work_at_the_same_time(void)
{
    const char *probe = it_text("date +%%Y; exec %s pair c.recv:1", it_program("probe"));
    CHECK_TEXT(it_shimmed(IT_BARE, RULE, ARGV("stdbuf", "-oL", it_program("probe"), SCRIPT))->out, STRUCK);
    CHECK_TEXT(it_shimmed(IT_BARE, RULE, ARGV("faketime", "2001-02-03 04:05:06", "sh", "-c", probe))->out,
               "2001\n" STRUCK);
    struct it_child *child = it_run(
        &(struct it_command){.argv = ARGV("faketime", "2001-02-03 04:05:06", "sh", "-c",
                                          it_text("export LD_PRELOAD=$LD_PRELOAD:%s TCPFAULT=" RULE "; %s",
                                                  it_built("libtcpfault.so"), probe))});
    CHECK_TEXT(child->out, "2001\n" STRUCK);
}

static void a_faked_clock_does_not_change_a_delay(void)
{
    struct it_child *child =
        it_shimmed(IT_BARE, "recv:delay=300ms",
                   ARGV("faketime", "-f", "+0 x1000", it_program("probe"), "pair", "s.send:x", "c.recv:1"));
    CHECK_TEXT(child->out, "s.send=1 c.recv=1:x");
}

static void a_program_that_drops_its_rights_stays_covered(void)
{
    /* Only root has rights to drop; for others it is a plain exec. */
    const char *id = geteuid() == 0 ? "65534" : "0";
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        /* where the other user can read it */
        const char *copy = it_text("%s/probe-%d", it_scratch(), way);
        it_run(&(struct it_command){.argv = ARGV("install", "-m", "755", it_program("probe"), copy)});
        const char *shim = it_text("%s/lib-%d.so", it_scratch(), way);
        it_run(&(struct it_command){.argv = ARGV("install", "-m", "755", it_built("libtcpfault.so"), shim)});
        struct it_child *child =
            it_under_run(&(struct it_under){.way = way,
                                            .rules = RULE,
                                            .env = ARGV(it_text("LD_PRELOAD=%s", shim)),
                                            .argv = ARGV(it_program("drops"), id, copy, SCRIPT)});
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out, "dropped=ENOMEM " STRUCK);
    }
}

static void programs_that_close_every_descriptor_stay_covered(void)
{
    static const char *const ways[] = {"closefrom", "close_range", "cloexec_range", "loop", "daemon"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            struct it_child *child = it_shimmed(way, RULE, ARGV(it_program("closes"), ways[i]));
            CHECK_TEXT(it_says(child, "after") ? child->out : "", "before ENOMEM, file 1, after ENOMEM\n");
            if (way == IT_BARE)
                continue;
            size_t count;
            const struct tf_event *events = it_events(&count);
            CHECK(count > 0 &&
                  events[count - 1].call == (way == IT_PLAIN ? TF_recv : events[count - 1].call));
            CHECK_INT(it_fired(1), 2);
        }
}

static void unshare_of_a_user_namespace_still_works(void)
{
    struct it_child *bare = it_run(&(struct it_command){.argv = ARGV("unshare", "-U", "true")});
    for (int way = IT_BARE; way <= IT_TRACED; way++)
        CHECK_INT(it_shimmed(way, RULE, ARGV("unshare", "-U", "true"))->exit, bare->exit);
}

static void no_descriptor_of_the_shim_is_left_in_the_program(void)
{
    struct it_child *bare = it_run(&(struct it_command){.argv = ARGV("ls", "/proc/self/fd")});
    for (int way = IT_BARE; way <= IT_TRACED; way++)
        CHECK_TEXT(it_shimmed(way, RULE, ARGV("ls", "/proc/self/fd"))->out, bare->out);
}

/* Files of the bare run that the process began. */
static const char *files_of(const struct it_child *child)
{
    return it_run(
               &(struct it_command){
                   .argv = ARGV("sh", "-c", it_text("ls /dev/shm /tmp | grep '^tcpfault-%d-'", child->pid))})
        ->out;
}

static void the_file_of_a_bare_run_is_removed_at_its_end(void)
{
    CHECK_TEXT(files_of(it_shimmed(IT_BARE, RULE, it_probe_argv("pair c.recv:1"))), "");
    CHECK_TEXT(files_of(it_shimmed(IT_BARE, RULE, ARGV("sh", "-c", "true; env -i true; exec true"))), "");
}

static void the_file_of_a_killed_run_is_removed_by_the_next(void)
{
    struct it_child *child = it_shimmed(IT_BARE, RULE, ARGV("sh", "-c", "kill -9 $$"));
    CHECK_EXIT(child, 128 + 9);
    it_shimmed(IT_BARE, RULE, ARGV("true"));
    CHECK_TEXT(files_of(child), "");
}

IT_SUITE(processes, TEST(every_exec_of_a_cleared_environment_stays_covered),
         TEST(env_i_children_stay_covered), TEST(only_what_is_needed_is_put_into_a_cleared_environment),
         TEST(a_program_that_runs_nothing_of_ours_keeps_its_environment),
         TEST(commands_of_a_shell_are_covered), TEST(another_preload_is_kept_on_either_side),
         TEST(a_program_may_begin_without_a_free_descriptor), TEST(the_next_image_has_both_preloads),
         TEST(stdbuf_and_faketime_work_at_the_same_time), TEST(a_faked_clock_does_not_change_a_delay),
         TEST(a_program_that_drops_its_rights_stays_covered),
         TEST(programs_that_close_every_descriptor_stay_covered),
         TEST(unshare_of_a_user_namespace_still_works),
         TEST(no_descriptor_of_the_shim_is_left_in_the_program),
         TEST(the_file_of_a_bare_run_is_removed_at_its_end),
         TEST(the_file_of_a_killed_run_is_removed_by_the_next))

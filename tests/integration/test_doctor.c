/* tcpfault doctor: refusals, tried for real. What this machine refuses by itself
 * is left out: each test first looks at what an unhindered doctor says. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <jansson.h>
#include <unistd.h>

/* A doctor, under a command that hinders it. */
struct visit {
    json_t *json;
    const char *text;
};

/* `before`: a command and arguments that run what is behind them. */
static struct it_child *behind(const char *const *before, const char *const *arguments)
{
    const char **argv = it_memory(64 * sizeof *argv);
    size_t count = 0;
    for (; before && *before; before++)
        argv[count++] = *before;
    argv[count++] = it_built("tcpfault");
    for (; *arguments; arguments++)
        argv[count++] = *arguments;
    return it_run(&(struct it_command){.argv = argv, .deadline_s = 40});
}

static struct visit visit(const char *const *before)
{
    struct visit visit;
    struct it_child *text = behind(before, ARGV("doctor"));
    struct it_child *json = behind(before, ARGV("doctor", "--format", "json"));
    CHECK_EXIT(text, 0);
    CHECK_EXIT(json, 0);
    CHECK_TEXT(text->err, "");
    visit.text = text->out;
    visit.json = json_loads(json->out, 0, NULL);
    CHECK_SAYING(visit.json != NULL, json->out);
    return visit;
}

static json_t *probe(const struct visit *visit, const char *id)
{
    json_t *rows = json_object_get(visit->json, "probes"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        if (!strcmp(json_string_value(json_object_get(row, "probe")), id))
            return row;
    }
    CHECK_SAYING(false, it_text("there is no probe %s", id));
    return NULL;
}

static bool works(const struct visit *visit, const char *id)
{
    return json_is_true(json_object_get(probe(visit, id), "works"));
}

static const char *said(const struct visit *visit, const char *id, const char *key)
{
    const char *text = json_string_value(json_object_get(probe(visit, id), key));
    return text ? text : "";
}

/* "full", "fallback" or "none"; and what it lacks, with blanks around each. */
static const char *level(const struct visit *visit, const char *effect, const char *calls,
                         const char *situation, const char **lacks)
{
    json_t *rows = json_object_get(visit->json, "effects"), *row, *name;
    size_t i, j;
    json_array_foreach(rows, i, row)
    {
        const char *its = json_string_value(json_object_get(row, "calls"));
        if (strcmp(json_string_value(json_object_get(row, "effect")), effect) ||
            strcmp(its ? its : "", calls))
            continue;
        json_t *at = json_object_get(row, situation);
        if (lacks)
            *lacks = " ";
        json_array_foreach(json_object_get(at, "lacks"), j, name)
        {
            if (lacks)
                *lacks = it_text("%s%s ", *lacks, json_string_value(name));
        }
        return json_string_value(json_object_get(at, "level"));
    }
    return "no such row";
}

/* The line of the text that tells of a probe: "  no   nftables ...". */
static bool tells(const char *text, const char *answer, const char *name)
{
    const char *line = it_text("\n  %-3s  %s  ", answer, name);
    return strstr(text, line) != NULL;
}

static const char *denies(void)
{
    return it_program("denies");
}

static const char scenario[] = "- {name: one, client: 'true'}\n- {name: two, client: 'true'}\n";

static int times(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

/* There is no private network here: run does without, and says so once; --sandbox
 * is refused, for the same reason. */
static void check_fallback(const char *const *before, const char *reason)
{
    const char *file = it_file("two.yaml", it_text("name: two\ncases:\n%s", scenario));
    struct it_child *run = behind(before, ARGV("run", file));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->err, reason);
    CHECK_INT(times(run->err, "on the host's network"), 1);
    struct it_child *inject =
        behind(before, ARGV("inject", "--sandbox", "--allow-unfired", "recv:eof", "--", "true"));
    CHECK_EXIT(inject, 3);
    CHECK_HAS(inject->err, "--sandbox");
    CHECK_HAS(inject->err, reason);
    CHECK_EXIT(behind(before, ARGV("inject", "--allow-unfired", "recv:eof", "--", "true")), 0);
}

static void every_effect_has_a_level_everywhere(void)
{
    struct visit here = visit(NULL);
    static const char *const situations[] = {"sandbox", "host", "alone"};
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(here.json, "effects"), i, row)
    {
        for (int j = 0; j < 3; j++) {
            const char *name =
                json_string_value(json_object_get(json_object_get(row, situations[j]), "level"));
            CHECK(name && (!strcmp(name, "full") || !strcmp(name, "fallback") || !strcmp(name, "none")));
        }
    }
    CHECK(i >= 10);
    CHECK_TEXT(level(&here, "error", "", "host", NULL), "full");
    CHECK_TEXT(level(&here, "error", "", "alone", NULL), "full");
    CHECK_TEXT(level(&here, "drop", "shutdown", "host", NULL), "none");
    CHECK_TEXT(level(&here, "drop", "close", "alone", NULL), "none");
    CHECK(tells(here.text, "yes", "libtcpfault.so"));
    if (works(&here, "nft"))
        CHECK_TEXT(level(&here, "drop", "%out", "sandbox", NULL), "full");
    json_decref(here.json);
}

static void no_user_namespaces_left(void)
{
    /* Without capabilities, in a user namespace that has no room for another. */
    const char *const before[] = {"unshare",
                                  "--user",
                                  "--map-root-user",
                                  "sh",
                                  "-c",
                                  "echo 0 >/proc/sys/user/max_user_namespaces &&"
                                  " exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"",
                                  "sh",
                                  NULL};
    if (it_run(&(struct it_command){.argv = ARGV("unshare", "--user", "--map-root-user", "true")})->exit)
        return;
    struct visit there = visit(before);
    CHECK(!works(&there, "private_network"));
    CHECK_TEXT(said(&there, "private_network", "errno"), "ENOSPC");
    CHECK_TEXT(said(&there, "private_network", "command"), "sysctl user.max_user_namespaces=15000");
    CHECK_HAS(said(&there, "private_network", "reason"), "No space left on device");
    CHECK(json_is_false(json_object_get(probe(&there, "nft"), "tried")));
    const char *lacks = "";
    CHECK_TEXT(level(&there, "error", "", "sandbox", &lacks), "none");
    CHECK_TEXT(lacks, " private_network ");
    CHECK_TEXT(level(&there, "error", "", "host", NULL), "full");
    CHECK(tells(there.text, "no", "private network"));
    CHECK_HAS(there.text, "\n  sysctl user.max_user_namespaces=15000\n");
    check_fallback(before, "unshare of user and network namespaces: No space left on device");
    json_decref(there.json);
}

static void a_filter_that_denies_unshare(void)
{
    const char *const before[] = {denies(), "unshare", "--", NULL};
    struct visit there = visit(before);
    CHECK(!works(&there, "private_network"));
    CHECK_TEXT(said(&there, "private_network", "errno"), "EPERM");
    CHECK_HAS(said(&there, "private_network", "reason"), "a seccomp filter");
    CHECK_HAS(said(&there, "private_network", "command"), "--security-opt seccomp=unconfined");
    CHECK_TEXT(json_string_value(json_object_get(json_object_get(there.json, "machine"), "seccomp")),
               "filter");
    CHECK_TEXT(level(&there, "drop", "connect", "sandbox", NULL), "none");
    CHECK_TEXT(level(&there, "drop", "connect", "host", NULL), "fallback");
    CHECK_HAS(there.text, "a filter on this process");
    CHECK(tells(there.text, "no", "private network"));
    CHECK_HAS(there.text, "\n  docker run --security-opt seccomp=unconfined");
    check_fallback(before, "unshare of user and network namespaces: Operation not permitted");
    json_decref(there.json);
}

/* As in a container: /proc/sys cannot be written, and hides what is below it. */
static void a_proc_that_is_partly_masked(void)
{
    const char *const before[] = {"unshare",
                                  "--user",
                                  "--map-root-user",
                                  "--mount",
                                  "sh",
                                  "-c",
                                  "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys &&"
                                  " exec unshare --user --map-user=1000 --map-group=1000 \"$@\"",
                                  "sh",
                                  NULL};
    const char *const try[] = {"unshare", "--user",    "--map-root-user", "--mount", "mount",
                               "--bind",  "/proc/sys", "/proc/sys",       NULL};
    if (it_run(&(struct it_command){.argv = try})->exit)
        return;
    struct visit there = visit(before);
    CHECK(works(&there, "private_network"));
    CHECK(!works(&there, "fresh_proc"));
    CHECK(!works(&there, "sysctl"));
    CHECK_TEXT(said(&there, "sysctl", "errno"), "EROFS");
    CHECK_TEXT(said(&there, "sysctl", "command"), "docker run --security-opt systempaths=unconfined ...");
    json_t *row = json_array_get(json_object_get(there.json, "scenarios"), 0);
    CHECK_TEXT(json_string_value(json_object_get(row, "subkey")), "sysctl");
    CHECK_TEXT(json_string_value(json_object_get(json_object_get(row, "sandbox"), "level")), "none");
    json_decref(there.json);
}

/* The doctor itself outlives it. */
static void a_filter_that_kills(void)
{
    struct visit there = visit(ARGV(denies(), "kill", "unshare", "pidfd_getfd", "netfilter", "--"));
    static const char *const probes[] = {"private_network", "pidfd_child", "pidfd_peer"};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        CHECK(!works(&there, probes[i]));
        CHECK_HAS(said(&there, probes[i], "reason"), "killed for a system call");
        CHECK_HAS(said(&there, probes[i], "command"), "seccomp=unconfined");
    }
    json_decref(there.json);
}

static void a_filter_that_denies_pidfd_getfd(void)
{
    struct visit there = visit(ARGV(denies(), "pidfd_getfd", "--"));
    const char *lacks = "";
    CHECK(!works(&there, "pidfd_child"));
    CHECK(!works(&there, "pidfd_peer"));
    CHECK_HAS(said(&there, "pidfd_child", "reason"), "a seccomp filter");
    CHECK_TEXT(level(&there, "drop", "close", "host", &lacks), "none");
    CHECK_TEXT(lacks, " pidfd_child ");
    CHECK_TEXT(level(&there, "drop", "%out", "host", &lacks), "none");
    CHECK_TEXT(lacks, " pidfd_peer ");
    CHECK_TEXT(level(&there, "drop", "%in", "host", NULL), "full");
    CHECK(tells(there.text, "no", "pidfd_getfd, own"));
    CHECK_HAS(there.text, "  not at all  drop on close: needs pidfd_getfd, own\n");
    json_decref(there.json);
}

static void a_filter_that_denies_netfilter(void)
{
    struct visit here = visit(NULL), there = visit(ARGV(denies(), "netfilter", "--"));
    const char *lacks = "";
    if (works(&here, "nft")) {
        CHECK(works(&there, "private_network"));
        CHECK(!works(&there, "nft"));
        CHECK_TEXT(said(&there, "nft", "errno"), "EPERM");
        CHECK_HAS(said(&there, "nft", "reason"), "a seccomp filter");
        CHECK_HAS(said(&there, "nft", "command"), "seccomp=unconfined");
        CHECK(!works(&there, "nfqueue"));
        CHECK_TEXT(level(&there, "drop", "connect", "sandbox", &lacks), "fallback");
        CHECK_TEXT(lacks, " nft ");
        CHECK_TEXT(level(&there, "drop", "shutdown", "sandbox", &lacks), "none");
        CHECK_TEXT(level(&there, "drop", "%out", "sandbox", NULL), "fallback");
        CHECK_TEXT(level(&there, "drop", "%out", "host", NULL), "fallback");
        CHECK(tells(there.text, "no", "nftables"));
        CHECK_HAS(there.text, "  not at all  drop on shutdown: needs nftables\n");
    }
    json_decref(here.json);
    json_decref(there.json);
}

/* Works on a copy: what was built may be where that user cannot look. */
static void an_ordinary_user(void)
{
    const char *folder = it_scratch();
    const char *const become[] = {"setpriv",
                                  "--reuid=65534",
                                  "--regid=65534",
                                  "--clear-groups",
                                  "--inh-caps=-all",
                                  "env",
                                  it_text("TCPFAULT_LIB=%s/libtcpfault.so", folder),
                                  NULL};
    if (geteuid() != 0)
        return; /* all other tests are his */
    it_run(&(struct it_command){
        .argv = ARGV("install", it_built("tcpfault"), it_built("libtcpfault.so"), folder)});
    const char *argv[16];
    size_t count = 0;
    for (; become[count]; count++)
        argv[count] = become[count];
    argv[count++] = it_text("%s/tcpfault", folder);
    argv[count++] = "doctor";
    argv[count] = NULL;
    struct it_child *text = it_run(&(struct it_command){.argv = argv});
    argv[count++] = "--format=json";
    argv[count] = NULL;
    struct it_child *json = it_run(&(struct it_command){.argv = argv});
    CHECK_EXIT(text, 0);
    CHECK_EXIT(json, 0);
    struct visit his = {json_loads(json->out, 0, NULL), text->out};
    json_t *machine = json_object_get(his.json, "machine");
    CHECK_INT(json_integer_value(json_object_get(machine, "uid")), 65534);
    CHECK(json_is_false(json_object_get(machine, "net_admin")));
    CHECK(works(&his, "shim"));
    /* No setting gives that to a user. */
    CHECK(!works(&his, "filter_host"));
    CHECK_TEXT(said(&his, "filter_host", "errno"), "EPERM");
    CHECK(tells(his.text, "no", "socket filter, host"));
    CHECK_HAS(his.text, "\nuser      65534\n");
    if (works(&his, "private_network")) {
        CHECK(works(&his, "filter_private"));
        CHECK_HAS(said(&his, "private_network", "detail"), "in a user namespace");
        CHECK_HAS(his.text, "in a user namespace");
    } else {
        CHECK(*said(&his, "private_network", "reason") != 0);
    }
    json_decref(his.json);
}

static void without_the_library_nothing_works(void)
{
    const char *library = "TCPFAULT_LIB=/no/such/library.so";
    struct it_child *child =
        it_run(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "doctor"), .env = ARGV(library)});
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->out, "/no/such/library.so: No such file or directory");
    CHECK_HAS(child->out, "\n  unset TCPFAULT_LIB\n");
    CHECK_EXIT(it_tool(ARGV("doctor", "now")), 2);
    CHECK_EXIT(it_tool(ARGV("doctor", "--format", "tap")), 2);
}

IT_SUITE(doctor, TEST(every_effect_has_a_level_everywhere), TEST(no_user_namespaces_left),
         TEST(a_filter_that_denies_unshare), TEST(a_proc_that_is_partly_masked), TEST(a_filter_that_kills),
         TEST(a_filter_that_denies_pidfd_getfd), TEST(a_filter_that_denies_netfilter), TEST(an_ordinary_user),
         TEST(without_the_library_nothing_works))

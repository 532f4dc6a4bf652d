/* libfiu's own tools, on a program under the shim. */
#include "check.h"
#include "net.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <dirent.h>

/* Connects once for each line that it reads. */
static const char connector[] = "import errno, socket, sys\n"
                                "print('ready', flush=True)\n"
                                "for line in sys.stdin:\n"
                                "    try:\n"
                                "        socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                                "        print(line.strip(), 'connected', flush=True)\n"
                                "    except OSError as error:\n"
                                "        print(line.strip(), errno.errorcode[error.errno], flush=True)\n";

struct controlled {
    struct it_child *child;
    const char *base;
    int commands;
};

static struct controlled start(const char *rules)
{
    struct controlled it = {.base = it_text("%s/ctrl", it_scratch())};
    const char *env[4] = {it_preload(NULL), it_text("TCPFAULT_CTRL=%s", it.base), NULL, NULL};
    if (rules)
        env[2] = it_text("TCPFAULT=%s", rules);
    it.child = it_start(
        &(struct it_command){.argv = ARGV("/usr/bin/python3", "-c", connector, it_text("%d", it_sink_peer())),
                             .env = env,
                             .input = ""});
    CHECK(it_says(it.child, "ready"));
    return it;
}

/* What the program's next connect gives, after `command` (or none). */
static void control(struct controlled *it, const char *command, const char *expected)
{
    if (command) {
        struct it_child *tool = it_run(&(struct it_command){
            .argv = ARGV("fiu-ctrl", "-f", it->base, "-c", command, it_text("%d", it->child->pid))});
        CHECK_EXIT(tool, 0);
    }
    it->commands++;
    it_tell(it->child, it_text("%d\n", it->commands));
    CHECK_SAYING(
        it_says(it->child, it_text("\n%d %s\n", it->commands, expected)),
        it_text("%s: not %s\n%s%s", command ? command : "nothing", expected, it->child->out, it->child->err));
}

static void fiu_ctrl_enables_and_disables_our_points_on_a_running_program(void)
{
    struct controlled it = start(NULL);
    control(&it, NULL, "connected");
    control(&it, "enable name=tcp/connect,failinfo=111", "ECONNREFUSED");
    control(&it, NULL, "ECONNREFUSED");
    control(&it, "disable name=tcp/connect", "connected");
}

static void the_names_of_libfius_own_preload_are_understood(void)
{
    struct controlled it = start(NULL);
    control(&it, "enable name=posix/io/net/connect,failinfo=113", "EHOSTUNREACH");
    control(&it, "disable name=posix/io/net/connect", "connected");
    control(&it, "enable name=posix/io/net/*,failinfo=113", "EHOSTUNREACH");
    control(&it, "disable name=posix/io/net/*", "connected");
}

static void a_malformed_failinfo_neither_crashes_nor_picks_a_random_errno(void)
{
    struct controlled it = start(NULL);
    static const char *const values[] = {"junk", "ECONNREFUSED", "0", "-", "0x"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        control(&it, it_text("enable name=tcp/connect,failinfo=%s", values[i]), "ECONNREFUSED");
        control(&it, "disable name=tcp/connect", "connected");
    }
    control(&it, "nonsense", "connected");
    control(&it, "enable", "connected");
    control(&it, "enable name=no/such/point", "connected");
}

static void rules_and_the_control_work_together(void)
{
    struct controlled it = start("connect:error=ENETUNREACH:when=2");
    control(&it, NULL, "connected");
    control(&it, NULL, "ENETUNREACH");
    control(&it, NULL, "connected");
    control(&it, "enable name=tcp/connect,failinfo=111", "ECONNREFUSED");
}

static void the_control_survives_a_cleared_environment_and_dropped_rights(void)
{
    const char *base = it_text("%s/ctrl", it_scratch());
    const char *drop =
        it_text("import os\nif os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n%s", connector);
    struct controlled it = {.base = base};

    it.child = it_start(&(struct it_command){
        .argv = ARGV("env", "-i", "/usr/bin/python3", "-c", drop, it_text("%d", it_sink_peer())),
        .env = ARGV(it_preload(NULL), it_text("TCPFAULT_CTRL=%s", base)),
        .input = ""});
    CHECK(it_says(it.child, "ready"));
    control(&it, NULL, "connected");
    control(&it, "enable name=tcp/connect,failinfo=111", "ECONNREFUSED");
    control(&it, "disable name=tcp/connect", "connected");
}

static void accept_by_libfius_name_strikes_programs_that_call_accept4(void)
{
    int port = it_port();
    const char *base = it_text("%s/ctrl", it_scratch());
    struct it_child *server = it_start(&(struct it_command){
        .argv = ARGV("redis-server", "--port", it_text("%d", port), "--bind", "127.0.0.1", "--save", ""),
        .env = ARGV(it_preload(NULL), it_text("TCPFAULT_CTRL=%s", base))});
    if (!it_listens(server, port))
        return;
    CHECK_HAS(it_ask(it_connect(port), "PING\r\n", "\n"), "+PONG");
    it_run(&(struct it_command){.argv = ARGV("fiu-ctrl", "-f", base, "-c",
                                             "enable name=posix/io/net/accept,failinfo=103",
                                             it_text("%d", server->pid))});
    CHECK_TEXT(it_ask(it_connect(port), "PING\r\n", "\n"), "ECONNRESET");
}

static void fiu_run_arms_a_program_that_also_has_the_shim(void)
{
    const char *probe = it_text("LD_PRELOAD=\"$LD_PRELOAD %s\" exec %s l.listen c.tcp c.connect",
                                it_built("libtcpfault.so"), it_program("probe"));
    static const char *const points[] = {"tcp/connect", "posix/io/net/connect"};
    for (int i = 0; i < 2; i++) {
        struct it_child *child = it_run(&(struct it_command){
            .argv = ARGV("fiu-run", "-f", it_text("%s/run", it_scratch()), "-c",
                         it_text("enable name=%s,failinfo=111", points[i]), "sh", "-c", probe)});
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out, "c.connect=ECONNREFUSED");
    }
}

static void without_being_asked_there_is_no_control(void)
{
    struct it_child *child =
        it_shimmed(IT_BARE, "connect:error=ECONNREFUSED", it_probe_argv("l.listen c.tcp c.connect"));
    CHECK_TEXT(child->out, "c.connect=ECONNREFUSED");
    DIR *dir = opendir(it_scratch());
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        CHECK_SAYING(entry->d_type != DT_FIFO, entry->d_name);
    if (dir)
        closedir(dir);
}

static void a_control_that_cannot_be_made_is_said(void)
{
    struct it_child *child = it_run(&(struct it_command){
        .argv = it_probe_argv("c.tcp"), .env = ARGV(it_preload(NULL), "TCPFAULT_CTRL=/no/such/place/ctrl")});
    CHECK_EXIT(child, 2);
    CHECK_HAS(child->err, "TCPFAULT_CTRL");
}

static void a_wrong_rule_is_said_before_main(void)
{
    static const struct {
        const char *rules, *said;
    } wrong[] = {{"conect:error=ECONNREFUSED", "connect"},
                 {"connect:error=EPIPE", "ECONNREFUSED"},
                 {"connect:eror=ECONNREFUSED", "error"},
                 {"connect:error=ECONREFUSED", "ECONNREFUSED"},
                 {"read:short=0", "short"},
                 {"bind:short=1", "short"},
                 {"recv:error=EBADFD", "EBADF"},
                 {"recv:error", "error"},
                 {"recv:error=ECONNRESET;;;x", "x"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct it_child *child = it_shimmed(IT_BARE, wrong[i].rules, ARGV("echo", "ran"));
        CHECK_EXIT(child, 2);
        CHECK_TEXT(child->out, "");
        CHECK_HAS(child->err, wrong[i].said);
        CHECK_HAS(child->err, "TCPFAULT");
    }
    struct it_child *child =
        it_run(&(struct it_command){.argv = ARGV("echo", "ran"),
                                    .env = ARGV(it_preload(NULL), "TCPFAULT=recv:eof", "TCPFAULT_SEED=abc")});
    CHECK_EXIT(child, 2);
    CHECK_HAS(child->err, "TCPFAULT_SEED");
}

IT_SUITE(control, TEST(fiu_ctrl_enables_and_disables_our_points_on_a_running_program),
         TEST(the_names_of_libfius_own_preload_are_understood),
         TEST(a_malformed_failinfo_neither_crashes_nor_picks_a_random_errno),
         TEST(rules_and_the_control_work_together),
         TEST(the_control_survives_a_cleared_environment_and_dropped_rights),
         TEST(accept_by_libfius_name_strikes_programs_that_call_accept4),
         TEST(fiu_run_arms_a_program_that_also_has_the_shim), TEST(without_being_asked_there_is_no_control),
         TEST(a_control_that_cannot_be_made_is_said), TEST(a_wrong_rule_is_said_before_main))

#include "sample.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Everything that could escape from a report. */
const char tf_sample_hostile[] =
    "\x1b[31mred\x1b[0m ]]> <b>&amp;\"' \xff\xfe \xc2\x9b \xe2\x80\xae \xef\xbf\xbe # \\ \r\x7f\n"
    "not ok 1 - forged\n  ...\n";

struct tf_result tf_sample[TF_SAMPLES];
struct tf_run tf_sample_run;

enum { CASES = TF_SAMPLES };

static const struct tf_check_info checks[] = {
    {"spin", "The same call fails at machine speed", TF_WARNING, "It burns a processor. Wait, or give up.",
     "accept(2), Error handling"},
    {"crash", "Killed by a signal", TF_ERROR, "Nothing is served any more.", "signal(7)"},
    {"advice", "", TF_NOTE, "", ""},
};

static void fill(struct tf_result *result, const char *suite, const char *name, enum tf_status status)
{
    memset(result, 0, sizeof(*result));
    result->file = strdup("dir/a & b.yaml");
    result->suite = strdup(suite);
    result->name = strdup(name);
    result->about = strdup("");
    result->reason = strdup(status == TF_SKIPPED ? "it needs # nothing" : "");
    result->reproduce = strdup("tcpfault run 'dir/a & b.yaml' --filter 'two' --seed 7");
    result->directory = strdup("");
    result->line = 12;
    result->status = status;
    result->seed = UINT64_MAX;
    result->duration_ns = 1234567890;
    result->started_realtime_ns = UINT64_C(1700000000000000000);
}

static void add_program(struct tf_result *result)
{
    struct tf_program_result_text *program = tf_result_program(result);
    CU_ASSERT_PTR_NOT_NULL(program);
    if (program == NULL)
        return;
    program->name = strdup("client");
    program->command = strdup("curl 'a b'");
    program->end = strdup("exited with status 7");
    program->out = tf_text_clean(tf_sample_hostile, sizeof(tf_sample_hostile) - 1, TF_RESULT_OUTPUT, true);
    program->err = strdup("an error\n");
    program->out_bytes = 12345678;
    program->fired = 1;
}

static struct tf_frame frame(const char *function, const char *file, unsigned int line)
{
    return (struct tf_frame){.module = strdup("/usr/lib/a b.so"),
                             .offset = 0x1234,
                             .function = strdup(function),
                             .file = strdup(file),
                             .line = line};
}

static void add_finding(struct tf_result *result, int check, const char *id, const char *file,
                        enum tf_finding_state state)
{
    struct tf_finding finding = {.check = &checks[check],
                                 .state = state,
                                 .excuse = strdup(state == TF_FINDING_SUPPRESSED ? "known <upstream>" : ""),
                                 .program = strdup("server"),
                                 .message = strdup("accept4 failed 123456 times a second with EMFILE"),
                                 .rule = strdup("accept4:error=EMFILE"),
                                 .call = strdup("accept4"),
                                 .error = strdup("EMFILE"),
                                 .event = check == 2 ? UINT64_MAX : 77,
                                 .time_ns = 1000,
                                 .conn = 1,
                                 .frames = calloc(2, sizeof(struct tf_frame)),
                                 .life = calloc(2, sizeof(char *)),
                                 .life_count = 2,
                                 .reproduce = strdup("tcpfault inject accept4:error=EMFILE -- server"),
                                 .times = 3};
    snprintf(finding.id, sizeof(finding.id), "%s", id);
    finding.life[0] = strdup("socket(AF_INET, SOCK_STREAM, 0) = 3");
    finding.life[1] = strdup(tf_sample_hostile);
    if (file != NULL) {
        finding.frames[finding.frames_count++] = frame("accept_loop", file, 42);
        finding.frames[finding.frames_count++] = frame("", "", 0);
    }
    CU_ASSERT_EQUAL(tf_result_finding(result, &finding), 0);
}

static json_t *moment(const char *call)
{
    return json_pack("{ss ss sI si s[s] s{ss}}", "program", "client", "call", call, "time_ns",
                     (json_int_t)1700000000000000000, "pid", 2, "args", "3<TCP>", "site", "offset", "0x1");
}

static void add_findings(void)
{
    char file[4096];
    CU_ASSERT_PTR_NOT_NULL(getcwd(file, sizeof(file) - 20));
    strcat(file, "/src/ser ver.c");
    add_finding(&tf_sample[1], 0, "0123456789abcdef", file, TF_FINDING_NEW);
    add_finding(&tf_sample[1], 0, "0123456789abcdef", file, TF_FINDING_NEW); /* once more */
    add_finding(&tf_sample[1], 1, "1123456789abcdef", "/usr/src/other.c", TF_FINDING_NEW);
    add_finding(&tf_sample[0], 2, "2123456789abcdef", NULL, TF_FINDING_SUPPRESSED);
    add_finding(&tf_sample[4], 0, "0123456789abcdef", file, TF_FINDING_NEW); /* in another case */
    add_finding(&tf_sample[4], 1, "3123456789abcdef", "", TF_FINDING_KNOWN);
    tf_result_moment(&tf_sample[1], moment("connect"));
    tf_result_transition(&tf_sample[1], "CLOSED SYN_SENT");
    tf_result_transition(&tf_sample[1], "CLOSED SYN_SENT");
    struct tf_rule_result *rule =
        tf_result_rule(&tf_sample[1].programs[0], "connect:peer=[::1]:80:error=EINTR:when=1");
    free(rule->calls);
    rule->calls = strdup("connect");
    rule->fired = rule->counted = 1;
}

void tf_sample_build(void)
{
    fill(&tf_sample[0], "suite", "one", TF_HELD);
    add_program(&tf_sample[0]);
    fill(&tf_sample[1], "suite", "two", TF_FAILED);
    add_program(&tf_sample[1]);
    tf_result_failure(&tf_sample[1], false, "client", "exit", "exit status 0", "exited with status 7");
    tf_result_failure(&tf_sample[1], false, "client", "stdout", "\"x\"", tf_sample_hostile);
    tf_result_event(&tf_sample[1], "client connect(3<TCP>, ...) = -1 ECONNREFUSED");
    tf_result_event(&tf_sample[1], tf_sample_hostile);
    tf_result_note(&tf_sample[1], tf_sample_hostile);
    fill(&tf_sample[2], "suite", "three", TF_BROKEN);
    free(tf_sample[2].reason);
    tf_sample[2].reason = strdup("client unfired");
    tf_result_failure(&tf_sample[2], true, "client", "unfired", "rule 1 to strike",
                      "no call met its selectors");
    fill(&tf_sample[3], "suite", "four", TF_SKIPPED);
    fill(&tf_sample[4], "other", "other", TF_HELD);
    free(tf_sample[4].file);
    tf_sample[4].file = strdup("other.yaml");
    tf_sample[4].repeat = 2;
    add_findings();
    tf_sample_run = (struct tf_run){.results = tf_sample,
                                    .count = CASES,
                                    .counts = {2, 1, 1, 1},
                                    .seed = UINT64_MAX,
                                    .duration_ns = 5000000000,
                                    .started_realtime_ns = UINT64_C(1700000000000000000),
                                    .command = "tcpfault run x",
                                    .sandbox = "of its own"};
}

void tf_sample_clear(void)
{
    for (int i = 0; i < CASES; i++)
        tf_result_fini(&tf_sample[i]);
}

char *tf_sample_written(const char *format, struct tf_report_style style)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct tf_report *report = tf_report_find(format);
    CU_ASSERT_PTR_NOT_NULL(report);
    tf_sample_build();
    if (report != NULL && report->begin != NULL)
        report->begin(out, &style, CASES);
    for (int i = 0; report != NULL && i < CASES && report->each != NULL; i++)
        report->each(out, &style, &tf_sample[i], (size_t)i + 1);
    if (report != NULL && report->end != NULL)
        report->end(out, &style, &tf_sample_run);
    fclose(out);
    tf_sample_clear();
    return text;
}

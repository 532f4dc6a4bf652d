/* tcpfault doctor: what this machine permits, and what that leaves. */
#include "cmd.h"

#include "doctor.h"

#include <jansson.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_TERM, FORMAT_JSON, WIDTH = 100 };

static const char *const formats[] = {"term", "json", NULL};

struct settings {
    int format;
};

static const struct tf_option options[] = {
    {"format", 0, TF_OPTION_CHOICE, "FORMAT", offsetof(struct settings, format), formats,
     "term (the default) or json (one object)"},
    {0},
};

static int run(int argc, char **argv);

const struct tf_command tf_command_doctor = {
    .name = "doctor",
    .synopsis = "[OPTION]...",
    .about = "show what this machine permits, and what that leaves",
    .details = "Tries what the effects need, says which effects that leaves in full, by a fallback\n"
               "or not at all, and the one command that would change it. Changes nothing. The exit\n"
               "status is 0, or 3 where the shim cannot be loaded and so nothing works.",
    .options = options,
    .run = run,
};

static const struct {
    const char *id, *title;
} situations[TF_SITUATIONS] = {
    [TF_SITUATION_SANDBOX] = {"sandbox", "In a private network: run; inject and trace with --sandbox"},
    [TF_SITUATION_HOST] =
        {"host", "On the host's network: inject and trace; run where no private network is to be had"},
    [TF_SITUATION_ALONE] = {"alone", "LD_PRELOAD alone, without this tool"}};

static const char *const levels[] = {
    [TF_LEVEL_NONE] = "none", [TF_LEVEL_FALLBACK] = "fallback", [TF_LEVEL_FULL] = "full"};

struct report {
    struct tf_machine machine;
    struct tf_probed findings[TF_PROBES];
    struct tf_ability ability[TF_ABILITIES_MAX];
    size_t abilities;
};

static bool is_net_admin(const struct tf_machine *machine)
{
    return machine->capabilities >> CAP_NET_ADMIN & 1;
}

/* "drop on %out", "sandbox: sysctl". */
static const char *name_of(const struct tf_ability *ability, char *out, size_t size)
{
    const char *between = ability->scenario ? ": " : *ability->calls ? " on " : "";
    snprintf(out, size, "%s%s%s", ability->effect, between, ability->calls);
    return out;
}

/* ---- for people ---- */

static void print_machine(const struct tf_machine *machine)
{
    static const char *const seccomp[] = {"no filter on this process", "strict", "a filter on this process"};
    bool known = machine->seccomp >= 0 && machine->seccomp <= 2;
    printf("kernel    Linux %s, %s\n", machine->kernel, machine->architecture);
    printf("user      %s%u%s%s\n", machine->uid ? "" : "root, ", machine->uid,
           is_net_admin(machine) ? ", with CAP_NET_ADMIN" : "",
           machine->initial_userns ? "" : ", in a user namespace");
    printf("seccomp   %s\n", known ? seccomp[machine->seccomp] : "not known");
    printf("AppArmor  %s\n", *machine->apparmor ? machine->apparmor : "not there");
    if (machine->yama < 0)
        printf("Yama      not there\n");
    else
        printf("Yama      kernel.yama.ptrace_scope is %d\n", machine->yama);
    if (*machine->lsm)
        printf("LSM       %s\n", machine->lsm);
}

/* Words, on lines that end at WIDTH; all but the first begin at `indent`. */
static void print_wrapped(const char *text, int indent)
{
    for (int column = indent; *text;) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf(column > indent ? " %.*s" : "%.*s", length, text);
        text += length + (text[length] == ' ');
    }
    printf("\n");
}

static void print_findings(const struct tf_probed *findings)
{
    printf("\nTried just now:\n");
    for (int probe = 0; probe < TF_PROBES; probe++) {
        char reason[512];
        const struct tf_probed *finding = &findings[probe];
        tf_doctor_reason(finding, reason, sizeof reason);
        printf("  %-3s  %-22s  ", finding->works ? "yes" : "no", tf_probes[probe].name);
        print_wrapped(*reason ? reason : tf_probes[probe].about, 31);
    }
}

static void write_names(uint32_t probes, FILE *out)
{
    const char *before = "";
    for (int probe = 0; probe < TF_PROBES; probe++) {
        if (!(probes & UINT32_C(1) << probe))
            continue;
        fprintf(out, "%s%s", before, tf_probes[probe].name);
        before = ", ";
    }
}

/* What would make it better. */
static void write_lacks(const struct tf_ability *ability, int situation, FILE *out)
{
    uint32_t lacks = ability->at[situation].lacks;
    bool elsewhere = !lacks && ability->at[TF_SITUATION_SANDBOX].level == TF_LEVEL_FULL;
    fputs(ability->at[situation].level == TF_LEVEL_NONE ? "needs " : "; in full with ", out);
    if (elsewhere && ability->scenario)
        fputs("a private network", out);
    else if (elsewhere)
        fputs(situation == TF_SITUATION_HOST ? "--sandbox" : "tcpfault inject --sandbox", out);
    else
        write_names(lacks ? lacks : ability->at[TF_SITUATION_SANDBOX].lacks, out);
}

/* A line for all that works in full, one for each other. */
static void write_level(const struct report *report, int situation, enum tf_level level, FILE *out)
{
    const char *before = "";
    for (size_t i = 0; i < report->abilities; i++) {
        char name[80];
        const struct tf_ability *ability = &report->ability[i];
        if (ability->at[situation].level != level || (ability->scenario && situation == TF_SITUATION_ALONE))
            continue;
        fprintf(out, "%s%s", before, name_of(ability, name, sizeof name));
        before = level == TF_LEVEL_FULL ? ", " : "\n";
        if (level == TF_LEVEL_FULL)
            continue;
        fprintf(out, ": %s", ability->at[situation].how);
        write_lacks(ability, situation, out);
    }
}

static void print_level(const struct report *report, int situation, enum tf_level level, const char *label)
{
    char *text = NULL, *rest;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    write_level(report, situation, level, out);
    fclose(out);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        printf("  %-12s", label);
        print_wrapped(line, 14);
    }
    free(text);
}

static void print_situation(const struct report *report, int situation)
{
    printf("\n%s:\n", situations[situation].title);
    if (situation == TF_SITUATION_SANDBOX && !report->findings[TF_PROBE_private_network].works) {
        printf("  not at all  there is none: run takes the host's, and --sandbox is refused\n");
        return;
    }
    print_level(report, situation, TF_LEVEL_FULL, "in full");
    print_level(report, situation, TF_LEVEL_FALLBACK, "fallback");
    print_level(report, situation, TF_LEVEL_NONE, "not at all");
}

/* Probes with one remedy in common are named together. */
static void print_commands(const struct tf_probed *findings)
{
    char command[TF_PROBES][256];
    bool any = false;
    for (int probe = 0; probe < TF_PROBES; probe++)
        tf_doctor_command(&findings[probe], command[probe], sizeof command[probe]);
    for (int probe = 0; probe < TF_PROBES; probe++) {
        if (!*command[probe])
            continue;
        printf("%s  %s\n        for %s", any ? "" : "\nWhat would change that:\n", command[probe],
               tf_probes[probe].name);
        any = true;
        for (int later = probe + 1; later < TF_PROBES; later++) {
            if (strcmp(command[later], command[probe]) != 0)
                continue;
            printf("; %s", tf_probes[later].name);
            *command[later] = 0;
        }
        printf("\n");
    }
}

static void print_report(const struct report *report)
{
    print_machine(&report->machine);
    print_findings(report->findings);
    for (int situation = 0; situation < TF_SITUATIONS; situation++)
        print_situation(report, situation);
    print_commands(report->findings);
}

/* ---- for programs ---- */

static json_t *text_or_null(const char *text)
{
    json_t *value = *text ? json_string(text) : NULL;
    return value ? value : json_null();
}

static json_t *machine_object(const struct tf_machine *machine)
{
    static const char *const seccomp[] = {"", "none", "strict", "filter"};
    return json_pack("{s:s, s:s, s:I, s:b, s:b, s:o, s:o, s:o, s:o}", "kernel", machine->kernel,
                     "architecture", machine->architecture, "uid", (json_int_t)machine->uid, "net_admin",
                     is_net_admin(machine), "initial_userns", machine->initial_userns, "seccomp",
                     text_or_null(machine->seccomp <= 2 ? seccomp[machine->seccomp + 1] : ""), "yama",
                     machine->yama < 0 ? json_null() : json_integer(machine->yama), "apparmor",
                     text_or_null(machine->apparmor), "lsm", text_or_null(machine->lsm));
}

static json_t *probe_rows(const struct tf_probed *findings)
{
    json_t *rows = json_array();
    for (int probe = 0; probe < TF_PROBES; probe++) {
        const struct tf_probed *finding = &findings[probe];
        char reason[512], command[256];
        tf_doctor_reason(finding, reason, sizeof reason);
        tf_doctor_command(finding, command, sizeof command);
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:b, s:b, s:o, s:o, s:o}", "probe", tf_probes[probe].id, "about",
                            tf_probes[probe].about, "tried", finding->tried, "works", finding->works,
                            finding->works ? "detail" : "reason", text_or_null(reason), "errno",
                            finding->error ? json_string(strerrorname_np(finding->error)) : json_null(),
                            "command", text_or_null(command)));
    }
    return rows;
}

static json_t *lacks_array(uint32_t lacks)
{
    json_t *names = json_array();
    for (int probe = 0; probe < TF_PROBES; probe++) {
        if (lacks & UINT32_C(1) << probe)
            json_array_append_new(names, json_string(tf_probes[probe].id));
    }
    return names;
}

/* Of effects, or of scenarios' keys. */
static json_t *ability_rows(const struct report *report, bool scenario)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < report->abilities; i++) {
        const struct tf_ability *ability = &report->ability[i];
        if (ability->scenario != scenario)
            continue;
        json_t *row = json_pack("{s:s, s:o}", scenario ? "key" : "effect", ability->effect,
                                scenario ? "subkey" : "calls", text_or_null(ability->calls));
        for (int situation = 0; situation < TF_SITUATIONS; situation++)
            json_object_set_new(row, situations[situation].id,
                                json_pack("{s:s, s:o, s:o}", "level", levels[ability->at[situation].level],
                                          "how", text_or_null(ability->at[situation].how), "lacks",
                                          lacks_array(ability->at[situation].lacks)));
        json_array_append_new(rows, row);
    }
    return rows;
}

static void print_json(const struct report *report)
{
    json_t *all = json_pack("{s:s, s:o, s:o, s:o, s:o}", "tcpfault", TF_VERSION, "machine",
                            machine_object(&report->machine), "probes", probe_rows(report->findings),
                            "effects", ability_rows(report, false), "scenarios", ability_rows(report, true));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int run(int argc, char **argv)
{
    static struct report report;
    struct settings settings = {0};
    struct tf_error error;
    int end, command;
    int first = tf_options_parse(&tf_command_doctor, argc, argv, &settings, &end, &command, &error);
    if (first >= 0 && (end != first || command != argc))
        first = tf_error_set(&error, "there is nothing to name: it looks at this machine");
    if (first < 0)
        return tf_cmd_usage(&tf_command_doctor, first, &error);
    tf_doctor_machine(&report.machine);
    tf_doctor_try(report.findings);
    report.abilities = tf_doctor_abilities(report.findings, report.ability);
    if (settings.format == FORMAT_JSON)
        print_json(&report);
    else
        print_report(&report);
    return report.findings[TF_PROBE_shim].works ? TF_EXIT_OK : TF_EXIT_TOOL;
}

/* What this machine permits, and what that leaves of each effect. Everything that
 * can be tried is tried, each in a child process with a deadline; nothing is
 * concluded from a version. Does not print, changes nothing on the machine.
 *
 *   tf_doctor_machine     what the kernel says of itself and of this process
 *   tf_doctor_try         every probe of probes.def
 *   tf_doctor_abilities   the rows of needs.def, by what the probes found
 */
#ifndef TF_DOCTOR_H
#define TF_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tf_probe_id {
#define PROBE(id, where, name, about) TF_PROBE_##id,
#include "probes.def"
#undef PROBE
    TF_PROBES
};

enum tf_probe_where { TF_PROBE_HOST, TF_PROBE_PRIVATE };

struct tf_probe {
    const char *id, *name, *about;
    enum tf_probe_where where;
};
extern const struct tf_probe tf_probes[TF_PROBES];

enum tf_cause {
#define CAUSE(id, who, why, command) TF_CAUSE_##id,
#include "causes.def"
#undef CAUSE
    TF_CAUSES
};

/* What came of a probe. */
struct tf_probed {
    bool tried, works;
    int error;           /* errno of a refusal; 0: none, or not refused by an errno */
    enum tf_cause cause; /* of a refusal */
    char detail[256];    /* of a refusal: what was refused. Else what there is to know, or "" */
};

/* Fills findings[TF_PROBES]. Takes some tenths of a second; at the most
 * a few seconds a probe that gives no answer. */
void tf_doctor_try(struct tf_probed *findings);

/* "what: why" of a probe that does not work. */
void tf_doctor_reason(const struct tf_probed *finding, char *out, size_t size);

/* The one command that would change it; "" where there is none. */
void tf_doctor_command(const struct tf_probed *finding, char *out, size_t size);

struct tf_machine {
    char kernel[65], architecture[65];
    unsigned int uid;
    uint64_t capabilities; /* effective, as 1 << CAP_NET_ADMIN, in the user namespace that it is in */
    bool initial_userns;   /* which is the first one */
    int seccomp;           /* of this process: 0 none, 1 strict, 2 filter; -1 not known */
    int yama;              /* kernel.yama.ptrace_scope; -1: there is no Yama */
    char lsm[128];         /* security modules, with commas between; "": not known */
    char apparmor[128];    /* profile of this process; "": AppArmor is not there */
};

void tf_doctor_machine(struct tf_machine *machine);

/* The number in a file of one; -1 where there is none. */
long tf_doctor_number(const char *path);

/* ---- effects ---- */

enum tf_situation { TF_SITUATION_SANDBOX, TF_SITUATION_HOST, TF_SITUATION_ALONE, TF_SITUATIONS };
enum tf_level { TF_LEVEL_NONE, TF_LEVEL_FALLBACK, TF_LEVEL_FULL };

struct tf_ability {
    const char *effect, *calls; /* calls "": wherever the effect is valid */
    bool scenario;              /* a key of scenarios, not an effect */
    struct {
        enum tf_level level;
        const char *how; /* in which way a fallback differs; "" */
        uint32_t lacks;  /* probes, as 1 << id: with them it would be better here */
    } at[TF_SITUATIONS];
};

enum { TF_ABILITIES_MAX = 32 };

/* Fills out[TF_ABILITIES_MAX]; returns how many. Pure. */
size_t tf_doctor_abilities(const struct tf_probed *findings, struct tf_ability *out);

#endif

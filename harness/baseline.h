/* What the programs of a battery do without faults: what its cases are compared with. */
#ifndef TF_BASELINE_H
#define TF_BASELINE_H

#include "alike.h"
#include "result.h"
#include "scenario.h"

enum tf_baseline_who {
    TF_BASELINE_TARGET,
    TF_BASELINE_PEER,
    TF_BASELINE_TOOL, /* the tool's own peer, which says what the user's says */
    TF_BASELINES
};

struct tf_baseline {
    struct tf_usual {
        unsigned int runs; /* that it was learned from; 0: nothing is known */
        int status;
        struct tf_alike *out, *err;
        struct tf_program_result_text told; /* of it only `usual` */
    } of[TF_BASELINES];
    /* The events that cases require, and how many there were. */
    const struct tf_pattern **pattern;
    uint64_t *seen;
    size_t patterns;
    char (*known)[17]; /* ids of findings that were made without faults */
    size_t known_count;
    bool ends_with_file;              /* a client reads to the end of file, and no reply says its length */
    char no_sent[256], no_reply[256]; /* why {sent}, {reply} are not known; "": they are */
};

/* What a case of a battery knows beyond its scenario. */
struct tf_case_battery {
    const char *id;                              /* "server/accept/emfile-passes" */
    const char *reproduce;                       /* a command line */
    const struct tf_baseline *baseline;          /* NULL: this is the run without faults */
    const struct tf_pattern **watch;             /* then: events of the target to be counted */
    size_t watches;                              /* in observed.json */
    const char *sent, *reply, *expect, *address; /* what these stand for; all but address may be NULL */
    uint16_t port;                               /* {port}; 0: a free one */
};

#endif

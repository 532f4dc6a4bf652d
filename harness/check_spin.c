/* Threads that go round without getting on: accept-spin, eof-spin, error-spin,
 * eagain-spin, poll-spin.
 *
 * False alarms: a rule that makes a call fail in a way that leaves the socket ready
 * (EAGAIN at will) would make any program look so; those are left out. A program that
 * polls with a timeout of 0 on purpose is not one that ignores what poll reports. */
#include "check.h"

#include <errno.h>
#include <stdio.h>

enum { RATE = 1000, ACCEPT_RATE = 200 };

static double rate(const struct tf_spin *spin)
{
    return (double)spin->count * 1e9 / (double)(spin->to_ns - spin->from_ns + 1);
}

static void say(const struct tf_evidence *evidence, enum tf_check_id id, const struct tf_spin *spin,
                const char *what)
{
    char cpu[48] = "", result[32] = "0";
    if (spin->cpu >= 0)
        snprintf(cpu, sizeof cpu, ", %.0f %% of a CPU", 100 * spin->cpu);
    if (spin->event.error)
        snprintf(result, sizeof result, "%s", tf_error_name(spin->event.error));
    else if (spin->event.result)
        snprintf(result, sizeof result, "%lld", (long long)spin->event.result);
    tf_found(evidence, id, &spin->event, tf_life_of(evidence, &spin->event),
             "%s gave %s %llu times in %.1f s%s: %.0f calls a second%s", tf_call_info[spin->event.call].name,
             result, (unsigned long long)spin->count, (double)(spin->to_ns - spin->from_ns) / 1e9, what,
             rate(spin), cpu);
}

static bool shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void tf_check_accept_spin(const struct tf_evidence *evidence)
{
    for (const struct tf_spin *spin = evidence->spin; spin < evidence->spin + evidence->spins; spin++)
        if (tf_event_class(&spin->event) == TF_CLASS_ACCEPT && shortage(spin->event.error) &&
            rate(spin) >= ACCEPT_RATE)
            say(evidence, TF_CHECK_accept_spin, spin, ", while a connection waited");
}

void tf_check_eof_spin(const struct tf_evidence *evidence)
{
    for (const struct tf_spin *spin = evidence->spin; spin < evidence->spin + evidence->spins; spin++)
        if (tf_event_class(&spin->event) == TF_CLASS_IN && spin->event.error == 0 && rate(spin) >= RATE)
            say(evidence, TF_CHECK_eof_spin, spin, ", after the peer's end of file");
}

void tf_check_error_spin(const struct tf_evidence *evidence)
{
    for (const struct tf_spin *spin = evidence->spin; spin < evidence->spin + evidence->spins; spin++) {
        unsigned class = tf_event_class(&spin->event);
        int error = spin->event.error;
        if (class == TF_CLASS_WAIT || !error || error == EAGAIN || rate(spin) < RATE)
            continue;
        if (class == TF_CLASS_ACCEPT && shortage(error))
            continue;
        /* A rule that makes it fail each time: a shortage that does not pass. */
        if (spin->fired == spin->count && (error == ENOMEM || error == ENOBUFS))
            continue;
        say(evidence, TF_CHECK_error_spin, spin, "");
    }
}

void tf_check_eagain_spin(const struct tf_evidence *evidence)
{
    for (const struct tf_spin *spin = evidence->spin; spin < evidence->spin + evidence->spins; spin++)
        if (spin->event.error == EAGAIN && spin->fired == 0 && rate(spin) >= RATE &&
            (spin->busy < 0 || spin->busy >= 0.1))
            say(evidence, TF_CHECK_eagain_spin, spin, ", without a wait in between");
}

void tf_check_poll_spin(const struct tf_evidence *evidence)
{
    for (const struct tf_spin *spin = evidence->spin; spin < evidence->spin + evidence->spins; spin++) {
        if (tf_event_class(&spin->event) != TF_CLASS_WAIT || rate(spin) < RATE ||
            (spin->busy >= 0 && spin->busy < 0.1))
            continue;
        /* The call that fails in between is what goes round, and is told above. */
        bool told = false;
        for (size_t i = 0; i < evidence->spins; i++)
            told |= tf_event_class(&evidence->spin[i].event) != TF_CLASS_WAIT &&
                    evidence->spin[i].event.tid == spin->event.tid;
        if (!told)
            say(evidence, TF_CHECK_poll_spin, spin, ", and nothing was done about it");
    }
}

/* Names of what rules and traces speak of, beside those in rule.h. All tables
 * are constant: safe in any thread or signal handler. */
#ifndef TF_NAMES_H
#define TF_NAMES_H

#include "plan.h"

#include <stddef.h>

/* "SIGALRM", "SIGRTMIN+3"; NULL where there is none. */
const char *tf_signal_name(int signal);

/* A name with or without SIG, or a number; -1 where it is none. The two
 * real-time signals that the C library keeps for itself (32, 33) are none. */
int tf_signal_number(const char *name, size_t length);

/* "SO_REUSEADDR"; NULL where it is not in options.def. */
const char *tf_option_name(int level, int name);

/* Fills *level and *number. Returns 0, or -1 where there is no such name. */
int tf_option_find(const char *name, size_t length, int *level, int *number);

/* "inet", "inet6"; NULL where it is neither. */
const char *tf_family_name(uint32_t family);

/* AF_INET, AF_INET6; 0 where it is neither. */
uint32_t tf_family_number(const char *name, size_t length);

/* The calls that an effect is valid on, as TF_BITs. */
uint64_t tf_effect_calls(enum tf_effect_id id);

/* Those of a rule that drop strikes by the tool's second hand: without the tool it
 * cannot (segment.h, struct tf_hands). */
uint64_t tf_drop_by_hand(const struct tf_rule *rule);

/* The calls that can return `error`: errnos.def turned around. */
uint64_t tf_errno_calls(int error);

/* Writes the calls as a rule would: with classes where those fit exactly, then
 * by name. A class counts as the part of it that is in `valid`: what a rule with
 * the same effects would make of it. Returns the length, as snprintf(3) does. */
size_t tf_calls_write(uint64_t calls, uint64_t valid, char *out, size_t size);

/* All words that may stand where a call stands: names and classes, and the
 * classes alone. Ends with NULL; likewise the other lists, for tf_nearest. */
extern const char *const tf_call_words[];
extern const char *const tf_class_words[];
extern const char *const tf_errno_words[];
extern const char *const tf_signal_words[];
extern const char *const tf_option_words[];
extern const char *const tf_family_words[];

#endif

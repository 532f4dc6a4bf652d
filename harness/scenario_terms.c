/* The writers of what TCP and the kernel have names for: statuses, calls, errnos,
 * options, ports, states. */
#include "names.h"
#include "rule.h"
#include "sandbox.h"
#include "scenario.h"
#include "scenario_keys.h"
#include "scenario_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- expectations ---- */

TF_WRITER(exit)
{
    if (node->kind == TF_NODE_SCALAR && strcmp(node->text, "any") == 0) {
        tf_canon_flag(canon, "exit_any", true);
        return 0;
    }
    if (node->kind == TF_NODE_LIST && node->entries == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each)) {
        char *end = NULL;
        long status = each->kind == TF_NODE_SCALAR ? strtol(each->text, &end, 10) : -1;
        if (end == NULL || !isdigit((unsigned char)each->text[0]) || *end != '\0' || status > 255)
            return tf_canon_fail(canon, each, 0,
                                 "\"%s\" must be a status from 0 to 255, a list of them, or any", key->name);
        fprintf(canon->out, "%ld,\n", status);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(calls)
{
    if (tf_canon_scalar(canon, key, node, "a call's name") != 0)
        return -1;
    uint64_t calls = 0;
    for (const char *at = node->text;; at++) {
        size_t length = strcspn(at, ",");
        uint64_t named = tf_calls_named(at, length);
        if (named == 0) {
            const char *nearest = tf_nearest(at, length, tf_call_words);
            return tf_canon_fail(canon, node, (size_t)(at - node->text),
                                 nearest != NULL ? "unknown call \"%.*s\"; did you mean \"%s\"?"
                                                 : "unknown call \"%.*s\"; see tcpfault list calls",
                                 (int)(length < 60 ? length : 60), at, nearest);
        }
        calls |= named;
        at += length;
        if (*at == '\0')
            break;
    }
    fprintf(canon->out, "\"%s\": %" PRIu64 ",\n", key->name, calls);
    return 0;
}

TF_WRITER(errno)
{
    if (tf_canon_scalar(canon, key, node, "the name of an errno") != 0)
        return -1;
    int number = 0;
    bool any = strcmp(node->text, "any") == 0;
    if (!any && strcmp(node->text, "none") != 0)
        number = tf_errno_number(node->text, node->length);
    if (number < 0) {
        const char *nearest = tf_nearest(node->text, node->length, tf_errno_words);
        if (nearest != NULL)
            return tf_canon_fail(canon, node, 0, "unknown errno \"%.60s\"; did you mean \"%s\"?", node->text,
                                 nearest);
        return tf_canon_fail(canon, node, 0,
                             "unknown errno \"%.60s\"; expected a name of errno(3), none or any", node->text);
    }
    tf_canon_flag(canon, "has_error", true);
    tf_canon_flag(canon, "any_error", any);
    tf_canon_number(canon, key->name, number);
    return 0;
}

TF_WRITER(role)
{
    static const char *const words[] = {"client", "server", "listener", NULL};
    if (tf_canon_scalar(canon, key, node, "client, server or listener") != 0)
        return -1;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_number(canon, key->name, TF_ROLE_CLIENT + i);
            return 0;
        }
    return tf_canon_unknown(canon, node, "role", words);
}

TF_WRITER(family)
{
    if (tf_canon_scalar(canon, key, node, "inet or inet6") != 0)
        return -1;
    uint32_t family = tf_family_number(node->text, node->length);
    if (family == 0)
        return tf_canon_unknown(canon, node, "family", tf_family_words);
    tf_canon_number(canon, key->name, family);
    return 0;
}

TF_WRITER(option)
{
    if (tf_canon_scalar(canon, key, node, "a socket option") != 0)
        return -1;
    int level, name;
    if (tf_option_find(node->text, node->length, &level, &name) != 0) {
        const char *nearest = tf_nearest(node->text, node->length, tf_option_words);
        if (nearest != NULL)
            return tf_canon_fail(canon, node, 0, "unknown option \"%.60s\"; did you mean \"%s\"?", node->text,
                                 nearest);
        return tf_canon_fail(canon, node, 0, "unknown option \"%.60s\"; expected a name such as SO_REUSEADDR",
                             node->text);
    }
    tf_canon_flag(canon, "has_opt", true);
    tf_canon_number(canon, "opt_level", level);
    tf_canon_number(canon, "opt_name", name);
    return 0;
}

/* ---- steps ---- */

TF_WRITER(port)
{
    /* In a flow mapping YAML reads {port} as a mapping: port, with no value. */
    bool bare = node->kind == TF_NODE_MAP && node->entries == 1 && tf_node_is_null(node->first);
    char text[96];
    if (bare) {
        snprintf(text, sizeof(text), "{%.80s}", node->first->key->text);
    } else {
        if (tf_canon_scalar(canon, key, node, "a port: a number, {port} or {port:NAME}") != 0)
            return -1;
        snprintf(text, sizeof(text), "%.90s", node->text);
    }
    struct tf_wrong wrong;
    char *digits = tf_subst(text, TF_SUBST_PORTS, NULL, NULL, &wrong);
    if (digits == NULL)
        return tf_canon_fail(canon, node, bare ? 0 : wrong.at, "%s", wrong.message);
    char *end;
    unsigned long port = strtoul(digits, &end, 10);
    bool valid = isdigit((unsigned char)digits[0]) && *end == '\0' && port >= 1 && port <= 65535;
    free(digits);
    if (!valid)
        return tf_canon_fail(canon, node, 0,
                             "\"%.60s\" is no port; expected 1 to 65535, {port} or {port:NAME}", text);
    tf_canon_text(canon, key->name, text);
    return 0;
}

TF_WRITER(states)
{
    const char *words[32];
    size_t count = 0;
    for (unsigned int i = 1; i < 16; i++)
        if ((words[count] = tf_net_state_name(i)) != NULL)
            count++;
    words[count] = NULL;
    if (node->kind == TF_NODE_MAP)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a string or a list of strings, not a mapping",
                             key->name);
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each)) {
        if (tf_canon_scalar(canon, key, each, "a state of TCP") != 0)
            return -1;
        if (tf_net_state_number(each->text) == 0)
            return tf_canon_unknown(canon, each, "state", words);
        tf_canon_string(canon, each->text);
        fputs(",\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(queue)
{
    static const char *const words[] = {"accept", "syn", NULL};
    if (tf_canon_scalar(canon, key, node, "accept or syn") != 0)
        return -1;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_number(canon, key->name, TF_QUEUE_ACCEPT + i);
            return 0;
        }
    return tf_canon_unknown(canon, node, "queue", words);
}

static int write_address(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                         const char *const *words)
{
    if (tf_canon_scalar(canon, key, node, "an address") != 0)
        return -1;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_text(canon, key->name, node->text);
            return 0;
        }
    return tf_canon_unknown(canon, node, "address", words);
}

TF_WRITER(address)
{
    static const char *const words[] = {"127.0.0.1", "::1", "0.0.0.0", "::", NULL};
    return write_address(canon, key, node, words);
}

TF_WRITER(loopback)
{
    static const char *const words[] = {"127.0.0.1", "::1", NULL};
    return write_address(canon, key, node, words);
}

TF_WRITER(signals)
{
    static const struct tf_key signal = {"signal", tf_write_signal, NULL, false};
    return tf_canon_by_program(canon, key, node, &signal, "{server: SIGTERM}");
}

TF_WRITER(rule_ref)
{
    if (tf_canon_scalar(canon, key, node, "a fault's number or text") != 0)
        return -1;
    if (strspn(node->text, "0123456789") == node->length)
        return tf_write_ordinal(canon, key, node);
    tf_canon_text(canon, "rule_text", node->text);
    return 0;
}

/* ---- batteries ---- */

TF_WRITER(outcomes)
{
    static const char *const words[] = {"same", "error", "part", "other", "any", NULL};
    int64_t outcomes = 0;
    if (!canon->battery)
        return tf_canon_fail(canon, node, 0, "\"%s\" has a meaning in a battery only, with the key battery",
                             key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each)) {
        int at = 0;
        if (tf_canon_scalar(canon, key, each, "same, error, part, other, any, or a list of these") != 0)
            return -1;
        while (words[at] != NULL && strcmp(words[at], each->text) != 0)
            at++;
        if (words[at] == NULL)
            return tf_canon_unknown(canon, each, "outcome", words);
        outcomes |= 1 << at;
    }
    if (outcomes == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
    tf_canon_number(canon, key->name, outcomes);
    return 0;
}

TF_WRITER(requires)
{
    if (!canon->battery)
        return tf_canon_fail(canon, node, 0, "\"%s\" has a meaning in a battery only, with the key battery",
                             key->name);
    if (tf_canon_entries(canon, key, node) != 0)
        return -1;
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each)) {
        int bytes = each->kind != TF_NODE_SCALAR       ? TF_BYTES_NONE
                    : strcmp(each->text, "send") == 0  ? TF_BYTES_SEND
                    : strcmp(each->text, "reply") == 0 ? TF_BYTES_REPLY
                                                       : TF_BYTES_NONE;
        if (bytes != TF_BYTES_NONE) {
            fputs("{", canon->out);
            tf_canon_place(canon, each);
            tf_canon_text(canon, "text", each->text);
            tf_canon_number(canon, "bytes", bytes);
            fputs("}", canon->out);
        } else if (tf_canon_mapping(canon, key->shape, each, NULL) != 0) {
            return -1;
        }
        fputs(",\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

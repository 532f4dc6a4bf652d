/* peer= and local=. */
#include "rule_parts.h"

#include <arpa/inet.h>
#include <string.h>

size_t tf_endpoint_length(const char *text, size_t length)
{
    size_t i = 0;
    if (length > 0 && text[0] == '[')
        while (i < length && text[i] != ']')
            i++;
    while (i < length && text[i] != ':')
        i++;
    if (i < length) /* the ':' before the port */
        i++;
    while (i < length && text[i] != ':')
        i++;
    return i;
}

/* Fills ip, family; false where it is no numeric address. */
static bool host_parse(struct tf_span host, bool bracketed, struct tf_endpoint *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN + 1];
    if (host.length >= sizeof(text))
        return false;
    memcpy(text, host.text, host.length);
    text[host.length] = '\0';
    if (!bracketed) {
        out->family = 4;
        return inet_pton(AF_INET, strcmp(text, "localhost") == 0 ? "127.0.0.1" : text, out->ip) == 1;
    }
    out->family = 6;
    if (inet_pton(AF_INET6, text, out->ip) != 1)
        return false;
    if (memcmp(out->ip, mapped, sizeof(mapped)) == 0) {
        out->family = 4;
        memmove(out->ip, out->ip + 12, 4);
        memset(out->ip + 4, 0, 12);
    }
    return true;
}

static int endpoint(struct tf_rule_parse *parse, const char *name, struct tf_span value,
                    struct tf_endpoint *out)
{
    const char *end = value.text + value.length;
    struct tf_span host = {value.text, 0};
    const char *colon = value.text;
    bool bracketed = value.length > 0 && value.text[0] == '[';

    if (bracketed) {
        const char *close = memchr(value.text, ']', value.length);
        if (!close)
            return tf_rule_fail(parse, value.text, "%s: no \"]\" after \"[\"", name);
        host = (struct tf_span){value.text + 1, (size_t)(close - value.text - 1)};
        colon = close + 1;
        if (colon < end && *colon != ':')
            return tf_rule_fail(parse, colon, "%s: expected \":PORT\" after \"]\"", name);
    } else {
        while (colon < end && *colon != ':')
            colon++;
        host.length = (size_t)(colon - value.text);
    }
    if (colon == end)
        return tf_rule_fail(parse, end, "%s is \"%s\"; expected a port after it, HOST:PORT, :PORT or HOST:*",
                            name, TF_QUOTE(value));

    out->any_host = !bracketed && (host.length == 0 || tf_is(host, "*"));
    if (!out->any_host && !host_parse(host, bracketed, out))
        return tf_rule_fail(
            parse, host.text,
            "%s: \"%s\" is no address; expected a numeric one (IPv6 in brackets), localhost or *", name,
            TF_QUOTE(host));

    struct tf_span port = {colon + 1, (size_t)(end - colon - 1)};
    if (port.length == 0)
        return tf_rule_fail(parse, port.text,
                            "%s: expected a port after \":\" (IPv6 goes in brackets: [::1]:80)", name);
    uint64_t n = 0;
    if (tf_is(port, "*")) {
        if (out->any_host)
            return tf_rule_fail(parse, value.text,
                                "%s is \"%s\", which selects nothing; give a host or a port", name,
                                TF_QUOTE(value));
    } else {
        const char *wrong;
        bool overflow;
        if (!tf_number(port, 65535, &n, &wrong, &overflow) || n == 0)
            return tf_rule_fail(parse, port.text, "%s: \"%s\" is no port; expected 1 to 65535 or *", name,
                                TF_QUOTE(port));
    }
    out->port = (uint16_t)n;
    return 0;
}

int tf_value_peer(struct tf_rule_parse *parse, struct tf_span value)
{
    return endpoint(parse, "peer", value, &parse->rule->peer);
}

int tf_value_local(struct tf_rule_parse *parse, struct tf_span value)
{
    return endpoint(parse, "local", value, &parse->rule->local);
}

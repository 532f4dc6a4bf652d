#include "report_sarif.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- physical ---- */

/* RFC 3986: a path's unreserved characters stand as they are. */
static void encode(FILE *out, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL)
            fputc(*path, out);
        else
            fprintf(out, "%%%02X", (unsigned int)(unsigned char)*path);
    }
}

/* Below the working directory a path is relative to it, so that it is one of the
 * repository that is checked out there. */
static json_t *artifact(const char *path)
{
    char here[PATH_MAX], *uri = NULL;
    size_t length = getcwd(here, sizeof(here)) != NULL ? strlen(here) : 0, size;
    if (length > 0 && strncmp(path, here, length) == 0 && path[length] == '/')
        path += length + 1;
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    FILE *out = open_memstream(&uri, &size);
    if (out == NULL)
        return NULL;
    if (path[0] == '/')
        fputs("file://", out);
    encode(out, path);
    fclose(out);
    json_t *json = json_pack("{ss}", "uri", uri);
    if (path[0] != '/')
        json_object_set_new(json, "uriBaseId", json_string(TF_SARIF_BASE));
    free(uri);
    return json;
}

static json_t *physical(const char *path, unsigned int line)
{
    json_t *json = json_pack("{so}", "artifactLocation", artifact(path));
    if (json != NULL && line > 0)
        json_object_set_new(json, "region", json_pack("{si}", "startLine", (int)line));
    return json;
}

json_t *tf_sarif_scenario(const struct tf_result *result)
{
    if (result->file[0] == '\0')
        return json_pack("{s[{ss ss}]}", "logicalLocations", "fullyQualifiedName", result->name, "kind",
                         "command");
    return json_pack("{so}", "physicalLocation", physical(result->file, result->line));
}

/* ---- logical ---- */

static json_t *logical(const struct tf_frame *frame)
{
    const char *slash = strrchr(frame->module, '/');
    const char *module = slash != NULL ? slash + 1 : frame->module;
    char place[320];
    snprintf(place, sizeof(place), "%.255s+0x%" PRIx64, module, frame->offset);
    json_t *list = json_array();
    if (frame->function[0] != '\0')
        json_array_append_new(list, json_pack("{ss ss ss}", "name", frame->function, "fullyQualifiedName",
                                              frame->function, "kind", "function"));
    if (module[0] != '\0')
        json_array_append_new(
            list, json_pack("{ss ss ss}", "name", module, "fullyQualifiedName", place, "kind", "module"));
    return list;
}

static json_t *location_of(const struct tf_frame *frame)
{
    json_t *location = json_pack("{so}", "logicalLocations", logical(frame));
    if (location != NULL && frame->file[0] != '\0')
        json_object_set_new(location, "physicalLocation", physical(frame->file, frame->line));
    return location;
}

json_t *tf_sarif_locations(const struct tf_finding *finding, const struct tf_result *result)
{
    const struct tf_frame *frame = finding->frames_count > 0 ? &finding->frames[0] : NULL;
    json_t *location = frame != NULL ? location_of(frame) : tf_sarif_scenario(result);
    if (frame != NULL && frame->file[0] == '\0' && result->file[0] != '\0')
        json_object_set_new(location, "physicalLocation", physical(result->file, result->line));
    return json_pack("[o]", location);
}

json_t *tf_sarif_stacks(const struct tf_finding *finding)
{
    json_t *frames = json_array();
    for (size_t i = 0; i < finding->frames_count; i++) {
        const struct tf_frame *frame = &finding->frames[i];
        json_array_append_new(frames,
                              json_pack("{so ss}", "location", location_of(frame), "module", frame->module));
    }
    return json_pack("[{s{ss} so}]", "message", "text", "The call site, and what called it.", "frames",
                     frames);
}

/* ---- identity ---- */

void tf_sarif_fingerprint(const char *const *parts, size_t count, char out[17])
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < count; i++)
        for (const char *at = parts[i];; at++) {
            hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
            if (*at == '\0')
                break;
        }
    snprintf(out, 17, "%016" PRIx64, hash);
}

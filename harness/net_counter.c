#include "sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Walks two lines in step: "TcpExt: NAME NAME ..." and "TcpExt: 0 17 ...". */
static int find(char *names, char *values, const char *name, uint64_t *value)
{
    char *name_rest, *value_rest;
    const char *each = strtok_r(names, " \n", &name_rest);
    const char *number = strtok_r(values, " \n", &value_rest);
    while (each != NULL && number != NULL) {
        if (strcmp(each, name) == 0) {
            *value = strtoull(number, NULL, 10);
            return 0;
        }
        each = strtok_r(NULL, " \n", &name_rest);
        number = strtok_r(NULL, " \n", &value_rest);
    }
    return -1;
}

int tf_net_counter(const struct tf_sandbox *sandbox, const char *name, uint64_t *value,
                   struct tf_error *error)
{
    char path[64] = "/proc/net/netstat";
    char *names = NULL, *values = NULL;
    size_t names_room = 0, values_room = 0;
    int result = -1;
    if (sandbox != NULL)
        snprintf(path, sizeof(path), "/proc/%d/net/netstat", tf_sandbox_pid(sandbox));
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return tf_error_errno(error, errno, "%s", path);
    while (result != 0 && getline(&names, &names_room, file) > 0 && getline(&values, &values_room, file) > 0)
        result = find(names, values, name, value);
    fclose(file);
    free(names);
    free(values);
    return result == 0 ? 0 : tf_error_set(error, "%s has no %s", path, name);
}

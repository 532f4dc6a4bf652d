/* What a program did beside what it does without faults. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

void tf_result_forget_usual(struct tf_program_result_text *program)
{
    free(program->usual.end);
    program->usual.end = NULL;
    program->usual.tcp.known = false;
}

void tf_result_usual(struct tf_program_result_text *program, bool first, const char *end,
                     const struct tf_traffic *tcp)
{
    if (first) {
        free(program->usual.end);
        program->usual.end = strdup(end);
        program->usual.tcp = *tcp;
        return;
    }
    if (program->usual.end != NULL && strcmp(program->usual.end, end) != 0)
        tf_result_forget_usual(program);
    if (!tf_traffic_same(&program->usual.tcp, tcp))
        program->usual.tcp.known = false;
}

bool tf_program_differs(const struct tf_program_result_text *program)
{
    return program->usual.end != NULL && (strcmp(program->usual.end, program->end) != 0 ||
                                          (program->usual.tcp.known && program->tcp.known &&
                                           !tf_traffic_same(&program->usual.tcp, &program->tcp)));
}

int tf_program_traffic(const struct tf_program_result_text *program, char *out, size_t size)
{
    char now[100] = "", before[100] = "";
    if (program->tcp.known)
        tf_traffic_say(&program->tcp, now, sizeof(now));
    if (program->usual.tcp.known)
        tf_traffic_say(&program->usual.tcp, before, sizeof(before));
    if (!tf_program_differs(program)) {
        bool same = program->tcp.known && program->usual.tcp.known;
        snprintf(out, size, "%s%s", now, same ? "; as without faults" : "");
        return now[0] != '\0' ? 0 : -1;
    }
    const char *between = now[0] != '\0' ? "; " : "";
    bool ends = strcmp(program->usual.end, program->end) != 0;
    snprintf(out, size, "%s%swithout faults %s%s%s", now, between, ends ? program->usual.end : "",
             ends && before[0] != '\0' ? ", " : "", before);
    return 0;
}

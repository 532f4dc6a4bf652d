/* The second hand: one process beside the programs of a run, inside the sandbox's
 * namespaces, that does to their sockets what takes more than a program's rights.
 * The shim asks it through the run's segment (segment.h, struct tf_hands).
 *
 * It dies with the supervisor, and before the sandbox is done.
 */
#ifndef TF_HANDS_H
#define TF_HANDS_H

#include "sandbox.h"
#include "segment.h"

/* Does any rule of the plan need it? Where none does, none is started. */
bool tf_hands_wanted(const struct tf_plan *plan);

/* Starts it for the segment at `path`, which exists; before any program of the
 * segment starts. Nothing is done where the plan needs none. That something is
 * not permitted here is no error: the segment then says so. 0, or -1 with *error. */
int tf_hands_start(struct tf_sandbox *sandbox, const struct tf_segment *segment, const char *path,
                   struct tf_error *error);

/* The process itself, in a fresh child of `supervisor`. Writes a byte to report_fd
 * once the segment says what it can. Ends by SIGTERM, after undoing what it has done
 * to sockets that outlive the run. */
_Noreturn void tf_hands_main(int segment_fd, enum tf_sandbox_kind kind, pid_t supervisor, int report_fd);

/* ---- its parts, for the tests ---- */

struct tf_hand_server;

struct tf_hand_server *tf_hand_server_new(struct tf_segment *segment, enum tf_sandbox_kind kind);

/* Answers what was asked, frees what was left lying, ends what is over. Returns how
 * long there is nothing to do unless somebody rings: nanoseconds. */
uint64_t tf_hand_server_turn(struct tf_hand_server *server);

void tf_hand_server_free(struct tf_hand_server *server);

#endif

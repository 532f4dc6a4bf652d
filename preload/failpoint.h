/* Every call is the libfiu failure point tcp/<call>. Rules arm it with our
 * decide() as its external callback; fiu-ctrl and fiu-run enable and disable it
 * as they would any other.
 *
 * libfiu's locks are not safe to fork under, so all our ways into it go through
 * one lock of ours with all signals blocked, which fork waits for.
 */
#ifndef TF_FAILPOINT_H
#define TF_FAILPOINT_H

#include "shim.h"

/* Registers the points of the plan's rules; `control`, unless NULL, is the base
 * name of libfiu's remote control FIFO. Returns 0, or -1 where the FIFO could
 * not be made. */
int tf_failpoint_start(const char *control);

/* Carries out libfiu's remote control commands, one a line. 0, or -1 at the
 * first that libfiu does not take. */
int tf_failpoint_commands(const char *commands);

/* Asks the failure point of question->call. True when something strikes, with
 * *effect. Also fills effect->clamp. */
bool tf_failpoint(const struct tf_question *question, const struct tf_counters *counters,
                  struct tf_effect *effect);

/* Around fork, in this order. */
void tf_failpoint_before_fork(void);
void tf_failpoint_after_fork(void); /* in parent and child */

#endif

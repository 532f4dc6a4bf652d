/* Where programs run: one supervisor process, and below it everything that is
 * ever started in this sandbox.
 *
 * A run of the tool has one sandbox (inject, trace) or one per case (run). The
 * supervisor forks the programs (launch.h) and outlives nobody: when the sandbox
 * is stopped, or the tool dies in whatever way, SIGKILL included, every process
 * below it is killed, daemons that forked twice and called setsid among them.
 *
 *   TF_SANDBOX_HOST     the host's network and process ids. The supervisor is a
 *                       subreaper and kills its descendants one by one.
 *   TF_SANDBOX_PRIVATE  network, pid and mount namespaces of its own, with
 *                       127.0.0.1 and ::1 up and nothing else; the kernel kills
 *                       what is left in them. Root gets them without a user
 *                       namespace, so that programs may change user. Others get
 *                       a user namespace in which programs keep their own user
 *                       id and have no capability, while the supervisor holds
 *                       all of that namespace's.
 *
 * All functions belong to the thread that runs the loop, which must be the
 * process's main thread: the supervisor is bound to the life of the thread that
 * started it (PR_SET_PDEATHSIG, prctl(2)). They do not print.
 */
#ifndef TF_SANDBOX_H
#define TF_SANDBOX_H

#include "call.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum tf_sandbox_kind { TF_SANDBOX_HOST, TF_SANDBOX_PRIVATE };

/* What this machine permits this user. */
struct tf_permits {
    bool private_network; /* TF_SANDBOX_PRIVATE works */
    bool user_namespace;  /* and it takes a user namespace: programs cannot change user */
    bool fresh_proc;      /* and /proc in it shows its own processes */
    bool ipv6;            /* ::1 is usable there (where not private: on the host) */
    char why[256];        /* where !private_network: the reason, for people */
    int error;            /* and the errno behind it */
};

/* Tries it, in a child process, at the first call; later calls give the same
 * answer. Never fails: a machine that permits nothing is an answer. */
const struct tf_permits *tf_sandbox_probe(void);

struct tf_sandbox;

/* Starts a supervisor. `interactive`: programs stay in the caller's session and
 * process group, so that the terminal and Ctrl-C are theirs; otherwise the
 * supervisor leads a session of its own and each program a process group of its
 * own. `loop` must outlive the sandbox. NULL with *error filled. */
struct tf_sandbox *tf_sandbox_start(uv_loop_t *loop, enum tf_sandbox_kind kind, bool interactive,
                                    struct tf_error *error);

enum tf_sandbox_kind tf_sandbox_kind(const struct tf_sandbox *sandbox);

/* The supervisor's process id, on the host. Its /proc/PID/ns are the sandbox's. */
pid_t tf_sandbox_pid(const struct tf_sandbox *sandbox);

/* Kills every process of the sandbox and waits until they are gone (10 s at the
 * most). Programs (launch.h) that were running get their result, and their
 * on_exit is called from in here. Returns 0, or -1 with *error filled when
 * something would not die; may be called again and then returns 0. */
int tf_sandbox_stop(struct tf_sandbox *sandbox, struct tf_error *error);

/* Stops it if need be, and frees it. Its programs must have been freed before,
 * and the loop must turn once more before it is closed. NULL is fine. */
void tf_sandbox_free(struct tf_sandbox *sandbox);

/* Writes a sysctl of the sandbox's network namespace ("net.ipv4.tcp_syn_retries").
 * TF_SANDBOX_PRIVATE only: the host's are never touched. Returns 0 or -1. */
int tf_sandbox_sysctl(struct tf_sandbox *sandbox, const char *name, const char *value,
                      struct tf_error *error);

enum { TF_SOCKETS_MAX = 32 };

/* Fills `fds` with `count` (1 to TF_SOCKETS_MAX) TCP sockets in the sandbox's network,
 * for the tool's own use: non-blocking, close-on-exec, the caller's to close, and
 * nobody else holds them. Both kinds of sandbox. Returns 0, or -1 and none. */
int tf_sandbox_sockets(struct tf_sandbox *sandbox, int family, int *fds, size_t count,
                       struct tf_error *error);

/* A raw socket for TCP segments (raw(7)) in the sandbox's network, likewise.
 * TF_SANDBOX_PRIVATE only: on the host it takes a privilege. The descriptor, or -1. */
int tf_sandbox_raw_socket(struct tf_sandbox *sandbox, int family, struct tf_error *error);

/* ---- what the kernel knows of the sandbox's sockets: never a connection of our own ---- */

/* One row of the socket table. */
struct tf_net_socket {
    uint8_t state;                  /* TCP_ESTABLISHED, ...: netinet/tcp.h; a half-open one is TCP_SYN_RECV */
    uint8_t family;                 /* of the socket: AF_INET or AF_INET6 */
    struct tf_endpoint local, peer; /* IPv4-mapped addresses as IPv4 */
    uint32_t receive_queue, send_queue; /* bytes; of a listener: waiting connections, backlog */
    uint64_t inode;                     /* 0: no descriptor holds it (TIME_WAIT, orphans) */
    uint64_t cookie;                    /* SO_COOKIE; 0 where it was read from /proc */
    uint8_t timer;                      /* that runs: enum tf_net_timer */
};

/* inet_diag's numbers; /proc/net/tcp's are others, and are not read. */
enum tf_net_timer {
    TF_TIMER_NONE,
    TF_TIMER_RETRANSMIT,
    TF_TIMER_KEEPALIVE, /* or the end of a SYN_RECV or FIN_WAIT2 */
    TF_TIMER_TIME_WAIT,
    TF_TIMER_PROBE, /* of a peer whose window is closed */
    TF_TIMER_UNKNOWN = 255,
};

/* "TIME_WAIT", "LISTEN", ...; NULL for what is no state. And back: 0. */
const char *tf_net_state_name(unsigned int state);
unsigned int tf_net_state_number(const char *name);

/* Calls `each` for every TCP socket, of any process, whose local or peer port is
 * `port` (0: any), until it returns false. From inet_diag (sock_diag(7)), or from
 * /proc/net/tcp and tcp6 where that is refused. `sandbox` NULL: the caller's own
 * network namespace. Returns 0 or -1. */
int tf_net_sockets(const struct tf_sandbox *sandbox, uint16_t port,
                   bool (*each)(const struct tf_net_socket *socket, void *data), void *data,
                   struct tf_error *error);

/* The same rows in an array, to be freed by the caller, also after -1. */
struct tf_net_rows {
    struct tf_net_socket *row;
    size_t count, room;
};
int tf_net_rows(const struct tf_sandbox *sandbox, uint16_t port, struct tf_net_rows *rows,
                struct tf_error *error);

/* Does any socket listen on this port there? 1, 0, or -1. */
int tf_net_listening(const struct tf_sandbox *sandbox, uint16_t port, struct tf_error *error);

/* A counter of /proc/net/netstat there, without its prefix: "ListenDrops". Returns
 * 0 or -1. */
int tf_net_counter(const struct tf_sandbox *sandbox, const char *name, uint64_t *value,
                   struct tf_error *error);

/* ---- ports on the host, where there is no network namespace ---- */

struct tf_port {
    uint16_t number;
    int lock_fd;
};

/* Finds a port that nothing uses (in any TCP state), below the range of
 * ephemeral ports, and keeps other runs of this tool off it by a lock that ends
 * with this process. Returns 0 or -1. */
int tf_port_reserve(struct tf_port *port, struct tf_error *error);
void tf_port_release(struct tf_port *port);

#endif

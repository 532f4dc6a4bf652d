#include "subject.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CASES = MODES * 2, DEADLINE_S = 20 };

static const char *const mode_names[] = {"blocking", "poll", "select", "epoll-LT", "epoll-ET"};

volatile int subject_broken_pipes, subject_signals;

static void on_signal(int signal)
{
    if (signal == SIGPIPE)
        subject_broken_pipes++;
    else
        subject_signals++;
}

static void handle(int signal)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(signal, &action, NULL);
}

static int start_peer(struct subject *subject, const char *path)
{
    char control[16], page[16], number[16], family[16];
    int pair[2], memory = memfd_create("phase", 0);

    if (memory < 0 || ftruncate(memory, sizeof *subject->phase) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
        return -1;
    subject->phase = mmap(NULL, sizeof *subject->phase, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (subject->phase == MAP_FAILED)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(control, sizeof control, "%d", pair[1]);
        snprintf(page, sizeof page, "%d", memory);
        snprintf(number, sizeof number, "%d", subject->number);
        snprintf(family, sizeof family, "%d", subject->family);
        close(pair[0]);
        execl(path, path, control, page, number, family, (char *)NULL);
        perror(path);
        _exit(127);
    }
    close(pair[1]);
    close(memory);
    subject->control = pair[0];
    return pid < 0 ? -1 : 0;
}

/* One case, in a process of its own: its record goes to `out`. */
static void run_case(int number, bool real, const char *peer, const char *script, int out)
{
    struct subject *subject = calloc(1, sizeof *subject);

    if (!subject)
        _exit(2);
    subject->number = number;
    subject->mode = (enum mode)(number % MODES);
    subject->family = number < MODES ? AF_INET : AF_INET6;
    subject->real = real;
    subject->at = subject->connection = subject->listener = subject->duplicate = subject->epoll = -1;
    for (int i = 0; i < WATCHED; i++)
        subject->watched[i] = -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    handle(SIGPIPE);
    handle(SIGUSR1);
    alarm(DEADLINE_S);
    if (start_peer(subject, peer)) {
        perror("peer");
        _exit(2);
    }
    subject_run(subject, script);
    if (write(out, subject->record, subject->recorded) != (ssize_t)subject->recorded)
        _exit(2);
    _exit(0);
}

static void print(int number, char *record)
{
    for (char *line; (line = strtok_r(record, "\n", &record));)
        printf("%s %d\t%s\n", mode_names[number % MODES], number < MODES ? 4 : 6, line);
}

/* Reads what a case wrote (less than a pipe holds), and how it ended. */
static void collect(int number, pid_t pid, int in)
{
    static char record[RECORD + 64];
    size_t got = 0;
    int status = 0;

    for (ssize_t more; (more = read(in, record + got, RECORD - got)) > 0;)
        got += (size_t)more;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        got += (size_t)snprintf(record + got, sizeof record - got, "set-up: ended\t%s\n",
                                sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        got += (size_t)snprintf(record + got, sizeof record - got, "set-up: ended\tstatus %d\n",
                                WEXITSTATUS(status));
    record[got] = 0;
    print(number, record);
}

int main(int argc, char **argv)
{
    int pipes[CASES][2];
    pid_t pids[CASES];

    if (argc != 4) {
        fprintf(stderr, "usage: subject real|injected PEER SCRIPT\n");
        return 2;
    }
    bool real = strcmp(argv[1], "real") == 0;
    if (real && world_enter()) {
        perror("subject: a network namespace of its own");
        return 3;
    }
    for (int i = 0; i < CASES; i++) {
        if (pipe2(pipes[i], O_CLOEXEC))
            return 3;
        fflush(stdout);
        pids[i] = fork();
        if (pids[i] == 0)
            run_case(i, real, argv[2], argv[3], pipes[i][1]);
        close(pipes[i][1]);
    }
    for (int i = 0; i < CASES; i++)
        collect(i, pids[i], pipes[i][0]);
    return 0;
}

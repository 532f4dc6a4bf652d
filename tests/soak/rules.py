"""Random rules: what the grammar takes, as its parser judges (plan check)."""
import re
import subprocess

# What every program does with sockets, and how often: what is hot is struck rarely.
HOT = ("%in", "%in", "%out", "%out", "%in,%out", "%in,%out", "%wait", "epoll_ctl")
COLD = ("%accept", "close", "shutdown", "%option", "connect", "socket", "getsockname,getpeername", "fcntl",
        "ioctl", "%all")
# Errors beyond those that calls really give are not asked for: allow=any is no fault of a real network.
ERRORS = ("ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "ECONNABORTED",
          "EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EMFILE", "ENFILE", "ENOTCONN", "EINPROGRESS", "EPROTO",
          "EADDRNOTAVAIL", "EIO", "ENOSPC")
# Ignored where nobody handles them: a signal that ends the program would end the test.
SIGNALS = ("SIGURG", "SIGCHLD", "SIGCONT")
TIMES = ("1ms", "3ms", "10ms", "40ms", "100ms", "250ms", "1ms..30ms", "0..200ms", "500us")
# After these a client that does its work gets its answer all the same.
GENTLE = ("delay", "delay", "short", "rate", "signal", "drop")
EFFECTS = GENTLE + ("error", "error", "error", "eof", "reset", "reset", "ignore", "corrupt")
# A plan of two lists of rules has room for eight of these (plan.h).
PER, PER_MOST = "per=connection", 4
# What is lost for ever would be missed for ever.
SPANS = ("5ms", "60ms", "300ms")


def effect(random, gentle):
    name = random.choice(GENTLE if gentle else EFFECTS)
    return name, {
        "delay": lambda: "delay=" + random.choice(TIMES),
        "short": lambda: "short=%d" % random.choice((1, 1, 2, 7, 100, 1000, 16384)),
        "rate": lambda: "rate=%s" % random.choice(("200K", "1M", "3M", "20M") if gentle else
                                                  ("1", "300", "8K", "200K", "1M")),
        "signal": lambda: "signal=" + random.choice(SIGNALS),
        "error": lambda: "error=" + random.choice(ERRORS),
        "corrupt": lambda: "corrupt" + random.choice(("", "", "=1", "=5")),
        "drop": lambda: "drop=" + random.choice(SPANS),
        "eof": lambda: "eof", "reset": lambda: "reset", "ignore": lambda: "ignore",
    }[name]()


def rule(random, gentle, own):
    hot = random.random() < 0.7
    calls = random.choice(HOT + own if hot else COLD)
    name, parts = effect(random, gentle)
    if name == "drop" and not gentle and calls == "%accept":
        parts = "drop"
    parts = [calls, parts]
    if random.random() < 0.2:
        second, text = effect(random, gentle)
        if second != name:
            parts.append(text)
    likely = 10 ** random.uniform(-3, -1.3) if hot or calls == "%all" else random.uniform(0.01, 0.25)
    if name in GENTLE and hot and calls != "%wait" and random.random() < 0.3:
        likely = random.choice((0.3, 1))
    if likely < 1:
        parts.append("prob=%.4f" % likely)
    if random.random() < 0.3:
        parts.append("per=" + random.choice(("run", "process", "connection")))
    if random.random() < 0.15:
        parts.append("bytes=%d" % random.choice((1, 100, 5000, 100000)))
    if random.random() < 0.1:
        parts.append("when=" + random.choice(("2+", "1+3", "5..2000", "20+")))
    if random.random() < 0.1:
        parts.append("role=" + random.choice(("client", "server", "listener")))
    return ":".join(parts)


def rules(random, plan, count, gentle, own, avoid):
    """`count` rules that the parser takes, also for the calls of `own`; none that matches one of `avoid`."""
    found = []
    while len(found) < count:
        tried = [rule(random, gentle, own) for _ in range(4 * count)]
        tried = [text for text in tried if not any(re.search(one, text) for one in avoid)]
        done = subprocess.run([plan, "check"], input="\n".join(tried) + "\n", text=True,
                              capture_output=True, check=True)
        for text in done.stdout.split("\n")[:-1]:
            if PER not in text or sum(PER in other for other in found) < PER_MOST:
                found.append(text)
    return found[:count]

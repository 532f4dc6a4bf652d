#!/usr/bin/python3
"""A client for memcached: sets and gets on several connections at once.

    memcache.py HOST PORT SECONDS CONNECTIONS [strict]

Strict: whatever goes wrong is a failure; else the connection is made anew.
"""
import socket
import sys
import threading
import time


def exchange(stream, key, value):
    stream.write(b"set %s 0 0 %d\r\n%s\r\nget %s\r\n" % (key, len(value), value, key))
    stream.flush()
    wanted = (b"STORED\r\n", b"VALUE %s 0 %d\r\n" % (key, len(value)), value + b"\r\n", b"END\r\n")
    for line in wanted:
        got = stream.readline()
        if got != line:
            raise OSError("expected %r, got %r" % (line[:40], got[:40]))


def work(address, number, until, failures, strict):
    value = b"%d" % number * 2000
    count = 0
    while count == 0 or time.monotonic() < until:
        try:
            with socket.create_connection(address, timeout=10 if strict else 1) as connection:
                with connection.makefile("rwb") as stream:
                    for _ in range(200):
                        exchange(stream, b"key-%d-%d" % (number, count % 50), value)
                        count += 1
                        if time.monotonic() >= until:
                            return
        except OSError as error:
            if strict:
                failures.append(str(error))
                return
            if time.monotonic() >= until:
                return
            time.sleep(0.01)


def main():
    host, port, seconds, connections = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    failures = []
    workers = [threading.Thread(target=work, args=((host, port), i, time.monotonic() + seconds, failures,
                                                   sys.argv[5:] == ["strict"])) for i in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for failure in failures:
        print(failure)
    sys.exit(1 if failures else 0)


main()

#!/bin/sh
# What make install lays down works where it lies, and uninstall takes all of it
# away again.
root=$(mktemp -d) || exit 2
trap 'rm -rf "$root"' EXIT
# Not this make's own flags: its jobs are not ours.
make() { MAKEFLAGS='' command make -s BUILD="$BUILD" DESTDIR="$root" "$@"; }

make install PREFIX=/usr/local >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
bad=0
for file in bin/tcpfault lib/tcpfault/libtcpfault.so share/bash-completion/completions/tcpfault \
    share/man/man1/tcpfault.1 share/man/man5/tcpfault-scenario.5 share/man/man7/tcpfault-rules.7 \
    share/tcpfault/scenario.schema.json share/tcpfault/run.schema.json; do
    [ -f "$root/usr/local/$file" ] || { echo "make install: no $file"; bad=1; }
done
printed=$("$root/usr/local/bin/tcpfault" inject connect:error=ETIMEDOUT -- \
    /usr/bin/python3 -c 'import socket; socket.create_connection(("127.0.0.1", 1))' 2>&1)
case $printed in
*TimeoutError*"rule 1 fired once"*) ;;
*) echo "installed, it does not work: $printed"; bad=1 ;;
esac
make uninstall PREFIX=/usr/local >/dev/null || bad=1
left=$(find "$root/usr" -type f)
[ -z "$left" ] || { echo "make uninstall leaves $left"; bad=1; }
exit $bad

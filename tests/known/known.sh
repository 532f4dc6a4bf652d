#!/bin/sh
# Runs `tcpfault check` on programs that everybody knows, and writes what came of it
# into KNOWN.md beside this file. For root, or anybody.
#
#   BUILD=DIR [JOBS=N] tests/known/known.sh [NAME...]
#
# programs.txt has the programs; with names, only these are run, and the page is made
# of what the others came to before. reproduced.txt tells of each finding how it was
# seen without this tool. build/known/ keeps the reports. Status 1: there is a finding
# that reproduced.txt does not know, or a program that could not be tried.
cd "$(dirname "$0")/../.." || exit 2
BUILD="${BUILD:-build}"
export PATH="$PATH:/usr/sbin:/sbin"
names=" $* "
known=build/known # programs.txt names it

tests/setup.sh --install known || exit 1
[ -x "$BUILD/tcpfault" ] || { echo "known.sh: $BUILD/tcpfault is missing: make" >&2; exit 1; }
mkdir -p "$known"
# Another user's would not do.
[ -O "$known/cluster" ] || {
    bin=/usr/lib/postgresql/15/bin
    rm -rf "$known/cluster"
    # Every case copies it: with one database it is a third as large.
    unshare --user --map-user=1000 -- sh -c '
        "$1"/initdb -D "$2" -U postgres -A trust -N --no-locale --wal-segsize=1 &&
        printf "%s\n" "DROP DATABASE postgres;" "ALTER DATABASE template0 IS_TEMPLATE false;" \
            "DROP DATABASE template0;" | "$1"/postgres --single -F -D "$2" template1' \
        sh "$bin" "$known/cluster" >"$known/initdb.log" 2>&1 || exit 1
}
[ -O "$known/dropbear.key" ] || {
    rm -f "$known/dropbear.key"
    dropbearkey -t ed25519 -f "$known/dropbear.key" >/dev/null 2>&1 || exit 1
}

while read -r name arguments; do
    case $name in '' | '#'*) continue ;; esac
    case $names in "  " | *" $name "*) ;; *) continue ;; esac
    started=$(date +%s)
    # programs.txt is in our own hands, and has a shell's quotes.
    eval "set -- check ${arguments#check }"
    part=$2
    shift 2
    timeout 300 "$BUILD/tcpfault" check "$part" -q ${JOBS:+-j "$JOBS"} --format json -o "$known/$name.json" "$@" \
        </dev/null >"$known/$name.log" 2>&1
    echo "$name: status $?, $(($(date +%s) - started)) s"
done <tests/known/programs.txt

exec /usr/bin/python3 tests/known/page.py "$known" tests/known/KNOWN.md

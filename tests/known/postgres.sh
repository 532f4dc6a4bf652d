#!/bin/sh
# A PostgreSQL of its own, in the foreground, whoever starts it.
#
#   tests/known/postgres.sh PORT DIR
#
# It refuses to run as root: in a user namespace it is somebody else. A copy of the
# cluster that known.sh has made starts sooner than a new one.
port=$1 dir=$2
bin=$(command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres | tail -n 1)
[ -d "$dir/cluster" ] || cp -r build/known/cluster "$dir/cluster" || exit 1
exec unshare --user --map-user=1000 -- "$bin" -D "$dir/cluster" -p "$port" -h 127.0.0.1 -k '' -F

#!/bin/sh
# The tree, built and tested by an ordinary user who owns a copy of it and has no
# rights beyond that. For root to run.
#
#   tests/as-user.sh [STAGE...]
cd "$(dirname "$0")/.." || exit 2
[ $# != 0 ] || set -- unit integration scenarios judging fidelity
id=65534

copy=$(mktemp -d /tmp/tcpfault-user.XXXXXX) || exit 2
trap 'rm -rf "$copy"' EXIT
trap 'exit 129' HUP INT TERM
tar --exclude='./build*' --exclude=./.git -cf - . | tar -C "$copy" --no-same-owner -xf - || exit 2
mkdir "$copy/home"
chown -R $id:$id "$copy"

# The copy must stay until its last process is gone: wait, do not exec.
cd "$copy" || exit 2
setpriv --reuid=$id --regid=$id --clear-groups --inh-caps=-all \
    env -i HOME="$copy/home" PATH=/usr/local/bin:/usr/bin:/bin TERM=dumb JOBS="${JOBS:-2}" sh -c '
        make all test-programs && exec tests/stages.sh "$@"' sh "$@"

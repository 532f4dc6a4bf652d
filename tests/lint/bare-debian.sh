#!/bin/sh
# A fresh clone on a Debian 12 with nothing on it: does `make demo` do what the
# README says, for root and for an ordinary user? Not part of `make test`: it needs
# root, debootstrap and some minutes, and leaves nothing behind.
#
#   tests/lint/bare-debian.sh [GOAL...]      default: demo
#
# The packages come from where this machine gets its own. The Debian is entered
# by pivot_root: in a chroot the kernel refuses user namespaces. BARE=DIR keeps
# the fresh system there, and takes it from there next time.
set -u
cd "$(dirname "$0")/../.." || exit 2
[ $# != 0 ] || set -- demo
[ "$(id -u)" = 0 ] || { echo "bare-debian: root only"; exit 2; }
command -v debootstrap >/dev/null || { echo "bare-debian: needs debootstrap"; exit 2; }

work=$(mktemp -d /var/tmp/tcpfault-bare.XXXXXX) || exit 2
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 129' HUP INT TERM

# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Component: main' | head -n 1)
fresh=${BARE:-$work/fresh}
[ -e "$fresh/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$fresh" "$mirror" >"$work/log" ||
    { cat "$work/log"; exit 3; }
cp -a "$fresh" "$work/system"
cp /etc/resolv.conf "$work/system/etc/" 2>/dev/null
# A proxy or a certificate of this machine's, where it has them.
grep -lE 'Proxy|CaInfo|CAInfo' /etc/apt/apt.conf.d/* 2>/dev/null |
    while read -r file; do cp "$file" "$work/system/etc/apt/apt.conf.d/"; done
cp /usr/local/share/ca-certificates/*.crt "$work/system/usr/local/share/ca-certificates/" 2>/dev/null

for owner in root user; do
    mkdir -p "$work/system/srv/$owner"
    tar --exclude='./build*' --exclude=./.git -cf - . | tar -C "$work/system/srv/$owner" -xf - --no-same-owner
done
chown -R 1000:1000 "$work/system/srv/user"
cat >"$work/system/inside" <<'END'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TERM=dumb
as_user() { setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all "$@"; }
# timed WHO GOAL: make GOAL in WHO's clone.
timed() {
    echo "=== $1: make $2"
    cd "/srv/$1" || exit 3
    started=$(date +%s)
    if [ "$1" = user ]; then as_user make "$2"; else make "$2"; fi
    status=$?
    echo "=== $1: make $2: status $status, $(($(date +%s) - started)) s"
}
bad=0
apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends make >/dev/null || exit 3
timed user demo
[ $status != 0 ] || { echo "=== bare: an ordinary user should have been told what is missing"; bad=1; }
for goal; do
    timed root "$goal"
    [ $status = 0 ] || bad=1
    timed user "$goal"
    [ $status = 0 ] || bad=1
done
echo "=== processes left: $(ps -e -o pid=,comm= 2>/dev/null | grep -vE ' (sh|ps|grep)$' | tr '\n' ';')"
exit $bad
END

unshare --mount --pid --fork --kill-child sh -c '
    cd "$1" && shift && mount --bind . . && cd "$PWD" && mkdir -p old &&
    mount --rbind /dev dev && pivot_root . old && cd / && mount -t proc proc /proc && umount -l /old &&
    exec sh /inside "$@"' sh "$work/system" "$@"
status=$?
echo "bare-debian: status $status"
exit $status

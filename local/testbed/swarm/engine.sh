# The first process of a host, in namespaces of its own: makes the host, waits until it is
# told that its network is there, and runs the engine.
#
#   engine.sh NAME DIRECTORY dockerd…
set -eu
name=$1 directory=$2
shift 2
mount --make-rprivate /
mount -t proc proc /proc
# Every engine has its own lock of iptables, and finds no containerd but its own.
mount -t tmpfs -o mode=755 tmpfs /run
echo "$name" >/proc/sys/kernel/hostname
for file in hosts resolv.conf; do
	target=$(readlink -m "/etc/$file")
	mkdir -p "${target%/*}"
	[ -e "$target" ] || : >"$target"
	mount --bind "$directory/$file" "$target"
done
# An engine knows itself by a key that it keeps there.
mkdir -p /etc/docker "$directory/etc"
mount --bind "$directory/etc" /etc/docker
read -r _
# tini ends the orphans that shims leave to the first process. An engine that breaks down,
# which is status 2 of what is written in Go, is started again, as systemd does. A signal
# that ends it in order reaches the shell too, which waits for it.
exec tini -s -g -- sh -c 'trap : TERM; while "$@"; [ $? -eq 2 ]; do sleep 0.1; done' engine "$@" </dev/null

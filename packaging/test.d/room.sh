# A Debian of its own for packaging/test: made once by debootstrap, kept as a tarball under target/,
# unpacked for each run, started with systemd where this machine lets us. Sourced.
# shellcheck shell=bash

readonly SUITE=bookworm
# What a small server has. The package's own dependencies are among it, so that installing it needs
# no network.
readonly INSTALLED=systemd,systemd-sysv,dbus,ca-certificates,curl,openssl,iproute2,procps
readonly BOOTSTRAP_SECONDS_MAX=900

# Set by `room`: the folder, the process that holds the namespaces, the first process in them.
root=
holder=
first=
# "systemd" or "plain".
kind=
cgroup=

# The mirror that this machine itself installs from.
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$SUITE" '$2 == suite && $3 == "main" { print $1; exit }'
}

# Prints the tarball of the freshly made Debian; makes it where there is none.
base() {
    local tarball folder from
    tarball=target/chroot/$SUITE-$(printf %s "$INSTALLED" | cksum | cut -d' ' -f1).tar
    if [ ! -f "$tarball" ]; then
        from=$(mirror)
        [ -n "$from" ] || die "this machine's apt knows no mirror of Debian $SUITE"
        mkdir -p target/chroot
        folder=$work/base
        say "debootstrap $SUITE (kept for later runs)" >&2
        timeout "$BOOTSTRAP_SECONDS_MAX" \
            unshare --mount --pid --fork --kill-child --propagation private \
            debootstrap --variant=minbase --include="$INSTALLED" "$SUITE" "$folder" "$from" \
            >"$work/debootstrap.log" 2>&1 || {
            tail -20 "$work/debootstrap.log" >&2
            die "debootstrap failed"
        }
        rm -rf "$folder"/var/cache/apt/* "$folder"/var/lib/apt/lists/*
        tar --numeric-owner -C "$folder" -cf "$tarball.new" .
        mv "$tarball.new" "$tarball"
        rm -rf "$folder"
    fi
    echo "$tarball"
}

# Moves this shell's child $1 into a control group of its own; fails where there are none for us.
own_cgroup() {
    local mounted
    mounted=$(findmnt -n -t cgroup2 -o TARGET | head -1)
    [ -n "$mounted" ] || return 1
    cgroup=$mounted/trunkline-test-$$
    mkdir "$cgroup" 2>/dev/null
}

# Starts the namespaces with `boot` as their first process.
hold() {
    kind=$1
    local enter=()
    if [ "$kind" = systemd ]; then
        # The group has to be entered before its namespace is made.
        enter=(bash -c "echo \$\$ >'$cgroup/cgroup.procs' && exec \"\$@\"" --)
    fi
    "${enter[@]}" unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child \
        --propagation private "$PWD/packaging/test.d/boot" "$root" "$kind" \
        >"$work/boot.log" 2>&1 </dev/null &
    holder=$!
    await 10 "the first process" child
}

# The first process is there, and has changed its root.
child() {
    first=$(pgrep -P "$holder" | head -1)
    [ -n "$first" ] && [ ! -e "/proc/$first/root/run/outside" ] &&
        [ "$(cat "/proc/$first/comm")" != boot ]
}

# Runs a command in the room.
inside() {
    nsenter --target "$first" --all --root --wd -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

booted() {
    case $(inside systemctl is-system-running 2>/dev/null) in
    running | degraded) true ;;
    *) false ;;
    esac
}

# Unpacks the Debian and starts it.
room() {
    local tarball
    tarball=$(base)
    root=$work/root
    mkdir "$root"
    tar --numeric-owner -C "$root" -xf "$tarball"
    if own_cgroup && hold systemd && await 60 "systemd" booted; then
        say "systemd $(inside systemctl --version | awk 'NR == 1 { print $2 }') runs in the room"
        return
    fi
    say "systemd does not start here: $(tail -1 "$work/boot.log" 2>/dev/null || echo 'no control groups')"
    say "the units are not tested; the daemon is started by hand as its user"
    close_room
    hold plain || die "no room can be made: $(tail -1 "$work/boot.log")"
}

# Ends every process of the room; its mounts end with them.
close_room() {
    if [ -n "$holder" ]; then
        kill -KILL "$holder" 2>/dev/null || true
        wait "$holder" 2>/dev/null || true
        holder=
    fi
    if [ -n "$cgroup" ] && [ -d "$cgroup" ]; then
        await 10 "the end of the room's processes" empty_cgroup || true
        find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    fi
}

empty_cgroup() { grep -q '^populated 0$' "$cgroup/cgroup.events"; }

# The steps of packaging/test, in their order. Sourced.
# shellcheck shell=bash

# Says that a step is about systemd, where there is none.
needs_systemd() {
    [ "$kind" = systemd ] || {
        say "not tested: systemd does not run in the room"
        return 1
    }
}

assert_property() {
    local value
    value=$(inside systemctl show --property "$1" --value trunkline.service)
    [ "$value" = "$2" ] || die "the unit's $1 is $value, not $2"
}

assert_files() {
    local path mode owner found
    while read -r path mode owner; do
        [[ $path == /* ]] || continue
        found=$(inside stat --format '%a %U:%G' "$path" 2>/dev/null || echo '- -')
        [ "$found" = "$mode $owner" ] || die "$path is $found, not $mode $owner"
    done <packaging/test.d/files
    found=$(inside sh -c 'dpkg --listfiles trunkline | grep ^/usr/ |
        xargs -d "\n" stat --format "%U:%G %A %n" | grep -v "^root:root .....-..-. "' || true)
    [ -z "$found" ] || die "not root's alone: $found"
    ok "files, owners and modes are as in packaging/test.d/files"
}

installed() {
    apt_says install /root/old.deb
    expect_said "installed, but not started: it is not configured yet"
    nothing_runs || die "something runs"
    assert_files
    local pages
    pages=$(inside sh -c 'ls /usr/share/man/man1/trunkline*.gz | wc -l')
    ((pages > 50)) || die "only $pages manual pages"
    inside bash -c '. /usr/share/bash-completion/completions/trunkline && complete -p trunkline' \
        >/dev/null || die "bash can't read its completions"
    ok "$pages manual pages; bash reads its completions"
    inside runuser -u trunkline -- trunkline check >/dev/null || die "the shipped configuration is refused"
    ok "trunkline check passes the shipped configuration"
}

started() {
    configure
    if [ "$kind" = systemd ]; then
        inside systemctl enable --quiet --now trunkline
        assert_property ActiveState active
        assert_property SubState running
    else
        start
    fi
    answers || die "the daemon is started, but not ready"
    ok "started and ready, with a secret from a file and one from a credential"
    inside ps -o uid= -p "$(daemon)" | grep -w "$(inside id -u trunkline)" >/dev/null ||
        die "the daemon does not run as its user"
    local loaded
    loaded=$(inside trunkline plugin list --json | grep -c '"state": "loaded"' || true)
    [ "$loaded" = 7 ] || die "$loaded plugins are loaded, not 7"
    ok "it runs as its own user, with all 7 plugins"
    local socket
    socket=$(inside stat --format '%a %U:%G' /run/trunkline/admin.sock)
    [ "$socket" = "660 trunkline:trunkline" ] || die "the admin socket is $socket"
    ok "the admin socket is for its group"
}

received() {
    local number status
    for number in 1 2 3 4 5; do
        tell "first-$number" "before the upgrade $number"
    done
    status=$(post first-1 "before the upgrade 1")
    [ "$status" = 200 ] || die "a repeated webhook was answered $status"
    status=$(post forged "not from the shop" "${SIGNING_HEX//0/f}")
    [ "$status" = 401 ] || die "a forged webhook was answered $status"
    assert_timeline
}

reloaded() {
    local before
    before=$(daemon)
    put /etc/trunkline/channels.d/chat.toml 0640 <<<$'[channel.chat]\nadapter = "chat"'
    reload || die "the reload failed"
    inside trunkline channel list --json | grep '"id": "chat"' >/dev/null || die "the new channel is missing"
    put /etc/trunkline/channels.d/chat.toml 0640 <<<'[channel.chat'
    ! reload 2>"$work/refused" || die "a reload of a broken file succeeded"
    [ "$(daemon)" = "$before" ] || die "the daemon was started anew"
    inside rm /etc/trunkline/channels.d/chat.toml
    reload || die "the reload failed"
    ok "a good reload succeeds, a bad one fails and changes nothing"
}

reload() {
    if [ "$kind" = systemd ]; then
        inside systemctl reload trunkline
    else
        inside trunkline reload >/dev/null
    fi
}

# Port 80, by a socket that systemd opens and then by the daemon itself.
low_ports() {
    needs_systemd || return 0
    drop_in trunkline.socket test <<<$'[Socket]\nListenStream=\nListenStream=127.0.0.1:80'
    inside systemctl stop trunkline
    inside systemctl start trunkline.socket
    inside systemctl start trunkline
    inside curl --silent --fail --max-time 10 http://127.0.0.1/healthz >/dev/null ||
        die "nothing answers on the port that systemd opened"
    ok "trunkline.socket opens port 80"
    inside systemctl stop trunkline.socket trunkline
    no_drop_in trunkline.socket test
    drop_in trunkline.service test <<<'[Service]
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
Environment=TRUNKLINE__SERVER__LISTEN=127.0.0.1:80'
    inside systemctl start trunkline
    inside curl --silent --fail --max-time 10 http://127.0.0.1/healthz >/dev/null ||
        die "the daemon can't open port 80 with the capability"
    ok "a drop-in lets the daemon open port 80"
    no_drop_in trunkline.service test
    inside systemctl restart trunkline
}

# A daemon that stands still is started again.
watched() {
    needs_systemd || return 0
    drop_in trunkline.service test <<<$'[Service]\nWatchdogSec=3\nTimeoutAbortSec=1'
    inside systemctl restart trunkline
    local before
    before=$(daemon)
    await 10 "two periods of the watchdog" older_than "$before" 7
    [ "$(daemon)" = "$before" ] || die "the watchdog ended a daemon that works"
    inside kill -STOP "$before"
    await 30 "a new daemon" replaced "$before"
    answers || await 30 "readiness" answers
    ok "the watchdog leaves a working daemon alone and replaces one that stands still"
    no_drop_in trunkline.service test
    inside systemctl restart trunkline
    assert_timeline
}

older_than() { (($(inside ps -o etimes= -p "$1") >= $2)); }

replaced() {
    local now
    now=$(inside systemctl show --property MainPID --value trunkline.service)
    [ "$now" != 0 ] && [ "$now" != "$1" ]
}

backed_up() {
    needs_systemd || return 0
    inside systemctl start trunkline-backup.service
    local made
    made=$(inside sh -c 'ls /var/backups/trunkline/trunkline-*.backup | wc -l')
    [ "$made" = 1 ] || die "$made backups were made, not 1"
    ok "trunkline-backup.service makes a backup"
}

# A configuration that the new version refuses leaves the old one running; a good one is taken over.
upgraded() {
    local before
    before=$(daemon)
    put /etc/trunkline/channels.d/chat.toml 0640 <<<'[channel.chat'
    apt_says install /root/new.deb
    expect_said "/etc/trunkline/channels.d/chat.toml:1"
    if [ "$kind" = systemd ]; then
        expect_said "the daemon was NOT restarted"
    fi
    [ "$(daemon)" = "$before" ] || die "the daemon was restarted on a broken configuration"
    inside rm /etc/trunkline/channels.d/chat.toml
    if [ "$kind" = systemd ]; then
        inside dpkg-reconfigure trunkline
        [ "$(daemon)" != "$before" ] || die "the daemon was not restarted"
        assert_property ActiveState active
    else
        restart
    fi
    answers || die "the new version is not ready"
    ok "a good configuration is taken over: the new version runs"
    [ "$(inside dpkg-query --show --showformat '${Version}' trunkline)" = "$new_version" ] ||
        die "the new version is not installed"
    assert_timeline
    tell second-1 "after the upgrade"
    assert_timeline
}

# The state that a daemon of 0.1.0 wrote, under the new version.
migrated() {
    local fixture=tests/stores/0.1.0.tar.gz
    if [ ! -f "$fixture" ]; then
        say "not tested: there is no $fixture"
        return
    fi
    stop
    inside mv "$STATE" "$STATE.kept"
    inside install -d -m 0700 -o trunkline -g trunkline "$STATE"
    inside tar -xz -C "$STATE" --no-same-owner <"$fixture"
    inside chown -R trunkline:trunkline "$STATE"
    start
    answers || die "the daemon does not become ready on a state of 0.1.0"
    local contact contacts messages=0
    contacts=$(inside trunkline contact list --json | sed -n 's/^      "id": "\([^"]*\)".*/\1/p')
    for contact in $contacts; do
        messages=$((messages + $(inside trunkline contact timeline "$contact" --json |
            grep -c '"direction"' || true)))
    done
    ((messages > 0)) || die "its messages are gone"
    ok "it starts on a state of 0.1.0, $messages messages are in its timelines"
    stop
    inside rm -rf "$STATE"
    inside mv "$STATE.kept" "$STATE"
    start
}

removed() {
    [ "$kind" = systemd ] || stop
    apt_says remove trunkline
    nothing_runs || die "something still runs"
    ! inside test -e /usr/bin/trunkline || die "the program is still there"
    ! inside test -e /run/trunkline || [ "$kind" = plain ] || die "/run/trunkline is still there"
    inside test -f /etc/trunkline/trunkline.toml || die "the configuration is gone"
    inside test -d "$STATE/log" || inside sh -c "ls -A $STATE | grep -q ." || die "the state is gone"
    ok "nothing runs, configuration and state stay"
    apt_says install /root/new.deb
    expect_said "not started"
    if [ "$kind" = systemd ]; then
        inside systemctl is-enabled --quiet trunkline || die "it is not enabled any more"
    fi
    start
    assert_timeline
    [ "$kind" = systemd ] || stop
}

purged() {
    apt_says purge trunkline
    expect_said "kept: $STATE"
    expect_said "rm -rf $STATE"
    expect_said "kept: /etc/trunkline/secrets"
    nothing_runs || die "something still runs"
    ! inside test -e /etc/trunkline/trunkline.toml || die "the shipped configuration is still there"
    inside test -f /etc/trunkline/secrets/shop.token || die "the operator's secret is gone"
    inside sh -c "ls -A $STATE | grep -q ." || die "the state is gone"
    if [ "$kind" = systemd ]; then
        ! inside systemctl is-enabled --quiet trunkline 2>/dev/null || die "it is still enabled"
    fi
    ok "what the operator made is kept and named"
    apt_says install /root/new.deb
    said=$(inside env TRUNKLINE_PURGE_DATA=yes apt-get --assume-yes purge trunkline 2>&1) ||
        die "the purge failed: $said"
    ! inside test -e "$STATE" || die "the state was not deleted"
    inside rm -r /etc/trunkline
    ok "with TRUNKLINE_PURGE_DATA=yes the state goes too"
}

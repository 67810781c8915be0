# What an operator does, and a provider that calls. Sourced by packaging/test.
# shellcheck shell=bash

readonly STATE=/var/lib/trunkline
readonly SHOP_TOKEN=0123456789abcdef0123456789abcdef
# A Standard Webhooks secret: the base64 of these 32 bytes.
readonly SIGNING_HEX=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
readonly SIGNING=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=

# Puts the package into the room, and beside it the same one under the version of 0.1.0: of that
# version no package was ever made, and its state is tested by itself.
provide() {
    local tree=$work/tree
    cp "$1" "$root/root/new.deb"
    dpkg-deb --raw-extract "$1" "$tree"
    sed -i 's/^Version: .*/Version: 0.1.0/' "$tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$root/root/old.deb" >/dev/null
    rm -rf "$tree"
    new_version=$(dpkg-deb --field "$1" Version)
}

# apt without its network: all dependencies are there. What it said is in $said.
said=
apt_says() {
    said=$(inside apt-get -o Dpkg::Use-Pty=0 --assume-yes --no-install-recommends "$@" 2>&1) || {
        printf '%s\n' "$said" >&2
        die "apt-get $* failed"
    }
}

expect_said() {
    [[ $said == *"$1"* ]] || {
        printf '%s\n' "$said" >&2
        die "it should have said: $1"
    }
    ok "says: $1"
}

# Writes standard input to a file in the room, with a mode, for the daemon's group.
put() {
    inside sh -c 'cat >"$1" && chown root:trunkline "$1" && chmod "$2" "$1"' sh "$1" "$2"
}

# A drop-in of a unit, from standard input.
drop_in() {
    inside mkdir -p "/etc/systemd/system/$1.d"
    inside sh -c 'cat >"$1"' sh "/etc/systemd/system/$1.d/$2.conf"
    inside systemctl daemon-reload
}

no_drop_in() {
    inside rm "/etc/systemd/system/$1.d/$2.conf"
    inside systemctl daemon-reload
}

# One channel that proves its webhooks, with a secret in a file and one that systemd passes.
configure() {
    inside sed -i 's|^#public_url = .*|public_url = "http://127.0.0.1:8080"|' \
        /etc/trunkline/trunkline.toml
    printf %s "$SHOP_TOKEN" | put /etc/trunkline/secrets/shop.token 0640
    put /etc/trunkline/channels.d/shop.toml 0640 <<'TOML'
[channel.shop]
adapter = "webhook"
webhook_token = { file = "secrets/shop.token" }
[channel.shop.config]
signing_secret = { credential = "shop.signing" }
TOML
    inside install -d -m 0700 /etc/credstore
    inside sh -c 'umask 077 && cat >/etc/credstore/shop.signing' <<<"$SIGNING"
    if [ "$kind" = systemd ]; then
        drop_in trunkline.service secrets <<'UNIT'
[Service]
LoadCredential=shop.signing:/etc/credstore/shop.signing
UNIT
    fi
}

# The daemon as systemd starts it, or by hand as its user.
start() {
    if [ "$kind" = systemd ]; then
        inside systemctl start trunkline
        return
    fi
    inside install -d -o trunkline -g trunkline /run/trunkline
    inside install -d -m 0500 -o trunkline /run/credentials
    inside install -m 0400 -o trunkline /etc/credstore/shop.signing /run/credentials/
    inside setpriv --reuid trunkline --regid trunkline --init-groups --no-new-privs \
        env CREDENTIALS_DIRECTORY=/run/credentials /usr/bin/trunkline run \
        >"$work/daemon.log" 2>&1 </dev/null &
    await 30 "the daemon" answers
}

stop() {
    if [ "$kind" = systemd ]; then
        inside systemctl stop trunkline
        return
    fi
    inside kill -TERM "$(daemon)"
    await 45 "the daemon's end" nothing_runs
}

restart() {
    if [ "$kind" = systemd ]; then
        inside systemctl restart trunkline
    else
        stop && start
    fi
}

answers() { inside curl --silent --fail --max-time 5 http://127.0.0.1:8081/readyz >/dev/null; }
daemon() { inside pgrep --exact --uid trunkline trunkline; }
nothing_runs() { ! inside pgrep --uid trunkline >/dev/null; }

# Posts one webhook with id $1 and text $2 from ada, signed with the hexadecimal key $3; prints the
# status of the answer.
post() {
    local body time signature
    body="{\"from\":\"ada\",\"text\":\"$2\"}"
    time=$(date +%s)
    signature=$(printf %s "$1.$time.$body" |
        inside openssl dgst -sha256 -mac HMAC -macopt "hexkey:${3-$SIGNING_HEX}" -binary |
        base64 --wrap=0)
    inside curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 \
        --header "webhook-id: $1" --header "webhook-timestamp: $time" \
        --header "webhook-signature: v1,$signature" --header 'content-type: application/json' \
        --data-binary "$body" "http://127.0.0.1:8080/webhooks/shop/$SHOP_TOKEN"
}

# Posts a webhook that has to be accepted.
tell() {
    local status
    status=$(post "$1" "$2")
    [ "$status" = 200 ] || die "webhook $1 was answered $status"
    texts+=("$2")
}

# Everything that was accepted is in the timeline, once.
texts=()
assert_timeline() {
    local contact timeline text count
    contact=$(inside trunkline contact list --identifier ada --json |
        awk -F'"' '$2 == "id" && !found { print $4; found = 1 }')
    [ -n "$contact" ] || die "no contact for ada"
    timeline=$(inside trunkline contact timeline "$contact" --limit 100 --json)
    for text in "${texts[@]}"; do
        count=$(grep -c "\"text\": \"$text\"" <<<"$timeline" || true)
        [ "$count" = 1 ] || die "\"$text\" is $count times in the timeline, not once"
    done
    ok "${#texts[@]} messages in the timeline, each once"
}

show_journal() {
    if [ "$kind" = systemd ]; then
        inside journalctl --no-pager --lines 40 --unit trunkline
    elif [ -f "$work/daemon.log" ]; then
        tail -40 "$work/daemon.log"
    fi
}

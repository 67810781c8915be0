# The commands of the operator's guide, in their order, on the fresh room. Sourced by packaging/test.
# shellcheck shell=bash

# Its blocks of commands, each ended by a zero byte.
guide_blocks() {
    awk '/^```sh$/ { inside = 1; next }
        /^```$/ { if (inside) printf "%s%c", block, 0; inside = 0; block = "" }
        inside { block = block $0 "\n" }' packaging/README.md
}

guided() {
    needs_systemd || return 0
    inside mkdir -p /root/guide
    cp "$root/root/new.deb" "$root/root/guide/trunkline_${new_version}_amd64.deb"
    local block number=0 commands=0
    while IFS= read -r -d '' block; do
        number=$((number + 1))
        commands=$((commands + $(grep -c . <<<"$block")))
        printf 'cd /root/guide\n%s' "$block" >"$root/root/guide/block"
        inside bash -euo pipefail /root/guide/block >"$work/guide.log" 2>&1 </dev/null || {
            printf '%s\n--- it said:\n' "$block" >&2
            tail -30 "$work/guide.log" >&2
            die "block $number of the guide fails"
        }
    done < <(guide_blocks)
    ((number >= 8)) || die "only $number blocks of commands were found in the guide"
    inside trunkline contact list --identifier ada@example.org | grep ada@example.org >/dev/null ||
        die "what came in by the guide's webhook is not there after its restore"
    ok "$number blocks with $commands lines of commands hold, and what came in is kept"
}

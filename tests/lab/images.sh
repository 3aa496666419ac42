#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds host images out of Debian packages (no image registry): tests/lab/images.sh NAME…
#   bookworm trixie sid   systemd, ssh, nginx, python3 with cryptography, openssl; the module stream, not loaded
#   bare                  bookworm with systemd, ssh, python3 and sudo: no nginx, no cryptography, no openssl
#   bullseye              only the oldest Python and cryptography that modules run on; no init
# An image whose recipe (the function `build`) is unchanged is kept. Safe to call twice at once: the second call waits.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

build() {
    local name=$1 suite=$1 packages config=() hooks=() mirror id old
    local host=systemd,systemd-sysv,dbus,iproute2,procps,sudo,openssh-server,python3,python3-apt
    case $name in
        bookworm | trixie | sid)
            packages=$host,ca-certificates,openssl,nginx,libnginx-mod-stream,python3-cryptography
            # Debian's nginx alone loads no module; who wants this one says load_module.
            hooks=(--customize-hook='rm "$1"/etc/nginx/modules-enabled/*-mod-stream.conf')
            ;;
        bare) suite=bookworm packages=$host ;;
        bullseye) packages=python3,python3-cryptography,openssl ;;
        *) echo "images.sh: no recipe for '$name'" >&2; return 2 ;;
    esac
    # The machine's own mirror: the only one that is known to be reachable.
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 -E '/debian/?$' || true)
    [ -n "$mirror" ] || { echo "images.sh: no Debian mirror in apt's sources" >&2; return 1; }
    [[ $mirror != https:* ]] || packages+=,ca-certificates
    if [ "$name" != bullseye ]; then
        config=(-c 'CMD ["/sbin/init"]' -c 'STOPSIGNAL SIGRTMIN+3')
        # For the ssh connection: a user who is not root, with sudo, as real hosts have one.
        hooks+=(--customize-hook='chroot "$1" useradd --create-home --gid operator --shell /bin/bash operator'
            --customize-hook='echo "operator ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/operator"')
    fi
    # sid's Release file is valid for 14 days only, a mirror's copy is often older; the option stays in the
    # image, so that apt works there, too.
    id=$(mmdebstrap --quiet --variant=minbase --include="$packages" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        "${hooks[@]}" --customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"' \
        "$suite" - "deb $mirror $suite main" |
        podman import -q "${config[@]}" -c "LABEL mutual_tls.recipe=$recipe" -c "LABEL mutual_tls.checkout=$LAB_PREFIX" -) || {
        # podman made an image of what little it got.
        podman rmi -f "$id" >/dev/null || true
        return 1
    }
    old=$(podman image inspect --format '{{.Id}}' "localhost/$LAB_PREFIX-$name" 2>/dev/null || true)
    podman tag "$id" "localhost/$LAB_PREFIX-$name"
    # In use by a container: it goes with the next build or `make clean`.
    [ -z "$old" ] || podman rmi "$old" >/dev/null 2>&1 || true
}

if [ $# -gt 1 ]; then
    printf '%s\n' "$@" | xargs -P 2 -n 1 "${BASH_SOURCE[0]}"
    exit
fi

name=${1:?usage: images.sh NAME…}
recipe=$(declare -f build | sha256sum | cut -c1-16)
mkdir -p "$LAB_ROOT/.cache/lab"
exec 9>"$LAB_ROOT/.cache/lab/image-$name.lock"
flock 9
built=$(podman image inspect --format '{{index .Labels "mutual_tls.recipe"}}' "localhost/$LAB_PREFIX-$name" 2>/dev/null || true)
if [ "$built" = "$recipe" ]; then
    echo "image $name: present"
else
    build "$name"
    echo "image $name: built in $SECONDS s"
fi

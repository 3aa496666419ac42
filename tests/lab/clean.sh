#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Removes what demo and tests made: containers, networks and images of this checkout, .venv and .cache.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"

if command -v podman >/dev/null; then
    /usr/bin/python3 tests/lab/hosts.py down --all
    images=$(podman images --quiet --all --no-trunc --filter "label=mutual_tls.checkout=$LAB_PREFIX" | sort -u)
    if [ -n "$images" ]; then
        # shellcheck disable=SC2086
        podman rmi --force $images >/dev/null
    fi
    echo "removed $(wc -w <<<"$images") images"
fi
installed=$(paste -s -d ' ' .cache/lab/packages-installed 2>/dev/null || true)
rm -rf .venv .cache "$LAB_STATE"
echo "removed .venv and .cache"
echo "stays: system packages${installed:+ (make setup installed here: $installed)}"
limit=$(cat /proc/sys/fs/inotify/max_user_instances)
[ "$limit" = 128 ] || echo "stays until the next boot: fs.inotify.max_user_instances = $limit"

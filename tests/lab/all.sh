#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make test`: every check in turn, all of them even when one fails; at the end where the time went, then how
# each run of pytest ended. The host images are built beside the checks that need none.
set -uo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"
unset MAKEFLAGS MAKELEVEL
mkdir -p .cache/logs
rm -f .cache/timings.tsv
failed=()
images=

finish() {
    [ -z "$images" ] || kill -- "-$images" 2>/dev/null
    [ ${#failed[@]} = 0 ] || printf '\nFAILED: %s\n' "${failed[*]}"
    printf '\nwall time %d s, of these:' "$SECONDS"
    tests/lab/step --table
}
trap finish EXIT

make setup || { failed=(setup); exit 1; }
# A step that needs one of them waits for it, and builds it itself, in sight, should this have failed.
set -m
tests/lab/images.sh bullseye bookworm bare sid trixie >.cache/logs/images.log 2>&1 </dev/null &
images=$!
set +m
for target in lint sanity units molecule; do
    make "$target" || failed+=("$target")
done
wait "$images" || { failed+=(images); cat .cache/logs/images.log; }
images=
[ ${#failed[@]} = 0 ]

#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make test`: every check, all of them even when one fails; at the end where the time went, then how each run
# of pytest ended. The host images are built beside the checks that need none; what does not keep both cores busy
# runs two at a time, the second's output behind the first's.
set -uo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"
unset MAKEFLAGS MAKELEVEL
mkdir -p .cache/logs
rm -f .cache/timings.tsv
# Of long tables a sample; by themselves `make units`, `make model` and `make molecule` run each row.
export PYTEST_ADDOPTS="-m 'not whole' --durations=8 --durations-min=3"
# What lint says as well: by itself `make sanity` runs each of its tests.
export SANITY='--skip-test pep8 --skip-test yamllint --skip-test changelog'
failed=()
images=
second=

finish() {
    for group in $images $second; do kill -- "-$group" 2>/dev/null; done
    [ ${#failed[@]} = 0 ] || printf '\nFAILED: %s\n' "${failed[*]}"
    printf '\nwall time %d s, of these:' "$SECONDS"
    tests/lab/step --table
}
trap finish EXIT

# both 'TARGETS' 'TARGETS'
both() {
    local log=.cache/logs/second.log
    echo "beside each other: make $1; make $2"
    set -m
    make --keep-going $2 >"$log" 2>&1 </dev/null &
    second=$!
    set +m
    make --keep-going $1 || failed+=("$1")
    tail --pid="$second" -n +1 -f "$log"
    wait "$second" || failed+=("$2")
    second=
}

make setup || { failed=(setup); exit 1; }
# A step that needs one of them waits for it, and builds it itself, in sight, should this have failed.
set -m
tests/lab/images.sh bullseye bookworm bare sid trixie >.cache/logs/images.log 2>&1 </dev/null &
images=$!
set +m
both units lint
both 'sanity molecule-alone fault-sample explain' molecule-shared
wait "$images" || { failed+=(images); cat .cache/logs/images.log; }
images=
[ ${#failed[@]} = 0 ]

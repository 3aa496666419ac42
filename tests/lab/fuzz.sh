#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The property tests of hostile input with many examples, other ones at each run, in bounded memory. `make units`
# runs a sample of them. What fails is written below .cache/fuzz: keep it as a case of test_hostile.py.
#   fuzz.sh [EXAMPLES PER TEST]   2,500 for each of the tests, unless told
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"

# Of addresses, per process: Python, the library and one test need about a quarter.
ulimit -v $((2 * 1024 * 1024))
export MTLS_FUZZ_EXAMPLES=${1:-2500}
export HYPOTHESIS_STORAGE_DIRECTORY=$LAB_ROOT/.cache/hypothesis
exec nice .venv/bin/python -m pytest --numprocesses auto --dist worksteal tests/unit/plugins/module_utils/test_hostile.py

#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The units of what runs on managed hosts, inside a host image: its own Python and its own python3-cryptography.
#   units.sh bullseye   the oldest (3.9, cryptography 3.3)      units.sh sid   the newest
#   units.sh bookworm tests/unit/plugins/module_utils/_x509 -k pair   only these: what follows goes to pytest
# Only pytest and its plugins come from outside, locked in requirements-units.txt, and ansible.module_utils from .venv.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"

name=${1:?usage: units.sh IMAGE [ARGUMENT OF PYTEST…]}
shift
[ $# != 0 ] || set -- -m 'not once' tests/unit/plugins/modules tests/unit/plugins/module_utils
image=localhost/$LAB_PREFIX-$name
tests/lab/images.sh "$name"
run() { podman run --rm --network none "$@"; }
version=$(run "$image" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
wheels=.cache/units/$version
sum=$(sha256sum <requirements-units.txt)
if [ "$(cat "$wheels/.locked" 2>/dev/null)" != "$sum" ]; then
    rm -rf "$wheels"
    .venv/bin/uv pip install -q --target "$wheels" --python-version "$version" --only-binary :all: --no-deps \
        --require-hashes -r requirements-units.txt
    echo "$sum" >"$wheels/.locked"
fi
ansible=$(.venv/bin/python -c 'import ansible; print(ansible.__path__[0])')
collections=/lab/ansible_collections
run --volume "$LAB_ROOT:$collections/mutual_tls/nginx:ro" --volume "$LAB_ROOT/$wheels:/lab/wheels:ro" \
    --volume "$ansible:/lab/ansible:ro" --workdir "$collections/mutual_tls/nginx" \
    --env MTLS_RANDOM_CHAINS --env PYTHONPATH=/lab:/lab/wheels --env PYTHONDONTWRITEBYTECODE=1 --env HYPOTHESIS_STORAGE_DIRECTORY=/tmp \
    "$image" sh -c 'python3 -c "import sys, cryptography as c; print(\"Python\", sys.version.split()[0], \"cryptography\", c.__version__)" &&
        openssl version && exec python3 -m pytest --numprocesses auto "$@"' - "$@"

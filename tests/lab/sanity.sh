#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-test sanity over what git would commit now (uncommitted changes included), without an ignore file.
# Arguments go to ansible-test: tests/lab/sanity.sh --test validate-modules
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"

# A real directory: ansible-test resolves links and then misses the collection. A repository of its own: else
# git's answer would be that of the checkout around it, which ignores .cache.
copy=$LAB_ROOT/.cache/sanity/ansible_collections/mutual_tls/nginx
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done >.cache/sanity/files
git -C "$copy" init -q
git -C "$copy" ls-files -z | (cd "$copy" && xargs -0 -r rm -f)
rsync -a --from0 --files-from=.cache/sanity/files ./ "$copy/"
git -C "$copy" add --all

# ansible-test makes environments without pip and fetches get-pip.py for them from a server that is no package
# index; a stand-in in its cache does the same with Python's own ensurepip. In a home of its own, with the
# user's settings of pip (index, certificates).
home=$LAB_ROOT/.cache/sanity/home
mkdir -p "$home/.ansible/test/cache" "$home/.config"
[ ! -e "$HOME/.config/pip" ] || ln -sfn "$HOME/.config/pip" "$home/.config/pip"
requirements=$(.venv/bin/python -c 'import ansible_test._internal as a; print(a.__path__[0])')/python_requirements.py
for version in $(grep -oE "pip='[0-9.]+'" "$requirements" | grep -oE '[0-9.]+' | sort -u); do
    cat >"$home/.ansible/test/cache/get_pip_${version//./_}.py" <<'STANDIN'
"""Stand-in for get-pip.py: ensurepip, then the pip that was asked for from the configured index."""
import subprocess, sys
asked = [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", *asked], check=True)
STANDIN
done

# pyenv's shims are no interpreters; what they stand for is.
path=$LAB_ROOT/.venv/bin
IFS=: read -ra directories <<<"$PATH"
for directory in "${directories[@]}" "${PYENV_ROOT:-/nonexistent}"/versions/3.*/bin; do
    case $directory in */shims) ;; *) [ ! -d "$directory" ] || path+=:$directory ;; esac
done
cd "$copy"
unset ANSIBLE_HOME ANSIBLE_CONFIG
HOME=$home PATH=$path exec ansible-test sanity --venv --color no "$@"

#!/usr/bin/env bash
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a bare Debian 12 machine able to run the demo and the tests:
#   setup.sh packages   what apt has to install, only what is missing (root)
#   setup.sh python     .venv with exactly what requirements-dev.txt locks
#   setup.sh checkers   a browser for the audit's page, promtool for its metrics (root; only the units need them)
#   setup.sh link       the checkout as a collection: .cache/ansible_collections/mutual_tls/nginx
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$LAB_ROOT"

packages() {
    install podman runc netavark aardvark-dns iptables mmdebstrap debian-archive-keyring ca-certificates \
        python3 python3-venv git make rsync openssl openssh-client procps libfaketime
}

# promtool alone: the package `prometheus` would start a daemon.
checkers() {
    local folder
    install chromium chromium-driver fonts-dejavu-core poppler-utils
    [ ! -x .cache/lab/promtool ] || return 0
    folder=$(mktemp -d)
    (cd "$folder" && apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root prometheus && dpkg-deb -x prometheus_*.deb .)
    mkdir -p .cache/lab
    mv "$folder/usr/bin/promtool" .cache/lab/promtool
    rm -r "$folder"
    .cache/lab/promtool --version 2>&1 | sed 1q
}

install() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        echo "all packages are there"
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "run as root, or install first: apt-get install ${missing[*]}" >&2
        return 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    mkdir -p .cache/lab
    printf '%s\n' "${missing[@]}" >>.cache/lab/packages-installed
    echo "installed: ${missing[*]}"
}

# The newest Python that the lock has an Ansible for. pyenv's shims are no interpreters: they choose one by the
# working directory, and fail where none is chosen.
newest_python() {
    local version directory path=()
    IFS=: read -ra path <<<"$PATH:/usr/bin"
    for version in 3.13 3.12 3.11; do
        for directory in "${path[@]}" "${PYENV_ROOT:-/nonexistent}"/versions/"$version".*/bin; do
            case $directory in */shims | "$LAB_ROOT"/.venv/*) continue ;; esac
            if [ -x "$directory/python$version" ]; then
                echo "$directory/python$version"
                return
            fi
        done
    done
    echo "no Python 3.11, 3.12 or 3.13 found" >&2
    return 1
}

python() {
    local interpreter sum ansible
    if ! .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
        interpreter=$(newest_python)
        echo "making .venv with $("$interpreter" --version)"
        rm -rf .venv
        "$interpreter" -m venv .venv
    fi
    sum=$(sha256sum <requirements-dev.txt)
    if [ "$(cat .venv/.locked 2>/dev/null)" = "$sum" ]; then
        echo ".venv holds what requirements-dev.txt locks: $(.venv/bin/python --version)"
        return
    fi
    # uv installs the rest; it comes by pip, with the hashes of the same lock.
    if [ ! -x .venv/bin/uv ]; then
        mkdir -p .cache/lab
        sed -n '/^uv==/,/^    # via/p' requirements-dev.txt >.cache/lab/uv.txt
        .venv/bin/python -m ensurepip --upgrade >/dev/null
        .venv/bin/python -m pip install -q --no-cache-dir --disable-pip-version-check --require-hashes -r .cache/lab/uv.txt
    fi
    .venv/bin/uv pip sync -q --require-hashes --python .venv/bin/python requirements-dev.txt
    # Bytecode now and once: else each start of Ansible compiles everything again where writing it later is off. Of
    # the collections that come with Ansible, three quarters of all files, only those that are used here.
    ansible=$(.venv/bin/python -c 'import ansible_collections; print(ansible_collections.__path__[0])')
    .venv/bin/python -m compileall -q -j 0 -x /ansible_collections/ "${ansible%/*}"
    .venv/bin/python -m compileall -q -j 0 "$ansible"/ansible/posix "$ansible"/community/crypto "$ansible"/containers/podman
    echo "$sum" >.venv/.locked
    local version
    # Not by `| head`, which may close the pipe while Ansible still writes.
    version=$(.venv/bin/ansible --version)
    echo "${version%%$'\n'*}"
}

link() {
    mkdir -p .cache/ansible_collections/mutual_tls
    ln -sfn ../../.. .cache/ansible_collections/mutual_tls/nginx
    .venv/bin/ansible-galaxy collection list mutual_tls.nginx >/dev/null
    echo "mutual_tls.nginx is found through .cache"
}

"${1:?packages, python, checkers or link}"

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the lab's scripts and by hand: where the checkout is, what its containers are called, which podman
# settings this machine needs. tests/lab/hosts.py has the same rules for callers without a shell.

LAB_ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Part of every image, network and container name, so that two checkouts on one machine never meet.
LAB_PREFIX=mtls-$(printf %s "$LAB_ROOT" | sha256sum | cut -c1-6)
# The users' projects of demo and Molecule, their private CA among them. It refuses temporary folders, rightly; a
# checkout may well lie in one.
case $LAB_ROOT in
    /tmp/* | /var/tmp/* | /dev/shm/*) LAB_STATE=/var/lib/$LAB_PREFIX ;;
    *) LAB_STATE=$LAB_ROOT/.cache ;;
esac
export LAB_ROOT LAB_PREFIX LAB_STATE

if [ -z "${CONTAINERS_CONF:-}" ] && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    export CONTAINERS_CONF=$LAB_ROOT/.config/containers.conf
fi

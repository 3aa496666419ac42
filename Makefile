# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
SHELL := /bin/bash
STEP := tests/lab/step
CACHE := $(CURDIR)/.cache

# Where the private CAs of demo and Molecule are (env.sh).
export LAB_STATE := $(shell . tests/lab/env.sh && echo "$$LAB_STATE")
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Whatever a tool would leave in the user's home or in the checkout lies under .cache.
export ANSIBLE_HOME := $(CACHE)/ansible
export HYPOTHESIS_STORAGE_DIRECTORY := $(CACHE)/hypothesis
export RUFF_CACHE_DIR := $(CACHE)/ruff
export UV_CACHE_DIR := $(CACHE)/uv
export UV_SYSTEM_CERTS := true
export UV_PYTHON_DOWNLOADS := never
# Each step's output goes to the screen and to a log.
export NO_COLOR := 1
export COLUMNS := 120
# Set in some images of CI: each start of Ansible would compile everything anew, 2 s instead of 0.5 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test clean setup lint units coverage coverage-variables fuzz model matrix live explain leaks scan fault fault-sample bench sanity
.PHONY: bench-fleet bench-audit bench-rotation molecule molecule-alone molecule-shared lock images build
.DEFAULT_GOAL := help

help: ## this list
	@awk -F': ## ' '/^[a-z-]+: ## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: ## bring up real hosts, run site.yml against them, show the proof (root, Debian 12)
	@tests/lab/demo

test: ## every check, on real hosts at the end (root, Debian 12)
	@tests/lab/all.sh

clean: ## remove containers, networks and images of this checkout, .venv and .cache
	@tests/lab/clean.sh

setup: ## install what demo and tests need: system packages, .venv
	@$(STEP) 'setup: system packages' tests/lab/setup.sh packages
	@$(STEP) 'setup: Python packages' tests/lab/setup.sh python
	@$(STEP) 'setup: collection' tests/lab/setup.sh link

lint: ## ruff, mypy, ansible-lint, yamllint, documentation, changelog
	@code=0; \
	$(STEP) 'lint: ruff' ruff check . || code=1; \
	$(STEP) 'lint: format' ruff format --check . || code=1; \
	$(STEP) 'lint: mypy' mypy || code=1; \
	$(STEP) 'lint: ansible-lint' ansible-lint --profile production --offline || code=1; \
	$(STEP) 'lint: yamllint' yamllint --strict . || code=1; \
	$(STEP) 'lint: docs' env HOME=$(CACHE) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent . || code=1; \
	$(STEP) 'lint: changelog' antsibull-changelog lint || code=1; \
	exit $$code

# What is compared with the command openssl, of _core only that; the oldest and the newest Python run everything anyway,
# and here it is that of Debian 12.
UNITS := tests/unit/plugins/module_utils
COMPARED := $(UNITS)/test_*.py $(UNITS)/_x509 $(UNITS)/_host/test_openssl*.py \
	$(shell grep --recursive --files-with-matches --word-regexp --include="test_*.py" openssl $(UNITS)/_core)

units: ## pytest: here, what runs on hosts with the oldest and the newest Python, verdicts on each OpenSSL
	@$(STEP) 'setup: checkers' tests/lab/setup.sh checkers
	@code=0; \
	$(STEP) 'units' pytest --numprocesses auto --dist worksteal tests/unit || code=1; \
	$(STEP) 'units: oldest Python' tests/lab/units.sh bullseye || code=1; \
	$(STEP) 'units: newest Python' tests/lab/units.sh sid || code=1; \
	$(STEP) 'units: verdicts on Debian 13' tests/lab/units.sh trixie $(wildcard $(COMPARED)) || code=1; \
	exit $$code

coverage: ## which lines and branches of _core and _x509 the units run through
	@$(STEP) 'coverage' pytest --numprocesses auto --cov --cov-report=term-missing:skip-covered tests/unit/plugins/modules $(UNITS)

coverage-variables: ## each variable, and the scenarios that change it from its default
	@PYTHONPATH=$(CACHE) .venv/bin/python -m pytest --quiet --capture=no tests/unit/test_variable_coverage.py -k each_variable

fuzz: ## hostile bytes in every place, 20,000 examples and more
	@$(STEP) 'fuzz' tests/lab/fuzz.sh

model: ## the transaction, model-checked: pairs of interruptions, each history of some calls, each fsync left out
	@PYTHONPATH=$(CACHE) MTLS_MODEL=whole $(STEP) 'model' nice .venv/bin/python -m pytest --numprocesses auto --dist worksteal $(UNITS)/model $(UNITS)/fleet_model $(UNITS)/_host/test_power_loss.py

matrix: ## long comparisons: nginx on each form of a file, PKIs on each OpenSSL, live on each nginx
	@rm -f $(CACHE)/timings.tsv
	@$(STEP) 'images' tests/lab/images.sh bookworm trixie sid
	@code=0; \
	PYTHONPATH=$(CACHE) $(STEP) 'matrix: forms of files' .venv/bin/python tests/lab/file_forms.py --check || code=1; \
	$(STEP) 'matrix: verdicts on Debian 12' tests/lab/units.sh bookworm $(wildcard $(COMPARED)) || code=1; \
	for image in bookworm trixie sid; do \
	    MTLS_RANDOM_CHAINS=1000-6000 $(STEP) "matrix: PKIs on $$image" tests/lab/units.sh $$image $(UNITS)/_x509/test_random_chains.py || code=1; \
	done; \
	for image in bookworm trixie sid; do \
	    MTLS_LIVE_IMAGES=$$image $(STEP) "matrix: live on $$image" pytest tests/live || code=1; \
	done; \
	tests/lab/step --table; \
	exit $$code

live: ## `release` on a throw-away host: lost reloads, odd configurations, on nginx 1.26 (MTLS_LIVE_IMAGES)
	@$(STEP) 'images' tests/lab/images.sh $${MTLS_LIVE_IMAGES:-trixie}
	@$(STEP) 'live' pytest tests/live

leaks: ## identities of B under load and reloads, a minute on each of three versions of nginx
	@$(STEP) 'images' tests/lab/images.sh bookworm trixie sid
	@MTLS_LEAK_SECONDS=60 MTLS_LIVE_IMAGES='bookworm trixie sid' $(STEP) 'leaks' pytest tests/live/test_leaks.py

scan: ## sslyze on each TLS profile, gixy on each template, on three versions of nginx: a table
	@$(STEP) 'images' tests/lab/images.sh bookworm trixie sid
	@$(STEP) 'scan' .venv/bin/python tests/lab/scan.py

explain: ## each fault between two nginx, explained by both ends and by one (MTLS_LIVE_IMAGES)
	@$(STEP) 'images' tests/lab/images.sh $${MTLS_LIVE_IMAGES:-trixie}
	@$(STEP) 'live: explain' pytest tests/live/test_explain.py

fault-sample:
	@$(STEP) 'images' tests/lab/images.sh bookworm trixie sid
	@$(STEP) 'fault: sample' .venv/bin/python tests/lab/fault.py --sample

fault: ## `release` killed at every step, 300 times and more, on three versions of nginx (about 20 minutes)
	@$(STEP) 'images' tests/lab/images.sh bookworm trixie sid
	@$(STEP) 'fault' .venv/bin/python tests/lab/fault.py

bench: ## speed beside the alternatives, as ratios
	@PYTHONPATH=$(CACHE) $(STEP) 'bench: credential_info' .venv/bin/python tests/benchmarks/credential_info.py
	@PYTHONPATH=$(CACHE) $(STEP) 'bench: model' .venv/bin/python tests/benchmarks/model.py
	@PYTHONPATH=$(CACHE) $(STEP) 'bench: edges' .venv/bin/python tests/benchmarks/edges.py
	@PYTHONPATH=$(CACHE) $(STEP) 'bench: client_log' .venv/bin/python tests/benchmarks/client_log.py

bench-fleet: ## how long rotate.yml takes for 2, 10 and 30 hosts, and with how many tasks: a table (about ten minutes)
	@$(STEP) 'bench: fleet' .venv/bin/python tests/benchmarks/fleet.py

bench-audit: ## how long audit.yml takes for 10 and 100 hosts, beside the same by hand: a table (about a quarter of an hour)
	@$(STEP) 'bench: audit' .venv/bin/python tests/benchmarks/audit.py

# In parts: BENCH_ROTATION='--images sid --steps rotations --rotations 3'
bench-rotation: ## requests lost while certificates rotate, a CA is replaced, a client revoked: three nginx (an hour)
	@$(STEP) 'images' tests/lab/images.sh bookworm trixie sid
	@$(STEP) 'bench: rotation' .venv/bin/python tests/benchmarks/rotation.py $(BENCH_ROTATION)

sanity: ## ansible-test sanity, no ignore file
	@$(STEP) 'sanity' tests/lab/sanity.sh $(SANITY)

# Scenarios with hosts of their own.
ALONE := default fleet alternative package stop
# Scenarios that share their hosts (molecule/resources); each also passes alone, and in any order.
SHARED := rollback recover multi rotate revoke rotate_ca recover_fleet diagnose

molecule: ## the scenarios on real hosts, with three versions of nginx; each row of the tables that `test` samples
	@$(STEP) 'images' tests/lab/images.sh bare bookworm trixie sid
	@code=0; \
	$(MAKE) --no-print-directory molecule-alone || code=1; \
	$(MAKE) --no-print-directory molecule-shared || code=1; \
	exit $$code

molecule-alone:
	@code=0; \
	for name in $(ALONE); do \
	    $(STEP) "molecule: $$name" molecule test --scenario-name $$name || code=1; \
	done; \
	exit $$code

# Hosts that a broken run left may hold anything: the first scenario begins on new ones.
molecule-shared:
	@code=0; \
	$(STEP) 'molecule: hosts of before' env -u LAB_KEEP_SHARED molecule destroy --scenario-name $(firstword $(SHARED)) || code=1; \
	for name in $(SHARED); do \
	    LAB_KEEP_SHARED=1 $(STEP) "molecule: $$name" molecule test --scenario-name $$name || code=1; \
	done; \
	$(STEP) 'molecule: hosts' env -u LAB_KEEP_SHARED molecule destroy --scenario-name $(firstword $(SHARED)) || code=1; \
	exit $$code

images: ## build the host images that are missing
	@$(STEP) 'images' tests/lab/images.sh bare bookworm trixie sid bullseye

build: ## the collection's tarball, in .cache/build
	@$(STEP) 'build' ansible-galaxy collection build --force --output-path .cache/build .

# No address in a lock: whoever installs has their own index. --no-header keeps local paths out, too.
COMPILE := uv pip compile -q --universal --generate-hashes --no-header
lock: ## renew requirements-dev.txt and requirements-units.txt
	@$(STEP) 'lock' $(COMPILE) --upgrade --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	@$(STEP) 'lock: units' $(COMPILE) --upgrade --python-version 3.9 requirements-units.in -o requirements-units.txt
	@if grep -n '://' requirements-dev.txt requirements-units.txt; then echo 'an address in a lock'; exit 1; fi

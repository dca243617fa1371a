# Olimpus. `make help` lists the targets; `make run` and `make test` do all their set-up.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
CATALOGS := $(patsubst %.po,%.mo,$(wildcard locale/*/LC_MESSAGES/*.po))
export PYTHONUNBUFFERED := 1

LAB := tests/lab/openstack/cloud
LINUX_LAB := tests/lab/linux/cluster

.PHONY: help run test lint bench test-processes test-browser test-mysql test-openstack bench-openstack lab-openstack lab-openstack-down lab-linux lab-linux-down test-linux bench-linux pictures demo-reset clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'
	@echo "Variables: PORT (8000), OLIMPUS_HOME (var/), OLIMPUS_DEMO_PASSWORD (random), DATABASE_URL, BROKER_URL"

$(VENV)/.product: requirements.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Olimpus runs on (once) ..."
	$(PIP) install --only-binary=:all: -r requirements.txt
	touch $@

# In place: `olimpus` runs what stands here.
$(VENV)/bin/olimpus: pyproject.toml $(VENV)/.product
	$(PIP) install --no-deps --editable .
	touch $@

$(VENV)/.tools: requirements-dev.txt $(VENV)/.product | $(VENV)/bin/olimpus
	@echo "Installing what the tests need (once) ..."
	$(PIP) install --only-binary=:all: -r requirements-dev.txt
	touch $@

$(VENV)/.mysql: requirements-mysql.txt $(VENV)/.tools
	$(PIP) install -r requirements-mysql.txt
	touch $@

$(VENV)/.linux: requirements-linux.txt $(VENV)/.tools
	$(PIP) install -r requirements-linux.txt
	touch $@

%.mo: %.po $(VENV)/.product
	@$(PY) -m olimpus.translations

run: $(VENV)/bin/olimpus $(CATALOGS) ## set up, then serve with embedded defaults and demo data
	@exec $(PY) -m olimpus.embedded

# Three at once on two cores, here and on MariaDB: one works for the command line, one for processes that are killed; both
# wait most of the time.
test: $(VENV)/.tools $(CATALOGS) ## unit, property, concurrency and process tests on SQLite
	$(PY) -m pytest -q -n 3 --dist loadgroup

test-mysql: $(VENV)/.mysql $(CATALOGS) ## those that ask the database, on a throw-away MariaDB server (needs mariadb-server, libmariadb-dev, gcc)
	tests/with-mariadb $(PY) -m pytest -q -n 3 --dist loadgroup --database-only

test-browser: $(VENV)/.tools $(CATALOGS) ## portal and console in headless Chromium (needs Debian's chromium)
	$(PY) -m pytest -q -n 2 --dist loadgroup tests/browser

pictures: $(VENV)/.tools $(CATALOGS) ## take the documentation's pictures again, in docs/images/ (needs Debian's chromium)
	$(PY) -m tests.browser.pictures

lint: $(VENV)/.tools $(CATALOGS) ## linter, import contracts, migrations, deployment checks
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run --settings olimpus.settings.test
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null --settings olimpus.settings.test
	OLIMPUS_SECRET_KEY=$$($(PY) -c "import secrets; print(secrets.token_urlsafe(64))") \
	OLIMPUS_SECRET_KEYS=$$($(PY) -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())") \
	OLIMPUS_HOME=$$(mktemp -d) $(PY) manage.py check --deploy --fail-level WARNING --settings olimpus.settings.production

bench: $(VENV)/.tools $(CATALOGS) ## measured figures beside their floors, as a table
	$(PY) -m tests.bench

lab-openstack: ## a real OpenStack on 127.0.0.1 for the tests (Debian 12, root; state in /var/tmp/openstack-lab)
	$(LAB)/up

lab-openstack-down: ## stop it; its data stays (all gone: tests/lab/openstack/cloud/down --purge)
	$(LAB)/down

test-openstack: $(VENV)/.tools $(CATALOGS) ## driver, tunnels, service API and stories against that OpenStack, brought up when it is not
	$(LAB)/status >/dev/null || $(LAB)/up
	$(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=5 tests/lab/openstack tests/lab/tunnels

bench-openstack: $(VENV)/.tools $(CATALOGS) ## servers, a slice and tunnels on that OpenStack beside the bare library and ssh, as a table
	$(LAB)/status >/dev/null || $(LAB)/up
	$(PY) -m tests.bench openstack slices-openstack tunnels

lab-linux: ## a bastion, a headnode and three libvirt/QEMU workers on this machine (Debian 12, root; state in /var/tmp/linux-lab)
	$(LINUX_LAB)/up

lab-linux-down: ## stop it; image and disks stay (all gone: tests/lab/linux/cluster/down --purge)
	$(LINUX_LAB)/down

test-linux: $(VENV)/.linux $(CATALOGS) ## the Linux driver against that cluster with real machines, brought up when it is not (needs libvirt-dev, pkg-config, gcc)
	$(LINUX_LAB)/status >/dev/null || $(LINUX_LAB)/up
	$(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=5 tests/lab/linux

bench-linux: $(VENV)/.linux $(CATALOGS) ## that cluster beside a bare shell script, bare libvirt and ssh, as a table
	$(LINUX_LAB)/status >/dev/null || $(LINUX_LAB)/up
	$(PY) -m tests.bench linux slices-linux linux-live linux-reconcile linux-consoles

demo-reset: ## forget the demo data (removes the data folder's database, queue and mock hypervisors)
	rm -rf $${OLIMPUS_HOME:-var}/{olimpus.sqlite3*,queue,mock,demo-password}

clean: ## remove what make installed
	rm -rf $(VENV) locale/*/LC_MESSAGES/*.mo

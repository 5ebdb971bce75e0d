# Every target sets up what it needs in .venv and repeats in a second.
# PYTHON=/path/to/python3 chooses the interpreter; otherwise python3, or a newer one on PATH if that is older than 3.11.

VENV  := .venv
BIN   := $(VENV)/bin
RUN   := $(VENV)/.installed-run
DEV   := $(VENV)/.installed-dev
SUITE := $(VENV)/.installed-conformance
PEERS := $(VENV)/.installed-bench
ARGS  ?=
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check --editable

.DEFAULT_GOAL := help
.PHONY: help run test check fmt bench simulate crashes upstreams conformance interop fuzz attack clean

help:
	@echo 'make run    start the node with the three examples   (ARGS="--http 127.0.0.1:9000")'
	@echo 'make test   run the tests                            (ARGS="tests/supervisors -x")'
	@echo 'make check  formatting, lint, types and tests, as CI does'
	@echo 'make fmt    format the code and mend what ruff can mend'
	@echo 'make bench  measure, side by side with Erlang, Pykka, otpylib and three MCP SDKs'
	@echo 'make simulate  faults in random trees and networks   (N=100000 SEED=1)'
	@echo 'make crashes  kills in a node while clients work     (N=10000 SEED=1)'
	@echo 'make upstreams  faults in upstreams of a gateway      (N=500 SEED=1)'
	@echo 'make conformance  the official MCP suite            (ARGS="server-2026-07-28")'
	@echo 'make interop  clients and servers of others         (ARGS="-k typescript_2")'
	@echo 'make fuzz   messages that are almost right          (N=100000)'
	@echo 'make attack  damaged HTTP requests, kills under load  (N=100000 SEED=1)'
	@echo 'make clean  remove .venv and every cache'

run: $(RUN)
	@exec $(BIN)/erlmcp-node run $(ARGS)

test: $(DEV)
	@$(BIN)/python -m pytest $(ARGS)

check: $(DEV)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest $(ARGS)

fmt: $(DEV)
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

bench: $(PEERS)
	@$(BIN)/python -m bench $(ARGS)

N ?= 100000
SEED ?=

simulate: $(DEV)
	@$(BIN)/python -m supervisors.testing.simulate --total $(N) $(if $(SEED),--seed $(SEED)) $(ARGS)

crashes: N := $(if $(filter file,$(origin N)),10000,$(N))
crashes: $(DEV)
	@$(BIN)/python -m tests.crash --total $(N) $(if $(SEED),--seed $(SEED)) $(ARGS)

upstreams: N := $(if $(filter file,$(origin N)),500,$(N))
upstreams: $(DEV)
	@$(BIN)/python -m tests.upstreams --total $(N) $(if $(SEED),--seed $(SEED)) $(ARGS)

conformance: $(SUITE)
	@$(BIN)/python -m tests.conformance $(ARGS)

INTEROP := $(addprefix tests/interop/test_,clients.py inspector.py legacy_sse.py registries.py their_servers.py)

interop: $(SUITE)
	@ERLMCP_REQUIRE_SERVICES=1 $(BIN)/python -m pytest $(INTEROP) $(ARGS)

fuzz: $(DEV)
	@$(BIN)/python -m tests.fuzz --total $(N) $(ARGS)

attack: $(DEV)
	@$(BIN)/python -m tests.attack --total $(N) $(if $(SEED),--seed $(SEED)) $(ARGS)

clean:
	@rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A failed or interrupted set-up leaves no stamp, so the next call begins it again.
$(VENV)/.created: .ci/find-python
	@python="$$(PYTHON='$(PYTHON)' .ci/find-python)" && \
	echo "setting up $(VENV) with $$("$$python" --version)" && \
	{ "$$python" -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "error: $$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; \
	  exit 1; }; }
	@touch $@

$(RUN): pyproject.toml $(VENV)/.created
	@$(INSTALL) '.[shell]'
	@touch $@

$(DEV): pyproject.toml $(VENV)/.created
	@$(INSTALL) '.[dev]'
	@touch $@ $(RUN)

$(SUITE): $(DEV)
	@$(INSTALL) '.[dev,conformance]'
	@touch $@

$(PEERS): pyproject.toml $(VENV)/.created
	@$(INSTALL) '.[bench]'
	@touch $@ $(RUN) $(DEV) $(SUITE)

# make run: start the host for Moonlight clients.  make test: everything that tests it.
# Both install what is missing first (scripts/setup) and say so. ARGS goes to the program: make run ARGS="--base-port 48989".

.PHONY: run test lint format bench lock

run:
	@scripts/setup run
	@exec .venv/bin/punktfunk-host serve --gamestream $(ARGS)

test:
	@scripts/test $(ARGS)

lint:
	@scripts/setup dev
	@scripts/lint

format:
	@scripts/setup dev
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench:
	@scripts/setup dev
	@scripts/bench

lock:
	@scripts/setup dev
	@scripts/lock

# Thin: cargo and npm do the work. `make` alone prints what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

CARGO_DENY_VERSION := 0.20.2
TOOLS := target/tools
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
NPM_CI := npm ci --no-audit --no-fund --loglevel=error
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)

.PHONY: help run test check setup web build bench bench-topologies bench-turn nat-matrix screens clean toolchain

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: toolchain web/dist/index.html ## build the app and a release binary, start the server (more flags: make run ARGS="…")
	@echo "==> building the server (the first time takes a few minutes), then starting it; Ctrl-C stops it"
	exec cargo run --release --locked -p madang -- serve $(ARGS)

test: toolchain ## everything: set up, check, test the crates, the app, and the whole in real browsers
	cargo xtask test

check: toolchain web/node_modules/.package-lock.json $(CARGO_DENY) ## what must hold before a commit: format, lints, rules of the house, licences, types
	@echo "==> format"
	@cargo fmt --all --check || { echo "remedy: cargo fmt --all" >&2; exit 1; }
	@echo "==> lints"
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@echo "==> rules of the house"
	@cargo xtask tidy
	@echo "==> licences, bans and sources of the dependencies"
	@$(CARGO_DENY) --log-level error --locked check licenses bans sources \
		|| { echo "remedy: take another crate, or argue the exception in deny.toml" >&2; exit 1; }
	@echo "==> the app"
	@npm --prefix web run --silent types

setup: toolchain ## install what the tests need: browsers and ffmpeg by apt, npm and Python packages
	e2e/setup.sh

web: web/dist/index.html ## build the app into web/dist

build: toolchain web/dist/index.html ## build the app and a release binary
	cargo build --release --locked -p madang

bench: toolchain ## the cost of a forwarded packet, beside its floor
	cargo run --release --locked -p madang-bench

bench-topologies: toolchain ## what mesh, SFU and MCU cost everybody (root, FFmpeg)
	cargo run --release --locked -p madang-bench -- topologies

bench-turn: toolchain ## what the relay costs, beside coturn's (root; installs coturn, strace and valgrind by apt)
	bench/setup.sh
	cargo run --release --locked -p madang-bench -- turn

nat-matrix: toolchain setup build ## who reaches whom through which NAT and firewall, and by which way (root; docs/nat.md)
	node e2e/nat/matrix.mjs $(ARGS)

screens: toolchain setup build ## a screenshot of every screen
	npm --prefix web run screens

clean: ## remove everything that was built or installed here
	rm -rf target web/dist web/node_modules e2e/node_modules e2e/.venv e2e/.venv-aiortc-1.9 e2e/out

toolchain:
	@command -v cargo >/dev/null \
		|| { echo "cargo is missing. remedy: install Rust 1.95 or newer, see https://rustup.rs" >&2; exit 1; }
	@command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a * 100 + +b >= 2019 ? 0 : 1)' \
		|| { echo "Node is missing or older than 20.19. remedy: install it, see https://nodejs.org" >&2; exit 1; }

# npm writes this file last, so it says whether the folder is whole and as new as the lock.
%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@echo "==> installing the packages of $*"
	@cd $* && $(NPM_CI)
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	@echo "==> building the app"
	@npm --prefix web run --silent build
	@touch $@

$(CARGO_DENY):
	@echo "==> installing cargo-deny $(CARGO_DENY_VERSION) into $(TOOLS) (once; a few minutes)"
	@cargo install cargo-deny --quiet --locked --version $(CARGO_DENY_VERSION) --root $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION) \
		|| { echo "remedy: this needs crates.io and a C compiler" >&2; exit 1; }

# The front door. CMakeLists.txt knows how to build; this only calls it with good defaults.
# `make help` tells what there is.
SHELL := /bin/bash
BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

# With RSTREAM_BROKER_URI a broker that runs already is used, else a private one is started,
# of the release BROKER.
with_broker = $(if $(RSTREAM_BROKER_URI),,test/broker/with-broker --tls $(release) --)
broker_ready = $(if $(RSTREAM_BROKER_URI),,test/broker/broker prepare $(release))
release = $(addprefix --version ,$(BROKER))

# $(call build,FOLDER[,OPTIONS[,TARGETS]])
define build
@command -v cmake >/dev/null || { echo "cmake is missing; as root: make deps" >&2; exit 1; }
@generator=$$([ -e $(1)/CMakeCache.txt ] || ! command -v ninja >/dev/null || echo -GNinja); \
  cmake -S . -B $(1) $$generator --log-level=WARNING $(if $(WERROR),-DRSTREAM_WERROR=$(WERROR)) $(2) \
  >$(1).log 2>&1 || { cat $(1).log >&2; exit 1; }; rm -f $(1).log
@cmake --build $(1) -j$(JOBS) $(if $(3),--target $(3))
endef

# $(call tests,FOLDER,LABELS)
tests = ctest --test-dir $(1) -j$(JOBS) --output-on-failure --no-tests=error $(if $(2),-L '$(2)')

all: ## builds everything into build/
	$(call build,$(BUILD))

deps: ## installs the Debian packages that building and testing need
	test/tools/deps build test bench lint

demo: ## builds, starts a private broker, publishes, consumes and verifies 1,000,000 messages
	@test/tools/deps build test bench || { [ $$(id -u) != 0 ] && echo "demo: trying without them" >&2; }
	$(call build,$(BUILD)$(testless),$(if $(testless),-DRSTREAM_BUILD_TESTS=OFF),rstream-perf)
	@test/tools/demo $(BUILD)$(testless)/rstream-perf --messages 1000000 --verify $(DEMO_ARGS)

# Who is not root may have to do without GoogleTest, in a folder where nobody misses the tests.
testless = $(shell [ $$(id -u) = 0 ] || pkg-config --exists gtest 2>/dev/null || echo -demo)

check: ## every test: unit, scripted broker, real broker, samples, ABI
	@test/tools/deps build test bench
	@$(broker_ready)
	$(call build,$(BUILD))
	$(with_broker) $(call tests,$(BUILD))

PEERS ?= js pika proton codec
interop: ## our library against clients others wrote, over a real broker: [PEERS="js pika proton codec"]
	@test/tools/deps build test interop
	@$(broker_ready)
	$(call build,$(BUILD),,rstream-interop)
	$(if $(filter js,$(PEERS)),test/interop/install $(BUILD))
	$(with_broker) test/interop/run $(BUILD) $(PEERS)

unit: ## the tests that need no broker
	$(call build,$(BUILD),,tests)
	$(call tests,$(BUILD),^(unit|client|sim|oom|bench)$$)

plain: ## the tests that need no broker, in a build that has neither TLS nor any compression but gzip
	$(call build,$(BUILD)-plain,$(no_libraries),tests)
	$(call tests,$(BUILD)-plain,^(unit|client)$$)

no_libraries = -DRSTREAM_WITH_SNAPPY=OFF -DRSTREAM_WITH_LZ4=OFF -DRSTREAM_WITH_ZSTD=OFF \
  -DRSTREAM_WITH_DEFLATE=OFF -DRSTREAM_WITH_TLS=OFF

load-balancer: ## three real nodes behind HAProxy, reached through it alone
	@test/tools/deps build test balancer
	@$(broker_ready)
	$(call build,$(BUILD),,integration_tests)
	test/broker/with-broker --nodes 3 -- $(BUILD)/integration_tests --gtest_filter='scenario_65*'

many-handles: ## scenarios 50 and 51 in full numbers on a real broker: [BROKER=4.0|4.3]
	@test/tools/deps build test
	@$(broker_ready)
	$(call build,$(BUILD),,integration_tests)
	RSTREAM_MANY_HANDLES=1 $(with_broker) $(BUILD)/integration_tests --gtest_filter='many_handles.*'

mbedtls3: ## the tests of TLS with mbedTLS 3.x, built with Debian 13's packages
	@test/tools/deps test
	@$(broker_ready)
	test/tools/debian trixie cmake -S . -B build-trixie -GNinja --log-level=WARNING -DRSTREAM_BUILD_BENCH=OFF \
	  -DRSTREAM_BUILD_SAMPLES=OFF
	test/tools/debian trixie cmake --build build-trixie -j$(JOBS) --target unit_tests client_tests integration_tests
	test/tools/debian trixie --libraries build-trixie/unit_tests --gtest_filter='tls_*'
	test/tools/debian trixie --libraries build-trixie/client_tests --gtest_filter='scenario_66*:tls_*:login*'
	$(with_broker) test/tools/debian trixie --libraries build-trixie/integration_tests \
	  --gtest_filter='scenario_66*:login*:scenario_96*:scenario_97*'

sim: ## simulated runs of the whole client, each from its seed: [SEEDS=500] [FIRST=1]
	$(call build,$(BUILD),,rstream_sim)
	$(BUILD)/rstream_sim --seeds $(or $(SEEDS),500) --first-seed $(or $(FIRST),1)

integration: ## the tests on a real broker: [BROKER=4.0|4.3]
	@$(broker_ready)
	$(call build,$(BUILD),,tests)
	$(with_broker) $(call tests,$(BUILD),^integration$$)

chaos: ## breaks brokers while messages are published and verified: [FAULT=kill] [KILLS=10] [NODES=3]
	@test/tools/deps build test bench
	@$(broker_ready)
	$(call build,$(BUILD),,rstream-perf)
	test/broker/with-broker $(if $(NODES),--nodes $(NODES)) -- \
	  test/chaos/faults $(BUILD) $(or $(FAULT),kill) $(or $(KILLS),10)

chaos-cluster: ## every fault of three nodes, one after the other: [TIMES=3]
	@test/tools/deps build test bench
	@$(broker_ready)
	$(call build,$(BUILD),,rstream-perf)
	test/broker/with-broker --nodes 3 -- test/chaos/cluster $(BUILD) $(or $(TIMES),3)

soak: ## eight threads publish while connections are killed; memory is watched: [MINUTES=10] [SANITIZE=thread]
	@test/tools/deps build test
	@$(broker_ready)
	$(call build,$(soak_build),$(if $(SANITIZE),$(sanitized) -DRSTREAM_SANITIZE=thread),soak)
	test/broker/with-broker -- $(if $(SANITIZE),setarch -R) $(soak_build)/soak $(or $(MINUTES),10)

soak_build = $(if $(SANITIZE),$(BUILD)-tsan,$(BUILD))

outage: ## what clients go through while a broker is away: [CLIENTS=500] [AWAY=5] [FILL=1]
	@test/tools/deps build test
	@$(broker_ready)
	$(call build,$(BUILD),,chaos_herd)
	test/broker/with-broker -- test/chaos/outage $(BUILD) $(or $(CLIENTS),500) $(or $(AWAY),5) $(if $(FILL),fill)

fuzz: ## every fuzz target for so many seconds: [TIME=60] [TARGET=connection]; findings end up in build-fuzz/
	@test/tools/deps build fuzz
	$(call build,$(BUILD)-fuzz,$(fuzzed))
	@cd $(BUILD)-fuzz && for fuzzer in ./$(or $(TARGET),*)_fuzz; do \
	  target=$$(basename $$fuzzer _fuzz) && mkdir -p corpus/$$target && echo "fuzz: $$target" && \
	  $$fuzzer -max_total_time=$(or $(TIME),60) -max_len=8192 -verbosity=0 -print_final_stats=1 \
	    corpus/$$target $(CURDIR)/test/fuzz/corpus/$$target || exit 1; done

fuzz-record: ## adds to test/fuzz/corpus what a real broker says that leads to code not reached yet
	@test/tools/deps build test fuzz
	$(call build,$(BUILD)-fuzz,$(fuzzed))
	test/fuzz/record $(BUILD)-fuzz

fuzzed = -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DRSTREAM_BUILD_FUZZERS=ON \
  -DRSTREAM_BUILD_SHARED=OFF -DRSTREAM_BUILD_TESTS=OFF \
  -DRSTREAM_BUILD_SAMPLES=OFF -DRSTREAM_BUILD_BENCH=OFF

asan: ## all tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@test/tools/deps build test
	@$(broker_ready)
	$(call build,$(BUILD)-asan,$(sanitized) -DRSTREAM_SANITIZE=address)
	$(with_broker) $(call tests,$(BUILD)-asan,^(unit|client|sim|oom|integration)$$)

tsan: ## all tests with ThreadSanitizer
	@test/tools/deps build test
	@$(broker_ready)
	$(call build,$(BUILD)-tsan,$(sanitized) -DRSTREAM_SANITIZE=thread)
	$(with_broker) setarch -R $(call tests,$(BUILD)-tsan,^(unit|client|sim|oom|integration)$$)

sanitized = -DRSTREAM_BUILD_SHARED=OFF -DRSTREAM_BUILD_SAMPLES=OFF -DRSTREAM_BUILD_BENCH=OFF

lint: ## layers, shell scripts, format, clang-tidy
	@test/tools/deps build lint
	@status=0; for check in layers scripts format 'tidy $(BUILD)/tidy'; do \
	  echo "lint: $$check"; test/lint/$$check || status=1; done; exit $$status

format: ## lets clang-format rewrite the sources
	@test/tools/deps lint
	test/lint/format --fix

bench: ## benchmarks against the ceiling of this machine and broker
	@test/tools/deps build test bench
	@$(broker_ready)
	$(call build,$(BUILD))
	$(with_broker) bench/run.sh $(BUILD)
	$(with_broker) bench/tls.sh $(BUILD)

bench-instructions: ## counts the client's instructions per message; needs no broker
	@test/tools/deps build test bench callgrind
	$(call build,$(BUILD),,rstream-perf)
	bench/instructions.sh $(BUILD)

abi-update: ## writes down the exported symbols and struct layouts as they are now
	$(call build,$(BUILD))
	BUILD=$(BUILD) test/abi/symbols --update
	test/abi/layout --update

install: all ## into DESTDIR and PREFIX (/usr/local)
	cmake --install $(BUILD) --prefix $(PREFIX)

docs: ## the API reference, into build/docs
	@test/tools/deps docs
	@mkdir -p $(BUILD)/docs
	BUILD=$(BUILD) doxygen lib/package/Doxyfile
	@! grep -E 'Member .*\(function\) .* is not documented' $(BUILD)/docs/warnings
	@echo "see $(BUILD)/docs/html/index.html"

broker-up: ## a private broker for playing: [NODES=3] [TLS=1] [BROKER=4.0|4.3]
	@test/broker/broker up $(addprefix --nodes ,$(NODES)) $(if $(TLS),--tls) \
	  $(release)

broker-down: ## stops it
	@test/broker/broker down

clean: ## removes what was built
	rm -rf $(BUILD) $(BUILD)-plain build-trixie $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz $(BUILD)-demo

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

.PHONY: all deps demo check interop unit plain load-balancer many-handles mbedtls3 sim integration chaos chaos-cluster soak outage fuzz fuzz-record asan tsan lint format \
  bench bench-instructions abi-update install docs broker-up broker-down clean help

#!/bin/bash
# Counts the instructions that a message costs the client, with valgrind's callgrind.
#
#   bench/instructions.sh [BUILD-DIRECTORY]        (default: build)
#
# Needs no broker: rstream-perf --embedded brings its own, on a thread of its own. What is counted is
# the thread of the producers, or of the consumers. Each kind of work is run with N messages and
# with 2 N; the difference by N is free of what starting and ending cost. The kernel's work
# is not counted: valgrind does not see it.
#   MESSAGES   the N, default 1000000
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
perf=${1:-$top/build}/rstream-perf
messages=${MESSAGES:-1000000}

if [[ ! -x $perf ]]; then
  echo "bench/instructions.sh: there is no $perf; build first" >&2
  exit 1
fi
if ! command -v valgrind >/dev/null; then
  echo "bench/instructions.sh: valgrind is missing (Debian: apt-get install valgrind)" >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# count FUNCTION COUNT OPTION...: the instructions of the thread that runs FUNCTION, as three
# numbers: those of rstream, of the libraries beneath it, and of rstream-perf itself. A
# function that was inlined counts as a part of the one it is in.
count() {
  local function=$1 file
  shift
  rm -f "$scratch"/out*
  valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$scratch/out" \
    "$perf" --embedded --messages "$@" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    return 1
  }
  file=$(grep -lE "^c?fn=.*::$function\(" "$scratch"/out-*)
  callgrind_annotate --threshold=100 --auto=no "$file" | awk '
    /^ *[0-9,]+ \(.*%\)  .*:/ {
      cost = $1
      gsub(",", "", cost)
      sub(/^ *[0-9,]+ \([^)]*\)  /, "")
      sub(/ \[[^]]*\]$/, "")
      sub(/^[^:]*:/, "")
      sum[/perf::/ ? "program" : /rstream(::|_)/ ? "rstream" : "beneath"] += cost
    }
    END { printf "%d %d %d\n", sum["rstream"], sum["beneath"], sum["program"] }'
}

# row TITLE FUNCTION OPTION...
row() {
  local title=$1 function=$2 once twice
  shift 2
  once=$(count "$function" "$messages" "$@")
  twice=$(count "$function" "$((2 * messages))" "$@")
  echo "$once $twice" | awk -v title="$title" -v n="$messages" '{
    printf "%-36s %8.1f %17.1f %13.1f %8.1f\n",
      title, ($4 - $1) / n, ($5 - $2) / n, ($6 - $3) / n, ($4 + $5 + $6 - $1 - $2 - $3) / n
  }'
}

printf '%-36s %8s %17s %13s %8s\n' 'instructions per message, 10 bytes' rstream \
  'libuv, libc ...' rstream-perf all
row 'published' publish_open --publish-only
row 'published, 100 per frame' publish_open --publish-only --batch-size 100
row 'published, AMQP 1.0' publish_open --publish-only --codec amqp
row 'published, sub-entries of 100' publish_open --publish-only --sub-entry 100
row 'published, the same with gzip' publish_open --publish-only --sub-entry 100 --compression gzip
row 'published, with filter values' publish_open --publish-only --filter-values a,b
row 'published, 3 partitions by hash' publish_open --publish-only --super-stream s
row 'published, 3 partitions by key' publish_open --publish-only --super-stream s --routing key
row 'consumed, a callback per message' consume_open --consume-only
row 'consumed, a callback per chunk' consume_open --consume-only --chunk-callback
row 'consumed, AMQP 1.0' consume_open --consume-only --codec amqp
row 'consumed, sub-entries of 100' consume_open --consume-only --sub-entry 100
row 'consumed, the same with gzip' consume_open --consume-only --sub-entry 100 --compression gzip

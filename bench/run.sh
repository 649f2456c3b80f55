#!/bin/sh
# Compares rstream with the ceiling of this machine and broker: a blind writer, a header-only reader and
# zlib alone (rstream-ceiling). Everything runs in turn against one broker, in rounds whose order
# alternates; the medians are printed. Figures of different runs differ by more than the sides do.
#
#   bench/run.sh [BUILD-DIRECTORY]        (default: build)
#
# Needs a broker in RSTREAM_BROKER_URI; without one, it starts the private one of test/broker.
#   ROUNDS     odd, default 5
#   PUBLISH    messages to publish at a time, default 2000000; in sub-entries ten times as many
#   CONSUME    messages to consume at a time, default 10000000; in sub-entries three times as many
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$top/build}
rounds=${ROUNDS:-5}
publish=${PUBLISH:-2000000}
consume=${CONSUME:-10000000}
publish_packed=$((10 * publish))
consume_packed=$((3 * consume))

for program in rstream-ceiling rstream-perf; do
  if [ ! -x "$build/$program" ]; then
    echo "bench/run.sh: there is no $build/$program; build first" >&2
    exit 1
  fi
done
if [ -z "${RSTREAM_BROKER_URI:-}" ]; then
  exec "$top/test/broker/with-broker" -- "$0" "$build"
fi

results=$(mktemp -d)
stream=rstream-bench-$$
# The streams that are read were kept by the program that made them; another one deletes them.
filled=
cleanup() {
  rm -rf "$results"
  for each in $filled; do "$build/rstream-ceiling" --delete --stream "$stream-$each" || true; done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Of those that the library can be built without.
compressions=gzip
for each in snappy lz4 zstd; do
  if "$build/rstream-perf" --embedded --publish-only --messages 100 --sub-entry 10 \
    --compression $each >/dev/null 2>&1; then compressions="$compressions $each"; fi
done

# ---- one measurement

perf() {
  "$build/rstream-perf" --json "$@" 2>"$results/log" || {
    cat "$results/log" >&2
    exit 1
  }
}

# keep NAME WHAT JSON: notes the rate and the CPU time of one measurement.
keep() {
  for key in rate cpu_ns_per_msg; do
    printf '%s\n' "$3" | sed -n "s/.*\"$2_$key\":\([0-9.]*\).*/\1/p" >>"$results/$1.$key"
  done
}

# These take a name, then options.
blind() {
  name=$1 && shift
  json=$("$build/rstream-ceiling" --json --mode write --stream "$stream-write" "$@")
  keep "$name" write "$json"
}

publishing() {
  name=$1 && shift
  json=$(perf --publish-only --stream "$stream-write" "$@")
  keep "$name" publish "$json"
}

# And the stream that is read, before the options.
headers() {
  name=$1 of=$2 && shift 2
  json=$("$build/rstream-ceiling" --json --mode read --stream "$stream-$of" "$@")
  keep "$name" read "$json"
}

consuming() {
  name=$1 of=$2 && shift 2
  json=$(perf --consume-only --stream "$stream-$of" --offset first "$@")
  keep "$name" consume "$json"
}

zlib_alone() {
  suffix=$1 && shift
  json=$("$build/rstream-ceiling" --json --mode zlib "$@")
  keep "zlib-packing$suffix" pack "$json"
  keep "zlib-unpacking$suffix" unpack "$json"
}

# shellcheck disable=SC2086  # $packed is several words.
measure() {
  packed="--sub-entry 100 --messages $publish_packed"
  larger="--sub-entry 100 --messages $publish --size 100"
  case $1 in
  blind-raw) blind "$1" --messages "$publish" ;;
  publish-raw) publishing "$1" --messages "$publish" --batch-size 100 ;;
  blind-amqp) blind "$1" --messages "$publish" --amqp ;;
  publish-amqp) publishing "$1" --messages "$publish" --batch-size 100 --codec amqp ;;
  blind-sub) blind "$1" $packed ;;
  publish-sub) publishing "$1" $packed ;;
  blind-gzip) blind "$1" $packed --gzip ;;
  publish-gzip-larger) publishing "$1" $larger --compression gzip ;;
  publish-*) publishing "$1" $packed --compression "${1#publish-}" ;;
  zlib) zlib_alone "" $packed ;;
  zlib-larger) zlib_alone -larger $larger ;;
  headers-raw | headers-amqp) headers "$1" "${1#headers-}" --messages "$consume" ;;
  headers-*) headers "$1" "${1#headers-}" --messages "$consume_packed" ;;
  consume-raw) consuming "$1" raw --messages "$consume" ;;
  consume-chunk) consuming "$1" raw --messages "$consume" --chunk-callback ;;
  consume-amqp) consuming "$1" amqp --messages "$consume" --codec amqp ;;
  consume-*) consuming "$1" "${1#consume-}" --messages "$consume_packed" ;;
  esac
}

# ---- the streams that are read

fill() {
  echo "filling a stream: $1" >&2
  filled="$filled $1"
  case $1 in
  raw) set -- raw --messages "$consume" ;;
  amqp) set -- amqp --messages "$consume" --codec amqp ;;
  sub) set -- sub --messages "$consume_packed" --sub-entry 100 ;;
  *) set -- "$1" --messages "$consume_packed" --sub-entry 100 --compression "$1" ;;
  esac
  of=$1 && shift
  perf --publish-only --keep --stream "$stream-$of" "$@" >/dev/null
}

for each in raw amqp sub $compressions; do fill "$each"; done

# ---- the rounds

all="blind-raw publish-raw blind-amqp publish-amqp blind-sub publish-sub blind-gzip zlib
  headers-raw consume-raw consume-chunk headers-amqp consume-amqp headers-sub consume-sub
  zlib-larger publish-gzip-larger"
for each in $compressions; do all="$all publish-$each consume-$each"; done
reversed=
for each in $all; do reversed="$each $reversed"; done

round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  if [ $((round % 2)) = 1 ]; then order=$all; else order=$reversed; fi
  for each in $order; do measure "$each"; done
  round=$((round + 1))
done

# ---- the table

median() {
  sort -n "$results/$1" | sed -n "$((rounds / 2 + 1))p"
}

# row TITLE NAME [CEILING]
row() {
  ceiling=
  if [ $# -gt 2 ]; then ceiling=$(median "$3.rate"); fi
  awk -v what="$1" -v rate="$(median "$2.rate")" -v ceiling="$ceiling" \
    -v cpu="$(median "$2.cpu_ns_per_msg")" 'BEGIN {
      share = ceiling ? sprintf("%.1f %%", 100 * rate / ceiling) : ""
      printf "%-36s %14.0f %12s %12.1f\n", what, rate, share, cpu }'
}

# compare TITLE FORMAT EXPRESSION NAME NAME: of the CPU times a and b.
compare() {
  awk -v what="$1" -v a="$(median "$4.cpu_ns_per_msg")" -v b="$(median "$5.cpu_ns_per_msg")" \
    "BEGIN { printf \"%-64s %12s\\n\", what, sprintf(\"$2\", $3) }"
}

heading() {
  echo
  printf '%-36s %14s %12s %12s\n' "$1" messages/s "of ceiling" "CPU ns each"
}

echo "10-byte bodies, one connection each; medians of $rounds rounds"
heading "publishing, 100 per frame"
row "blind writer" blind-raw
row "rstream" publish-raw blind-raw
row "blind writer, AMQP 1.0" blind-amqp
row "rstream, AMQP 1.0" publish-amqp blind-amqp

heading "publishing, sub-entries of 100"
row "blind writer" blind-sub
row "rstream" publish-sub blind-sub
row "zlib alone, packing" zlib-packing
row "rstream, gzip" publish-gzip zlib-packing
row "blind writer, gzip made beforehand" blind-gzip
for each in ${compressions#gzip}; do row "rstream, $each" "publish-$each" blind-gzip; done

heading "consuming"
row "header-only reader" headers-raw
row "rstream, a callback per message" consume-raw headers-raw
row "rstream, a callback per chunk" consume-chunk headers-raw
row "header-only reader, AMQP 1.0" headers-amqp
row "rstream, AMQP 1.0" consume-amqp headers-amqp

heading "consuming, sub-entries of 100"
row "header-only reader" headers-sub
row "rstream" consume-sub headers-sub
row "zlib alone, unpacking" zlib-unpacking
row "rstream, gzip" consume-gzip zlib-unpacking
for each in ${compressions#gzip}; do row "rstream, $each" "consume-$each" headers-sub; done

echo
compare "publishing raw, CPU by that of AMQP 1.0" %.2f a/b publish-raw publish-amqp
compare "consuming AMQP 1.0, CPU more than raw, ns" %.1f a-b consume-amqp consume-raw
compare "publishing gzip, CPU by that of zlib alone" %.2f a/b publish-gzip zlib-packing
compare "the same with 100-byte bodies" %.2f a/b publish-gzip-larger zlib-packing-larger
compare "consuming gzip, CPU by that of zlib alone" %.2f a/b consume-gzip zlib-unpacking

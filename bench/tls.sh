#!/bin/sh
# Compares rstream over TLS with rstream in plain text, and with what mbedTLS alone decrypts. All of
# it in turn against one broker, in rounds whose order alternates; the medians are printed.
#
#   bench/tls.sh [BUILD-DIRECTORY]        (default: build)
#
# Needs a broker with TLS, which test/broker/with-broker --tls starts.
#   ROUNDS     odd, default 5
#   PUBLISH    10-byte messages to publish at a time, default 2000000
#   CONSUME    10-byte messages to consume at a time, default 10000000
#   LARGE      10000-byte messages to publish or consume at a time, default 100000
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$top/build}
rounds=${ROUNDS:-5}
publish=${PUBLISH:-2000000}
consume=${CONSUME:-10000000}
large=${LARGE:-100000}

if [ ! -x "$build/rstream-ceiling-tls" ]; then
  echo "bench/tls.sh: there is no $build/rstream-ceiling-tls; this build has no TLS" >&2
  exit 0
fi
if [ -z "${RSTREAM_BROKER_URI:-}" ]; then
  exec "$top/test/broker/with-broker" --tls -- "$0" "$build"
fi
if [ -z "${RSTREAM_BROKER_TLS_URI:-}" ]; then
  echo "bench/tls.sh: RSTREAM_BROKER_TLS_URI names no broker with TLS" >&2
  exit 0
fi
plain=$RSTREAM_BROKER_URI
secured=$RSTREAM_BROKER_TLS_URI
authorities=$RSTREAM_BROKER_DIR/tls/ca.pem

results=$(mktemp -d)
stream=rstream-bench-tls-$$
cleanup() {
  rm -rf "$results"
  for each in small large; do
    "$build/rstream-ceiling" --uri "$plain" --delete --stream "$stream-$each" >/dev/null 2>&1 || true
  done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

perf() {
  "$build/rstream-perf" --json "$@" 2>"$results/log" || {
    cat "$results/log" >&2
    exit 1
  }
}

# measured NAME WHAT OPTIONS: notes rate and CPU time, in plain text and over TLS.
measured() {
  name=$1 what=$2
  shift 2
  case $name in
  *-tls) json=$(perf --uri "$secured" --tls-ca "$authorities" "$@") ;;
  *) json=$(perf --uri "$plain" "$@") ;;
  esac
  for key in rate cpu_ns_per_msg; do
    printf '%s\n' "$json" | sed -n "s/.*\"${what}_$key\":\([0-9.]*\).*/\1/p" >>"$results/$name.$key"
  done
}

measure() {
  case $1 in
  mbedtls)
    json=$("$build/rstream-ceiling-tls" 1000)
    for key in encrypt decrypt; do
      printf '%s\n' "$json" | sed -n "s/.*\"${key}_mb_per_s\":\([0-9.]*\).*/\1/p" >>"$results/$key.rate"
    done
    ;;
  publish-small*) measured "$1" publish --publish-only --stream "$stream-w" --messages "$publish" --batch-size 100 ;;
  publish-large*) measured "$1" publish --publish-only --stream "$stream-w" --messages "$large" --size 10000 ;;
  consume-small*) measured "$1" consume --consume-only --stream "$stream-small" --offset first --messages "$consume" ;;
  consume-large*)
    measured "$1" consume --consume-only --stream "$stream-large" --offset first --messages "$large" --chunk-callback
    ;;
  esac
}

echo "filling two streams" >&2
perf --uri "$plain" --publish-only --keep --stream "$stream-small" --messages "$consume" >/dev/null
perf --uri "$plain" --publish-only --keep --stream "$stream-large" --messages "$large" --size 10000 >/dev/null

all="mbedtls publish-small publish-small-tls publish-large publish-large-tls
  consume-small consume-small-tls consume-large consume-large-tls"
reversed=
for each in $all; do reversed="$each $reversed"; done
round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  if [ $((round % 2)) = 1 ]; then order=$all; else order=$reversed; fi
  for each in $order; do measure "$each"; done
  round=$((round + 1))
done

median() { sort -n "$results/$1" | sed -n "$((rounds / 2 + 1))p"; }

# row TITLE NAME BYTES [CEILING]: messages and megabytes per second; how far mbedTLS would have come in
# the client's CPU time; that time.
row() {
  awk -v what="$1" -v rate="$(median "$2.rate")" -v cpu="$(median "$2.cpu_ns_per_msg")" -v bytes="$3" \
    -v ceiling="${4:+$(median "${4-}.rate")}" 'BEGIN {
      mb = rate * bytes / 1000000
      share = ceiling ? sprintf("%.0f %%", 100 * bytes * 1000 / ceiling / cpu) : ""
      printf "%-40s %12.0f %8.0f %12s %12.1f\n", what, rate, mb, share, cpu }'
}

echo
printf '%-40s %12s %8s %12s %12s\n' "TLS, medians of $rounds rounds" messages/s MB/s "of mbedTLS" "CPU ns each"
row "publishing 10 bytes, plain" publish-small 10
row "publishing 10 bytes, TLS" publish-small-tls 10
row "publishing 10000 bytes, plain" publish-large 10000
row "publishing 10000 bytes, TLS" publish-large-tls 10000 encrypt
row "consuming 10 bytes, plain" consume-small 10
row "consuming 10 bytes, TLS" consume-small-tls 10
row "consuming chunks of 10000 bytes, plain" consume-large 10000
row "consuming chunks of 10000 bytes, TLS" consume-large-tls 10000 decrypt
printf '%-40s %12s %8.0f\n' "mbedTLS alone, encrypting" "" "$(median encrypt.rate)"
printf '%-40s %12s %8.0f\n' "mbedTLS alone, decrypting" "" "$(median decrypt.rate)"

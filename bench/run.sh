#!/bin/sh
# Compares rstream with the ceiling of this machine and broker: a blind writer and a header-only
# reader (rstream-ceiling). Both sides run in turn against one broker, in rounds whose order alternates;
# the medians are printed. Figures of different runs differ by more than the two sides do.
#
#   bench/run.sh [BUILD-DIRECTORY]        (default: build)
#
# Needs a broker in RSTREAM_BROKER_URI; without one, it starts the private one of test/broker.
#   ROUNDS     odd, default 3
#   PUBLISH    messages to publish in each round and by each side, default 2000000
#   CONSUME    messages to consume, likewise, default 10000000
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$top/build}
rounds=${ROUNDS:-3}
publish=${PUBLISH:-2000000}
consume=${CONSUME:-10000000}

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
# The stream that is read was kept by the program that made it; another one deletes it.
cleanup() {
  rm -rf "$results"
  if [ -n "${filled:-}" ]; then
    "$build/rstream-ceiling" --delete --stream "$stream-read" || true
  fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# take NAME JSON RATE-KEY CPU-KEY: keeps the two figures of one measurement.
take() {
  for key in "$3" "$4"; do
    value=$(printf '%s\n' "$2" | sed -n "s/.*\"$key\":\([0-9.]*\).*/\1/p")
    case $key in
    *_rate) echo "$value" >>"$results/$1.rate" ;;
    *) echo "$value" >>"$results/$1.cpu" ;;
    esac
  done
}

median() {
  sort -n "$results/$1" | sed -n "$((rounds / 2 + 1))p"
}

measure() {
  case $1 in
  writer)
    json=$("$build/rstream-ceiling" --json --mode write --stream "$stream-write" --size 10 \
      --batch 100 --messages "$publish")
    take writer "$json" write_rate write_cpu_ns_per_msg ;;
  publish)
    json=$("$build/rstream-perf" --json --publish-only --stream "$stream-write" --size 10 \
      --batch-size 100 --messages "$publish" 2>"$results/log") || fail_perf
    take publish "$json" publish_rate publish_cpu_ns_per_msg ;;
  reader)
    json=$("$build/rstream-ceiling" --json --mode read --stream "$stream-read" \
      --messages "$consume")
    take reader "$json" read_rate read_cpu_ns_per_msg ;;
  message)
    json=$("$build/rstream-perf" --json --consume-only --stream "$stream-read" --offset first \
      --messages "$consume" 2>"$results/log") || fail_perf
    take message "$json" consume_rate consume_cpu_ns_per_msg ;;
  chunk)
    json=$("$build/rstream-perf" --json --consume-only --stream "$stream-read" --offset first \
      --messages "$consume" --chunk-callback 2>"$results/log") || fail_perf
    take chunk "$json" consume_rate consume_cpu_ns_per_msg ;;
  esac
}

fail_perf() {
  cat "$results/log" >&2
  exit 1
}

row() {
  awk -v what="$1" -v rate="$(median "$2.rate")" -v ceiling="$(median "$3.rate")" \
    -v cpu="$(median "$2.cpu")" -v self="$([ "$2" = "$3" ] && echo 1 || echo 0)" 'BEGIN {
      share = self ? "" : sprintf("%.1f %%", 100 * rate / ceiling)
      printf "%-36s %14.0f %12s %12.1f\n", what, rate, share, cpu }'
}

echo "filling a stream with $consume messages of 10 bytes" >&2
filled=1
"$build/rstream-ceiling" --mode write --keep --stream "$stream-read" --size 10 --batch 100 \
  --messages "$consume" >/dev/null

round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  if [ $((round % 2)) = 1 ]; then order="writer publish reader message chunk"
  else order="publish writer chunk message reader"; fi
  for each in $order; do measure "$each"; done
  round=$((round + 1))
done

echo "10-byte bodies, 100 per frame, one connection each; medians of $rounds rounds"
printf '%-36s %14s %12s %12s\n' "" "messages/s" "of ceiling" "CPU ns each"
row "blind writer" writer writer
row "rstream, publishing" publish writer
row "header-only reader" reader reader
row "rstream, a callback per message" message reader
row "rstream, a callback per chunk" chunk reader

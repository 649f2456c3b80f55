# Shared by the scripts of this folder: sourced, never run.
# shellcheck shell=bash

# Folders that outlive a run: the Debian folders, the lock files of the ports, the default run.
# shellcheck disable=SC2034  # Used by the scripts that source this file.
cache=${RSTREAM_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rstream}

say() { printf 'broker: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

usage_error() {
  say "$*"
  exit 2
}

# Exit status 3 lets a test runner tell "there can be no broker here" from "the broker failed".
no_broker_here() {
  cat >&2 <<TEXT
broker: $1
Either run this as root on Debian 12 or newer: a private RabbitMQ is then installed in a folder of its own
($cache) and started on loopback.
Or name a broker that runs already:
  docker run -d --name rstream-broker -p 5552:5552 \\
    -e RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-rabbitmq_stream advertised_host localhost' rabbitmq:4-management
  docker exec rstream-broker rabbitmq-plugins enable rabbitmq_stream
  export RSTREAM_BROKER_URI=rabbitmq-stream://guest:guest@localhost:5552/%2f
TEXT
  exit 3
}

# Calls a command every tenth of a second until it succeeds; fails after SECONDS.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Starts a command in a session of its own, so that the terminal's Ctrl-C does not reach it, with none of the caller's
# descriptors, so that nobody waits for the end of a pipe that the command would hold open.
detach() {
  local log=$1 fd
  shift
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || eval "exec $fd>&-"
    done
    exec setsid "$@" </dev/null >>"$log" 2>&1
  ) &
}

# In a chroot, "/" is no mount point and its propagation can't be set.
propagation() {
  if unshare --mount true 2>/dev/null; then echo private; else echo unchanged; fi
}

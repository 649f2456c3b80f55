# Shared by the scripts of this folder, which break the brokers of with-broker: sourced, never run.
# shellcheck shell=bash

# on VERB ARGUMENT...: of test/broker/broker.
on() {
  local verb=$1
  shift
  "$RSTREAM_BROKER_TOOL" "$verb" --dir "$RSTREAM_BROKER_DIR" "$@"
}

# Sets $nodes.
broker_needed() {
  : "${RSTREAM_BROKER_DIR:?"run this under test/broker/with-broker, without RSTREAM_BROKER_URI"}"
  mapfile -t nodes < <(on state | cut -d' ' -f1)
}

# try_for SECONDS COMMAND...: until it succeeds.
try_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 1
  done
}

# The node that leads rstream-perf's stream; asked of each until one answers.
leader() {
  local node name
  local leads='{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"rstream-perf">>)),
    atom_to_list(node(amqqueue:get_pid(Q))).'
  for node in "${nodes[@]}"; do
    name=$(on eval "$node" "$leads" 2>/dev/null) || continue
    name=${name#*\"} # of {ok, "n1@localhost"}
    echo "${name%%@*}"
    return
  done
  return 1
}

# The one behind it in the list, which begins anew at its end.
another_node() {
  local i
  for i in "${!nodes[@]}"; do
    [[ ${nodes[$i]} != "$1" ]] || echo "${nodes[$(((i + 1) % ${#nodes[@]}))]}"
  done
}

# Prints its name, as soon as there is one.
wait_for_leader() {
  local i
  for ((i = 0; i < 300; i++)); do
    leader && return
    sleep 0.1
  done
  return 1
}

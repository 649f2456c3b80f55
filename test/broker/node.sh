# What a node of a run is and how it starts: sourced by broker.
# shellcheck shell=bash disable=SC2154  # The settings of the run are read by broker.

node_names() { seq -f 'n%g' 1 "$nodes"; }

# A run owns sixteen ports from $base on: epmd's, then five for each node. Fixed ports are for people to remember.
port() {
  local number=${1#n} kind=$2
  if [[ $ports == fixed ]]; then
    case $kind in
      stream) echo $((5542 + 10 * number)) && return ;;
      tls) echo $((5541 + 10 * number)) && return ;;
      amqp) echo $((5662 + 10 * number)) && return ;;
      http) echo $((15662 + 10 * number)) && return ;;
    esac
  fi
  case $kind in
    stream) echo $((base + 5 * number - 4)) ;;
    tls) echo $((base + 5 * number - 3)) ;;
    amqp) echo $((base + 5 * number - 2)) ;;
    http) echo $((base + 5 * number - 1)) ;;
    dist) echo $((base + 5 * number)) ;;
  esac
}

uri_of() {
  case ${2-plain} in
    plain) echo "rabbitmq-stream://guest:guest@localhost:$(port "$1" stream)/%2f" ;;
    tls) echo "rabbitmq-stream+tls://guest:guest@localhost:$(port "$1" tls)/%2f" ;;
    amqp) echo "amqp://guest:guest@localhost:$(port "$1" amqp)/%2f" ;;
  esac
}

# The run's folder is /mnt inside the Debian folder.
write_config() {
  local node=$1 peer
  mkdir -p "$run/$node"
  echo "[rabbitmq_stream${plugins:+,$plugins}]." >"$run/$node/enabled_plugins"
  {
    cat <<CONF
listeners.tcp.1 = 127.0.0.1:$(port "$node" amqp)
stream.listeners.tcp.1 = 127.0.0.1:$(port "$node" stream)
stream.advertised_host = localhost
stream.advertised_port = $(port "$node" stream)
loopback_users = none
log.console = true
CONF
    [[ $tls == no ]] || tls_config "$node"
    [[ $plugins != *rabbitmq_management* ]] || management_config "$node"
    if ((nodes > 1)); then
      for peer in $(node_names); do
        echo "cluster_formation.classic_config.nodes.${peer#n} = $peer@localhost"
      done
    fi
    cat "$run/extra.conf"
  } >"$run/$node/rabbitmq.conf"
}

tls_config() {
  cat <<CONF
stream.listeners.ssl.1 = 127.0.0.1:$(port "$1" tls)
stream.advertised_tls_host = localhost
stream.advertised_tls_port = $(port "$1" tls)
ssl_options.cacertfile = /mnt/tls/ca.pem
ssl_options.certfile = /mnt/tls/server.pem
ssl_options.keyfile = /mnt/tls/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_cert_login_from = common_name
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = ANONYMOUS
auth_mechanisms.4 = EXTERNAL
CONF
}

management_config() {
  cat <<CONF
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port "$1" http)
CONF
}

# Runs a program in the run's namespaces and Debian folder, with nothing of the caller's environment.
inside_command() {
  local node=$1
  shift
  command_inside=(chroot "$run/root" env -i
    HOME=/mnt/home PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
    ERL_CRASH_DUMP_SECONDS=0 ERL_EPMD_PORT="$base" ERL_EPMD_ADDRESS=127.0.0.1
    ERL_AFLAGS='-kernel inet_dist_use_interface {127,0,0,1}'
    RABBITMQ_NODENAME="$node@localhost"
    RABBITMQ_CONF_ENV_FILE=/dev/null
    RABBITMQ_CONFIG_FILE="/mnt/$node/rabbitmq.conf"
    RABBITMQ_ENABLED_PLUGINS_FILE="/mnt/$node/enabled_plugins"
    RABBITMQ_MNESIA_BASE="/mnt/$node/data"
    RABBITMQ_LOG_BASE="/mnt/$node"
    RABBITMQ_DIST_PORT="$(port "$node" dist)"
    "$@")
}

enter() { nsenter --target "$(<"$run/init.pid")" --mount --root --pid "$@"; }

# Does what rabbitmqctl eval does, many times faster, because no second Erlang machine has to start.
# Under a name of its own: the node refuses a second caller of the same name.
evaluate() {
  local node=$1 expression=$2 result command_inside
  inside_command "$node" erl_call -h "call$BASHPID" -sname "$node@localhost" -c "$(<"$run/home/.erlang.cookie")" -e
  result=$(enter "${command_inside[@]}" <<<"$expression") || return 1
  echo "$result"
  [[ $result != '{error,'* ]]
}

# RUNNING_UNDER_SYSTEMD makes the start script replace itself by the Erlang machine, so that the process id noted here,
# as the host sees it, is the broker's own. The shell between leaves its child to the namespace's first process:
# nsenter as its parent would stop when the broker is stopped, and not go on with it. It also sets the number of files
# and connections, because what a login shell allows is soon used up by a test with many clients.
launch() {
  local node=$1 command_inside
  rm -f "$run/$node/pid"
  inside_command "$node" RUNNING_UNDER_SYSTEMD=true RABBITMQ_LOGS=- rabbitmq-server
  # shellcheck disable=SC2016  # The inner shell expands these.
  detach "$run/$node/log" nsenter --target "$(<"$run/init.pid")" --mount --root --pid \
    bash -c 'ulimit -n 65536 2>/dev/null; (read -r pid _ </proc/self/stat; echo "$pid" >"$1"; shift; exec "$@") &' \
    launch "$run/$node/pid" "${command_inside[@]}"
  wait_until 10 test -s "$run/$node/pid" || die "$node did not start; see $run/$node/log"
}

node_pid() { cat "$run/$1/pid" 2>/dev/null || echo 0; }

# Prints running, stopped or dead. A process id counts only while it lives in the run's own namespace, because the
# kernel gives ids out again.
node_state() {
  local pid status=
  pid=$(node_pid "$1")
  if [[ $(readlink "/proc/$pid/ns/pid") == "$(readlink "/proc/$(<"$run/init.pid")/ns/pid")" ]]; then
    read -r status <"/proc/$pid/stat" || true
  fi
  case ${status##*) } in
    [ZX]* | '') echo dead ;;
    [Tt]*) echo stopped ;;
    *) echo running ;;
  esac
} 2>/dev/null

running_nodes() {
  local node count=0
  for node in $(node_names); do
    [[ $(node_state "$node") != running ]] || count=$((count + 1))
  done
  echo "$count"
}

node_is_dead() { [[ $(node_state "$1") == dead ]]; }

answers_or_dead() { node_is_dead "$1" || port_answers "$(port "$1" stream)"; }

probe_or_dead() { node_is_dead "$1" || "$here/probe" "$(port "$1" stream)" "$2" 2>/dev/null; }

# wait_for_node NODE CONDITION...
# Nodes of 4.0 that start at the same moment can upset each other's Mnesia, and one of them then ends with "boot
# failed"; a second start settles it.
wait_for_node() {
  local node=$1 tries_left=$((nodes > 1))
  shift
  while ! wait_until 120 "$@" || node_is_dead "$node"; do
    if ((tries_left == 0)) || ! node_is_dead "$node"; then
      tail -n 40 "$run/$node/log" >&2
      die "$node did not become ready"
    fi
    tries_left=0
    say "$node gave up; starting it once more"
    launch "$node"
  done
}

# Waits until a stream with a member on every running node works through each of the nodes given. All ports come
# first: a stream created before the last node has joined would never get its member there.
wait_ready() {
  local node members
  members=$(running_nodes)
  for node; do wait_for_node "$node" answers_or_dead "$node"; done
  for node; do wait_for_node "$node" probe_or_dead "$node" "$members"; done
}

# The first stream starts the stream coordinator. A node that is killed before it has written down that it takes part
# comes back without it, and streams stay unusable there; the broker writes such tables every half second only.
write_tables() {
  local node
  for node; do
    evaluate "$node" '[dets:sync(Table) || Table <- dets:all()].' >/dev/null || die "$node does not answer"
  done
}

launch_and_wait() {
  local node
  for node; do launch "$node"; done
  wait_ready "$@"
  write_tables "$@"
}

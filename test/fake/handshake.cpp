// From the first byte to Open, and what else concerns the connection as a whole.
#include <algorithm>
#include <cassert>

#include "fake/internal.h"

namespace rstream::fake {

namespace {

// What the broker says it receives; a key it does not know would crash it.
constexpr wire::key received_commands[] = {
    wire::key::declare_publisher,
    wire::key::publish,
    wire::key::query_publisher_sequence,
    wire::key::delete_publisher,
    wire::key::subscribe,
    wire::key::credit,
    wire::key::store_offset,
    wire::key::query_offset,
    wire::key::unsubscribe,
    wire::key::create,
    wire::key::delete_stream,
    wire::key::metadata,
    wire::key::close,
    wire::key::heartbeat,
    wire::key::route,
    wire::key::partitions,
    wire::key::stream_stats,
    wire::key::create_super_stream,
    wire::key::delete_super_stream,
    wire::key::resolve_offset_spec,
};

bool on_properties(peer &p, const frame &fr) {
  wire::peer_properties x;
  if (!take(fr, x)) return false;
  wire::seq_iter<wire::property> it(x.properties);
  wire::property item;
  while (it.next(item)) p.properties[std::string(item.key)] = std::string(item.value);
  const std::string &version = p.broker->cluster->options.version;
  wire::property mine[] = {{"cluster_name", "rabbit@fake"},
                           {"copyright", "none"},
                           {"information", "an in-memory broker for tests"},
                           {"platform", "memory"},
                           {"product", "RabbitMQ"},
                           {"version", version}};
  emit(p, wire::peer_properties_response{x.correlation_id, 1, {mine}});
  p.state = peer_state::handshake;
  return true;
}

bool on_sasl_handshake(peer &p, const frame &fr) {
  wire::sasl_handshake x;
  if (!take(fr, x)) return false;
  const auto &names = p.broker->cluster->options.mechanisms;
  std::vector<std::string_view> mechanisms(names.begin(), names.end());
  emit(p, wire::sasl_handshake_response{x.correlation_id, 1, {mechanisms}});
  p.state = peer_state::authenticate;
  return true;
}

void answer_authenticate(peer &p, uint32_t correlation, wire::response code) {
  emit(p, wire::sasl_authenticate_response{correlation, wire::raw(code), {}});
}

// Refusals that are held back, then end the connection.
void tarpit(peer &p, wire::key key, uint32_t correlation, wire::response code) {
  p.state = peer_state::closing;
  stop(*p.broker->cluster->world, p.step_timer);
  peer_later(p, p.broker->cluster->options.tarpit_ms, [=](peer &late) {
    emit_code(late, key, correlation, code);
    peer_close(late);
  });
}

// What the mechanism makes of the data: ok, and who it is.
wire::response authenticate(cluster &c, const wire::sasl_authenticate &x,
                            std::string &name) {
  auto &known = c.options.mechanisms;
  if (std::find(known.begin(), known.end(), x.mechanism) == known.end()) {
    return wire::response::sasl_mechanism_not_supported;
  }
  if (x.mechanism == "EXTERNAL" || x.mechanism == "ANONYMOUS") {
    name = "guest";
    return wire::response::ok;
  }
  std::string_view data(reinterpret_cast<const char *>(x.data.data()), x.data.size());
  size_t first = data.find('\0');
  size_t second = first == data.npos ? data.npos : data.find('\0', first + 1);
  if (second == data.npos) return wire::response::sasl_error;
  name = data.substr(first + 1, second - first - 1);
  auto it = c.users.find(name);
  if (it == c.users.end() || it->second.password != data.substr(second + 1)) {
    return wire::response::authentication_failure;
  }
  if (it->second.loopback_only_refused)
    return wire::response::authentication_failure_loopback;
  return wire::response::ok;
}

bool on_authenticate(peer &p, const frame &fr) {
  wire::sasl_authenticate x;
  if (!take(fr, x)) return false;
  cluster &c = *p.broker->cluster;
  std::string name;
  wire::response code = authenticate(c, x, name);
  if (code == wire::response::authentication_failure) {
    tarpit(p, wire::key::sasl_authenticate, x.correlation_id, code);
    return true;
  }
  answer_authenticate(p, x.correlation_id, code);
  if (code != wire::response::ok) {
    peer_close(p);
    return true;
  }
  p.username = name;
  p.properties["sasl_mechanism"] = x.mechanism;
  auto it = c.users.find(name);
  p.user = it == c.users.end() ? nullptr : &it->second;
  emit(p, wire::tune{c.options.frame_max, c.options.heartbeat_s});
  p.state = peer_state::tune;
  return true;
}

bool on_tune(peer &p, const frame &fr) {
  wire::tune_response x;
  if (!take(fr, x)) return false;
  p.frame_max = wire::tune_negotiate(x.frame_max, p.broker->cluster->options.frame_max);
  p.heartbeat_s = x.heartbeat_s;  // Whatever the client says.
  p.state = peer_state::open;
  start_heartbeat(p);
  return true;
}

bool on_open(peer &p, const frame &fr) {
  wire::open x;
  if (!take(fr, x)) return false;
  p.vhost = x.vhost;
  if (p.user && !p.user->vhosts.contains(p.vhost)) {
    tarpit(p, wire::key::open, x.correlation_id,
           wire::response::virtual_host_access_failure);
    return true;
  }
  std::string port = std::to_string(p.broker->port);
  wire::property mine[] = {{"advertised_host", p.broker->host},
                           {"advertised_port", port}};
  wire::open_response answer = {.correlation_id = x.correlation_id, .code = 1};
  if (p.broker->cluster->options.advertise) answer.properties = {mine};
  emit(p, answer);
  p.state = peer_state::ready;
  stop(*p.broker->cluster->world, p.step_timer);
  return true;
}

void on_heartbeat_due(net_timer *timer) {
  peer &p = owner_of<peer>(timer);
  entry_scope scope(*p.broker->cluster);
  // Ticks come at half the interval: four silent ones are two intervals.
  p.silent_ticks = p.heard || p.stopped ? 0 : p.silent_ticks + 1;
  if (p.silent_ticks >= 4) {
    p.count.heartbeat_losses++;
    peer_crashed(p);
    return;
  }
  if (!p.spoke) {
    emit(p, wire::heartbeat{});
    p.count.heartbeats_sent++;
  }
  p.heard = p.spoke = false;
  start_heartbeat(p);
}

}  // namespace

void start_heartbeat(peer &p) {
  if (p.heartbeat_s == 0) return;
  start(*p.broker->cluster->world, p.heartbeat_timer, p, uint64_t{p.heartbeat_s} * 500,
        on_heartbeat_due);
}

bool handle_handshake(peer &p, const frame &fr) {
  auto is = [&](wire::key key) { return fr.key == wire::raw(key); };
  if (fr.version != 1) return false;
  bool taken = false;
  switch (p.state) {
  case peer_state::properties:
    taken = is(wire::key::peer_properties) && on_properties(p, fr);
    break;
  case peer_state::handshake:
    taken = is(wire::key::sasl_handshake) && on_sasl_handshake(p, fr);
    break;
  case peer_state::authenticate:
    taken = is(wire::key::sasl_authenticate) && on_authenticate(p, fr);
    break;
  case peer_state::tune:
    taken = wire::without_response_bit(fr.key) == wire::raw(wire::key::tune) &&
            on_tune(p, fr);
    break;
  case peer_state::open: taken = is(wire::key::open) && on_open(p, fr); break;
  default: break;
  }
  bool going_on = p.state != peer_state::ready && p.state < peer_state::closing;
  if (taken && going_on) step_start(p, p.broker->cluster->options.step_ms);
  return taken;
}

bool handle_reauthentication(peer &p, const frame &fr) {
  wire::sasl_authenticate x;
  if (!at_least(*p.broker->cluster, 31300) || !take(fr, x)) return false;
  std::string name;
  wire::response code = authenticate(*p.broker->cluster, x, name);
  if (x.mechanism != p.properties["sasl_mechanism"]) {
    code = wire::response::sasl_cannot_change_mechanism;
  } else if (code == wire::response::ok && name != p.username) {
    code = wire::response::sasl_cannot_change_username;
  }
  if (code == wire::response::ok) {
    answer_authenticate(p, x.correlation_id, code);
  } else {
    tarpit(p, wire::key::sasl_authenticate, x.correlation_id, code);
  }
  return true;
}

bool handle_versions(peer &p, const frame &fr) {
  wire::command_versions x;
  if (!take(fr, x)) return false;
  cluster &c = *p.broker->cluster;
  wire::seq_iter<wire::version_range> it(x.commands);
  wire::version_range item;
  while (it.next(item)) {
    if (!knows_command(c, item.key, 1)) {
      peer_crashed(p);
      return true;
    }
    // An exact match, so that a client which could take more gets less.
    if (item.key == wire::raw(wire::key::deliver))
      p.deliver_version = item.max == 2 ? 2 : 1;
  }
  std::vector<wire::version_range> mine;
  for (wire::key key : received_commands) {
    if (!knows_command(c, wire::raw(key), 1)) continue;
    uint16_t max = knows_command(c, wire::raw(key), 2) ? 2 : 1;
    mine.push_back({wire::raw(key), 1, max});
  }
  emit(p, wire::command_versions_response{x.correlation_id, 1, {mine}});
  return true;
}

}  // namespace rstream::fake

// Create, Delete, Metadata, StreamStats, super streams, and what becomes of nodes.
#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

#include "fake/internal.h"

namespace rstream::fake {

namespace {

constexpr size_t max_partitions = 1000;

using arguments = std::map<std::string, std::string>;

bool is_number(const std::string &text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= least &&
         value <= most;
}

bool is_age(const std::string &text) {
  if (text.size() < 2 || !strchr("YMDhms", text.back())) return false;
  return is_number(text.substr(0, text.size() - 1), 0, UINT64_MAX);
}

bool valid_argument(const std::string &key, const std::string &value) {
  if (key == "max-age") return is_age(value);
  if (key == "initial-cluster-size") return is_number(value, 1, UINT32_MAX);
  if (key == "stream-filter-size-bytes") return is_number(value, 16, 255);
  if (key == "queue-leader-locator") {
    return value == "client-local" || value == "balanced" || value == "random" ||
           value == "least-leaders";
  }
  return is_number(value, 0, UINT64_MAX);
}

bool known_argument(std::string_view key) {
  return key == "max-length-bytes" || key == "max-age" || key == "initial-cluster-size" ||
         key == "stream-max-segment-size-bytes" || key == "queue-leader-locator" ||
         key == "stream-filter-size-bytes";
}

// False when one is wrong. Unknown ones are passed over, as the broker does.
bool read_arguments(const wire::seq<wire::property> &from, arguments &to) {
  wire::seq_iter<wire::property> it(from);
  wire::property item;
  while (it.next(item)) {
    if (!known_argument(item.key)) continue;
    std::string key(item.key), value(item.value);
    if (!valid_argument(key, value)) return false;
    to[key] = value;
  }
  return true;
}

void on_settled(net_timer *timer) { owner_of<stream>(timer).settled = true; }

stream &create_on(cluster &c, std::string_view name, int leader, const arguments &args) {
  auto made = std::make_unique<stream>();
  stream &s = *made;
  s.cluster = &c;
  s.name = name;
  s.arguments = args;
  s.leader = leader;
  size_t size = c.nodes.size();
  if (auto it = args.find("initial-cluster-size"); it != args.end()) {
    size = std::min<size_t>(size, std::stoul(it->second));
  }
  int count = static_cast<int>(c.nodes.size());
  for (int i = 1; i < count && s.replicas.size() + 1 < size; i++) {
    s.replicas.push_back((leader + i) % count);
  }
  if (c.options.settle_ms > 0) {
    s.settled = false;
    start(*c.world, s.settle_timer, s, c.options.settle_ms, on_settled);
  }
  c.streams.emplace(std::string(name), std::move(made));
  return s;
}

wire::response create_code(peer &p, std::string_view name,
                           const wire::seq<wire::property> &from, arguments &args) {
  cluster &c = *p.broker->cluster;
  if (name.empty() || name.starts_with("amq."))
    return wire::response::precondition_failed;
  if (p.user && !p.user->configure) return wire::response::access_refused;
  if (!read_arguments(from, args)) return wire::response::precondition_failed;
  if (stream *s = stream_find(c, name)) {
    return s->arguments == args ? wire::response::stream_already_exists
                                : wire::response::precondition_failed;
  }
  return wire::response::ok;
}

std::vector<std::string> strings_of(const wire::seq<std::string_view> &from) {
  std::vector<std::string> to;
  wire::seq_iter<std::string_view> it(from);
  std::string_view item;
  while (it.next(item)) to.emplace_back(item);
  return to;
}

std::vector<std::string_view> views_of(const std::vector<std::string> &from) {
  return {from.begin(), from.end()};
}

wire::response super_code(peer &p, const wire::create_super_stream &x,
                          const std::vector<std::string> &partitions,
                          const std::vector<std::string> &keys, arguments &args) {
  cluster &c = *p.broker->cluster;
  std::set<std::string> different(partitions.begin(), partitions.end());
  if (x.name.empty() || partitions.empty() || partitions.size() != keys.size() ||
      partitions.size() > max_partitions || different.size() != partitions.size()) {
    return wire::response::precondition_failed;
  }
  if (c.super_streams.contains(x.name)) return wire::response::stream_already_exists;
  for (const std::string &partition : partitions) {
    args.clear();
    wire::response code = create_code(p, partition, x.arguments, args);
    if (code != wire::response::ok) return code;
  }
  return wire::response::ok;
}

// The response precedes the MetadataUpdate that goes to the same connection.
void answer_and_delete(peer &p, wire::key key, uint32_t correlation,
                       const std::vector<std::string> &streams) {
  emit_code(p, key, correlation, wire::response::ok);
  for (const std::string &name : streams) stream_delete(*p.broker->cluster, name);
}

}  // namespace

// ---- streams

stream *stream_find(cluster &c, std::string_view name) {
  auto it = c.streams.find(name);
  return it == c.streams.end() ? nullptr : it->second.get();
}

stream &stream_create(cluster &c, std::string_view name, int leader) {
  assert(!stream_find(c, name));
  return create_on(c, name, leader, {});
}

void stream_delete(cluster &c, std::string_view name) {
  entry_scope scope(c);
  stream *s = stream_find(c, name);
  if (!s) return;
  stream_drop_users(*s);
  std::erase(c.gathering, s);
  c.streams.erase(c.streams.find(name));
}

bool stream_has_leader(const stream &s) {
  return s.settled && s.leader >= 0 && node(*s.cluster, s.leader).up;
}

bool stream_on_node(const stream &s, int index) {
  return s.leader == index ||
         std::find(s.replicas.begin(), s.replicas.end(), index) != s.replicas.end();
}

wire::response read_code(const peer &p, std::string_view name, stream *&s) {
  s = stream_find(*p.broker->cluster, name);
  if (p.user && !p.user->read) return wire::response::access_refused;
  if (!s) return wire::response::stream_does_not_exist;
  if (!stream_has_leader(*s)) return wire::response::stream_not_available;
  return wire::response::ok;
}

void stream_drop_users(stream &s, int only_node) {
  entry_scope scope(*s.cluster);
  std::vector<peer *> told;
  auto tell = [&](peer *p) {
    if (std::find(told.begin(), told.end(), p) == told.end()) told.push_back(p);
  };
  // Publishers hang on the leader, wherever they are connected; subscribers on their own
  // node.
  for (publisher *pub : std::vector<publisher *>(s.publishers)) {
    tell(pub->peer);
    publisher_remove(*pub->peer, pub->id);
  }
  for (subscription *sub : std::vector<subscription *>(s.subscriptions)) {
    if (only_node >= 0 && sub->peer->broker->index != only_node) continue;
    tell(sub->peer);
    subscription_remove(*sub->peer, sub->id);
  }
  for (peer *p : told) {
    emit(*p,
         wire::metadata_update{wire::raw(wire::response::stream_not_available), s.name});
  }
}

bool handle_create(peer &p, const frame &fr) {
  wire::create_stream x;
  if (!take(fr, x) || is_null(x.stream)) return false;
  arguments args;
  wire::response code = create_code(p, x.stream, x.arguments, args);
  if (code == wire::response::ok)
    create_on(*p.broker->cluster, x.stream, p.broker->index, args);
  emit_code(p, wire::key::create, x.correlation_id, code);
  return true;
}

bool handle_delete(peer &p, const frame &fr) {
  wire::delete_stream x;
  if (!take(fr, x) || is_null(x.stream)) return false;
  wire::response code = wire::response::ok;
  if (p.user && !p.user->configure)
    code = wire::response::access_refused;
  else if (!stream_find(*p.broker->cluster, x.stream)) {
    code = wire::response::stream_does_not_exist;
  }
  if (code != wire::response::ok) {
    emit_code(p, wire::key::delete_stream, x.correlation_id, code);
  } else {
    answer_and_delete(p, wire::key::delete_stream, x.correlation_id,
                      {std::string(x.stream)});
  }
  return true;
}

bool handle_metadata(peer &p, const frame &fr) {
  wire::metadata x;
  if (!take(fr, x)) return false;
  cluster &c = *p.broker->cluster;
  std::vector<wire::broker_ref> refs;
  for (auto &b : c.nodes) {
    if (b->up) refs.push_back({static_cast<uint16_t>(b->index), b->host, b->port});
  }
  std::vector<std::string> names = strings_of(x.streams);
  std::vector<std::vector<uint16_t>> replicas(names.size());
  std::vector<wire::stream_info> infos;
  for (size_t i = 0; i < names.size(); i++) {
    wire::stream_info info = {.stream = names[i], .code = 1};
    stream *s = stream_find(c, names[i]);
    if (p.user && !p.user->read && !p.user->write) {
      info.code = wire::raw(wire::response::access_refused);
    } else if (!s) {
      info.code = wire::raw(wire::response::stream_does_not_exist);
    } else {
      if (stream_has_leader(*s)) info.leader = static_cast<uint16_t>(s->leader);
      for (int r : s->replicas) {
        if (node(c, r).up) replicas[i].push_back(static_cast<uint16_t>(r));
      }
      info.replicas = {replicas[i]};
    }
    infos.push_back(info);
  }
  emit(p, wire::metadata_response{x.correlation_id, {refs}, {infos}});
  return true;
}

bool handle_stats(peer &p, const frame &fr) {
  wire::stream_stats x;
  if (!take(fr, x) || is_null(x.stream)) return false;
  wire::stream_stats_response answer = {.correlation_id = x.correlation_id, .code = 1};
  std::vector<wire::stat> stats;
  stream *s = stream_find(*p.broker->cluster, x.stream);
  if (p.user && !p.user->read) {
    answer.code = wire::raw(wire::response::access_refused);
  } else if (!s) {
    answer.code = wire::raw(wire::response::stream_does_not_exist);
  } else {
    int64_t first =
        s->log.empty() ? -1 : static_cast<int64_t>(s->log.front().first_offset);
    bool stored = s->next_offset > 0;
    bool committed = s->committed_offset > 0;
    auto id = [](bool any, uint64_t value) {
      return any ? static_cast<int64_t>(value) : -1;
    };
    stats = {{"first_chunk_id", first},
             {"last_chunk_id", id(stored, s->last_chunk_id)},
             {"committed_chunk_id", id(committed, s->committed_chunk_id)}};
    if (at_least(*s->cluster, 40300)) {
      stats.push_back({"committed_offset", id(committed, s->committed_offset - 1)});
    }
  }
  answer.stats = {stats};
  emit(p, answer);
  return true;
}

// ---- super streams

bool handle_create_super(peer &p, const frame &fr) {
  wire::create_super_stream x;
  if (!take(fr, x) || is_null(x.name)) return false;
  cluster &c = *p.broker->cluster;
  arguments args;
  std::vector<std::string> partitions = strings_of(x.partitions);
  std::vector<std::string> keys = strings_of(x.binding_keys);
  wire::response code = super_code(p, x, partitions, keys, args);
  if (code == wire::response::ok) {
    // Balanced over the nodes, unlike plain streams.
    int leader = 0;
    for (const std::string &partition : partitions) {
      create_on(c, partition, leader, args);
      leader = (leader + 1) % static_cast<int>(c.nodes.size());
    }
    c.super_streams[std::string(x.name)] = {partitions, keys};
  }
  emit_code(p, wire::key::create_super_stream, x.correlation_id, code);
  return true;
}

bool handle_delete_super(peer &p, const frame &fr) {
  wire::delete_super_stream x;
  if (!take(fr, x) || is_null(x.name)) return false;
  cluster &c = *p.broker->cluster;
  auto it = c.super_streams.find(x.name);
  if (it == c.super_streams.end() || (p.user && !p.user->configure)) {
    emit_code(p, wire::key::delete_super_stream, x.correlation_id,
              it == c.super_streams.end() ? wire::response::stream_does_not_exist
                                          : wire::response::access_refused);
    return true;
  }
  std::vector<std::string> partitions = it->second.partitions;
  c.super_streams.erase(it);
  answer_and_delete(p, wire::key::delete_super_stream, x.correlation_id, partitions);
  return true;
}

bool handle_route(peer &p, const frame &fr) {
  wire::route x;
  if (!take(fr, x) || is_null(x.super_stream)) return false;
  cluster &c = *p.broker->cluster;
  wire::route_response answer = {.correlation_id = x.correlation_id, .code = 1};
  std::vector<std::string_view> streams;
  auto it = c.super_streams.find(x.super_stream);
  if (it == c.super_streams.end()) {
    answer.code = wire::raw(wire::response::stream_does_not_exist);
  } else {
    const super_stream &s = it->second;
    for (size_t i = 0; i < s.partitions.size(); i++) {
      if (s.binding_keys[i] == x.routing_key) streams.push_back(s.partitions[i]);
    }
  }
  answer.streams = {streams};
  emit(p, answer);
  return true;
}

bool handle_partitions(peer &p, const frame &fr) {
  wire::partitions x;
  if (!take(fr, x) || is_null(x.super_stream)) return false;
  cluster &c = *p.broker->cluster;
  wire::partitions_response answer = {.correlation_id = x.correlation_id, .code = 1};
  std::vector<std::string_view> streams;
  auto it = c.super_streams.find(x.super_stream);
  if (it == c.super_streams.end()) {
    answer.code = wire::raw(wire::response::stream_does_not_exist);
  } else {
    streams = views_of(it->second.partitions);
  }
  answer.streams = {streams};
  emit(p, answer);
  return true;
}

// ---- nodes

void broker_crash(broker &b) {
  entry_scope scope(*b.cluster);
  b.up = false;
  for (peer *p : std::vector<peer *>(b.peers)) peer_reset(*p);
  for (auto &[name, s] : b.cluster->streams) {
    if (s->leader == b.index) stream_lose_leader(*s);
  }
}

void broker_start(broker &b) { b.up = true; }

}  // namespace rstream::fake

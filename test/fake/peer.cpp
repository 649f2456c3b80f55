// A connection as the broker sees it: bytes to frames, frames to commands, output and the
// end.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "fake/internal.h"
#include "fake/script.h"

namespace rstream::fake {

namespace {

void peer_process(peer &p, wire::bytes bytes);

net &world_of(peer &p) { return *p.broker->cluster->world; }

void wake_stopped(cluster &c) {
  std::vector<peer *> waking = std::move(c.waking);
  c.waking.clear();
  for (peer *p : waking) p->waking = false;
  for (peer *p : waking) peer_drain_held(*p);
}

void settle(cluster &c) {
  while (!c.gathering.empty() || !c.dirty.empty() || !c.waking.empty()) {
    std::vector<stream *> gathering = std::move(c.gathering);
    c.gathering.clear();
    for (stream *s : gathering) {
      stream_seal(*s);
      confirm_committed(*s);
    }
    std::vector<peer *> dirty = std::move(c.dirty);
    c.dirty.clear();
    for (peer *p : dirty) p->dirty = false;
    for (peer *p : dirty) peer_flush(*p);
    wake_stopped(c);
  }
}

void mark_dirty(peer &p) {
  if (p.dirty) return;
  p.dirty = true;
  p.broker->cluster->dirty.push_back(&p);
}

// Nothing of it takes part in anything any more. The carrier ends the rest.
void leave(peer &p) {
  if (p.state == peer_state::ended) return;
  p.state = peer_state::ended;
  net &world = world_of(p);
  stop(world, p.step_timer);
  stop(world, p.heartbeat_timer);
  for (auto &call : p.delayed) stop(world, call->due);
  for (int id = 0; id < 256; id++) {
    publisher_remove(p, static_cast<uint8_t>(id));
    subscription_remove(p, static_cast<uint8_t>(id));
  }
  // The turn of one may have gone to another one, which is gone by now, too.
  stop(world, p.update_timer);
}

void on_step_due(net_timer *timer) {
  peer &p = owner_of<peer>(timer);
  entry_scope scope(*p.broker->cluster);
  peer_close(p);
}

void send_piece(peer &p);

void on_pace_due(net_timer *timer) {
  peer &p = owner_of<peer>(timer);
  entry_scope scope(*p.broker->cluster);
  send_piece(p);
}

void await_piece(peer &p) {
  auto &pace = p.pace;
  if (pace.queue.empty() || pace.due_soon) return;
  pace.due_soon = true;
  if (pace.interval_ms == 0 && p.io.next_turn) {
    p.io.next_turn(p.carrier);
  } else {
    start(world_of(p), pace.due, p, pace.interval_ms, on_pace_due);
  }
}

void send_piece(peer &p) {
  auto &pace = p.pace;
  pace.due_soon = false;
  size_t n = pace.first ? pace.first : pace.piece;
  pace.first = 0;
  if (n == 0 || n > pace.queue.size()) n = pace.queue.size();
  if (n > 0) {
    p.count.pieces_sent++;
    p.io.send(p.carrier, {pace.queue.data(), n});
  }
  pace.queue.erase(pace.queue.begin(), pace.queue.begin() + static_cast<ptrdiff_t>(n));
  if (!pace.queue.empty()) {
    await_piece(p);
  } else {
    pace.on = pace.piece > 0;
    if (p.close_after_flush) mark_dirty(p);
  }
}

void on_later_due(net_timer *timer) {
  delayed_call &due = owner_of<delayed_call>(timer);
  peer &p = *due.peer;
  entry_scope scope(*p.broker->cluster);
  auto call = std::move(due.call);
  due.call = nullptr;  // `due` may be freed by what is called
  call(p);
}

void queue_paced(peer &p, wire::bytes bytes) {
  p.pace.queue.insert(p.pace.queue.end(), bytes.begin(), bytes.end());
  await_piece(p);
}

// ---- frames

bool run_hooks(std::vector<hook> &hooks, peer &p, const frame &fr) {
  // The latest first; handlers may add and remove some.
  std::vector<hook> copy(hooks.rbegin(), hooks.rend());
  uint16_t key = wire::without_response_bit(fr.key);
  for (hook &h : copy) {
    if (h.key != 0 && h.key != key) continue;
    if (h.handler(p, fr) == verdict::handled || p.state == peer_state::ended) return true;
  }
  return false;
}

void on_frame_received(peer &p, const frame &fr) {
  uint16_t key = wire::without_response_bit(fr.key);
  p.count.frames[key <= wire::last_key ? key : 0]++;
  p.heard = true;
  if (p.script && script_apply(p, fr) == verdict::handled) return;
  if (p.state == peer_state::ended) return;
  if (run_hooks(p.hooks, p, fr) || run_hooks(p.broker->hooks, p, fr)) return;
  peer_handle(p, fr);
}

frame frame_from(wire::bytes whole) {
  frame fr;
  fr.whole = whole;
  fr.key = wire::load_u16be(whole.data() + 4);
  fr.version = wire::load_u16be(whole.data() + 6);
  fr.body = whole.subspan(8);
  return fr;
}

// False when the frame must not be taken; it is dealt with then.
bool check_size(peer &p, uint32_t size) {
  cluster &c = *p.broker->cluster;
  if (size < wire::frame_header_bytes) {
    p.skip = uint64_t{size} + wire::frame_size_bytes;
    peer_unknown_frame(p, "frame is too short");
    return !peer_over(p);
  }
  if (!at_least(c, 40305)) return true;
  if (p.state < peer_state::ready) {
    if (size <= c.options.initial_frame_max) return true;
    p.count.refused++;
    peer_close(p);
    return false;
  }
  if (p.frame_max == 0 || size <= p.frame_max || p.state != peer_state::ready)
    return true;
  p.skip = uint64_t{size} + wire::frame_size_bytes;
  p.count.refused++;
  peer_send_close(p, wire::response::frame_too_large, "Frame size exceeds maximum");
  return true;
}

// One frame at the start of `bytes`, if all of it is there. How many bytes were taken; 0:
// more are needed, or nothing is taken any more.
size_t take_frame(peer &p, wire::bytes bytes) {
  if (bytes.size() < wire::frame_size_bytes) return 0;
  uint32_t size = wire::load_u32be(bytes.data());
  if (!check_size(p, size)) return 0;
  if (p.skip > 0) {
    size_t n = std::min<uint64_t>(p.skip, bytes.size());
    p.skip -= n;
    return n;
  }
  size_t whole = wire::frame_size_bytes + size_t{size};
  if (bytes.size() < whole) return 0;
  on_frame_received(p, frame_from(bytes.first(whole)));
  return whole;
}

// Completes the frame of which a part came before; returns what is left.
wire::bytes complete_partial(peer &p, wire::bytes bytes) {
  auto want = [&](size_t total) {
    size_t n = std::min(total - p.in.size(), bytes.size());
    p.in.insert(p.in.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    return p.in.size() == total;
  };
  if (p.in.size() < wire::frame_size_bytes && !want(wire::frame_size_bytes)) return bytes;
  uint32_t size = wire::load_u32be(p.in.data());
  if (p.in.size() == wire::frame_size_bytes) {
    if (!check_size(p, size)) return {};
    if (p.skip > 0) {
      p.skip -= wire::frame_size_bytes;
      p.in.clear();
      return bytes;
    }
  }
  if (!want(wire::frame_size_bytes + size_t{size})) return bytes;
  std::vector<uint8_t> whole = std::move(p.in);
  p.in.clear();
  on_frame_received(p, frame_from(whole));
  whole.clear();
  if (p.in.empty()) p.in = std::move(whole);  // Keeps the capacity.
  return bytes;
}

void peer_process(peer &p, wire::bytes bytes) {
  while (!bytes.empty() && p.state != peer_state::ended) {
    if (p.stopped) {
      p.held.insert(p.held.end(), bytes.begin(), bytes.end());
      return;
    }
    if (p.skip > 0) {
      size_t n = std::min<uint64_t>(p.skip, bytes.size());
      p.skip -= n;
      bytes = bytes.subspan(n);
      continue;
    }
    if (!p.in.empty()) {
      bytes = complete_partial(p, bytes);
      continue;
    }
    size_t n = take_frame(p, bytes);
    if (n == 0) {
      if (p.state != peer_state::ended) p.in.assign(bytes.begin(), bytes.end());
      return;
    }
    bytes = bytes.subspan(n);
  }
}

bool handle_close(peer &p, const frame &fr) {
  wire::close_request x;
  if (!take(fr, x)) return false;
  emit_code(p, wire::key::close, x.correlation_id, wire::response::ok);
  peer_close(p);
  return true;
}

bool handle_response(peer &p, const frame &fr) {
  uint16_t key = wire::without_response_bit(fr.key);
  if (key == wire::raw(wire::key::consumer_update)) return handle_consumer_update(p, fr);
  if (key == wire::raw(wire::key::close)) {
    peer_close(p);
    return true;
  }
  return false;
}

bool handle_command(peer &p, const frame &fr) {
  if (wire::is_response(fr.key)) return handle_response(p, fr);
  switch (static_cast<wire::key>(fr.key)) {
  case wire::key::declare_publisher: return handle_declare_publisher(p, fr);
  case wire::key::publish: return handle_publish(p, fr);
  case wire::key::query_publisher_sequence: return handle_query_sequence(p, fr);
  case wire::key::delete_publisher: return handle_delete_publisher(p, fr);
  case wire::key::subscribe: return handle_subscribe(p, fr);
  case wire::key::credit: return handle_credit(p, fr);
  case wire::key::store_offset: return handle_store_offset(p, fr);
  case wire::key::query_offset: return handle_query_offset(p, fr);
  case wire::key::unsubscribe: return handle_unsubscribe(p, fr);
  case wire::key::create: return handle_create(p, fr);
  case wire::key::delete_stream: return handle_delete(p, fr);
  case wire::key::metadata: return handle_metadata(p, fr);
  case wire::key::sasl_authenticate: return handle_reauthentication(p, fr);
  case wire::key::close: return handle_close(p, fr);
  case wire::key::heartbeat: return true;
  case wire::key::route: return handle_route(p, fr);
  case wire::key::partitions: return handle_partitions(p, fr);
  case wire::key::exchange_command_versions: return handle_versions(p, fr);
  case wire::key::stream_stats: return handle_stats(p, fr);
  case wire::key::create_super_stream: return handle_create_super(p, fr);
  case wire::key::delete_super_stream: return handle_delete_super(p, fr);
  case wire::key::resolve_offset_spec: return handle_resolve_offset(p, fr);
  default: return false;
  }
}

void add_counters(counters &to, const counters &from) {
  to.connections += from.connections;
  to.bytes_received += from.bytes_received;
  to.bytes_sent += from.bytes_sent;
  to.pieces_sent += from.pieces_sent;
  for (size_t i = 0; i < 32; i++) to.frames[i] += from.frames[i];
  to.entries += from.entries;
  to.duplicates += from.duplicates;
  to.publish_errors += from.publish_errors;
  to.confirms += from.confirms;
  to.chunks_sent += from.chunks_sent;
  to.records_sent += from.records_sent;
  to.credits += from.credits;
  to.credit_errors += from.credit_errors;
  to.heartbeats_sent += from.heartbeats_sent;
  to.heartbeat_losses += from.heartbeat_losses;
  to.refused += from.refused;
}

}  // namespace

void step_start(peer &p, uint32_t deadline_ms) {
  start(world_of(p), p.step_timer, p, deadline_ms, on_step_due);
}

// ---- the cluster

entry_scope::entry_scope(fake::cluster &c) : cluster(c) { c.depth++; }

entry_scope::~entry_scope() {
  // Still one deep while settling, so that what is done there does not settle again.
  if (cluster.depth == 1) settle(cluster);
  cluster.depth--;
}

cluster::cluster(net &world_, int node_count) : world(&world_) {
  for (int i = 0; i < node_count; i++) {
    nodes.push_back(std::make_unique<broker>());
    nodes.back()->cluster = this;
    nodes.back()->index = i;
    nodes.back()->port = static_cast<uint16_t>(5552 + i);
  }
}

cluster::~cluster() {
  for (auto &b : nodes) assert(b->peers.empty());
}

counters totals(const cluster &c) {
  counters all;
  for (auto &b : c.nodes) {
    add_counters(all, b->count);
    for (peer *p : b->peers) add_counters(all, p->count);
  }
  return all;
}

uint32_t version_number(const options &o) {
  uint32_t parts[3] = {};
  size_t i = 0;
  for (char ch : o.version) {
    if (ch == '.' && i < 2) {
      i++;
    } else if (ch >= '0' && ch <= '9') {
      parts[i] = parts[i] * 10 + static_cast<uint32_t>(ch - '0');
    } else {
      break;
    }
  }
  return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

bool knows_command(const cluster &c, uint16_t key, uint16_t version) {
  const wire::command_info *info = wire::command_find(key);
  if (!info || version < 1 || version > info->max_version) return false;
  uint32_t since =
      (info->since_broker >> 8) * 10000u + (info->since_broker & 0xff) * 100u;
  if (key == wire::raw(wire::key::publish) && version == 2) since = 31300;
  return at_least(c, since);
}

// ---- peers

peer *peer_open(broker &b, const peer_io &io, void *carrier) {
  b.count.connections++;
  if (!b.up || b.refuse) return nullptr;
  entry_scope scope(*b.cluster);
  auto *p = new peer();
  p->broker = &b;
  p->io = io;
  p->carrier = carrier;
  p->serial = ++b.cluster->serials;
  b.peers.push_back(p);
  step_start(*p, b.cluster->options.step_ms);
  if (!b.scripts.empty()) {
    p->script = b.scripts.front();
    b.scripts.pop_front();
    p->script->taken = true;
    if (p->script->piece) peer_pace(*p, p->script->piece, p->script->interval_ms);
    if (!p->script->greeting.empty()) peer_send(*p, p->script->greeting);
  }
  if (b.on_open) b.on_open(*p);
  return p;
}

void peer_received(peer *p, wire::bytes bytes) {
  p->count.bytes_received += bytes.size();
  if (p->state == peer_state::ended) return;
  entry_scope scope(*p->broker->cluster);
  p->heard = true;
  peer_process(*p, bytes);
}

void peer_turn(peer *p) {
  entry_scope scope(*p->broker->cluster);
  send_piece(*p);
}

void peer_gone(peer *p) {
  cluster &c = *p->broker->cluster;
  entry_scope scope(c);
  leave(*p);
  stop(*c.world, p->pace.due);
  std::erase(c.dirty, p);
  std::erase(c.waking, p);
  std::erase(p->broker->peers, p);
  add_counters(p->broker->count, p->count);
  delete p;
}

void peer_handle(peer &p, const frame &fr) {
  if (p.state == peer_state::ended) return;
  entry_scope scope(*p.broker->cluster);
  bool taken;
  if (p.state == peer_state::closing) {
    // Only the end of the closing handshake counts from here on.
    if (fr.key == wire::response_key(wire::key::close)) peer_close(p);
    return;
  }
  if (p.state != peer_state::ready) {
    taken = handle_handshake(p, fr);
  } else {
    uint16_t key = wire::without_response_bit(fr.key);
    taken = knows_command(*p.broker->cluster, key, fr.version) && handle_command(p, fr);
  }
  if (!taken) peer_unknown_frame(p, "unknown frame");
}

// ---- output

uint8_t *peer_put(peer &p, size_t n) {
  size_t at = p.out.size();
  p.out.resize(at + n);
  mark_dirty(p);
  return p.out.data() + at;
}

void peer_flush(peer &p) {
  if (peer_over(p) && !p.close_after_flush) {
    p.out.clear();
    return;
  }
  if (!p.out.empty()) {
    p.spoke = true;
    p.count.bytes_sent += p.out.size();
    if (p.pace.on || !p.pace.queue.empty()) {
      queue_paced(p, p.out);
    } else {
      p.io.send(p.carrier, p.out);
    }
    p.out.clear();
  }
  if (p.close_after_flush && p.pace.queue.empty()) {
    p.close_after_flush = false;
    p.io.close(p.carrier);
  }
}

void peer_send_shared(peer &p, blob *owner, wire::bytes bytes) {
  bool paced = p.pace.on || !p.pace.queue.empty();
  if (paced || !p.io.send_shared) {
    std::memcpy(peer_put(p, bytes.size()), bytes.data(), bytes.size());
    return;
  }
  peer_flush(p);
  p.count.bytes_sent += bytes.size();
  p.io.send_shared(p.carrier, owner, bytes);
}

void peer_send(peer &p, wire::bytes bytes) {
  if (peer_over(p) || bytes.empty()) return;
  entry_scope scope(*p.broker->cluster);
  std::memcpy(peer_put(p, bytes.size()), bytes.data(), bytes.size());
}

void emit_code(peer &p, wire::key key, uint32_t correlation, wire::response code) {
  emit(p, wire::response_frame{correlation, wire::raw(code)}, key);
}

void peer_pace(peer &p, size_t piece, uint32_t interval_ms) {
  entry_scope scope(*p.broker->cluster);
  // What was written before the change goes the old way.
  peer_flush(p);
  auto &pace = p.pace;
  pace.piece = piece;
  pace.interval_ms = interval_ms;
  pace.on = piece > 0;
  if (piece > 0 || pace.queue.empty()) return;
  if (pace.due.timer.active) pace.due_soon = false;
  stop(world_of(p), pace.due);
  p.io.send(p.carrier, pace.queue);
  pace.queue.clear();
}

void peer_later(peer &p, uint32_t delay_ms, std::function<void(peer &)> call) {
  std::erase_if(p.delayed, [](auto &d) { return !d->call; });
  auto made = std::make_unique<delayed_call>();
  made->peer = &p;
  made->call = std::move(call);
  start(world_of(p), made->due, *made, delay_ms, on_later_due);
  p.delayed.push_back(std::move(made));
}

// ---- reading

void peer_check_reading(peer &p) {
  cluster &c = *p.broker->cluster;
  bool publishes =
      c.disk_alarm && std::any_of(std::begin(p.publishers), std::end(p.publishers),
                                  [](auto &pub) { return pub != nullptr; });
  uint32_t most = c.options.max_unconfirmed;
  bool crowded = p.unconfirmed > (p.stopped ? most / 4 : most);
  bool stop = p.stop_scripted || crowded || publishes;
  if (stop == p.stopped || p.state == peer_state::ended) return;
  p.stopped = stop;
  if (p.io.pause) p.io.pause(p.carrier, stop);
  if (!stop && !p.waking) {
    p.waking = true;
    c.waking.push_back(&p);
  }
}

void peer_drain_held(peer &p) {
  std::vector<uint8_t> held = std::move(p.held);
  p.held.clear();
  peer_process(p, held);
}

void peer_stop_reading(peer &p) {
  entry_scope scope(*p.broker->cluster);
  p.stop_scripted = true;
  peer_check_reading(p);
}

void peer_resume_reading(peer &p) {
  entry_scope scope(*p.broker->cluster);
  p.stop_scripted = false;
  peer_check_reading(p);
}

void cluster_set_alarm(cluster &c, bool on) {
  entry_scope scope(c);
  c.disk_alarm = on;
  for (auto &b : c.nodes) {
    for (peer *p : b->peers) peer_check_reading(*p);
  }
}

// ---- the end

bool peer_over(const peer &p) { return p.state == peer_state::ended; }

void peer_close(peer &p) {
  if (peer_over(p)) return;
  entry_scope scope(*p.broker->cluster);
  p.close_after_flush = true;
  leave(p);
  mark_dirty(p);
}

void peer_reset(peer &p) {
  // Also when a close in order is under way that takes its time.
  if (peer_over(p) && !p.close_after_flush) return;
  entry_scope scope(*p.broker->cluster);
  p.close_after_flush = false;
  leave(p);
  p.out.clear();
  p.pace.queue.clear();
  stop(world_of(p), p.pace.due);
  p.io.reset(p.carrier);
}

void peer_crashed(peer &p) {
  p.count.refused++;
  peer_close(p);
}

void peer_send_close(peer &p, wire::response code, std::string_view reason) {
  if (peer_over(p)) return;
  entry_scope scope(*p.broker->cluster);
  emit(p, wire::close_request{1, wire::raw(code), reason});
  p.state = peer_state::closing;
  step_start(p, p.broker->cluster->options.step_ms);
}

void peer_unknown_frame(peer &p, std::string_view why) {
  if (peer_over(p)) return;
  p.count.refused++;
  if (p.state == peer_state::ready) {
    peer_send_close(p, wire::response::unknown_frame, why);
  } else {
    peer_close(p);
  }
}

publisher *publisher_of(cluster &c, std::string_view name) {
  stream *s = stream_find(c, name);
  return s && !s->publishers.empty() ? s->publishers.front() : nullptr;
}

subscription *subscription_of(cluster &c, std::string_view name) {
  stream *s = stream_find(c, name);
  return s && !s->subscriptions.empty() ? s->subscriptions.front() : nullptr;
}

}  // namespace rstream::fake

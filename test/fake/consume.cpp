// Subscribe, Credit, Deliver, single active consumers and stored offsets.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "fake/internal.h"

namespace rstream::fake {

namespace {

constexpr size_t max_name_bytes = 255;
// Smaller chunks are cheaper to copy than to hand out by reference.
constexpr size_t smallest_shared_bytes = 2048;

bool valid_spec(const wire::offset_spec &spec, bool allow_none) {
  return spec.type <= 5 && (spec.type > 0 || allow_none);
}

bool wants(const subscription &sub, const chunk &ch) {
  if (sub.filters.empty()) return true;
  if (ch.unfiltered && sub.match_unfiltered) return true;
  for (const std::string &value : ch.filters) {
    if (sub.filters.count(value)) return true;
  }
  return false;
}

void send_chunk(subscription &sub, const chunk &ch) {
  peer &p = *sub.peer;
  size_t prefix = wire::deliver_prefix_bytes(p.deliver_version);
  uint8_t *out = peer_put(p, prefix + chunk_header_bytes);
  size_t size = prefix - 4 + chunk_header_bytes + ch.data_bytes;
  wire::store_u32be(out, static_cast<uint32_t>(size));
  wire::store_u16be(out + 4, wire::raw(wire::key::deliver));
  wire::store_u16be(out + 6, p.deliver_version);
  out[8] = sub.id;
  if (p.deliver_version >= 2) wire::store_u64be(out + 9, sub.stream->committed_chunk_id);
  std::memcpy(out + prefix, ch.header, chunk_header_bytes);
  if (sub.spoiled > 0) {
    sub.spoiled--;
    out[prefix + 32] ^= 1;
  }
  if (ch.data_bytes < smallest_shared_bytes) {
    if (ch.data_bytes) std::memcpy(peer_put(p, ch.data_bytes), ch.data, ch.data_bytes);
  } else {
    peer_send_shared(p, ch.segment, {ch.data, ch.data_bytes});
  }
  p.count.chunks_sent++;
  p.count.records_sent += ch.records;
}

void credit_notice(peer &p, wire::response code, uint8_t id) {
  p.count.credit_errors++;
  emit(p, wire::credit_error{wire::raw(code), id});
}

// ---- single active consumers

// As a process that loses patience: without a Close.
void on_update_due(net_timer *timer) {
  peer &p = owner_of<peer>(timer);
  entry_scope scope(*p.broker->cluster);
  p.count.refused++;
  peer_close(p);
}

// For the first one asked; all have the same time.
void wait_for_updates(peer &p) {
  net &world = *p.broker->cluster->world;
  if (p.updates.empty()) return stop(world, p.update_timer);
  uint64_t due_ms = UINT64_MAX;
  for (const auto &[id, update] : p.updates) due_ms = std::min(due_ms, update.due_ms);
  uint64_t now_ms = net_now_ms(world);
  start(world, p.update_timer, p, due_ms > now_ms ? due_ms - now_ms : 0, on_update_due);
}

void ask_update(subscription &sub, bool active) {
  peer &p = *sub.peer;
  sub.activity = active ? activity::activating : activity::deactivating;
  uint32_t correlation = p.next_correlation++;
  const cluster &c = *p.broker->cluster;
  p.updates[correlation] = {&sub, net_now_ms(*c.world) + c.options.update_ms};
  emit(p, wire::consumer_update{correlation, sub.id, active});
  wait_for_updates(p);
}

std::string property_of(const subscription &sub, const char *key) {
  auto it = sub.properties.find(key);
  return it == sub.properties.end() ? std::string() : it->second;
}

// Where the stream is among the partitions of the super stream that the consumers of the
// group have named; -1: they have not.
int partition_index(const stream &s, const subscription &sub) {
  auto &all = s.cluster->super_streams;
  auto it = all.find(property_of(sub, "super-stream"));
  if (it == all.end()) return -1;
  const std::vector<std::string> &names = it->second.partitions;
  auto at = std::find(names.begin(), names.end(), s.name);
  return at == names.end() ? -1 : static_cast<int>(at - names.begin());
}

// Of the partitions of a super stream each has another of the members, in the order they
// came, as far as there are enough of them.
void sac_check_partition(const std::vector<subscription *> &members, int index) {
  subscription *wanted = members[static_cast<size_t>(index) % members.size()];
  for (subscription *sub : members) {
    if (sub->activity == activity::waiting || sub == wanted) continue;
    if (sub->activity == activity::active) ask_update(*sub, false);
    return;  // what it was asked before comes first
  }
  if (wanted->activity == activity::waiting) ask_update(*wanted, true);
}

// Nobody is active or about to be: the first in line is asked to become it.
void sac_check(stream &s, const std::string &group) {
  std::vector<subscription *> members;
  for (subscription *sub : s.subscriptions) {
    if (sub->group == group && sub->activity != activity::plain) members.push_back(sub);
  }
  if (members.empty()) return;
  int index = partition_index(s, *members[0]);
  if (index >= 0) return sac_check_partition(members, index);
  for (subscription *sub : members) {
    if (sub->activity != activity::waiting) return;
  }
  ask_update(*members[0], true);
}

wire::response subscribe_code(peer &p, const wire::subscribe &x,
                              const subscription &sub) {
  stream *s = stream_find(*p.broker->cluster, x.stream);
  if (p.subscriptions[x.subscription_id]) {
    return wire::response::subscription_id_already_exists;
  }
  if (p.user && !p.user->read) return wire::response::access_refused;
  if (!s) return wire::response::stream_does_not_exist;
  if (!s->settled || !stream_on_node(*s, p.broker->index)) {
    return wire::response::stream_not_available;
  }
  std::string name = property_of(sub, "name");
  bool single = property_of(sub, "single-active-consumer") == "true";
  if (name.size() > max_name_bytes || (single && name.empty())) {
    return wire::response::precondition_failed;
  }
  return wire::response::ok;
}

void read_properties(subscription &sub, const wire::subscribe &x) {
  wire::seq_iter<wire::property> it(x.properties);
  wire::property item;
  while (it.next(item)) {
    sub.properties[std::string(item.key)] = std::string(item.value);
    if (item.key.starts_with("filter.")) sub.filters.emplace(item.value);
    if (item.key == "match-unfiltered") sub.match_unfiltered = item.value == "true";
  }
}

void start_subscription(subscription &sub) {
  stream &s = *sub.stream;
  s.subscriptions.push_back(&sub);
  if (property_of(sub, "single-active-consumer") == "true") {
    sub.activity = activity::waiting;
    sub.group = property_of(sub, "name");
    sac_check(s, sub.group);
  } else {
    sub.next_chunk = stream_position(s, sub.spec);
    subscription_dispatch(sub);
  }
}

}  // namespace

void subscription_dispatch(subscription &sub) {
  if (sub.activity != activity::plain && sub.activity != activity::active) return;
  // The half-window rule: it does not start below, but once started goes down to zero.
  if (sub.credit <= sub.send_limit) return;
  stream &s = *sub.stream;
  if (sub.next_chunk < s.first_chunk) sub.next_chunk = s.first_chunk;
  while (sub.credit > 0 && sub.next_chunk < s.committed_chunks) {
    const chunk &ch = chunk_at(s, sub.next_chunk++);
    if (!wants(sub, ch)) continue;
    send_chunk(sub, ch);
    sub.credit--;
  }
}

bool handle_subscribe(peer &p, const frame &fr) {
  wire::subscribe x;
  if (!take(fr, x) || is_null(x.stream)) return false;
  // Before 3.11 nothing may follow the credit.
  if (!at_least(*p.broker->cluster, 31100) && x.properties.decoded()) return false;
  if (!valid_spec(x.spec, false)) {
    peer_crashed(p);
    return true;
  }
  auto sub = std::make_unique<subscription>();
  sub->peer = &p;
  sub->id = x.subscription_id;
  sub->credit = x.credit;
  sub->send_limit = x.credit / 2;
  sub->spec = x.spec;
  read_properties(*sub, x);
  wire::response code = subscribe_code(p, x, *sub);
  emit_code(p, wire::key::subscribe, x.correlation_id, code);
  if (code != wire::response::ok) return true;
  sub->stream = stream_find(*p.broker->cluster, x.stream);
  p.count.credits += x.credit;
  subscription &kept = *sub;
  p.subscriptions[x.subscription_id] = std::move(sub);
  start_subscription(kept);
  return true;
}

void subscription_remove(peer &p, uint8_t id) {
  subscription *sub = p.subscriptions[id].get();
  if (!sub) return;
  stream &s = *sub->stream;
  std::string group = sub->group;
  std::erase(s.subscriptions, sub);
  for (auto &[correlation, update] : p.updates) {
    if (update.about == sub) update.about = nullptr;
  }
  p.subscriptions[id].reset();
  if (!group.empty()) sac_check(s, group);
}

bool handle_unsubscribe(peer &p, const frame &fr) {
  wire::unsubscribe x;
  if (!take(fr, x)) return false;
  bool known = p.subscriptions[x.subscription_id] != nullptr;
  subscription_remove(p, x.subscription_id);
  emit_code(p, wire::key::unsubscribe, x.correlation_id,
            known ? wire::response::ok : wire::response::subscription_id_does_not_exist);
  return true;
}

bool handle_credit(peer &p, const frame &fr) {
  wire::credit x;
  if (!take(fr, x)) return false;
  subscription *sub = p.subscriptions[x.subscription_id].get();
  if (!sub) {
    credit_notice(p, wire::response::subscription_id_does_not_exist, x.subscription_id);
    return true;
  }
  sub->credit += x.credits;
  p.count.credits += static_cast<uint64_t>(std::max<int>(x.credits, 0));
  if (sub->activity != activity::plain && sub->activity != activity::active) {
    credit_notice(p, wire::response::precondition_failed, x.subscription_id);
    return true;
  }
  subscription_dispatch(*sub);
  return true;
}

bool handle_consumer_update(peer &p, const frame &fr) {
  wire::consumer_update_response x;
  // An answer that is the code alone finds no handler, and an unknown offset type crashes
  // it.
  if (!take(fr, x) || !valid_spec(x.spec, true)) return false;
  auto it = p.updates.find(x.correlation_id);
  if (it == p.updates.end()) return true;
  subscription *sub = it->second.about;
  p.updates.erase(it);
  wait_for_updates(p);
  if (!sub) return true;
  stream &s = *sub->stream;
  if (sub->activity == activity::deactivating) {
    sub->activity = activity::waiting;
    if (partition_index(s, *sub) < 0) {  // to the end of the line
      std::erase(s.subscriptions, sub);
      s.subscriptions.push_back(sub);
    }
    sac_check(s, sub->group);
  } else if (sub->activity == activity::activating) {
    sub->activity = activity::active;
    sub->next_chunk = stream_position(s, x.spec.type ? x.spec : sub->spec);
    subscription_dispatch(*sub);
    sac_check(s, sub->group);  // others may have come meanwhile
  }
  return true;
}

void sac_rotate(stream &s, std::string_view name) {
  entry_scope scope(*s.cluster);
  for (subscription *sub : s.subscriptions) {
    if (sub->group == name && sub->activity == activity::active) {
      ask_update(*sub, false);
      return;
    }
  }
}

bool handle_store_offset(peer &p, const frame &fr) {
  wire::store_offset x;
  if (!take(fr, x) || is_null(x.reference) || is_null(x.stream)) return false;
  stream *s = stream_find(*p.broker->cluster, x.stream);
  bool allowed = !p.user || p.user->read;
  // It never tells that it did not.
  if (!s || !allowed || x.reference.size() > max_name_bytes) return true;
  s->offsets[std::string(x.reference)] = x.offset;
  return true;
}

bool handle_query_offset(peer &p, const frame &fr) {
  wire::query_offset x;
  if (!take(fr, x) || is_null(x.reference) || is_null(x.stream)) return false;
  stream *s;
  wire::response code = read_code(p, x.stream, s);
  wire::query_offset_response answer = {.correlation_id = x.correlation_id};
  if (code == wire::response::ok) {
    auto it = s->offsets.find(std::string(x.reference));
    if (it != s->offsets.end()) {
      answer.offset = it->second;
    } else {
      code = wire::response::no_offset;
    }
  }
  answer.code = wire::raw(code);
  // Unlike most refusals these carry the rest of the response, with a zero.
  size_t size = 4 + 4 + 4 + 2 + 8;
  uint8_t *out = peer_put(p, size);
  wire::store_u32be(out, static_cast<uint32_t>(size - 4));
  wire::store_u16be(out + 4, wire::response_key(wire::key::query_offset));
  wire::store_u16be(out + 6, 1);
  wire::store_u32be(out + 8, answer.correlation_id);
  wire::store_u16be(out + 12, answer.code);
  wire::store_u64be(out + 14, answer.offset);
  return true;
}

bool handle_resolve_offset(peer &p, const frame &fr) {
  wire::resolve_offset x;
  if (!take(fr, x) || is_null(x.stream)) return false;
  if (!valid_spec(x.spec, false)) {
    peer_crashed(p);
    return true;
  }
  wire::resolve_offset_response answer = {.correlation_id = x.correlation_id, .code = 1};
  stream *s = stream_find(*p.broker->cluster, x.stream);
  if (!s) {
    answer.code = wire::raw(wire::response::stream_does_not_exist);
  } else {
    uint64_t at = stream_position(*s, x.spec);
    bool there = at < s->committed_chunks && at >= s->first_chunk;
    answer.spec =
        wire::offset_at(there ? chunk_at(*s, at).first_offset : s->committed_offset);
  }
  emit(p, answer);
  return true;
}

}  // namespace rstream::fake

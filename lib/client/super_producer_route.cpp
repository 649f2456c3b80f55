// Where routing keys go: by hash, by the application, or by the broker's word, which is
// remembered.
#include "client/super_producer_internal.h"
#include "util/array.h"
#include "wire/topology.h"

namespace rstream {

namespace {

route_answer answer_one(super_partition *part) {
  route_answer a;
  a.verdict = route_verdict::found;
  a.count = part ? 1 : 0;
  a.one = part;
  return a;
}

route_answer answer_many(super_partition *const *parts, uint32_t count) {
  route_answer a = answer_one(count ? parts[0] : nullptr);
  a.count = count;
  a.several = parts;
  return a;
}

route_answer ask_application(super_producer *s, std::string_view key) {
  size_t count = s->options.on_route(key.data(), key.size(), s->names, s->count,
                                     s->chosen, s->options.user);
  uint32_t n = 0;
  for (size_t i = 0; i < count && i < s->count; i++) {
    if (s->chosen[i] < s->count) s->targets[n++] = s->by_index[s->chosen[i]];
  }
  return answer_many(s->targets, n);
}

route_answer python_hash(super_producer *s, std::string_view key) {
  uint32_t index;
  bool found = s->count > 0 && route_by_python_hash(key, s->count, index);
  return answer_one(found ? s->by_index[index] : nullptr);
}

// ---- the broker's word

void cancel(route &r) {
  if (r.op) locator_op_cancel(r.op);
  r.op = nullptr;
}

bool learn(super_producer *s, route &r, const wire::seq<std::string_view> &streams) {
  memory &mem = env_memory(s->env);
  auto count = static_cast<uint32_t>(streams.size());
  super_partition **found = nullptr;
  if (count > 0) {
    found = array_allocate<super_partition *>(mem, count);
    if (!found) return false;
  }
  uint32_t n = 0;
  wire::seq_iter<std::string_view> it(streams);
  for (std::string_view name; it.next(name);) {
    super_partition *part = super_find_partition(s, name);
    if (!part) continue;
    if (!part->listed) {
      // It is newer than the list.
      part->listed = true;
      if (!part->leaving) part->reason = 0;
      s->unsettled = true;
      watch_hurry(s->watch);
    }
    found[n++] = part;
  }
  bool ok = route_set(r, mem, found, n);
  memory_release(mem, found);
  return ok;
}

constexpr uint32_t retry_ms = 200;

void on_answer(locator_op *op, int status, wire::bytes body, const char *) {
  auto &r = *static_cast<route *>(op->subject);
  auto *s = static_cast<super_producer *>(r.owner);
  r.op = nullptr;
  wire::route_response response;
  wire::reader reader = wire::reader_of(body);
  if (status == 0 && !decode(reader, response)) status = RSTREAM_EPROTO;
  if (status == 0 && !learn(s, r, response.streams)) status = RSTREAM_ENOMEM;
  r.status = status;
  if (status == 0) {
    partitions_tell_changes<super_partition>(s);
  } else if (r.state == route_state::asking) {
    r.state = route_state::unknown;
    log_line(s->env->log, log_level::warn, "no route from super stream %s: %s",
             s->super_stream, rstream_error_text(status));
  }
  if (status == 0 || !rstream_error_is_retriable(status)) {
    super_queue_task(s);
  } else {
    net_timer_start(*s->env->world, s->route_timer, retry_ms);
  }
}

int ask(super_producer *s, route &r) {
  locator_op *op = locator_prepare(
      s->env, wire::key::route,
      wire::route{.routing_key = r.key(), .super_stream = s->super_stream});
  if (!op) return RSTREAM_ENOMEM;
  op->owner = op_owner::library;
  op->on_done = on_answer;
  op->subject = &r;
  r.owner = s;
  int rc = locator_submit(op);
  if (rc < 0) return rc;
  r.op = op;
  r.generation = s->generation;
  if (r.state == route_state::unknown) r.state = route_state::asking;
  return 0;
}

route_answer failed(int status) {
  route_answer a = answer_one(nullptr);
  a.status = status;
  return a;
}

route_answer awaiting(route *r) {
  route_answer a;
  a.by_key = r;
  return a;
}

route_answer ask_broker(super_producer *s, std::string_view key) {
  uint32_t hash = murmur3_32(key.data(), key.size(), routing_seed);
  route *r = route_find(s->routes, hash, key);
  if (!r) r = route_add(s->routes, env_memory(s->env), hash, key, cancel);
  if (!r) return failed(RSTREAM_ENOMEM);
  bool refused = r->state == route_state::unknown && r->status;
  if (refused && !rstream_error_is_retriable(r->status)) {
    int status = r->status;
    r->status = 0;  // the next one asks again
    return failed(status);
  }
  if (refused && s->route_timer.active) return awaiting(r);
  bool wanted = r->state == route_state::unknown || r->generation != s->generation;
  int rc = wanted && !r->op ? ask(s, *r) : 0;
  if (r->state == route_state::known) {
    route_answer a = r->all ? answer_many(r->all, r->count) : answer_one(r->first);
    a.by_key = r;
    return a;
  }
  return rc < 0 ? failed(rc) : awaiting(r);
}

// Only what the broker has said since the last refresh.
producer *routed_link(super_producer *s, uint32_t hash, std::string_view key) {
  const route *r = route_find(s->routes, hash, key);
  bool usable = r && r->state == route_state::known && r->count == 1 &&
                r->generation == s->generation && !r->op;
  if (!usable || r->first->reason || r->first->leaving) return nullptr;
  return r->first->link;
}

}  // namespace

route_answer super_route(super_producer *s, std::string_view key) {
  if (s->phase == super_phase::looking) return {};
  if (s->options.on_route) return ask_application(s, key);
  if (s->options.routing == RSTREAM_ROUTING_KEY) return ask_broker(s, key);
  if (s->options.routing == RSTREAM_ROUTING_PYTHON_HASH) return python_hash(s, key);
  return answer_one(s->count ? s->by_index[route_by_hash(key, s->by_hash)] : nullptr);
}

producer *super_known_link(super_producer *s, std::string_view key) {
  bool takes = memo_takes(s->memo, key);
  producer *link = takes ? memo_search(s->memo, key) : nullptr;
  if (link) return link;
  uint32_t hash = murmur3_32(key.data(), key.size(), routing_seed);
  bool by_hash = s->options.routing == RSTREAM_ROUTING_HASH;
  link = by_hash ? s->links[s->by_hash(hash)] : routed_link(s, hash, key);
  if (link && takes) memo_add(s->memo, env_memory(s->env), key, link, by_hash);
  return link;
}

void super_forget_routes(super_producer *s) {
  list &all = s->routes.by_age;
  for (list_node *n = all.next; n != &all; n = n->next)
    route_forget(*RSTREAM_OWNER(n, route, node), env_memory(s->env));
}

void super_release_routes(super_producer *s) {
  route_cache_release(s->routes, env_memory(s->env), cancel);
  memo_release(s->memo, env_memory(s->env));
}

}  // namespace rstream

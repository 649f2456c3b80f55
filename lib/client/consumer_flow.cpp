// What the broker may send: credits, the byte budget, pausing, and asking it to begin
// anew somewhere.
#include <bit>

#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

constexpr uint32_t most_credit = 32767;  // the protocol's number is signed
// Small chunks say little about how large the next ones may be.
constexpr uint64_t least_expected_chunk = 64u << 10;

bool limits_bytes(const consumer *c) { return c->options.max_bytes_held > 0; }

// The broker does not begin to send before more than half of the credit that Subscribe
// carried is there. Subscribed with one credit it sends for any.
bool grants_by_pieces(const consumer *c) {
  return limits_bytes(c) || c->options.credit_policy == RSTREAM_CREDIT_MANUAL ||
         c->options.credit_every > 1;
}

bool has_room(const consumer *c) {
  return !limits_bytes(c) || c->flow.memory_held < c->options.max_bytes_held;
}

// What a chunk alone in its slab takes.
uint64_t slab_bytes_for(uint64_t bytes) {
  return bytes > slab_largest_pooled_bytes ? bytes : std::bit_ceil(bytes);
}

// So many more chunks, each as large as the largest so far, fit into what is left.
uint32_t room_for_chunks(const consumer *c) {
  if (!limits_bytes(c)) return UINT32_MAX;
  const consumer_flow &f = c->flow;
  if (!has_room(c)) return 0;
  uint64_t left = c->options.max_bytes_held - f.memory_held;
  uint64_t each =
      f.largest_chunk > least_expected_chunk ? f.largest_chunk : least_expected_chunk;
  uint64_t chunks = left / slab_bytes_for(each);
  if (chunks > f.outstanding) {
    chunks -= f.outstanding;
    return chunks < most_credit ? static_cast<uint32_t>(chunks) : most_credit;
  }
  return f.outstanding == 0 ? 1 : 0;  // one is always awaited
}

void subscribe_anew(consumer *c) {
  c->resubscribe = resubscribe_step::subscribing;
  consumer_subscribe(c, c->resubscribe_at);
}

void on_unsubscribed(conn_request *request, int status, wire::bytes) {
  consumer *c = RSTREAM_OWNER(request, consumer, request);
  if (consumer_connection_gone(c)) return;  // consumer_lost() follows
  if (status == RSTREAM_ETIMEDOUT) {
    connections_leave(c->member, leave_kind::unsettled);
    consumer_find_node(c, status, "Unsubscribe was not answered");
    return;
  }
  if (c->flow.given_up_for < 0) {
    connections_leave(c->member, leave_kind::released);
    consumer_find_node(c, c->flow.given_up_for, c->flow.given_up_text);
    return;
  }
  c->resubscribe = resubscribe_step::waiting_for_room;
  flow_check_resubscribe(c);
}

}  // namespace

uint16_t flow_first_credit(consumer *c) {
  consumer_flow &f = c->flow;
  uint32_t whole = c->options.initial_credit;
  // Chunks of an earlier subscription that are still held bring their credits when they
  // are finished. One more is given in any case, or nothing would come.
  uint64_t held = c->stats.chunks_held;
  if (c->options.credit_policy != RSTREAM_CREDIT_ON_FINISH) held = 0;
  uint32_t free = held < whole ? whole - static_cast<uint32_t>(held) : 1;
  f.overdrawn = held < whole ? 0 : static_cast<uint32_t>(held) + 1 - whole;
  uint32_t credit = grants_by_pieces(c) ? 1 : free;
  f.outstanding = credit;
  f.due = free - credit;
  if (f.due > 0) consumer_queue_task(c);
  return static_cast<uint16_t>(credit);
}

// What lies beside one that is held takes no more memory.
bool flow_has_room(const consumer *c, const slab *owner) {
  return has_room(c) || (c->flow.latest && c->flow.latest->owner == owner);
}

bool flow_hold(consumer *c, rstream_chunk *chunk) {
  consumer_flow &f = c->flow;
  if (!f.latest || f.latest->owner != chunk->slab) {
    slab_hold *hold = object_acquire(env_memory(c->env), c->env->slab_holds);
    if (!hold) return false;
    hold->owner = chunk->slab;
    f.memory_held += chunk->slab->capacity;
    f.latest = hold;
  }
  f.latest->chunks++;
  chunk->hold = f.latest;
  return true;
}

void flow_let_go(consumer *c, rstream_chunk *chunk) {
  consumer_flow &f = c->flow;
  slab_hold *hold = chunk->hold;
  chunk->hold = nullptr;
  if (--hold->chunks > 0) return;
  f.memory_held -= hold->owner->capacity;
  if (f.latest == hold) f.latest = nullptr;
  object_recycle(c->env->slab_holds, hold);
}

void flow_arrived(consumer *c, size_t chunk_bytes) {
  consumer_flow &f = c->flow;
  if (f.outstanding > 0) f.outstanding--;
  if (chunk_bytes > f.largest_chunk) f.largest_chunk = chunk_bytes;
  if (c->options.credit_policy == RSTREAM_CREDIT_ON_ARRIVAL) f.due++;
  // One fewer is on its way, so there may be room for what was held back.
  if (f.due > 0) consumer_queue_task(c);
}

void flow_finished(consumer *c) {
  if (c->options.credit_policy == RSTREAM_CREDIT_ON_FINISH) {
    if (c->flow.overdrawn > 0) {
      c->flow.overdrawn--;
    } else {
      c->flow.due++;
    }
  }
  consumer_queue_task(c);
}

void flow_dropped(consumer *c) {
  if (c->options.credit_policy != RSTREAM_CREDIT_ON_ARRIVAL) c->flow.due++;
  consumer_queue_task(c);
}

void flow_send(consumer *c) {
  consumer_flow &f = c->flow;
  if (f.due == 0 || c->closing || c->resubscribe != resubscribe_step::none) return;
  if (c->phase != consumer_phase::open && c->phase != consumer_phase::subscribing) return;
  bool worth_it = f.due >= c->options.credit_every || f.outstanding == 0;
  uint32_t n = room_for_chunks(c);
  if (n > f.due) n = f.due;
  if (n > most_credit) n = most_credit;
  if (n == 0 || !worth_it) return;
  conn *link = member_conn(c->member);
  if (!link) return;
  if (conn_send(link, wire::credit{c->member.id, static_cast<int16_t>(n)}) < 0) {
    net_timer_start(*c->env->world, c->retry_timer, memory_retry_ms);
    return;
  }
  f.due -= n;
  f.outstanding += n;
  if (f.due > 0 && n == most_credit) consumer_queue_task(c);
}

void flow_stop(consumer *c) {
  c->flow.outstanding = c->flow.due = 0;
  c->flow.given_up_for = 0;
  c->resubscribe = resubscribe_step::none;
}

void flow_unsubscribe(consumer *c) {
  c->resubscribe = resubscribe_step::unsubscribing;
  if (consumer_connection_gone(c)) return;  // consumer_lost() was called
  // The answer to Subscribe may be awaited: the broker takes both in order.
  conn_request_cancel(c->request);
  c->request.on_response = on_unsubscribed;
  wire::unsubscribe request{.subscription_id = c->member.id};
  int rc = conn_request_send(member_conn(c->member), c->request, wire::key::unsubscribe,
                             request);
  if (rc < 0) consumer_end(c, rc, "can't unsubscribe in order to begin anew");
}

void flow_resubscribe(consumer *c, const wire::offset_spec &spec) {
  c->resubscribe_at = spec;
  if (c->skip_below == 0) c->began_at = spec;
  if (flow_is_stopping(c)) return;
  c->stats.resubscribes++;
  chunks_drop_waiting(c);
  if (!c->options.single_active) return flow_unsubscribe(c);
  c->resubscribe = resubscribe_step::stepping_down;
  update_step_down(c);
}

void flow_give_up(consumer *c, int status, const char *text) {
  c->flow.given_up_for = status;
  c->flow.given_up_text = text;
  flow_unsubscribe(c);
}

void flow_check_resubscribe(consumer *c) {
  if (c->resubscribe != resubscribe_step::waiting_for_room || c->closing) return;
  // What is paused and can't be kept is asked for when it goes on.
  if (c->flow.paused && c->options.streaming_min_bytes > 0) return;
  bool room = !limits_bytes(c) || c->flow.memory_held <= c->options.max_bytes_held / 2;
  if (room && !consumer_connection_gone(c)) subscribe_anew(c);
}

int consumer_pause(consumer *c) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  c->flow.paused = true;
  return 0;
}

int consumer_resume(consumer *c) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  c->flow.paused = false;
  consumer_queue_task(c);
  return 0;
}

int consumer_grant_credit(consumer *c, uint16_t chunks) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  if (c->options.credit_policy != RSTREAM_CREDIT_MANUAL)
    return env_error(c->env, RSTREAM_EINVAL, "the library grants this consumer's credit");
  c->flow.due += chunks;
  consumer_queue_task(c);
  return 0;
}

}  // namespace rstream

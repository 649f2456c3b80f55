#include "client/stream_lookup.h"

#include <cstring>

#include "client/env.h"

namespace rstream {

namespace {

// Elections and new streams take some hundred milliseconds. The spread keeps many handles
// from asking in step.
constexpr uint32_t retry_base_ms = 100;
constexpr uint32_t retry_spread_ms = 100;

bool find_broker(const wire::metadata_response &response, uint16_t reference,
                 wire::broker_ref &found) {
  wire::seq_iter<wire::broker_ref> it(response.brokers);
  while (it.next(found)) {
    if (found.reference == reference) return true;
  }
  return false;
}

// One of the replicas that are listed, each with the same chance; false when there is
// none.
bool pick_replica(net &world, const wire::metadata_response &response,
                  const wire::stream_info &info, wire::broker_ref &picked) {
  wire::seq_iter<uint16_t> it(info.replicas);
  uint16_t reference;
  uint64_t seen = 0;
  wire::broker_ref candidate;
  while (it.next(reference)) {
    if (!find_broker(response, reference, candidate)) continue;
    if (net_random(world) % ++seen == 0) picked = candidate;
  }
  return seen > 0;
}

int choose(stream_lookup &l, const wire::metadata_response &response,
           const wire::stream_info &info) {
  if (!wire::is_ok(info.code)) return RSTREAM_EBROKER_BASE - info.code;
  wire::broker_ref node;
  bool found = l.choice == node_choice::replica &&
               pick_replica(*l.env->world, response, info, node);
  if (!found) found = find_broker(response, info.leader, node);
  if (!found) return RSTREAM_ENOLEADER;
  if (node.host.size() >= sizeof l.host || node.port == 0 || node.port > UINT16_MAX) {
    return RSTREAM_EPROTO;
  }
  memcpy(l.host, node.host.data(), node.host.size());
  l.host[node.host.size()] = 0;
  l.port = static_cast<uint16_t>(node.port);
  return 0;
}

int read_answer(stream_lookup &l, wire::bytes body) {
  wire::metadata_response response;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, response)) return RSTREAM_EPROTO;
  wire::seq_iter<wire::stream_info> it(response.streams);
  wire::stream_info info;
  while (it.next(info)) {
    if (info.stream == l.stream) return choose(l, response, info);
  }
  return RSTREAM_BROKER_STREAM_DOES_NOT_EXIST;
}

bool worth_waiting(int status) {
  return status == RSTREAM_ENOLEADER || status == RSTREAM_BROKER_STREAM_NOT_AVAILABLE;
}

void on_metadata(locator_op *op, int status, wire::bytes body, const char *text) {
  auto *l = static_cast<stream_lookup *>(op->subject);
  l->op = nullptr;
  if (status == 0) {
    status = read_answer(*l, body);
    text = status ? rstream_error_text(status) : "";
  }
  if (worth_waiting(status) && lookup_again(*l, status)) return;
  l->on_done(l, status, text);
}

int ask(stream_lookup &l) {
  const std::string_view streams[] = {l.stream};
  locator_op *op =
      locator_prepare(l.env, wire::key::metadata, wire::metadata{.streams = {streams}});
  if (!op) return RSTREAM_ENOMEM;
  op->owner = op_owner::library;
  op->on_done = on_metadata;
  op->subject = &l;
  int rc = locator_submit(op);
  if (rc == 0) l.op = op;
  return rc;
}

void on_retry(net_timer *timer) {
  stream_lookup *l = RSTREAM_OWNER(timer, stream_lookup, retry_timer);
  int rc = ask(*l);
  if (rc < 0) l->on_done(l, rc, rstream_error_text(rc));
}

}  // namespace

int lookup_start(stream_lookup &l) {
  l.retry_timer.on_due = on_retry;
  l.give_up_ms = net_now_ms(*l.env->world) + l.env->config.request_timeout_ms;
  return ask(l);
}

bool lookup_again(stream_lookup &l, int status) {
  if (!rstream_error_is_retriable(status)) return false;
  uint64_t delay = retry_base_ms + net_random(*l.env->world) % retry_spread_ms;
  if (net_now_ms(*l.env->world) + delay >= l.give_up_ms) return false;
  net_timer_start(*l.env->world, l.retry_timer, delay);
  return true;
}

void lookup_cancel(stream_lookup &l) {
  if (l.op) locator_op_cancel(l.op);
  l.op = nullptr;
  net_timer_stop(*l.env->world, l.retry_timer);
}

}  // namespace rstream

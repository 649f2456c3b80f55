#include "client/stream_lookup.h"

#include <cstring>

#include "client/env.h"

namespace rstream {

namespace {

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
  bool found = l.choice != node_choice::leader &&
               pick_replica(*l.env->world, response, info, node);
  if (!found && l.choice != node_choice::replica_always)
    found = find_broker(response, info.leader, node);
  if (!found) return RSTREAM_ENOLEADER;
  if (node.host.size() >= sizeof l.host || node.port == 0 || node.port > UINT16_MAX) {
    return RSTREAM_EPROTO;
  }
  memcpy(l.host, node.host.data(), node.host.size());
  l.host[node.host.size()] = 0;
  l.port = static_cast<uint16_t>(node.port);
  return 0;
}

int read_answer(stream_lookup &l, const wire::metadata_response &response) {
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

}  // namespace

// One question, for all that look for the same stream at the same time.
struct metadata_question {
  list_node node;  // of its bucket; in none once the answer is there
  list lookups;    // those that have not had the answer
  locator_op *op = nullptr;
  rstream_env *env = nullptr;
  char stream[256] = {};  // at most 255 bytes
};

namespace {

metadata_question *question_of(list_node *node) {
  return RSTREAM_OWNER(node, metadata_question, node);
}

list &bucket_of(rstream_env *e, const char *stream) {
  uint32_t hash = 0;
  for (const char *c = stream; *c; c++) hash = hash * 31 + static_cast<uint8_t>(*c);
  return e->questions.buckets[hash % std::size(e->questions.buckets)];
}

void join(stream_lookup &l, metadata_question *question) {
  l.question = question;
  list_push_back(question->lookups, l.node);
}

void leave(stream_lookup &l) {
  list_remove(l.node);
  l.question = nullptr;
}

void tell(stream_lookup &l, int status, const char *text,
          const wire::metadata_response &response) {
  if (status == 0) {
    status = read_answer(l, response);
    text = status ? rstream_error_text(status) : "";
  }
  if (worth_waiting(status) && lookup_again(l, status)) return;
  l.on_done(&l, status, text);
}

// Those that are told may look again at once, which is a new question.
void on_metadata(locator_op *op, int status, wire::bytes body, const char *text) {
  auto *question = static_cast<metadata_question *>(op->subject);
  question->op = nullptr;
  list_remove(question->node);
  wire::metadata_response response;
  wire::reader r = wire::reader_of(body);
  if (status == 0 && !decode(r, response)) {
    status = RSTREAM_EPROTO;
    text = rstream_error_text(status);
  }
  while (!list_empty(question->lookups)) {
    stream_lookup &l = *RSTREAM_OWNER(question->lookups.next, stream_lookup, node);
    leave(l);
    tell(l, status, text, response);
  }
  memory_delete(env_memory(question->env), question);
}

int submit(metadata_question *question) {
  const std::string_view streams[] = {question->stream};
  locator_op *op = locator_prepare(question->env, wire::key::metadata,
                                   wire::metadata{.streams = {streams}});
  if (!op) return RSTREAM_ENOMEM;
  op->owner = op_owner::library;
  op->on_done = on_metadata;
  op->subject = question;
  int rc = locator_submit(op);
  if (rc == 0) question->op = op;
  return rc;
}

int ask(stream_lookup &l) {
  list &bucket = bucket_of(l.env, l.stream);
  for (list_node *n = bucket.next; n != &bucket; n = n->next) {
    if (strcmp(question_of(n)->stream, l.stream) == 0) {
      join(l, question_of(n));
      return 0;
    }
  }
  memory &mem = env_memory(l.env);
  auto *question = memory_new<metadata_question>(mem);
  if (!question) return RSTREAM_ENOMEM;
  question->env = l.env;
  memcpy(question->stream, l.stream, strlen(l.stream) + 1);
  int rc = submit(question);
  if (rc < 0) {
    memory_delete(mem, question);
    return rc;
  }
  list_push_back(bucket, question->node);
  join(l, question);
  return 0;
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

int lookup_start_once(stream_lookup &l) {
  l.give_up_ms = 0;
  return ask(l);
}

bool lookup_again(stream_lookup &l, int status) {
  if (!recovery_may_help(status)) return false;
  uint64_t delay = lookup_pause_ms(*l.env->world);
  if (net_now_ms(*l.env->world) + delay >= l.give_up_ms) return false;
  net_timer_start(*l.env->world, l.retry_timer, delay);
  return true;
}

void lookup_cancel(stream_lookup &l) {
  net_timer_stop(*l.env->world, l.retry_timer);
  metadata_question *question = l.question;
  if (!question) return;
  leave(l);
  // Without an op it is being answered, and goes after that.
  if (!list_empty(question->lookups) || !question->op) return;
  locator_op_cancel(question->op);
  list_remove(question->node);
  memory_delete(env_memory(question->env), question);
}

}  // namespace rstream

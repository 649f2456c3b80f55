// Scenario 38: running out of memory is an error code: a scenario is run once to count
// its allocations, then again with the first one failing, the second, and so on to the
// last; and once more with that one and all after it.
#include <gtest/gtest.h>

#include <cstring>

#include "api/env.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

constexpr uint64_t most_events = 200000;
constexpr uint64_t step_us = 20000;
constexpr uint64_t patience_us = 100 * 1000000ull;
constexpr int messages = 60;
constexpr char stream[] = "invoices";

// Something that has to be told exactly once if its call was accepted.
struct promise {
  const char *what;
  bool accepted = false;
  int told = 0;
  int status = 0;
};

// How the producer publishes.
enum class way {
  plain,
  packed,  // compressed sub-entries, ids of the application, completions, within a budget
  streamed  // as packed, and consumed by messages while chunks arrive
};

bool is_packed(way w) { return w != way::plain; }

struct scenario {
  sim::way way = sim::way::plain;
  simulation s;
  carried_cluster brokers;
  counted_memory memory;
  host_source source{};
  rstream_env *env = nullptr;
  rstream_producer *producer = nullptr;
  rstream_consumer *by_chunk = nullptr;
  rstream_consumer *by_message = nullptr;
  rstream_chunk *kept = nullptr;
  uint64_t kept_first = 0;
  std::vector<uint8_t> body;
  int step = 0;
  int accepted = 0;
  int outcomes[messages + 1] = {};
  int completions[messages + 1] = {};
  int errors = 0;    // calls refused, requests and messages failed, handles ended
  int received = 0;  // in message mode
  promise created{"create"}, flushed{"flush"}, metadata{"metadata"},
      offset{"query offset"}, stats{"stats"}, sequence{"query sequence"},
      stored{"store offset"}, producer_closed{"producer close"},
      chunks_closed{"consumer close"}, messages_closed{"consumer close"},
      env_closed{"env close"};
  std::vector<promise *> promises = {
      &created, &flushed,         &metadata,      &offset,          &stats,     &sequence,
      &stored,  &producer_closed, &chunks_closed, &messages_closed, &env_closed};
};

scenario *at_work = nullptr;

void told(promise &p, int status) {
  EXPECT_TRUE(p.accepted) << p.what;
  p.told++;
  p.status = status;
  if (status < 0) at_work->errors++;
}

// Closing and asking may fail for want of memory; then nothing may be told.
void call(promise &p, int rc) {
  p.accepted = rc == 0;
  if (rc < 0) at_work->errors++;
  EXPECT_TRUE(rc == 0 || rc == RSTREAM_ENOMEM || rc == RSTREAM_ECLOSED)
      << p.what << ": " << rstream_error_text(rc);
}

template <promise scenario::*P>
void on_result(rstream_env *, int status, const char *, void *) {
  told(at_work->*P, status);
}
template <promise scenario::*P>
void on_value(rstream_env *, int status, uint64_t, void *) {
  told(at_work->*P, status);
}
template <promise scenario::*P>
void on_consumer_closed(rstream_consumer *, int status, void *) {
  told(at_work->*P, status);
}

void on_metadata(rstream_env *, int status, const rstream_metadata *m, void *) {
  EXPECT_EQ(status == 0, m != nullptr);
  told(at_work->metadata, status);
}
void on_stats(rstream_env *, int status, const rstream_stream_statistics *, void *) {
  told(at_work->stats, status);
}

constexpr uint64_t id_step = 3;  // of ids that are given

uint64_t number_of(uint64_t id) {
  bool packed = is_packed(at_work->way);
  EXPECT_TRUE(!packed || id % id_step == 0) << id;
  uint64_t number = packed ? id / id_step : id;
  EXPECT_LE(number, static_cast<uint64_t>(messages));
  return number <= messages ? number : 0;
}

void on_confirm(rstream_producer *, const rstream_confirms *c, void *) {
  for (size_t i = 0; i < c->count; i++) {
    at_work->outcomes[number_of(c->ids[i])]++;
    if (c->status < 0) at_work->errors++;
  }
}

void on_outcome(rstream_producer *, uint64_t id, int, void *) {
  uint64_t number = number_of(id);
  EXPECT_EQ(at_work->outcomes[number], 0) << "its own callback comes first";
  at_work->completions[number]++;
}

void on_state(rstream_producer *, const rstream_state *state, void *) {
  if (state->reason < 0) at_work->errors++;
}
void on_consumer_state(rstream_consumer *, const rstream_state *state, void *) {
  if (state->reason < 0) at_work->errors++;
}

void on_chunk(rstream_consumer *, rstream_chunk *chunk, void *) {
  scenario &s = *at_work;
  if (s.kept) return;
  rstream_chunk_retain(chunk);
  s.kept = chunk;
  const rstream_message_view *view = rstream_chunk_next(chunk);
  s.kept_first = view ? view->offset : 0;
}

// There was no memory to unpack them.
void on_entry_error(rstream_consumer *c, const rstream_entry_error *error, void *) {
  scenario &s = *at_work;
  EXPECT_EQ(error->status, RSTREAM_ENOMEM) << error->text;
  s.errors++;
  if (c == s.by_message) s.received += static_cast<int>(error->message_count);
}

void on_message(rstream_consumer *, const rstream_message_view *view, void *) {
  EXPECT_EQ(view->offset, static_cast<uint64_t>(at_work->received));
  at_work->received++;
}

// ---- what the application does, one part in each step

void create_env(scenario &s) {
  rstream_allocator allocator = s.memory.functions();
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.uri = "rabbitmq-stream://guest:guest@node0:5552/%2f";
  o.allocator = &allocator;
  o.max_frame_bytes = 16384;  // a large message needs a frame of its own
  if (is_packed(s.way)) o.max_bytes_in_flight = 1 << 20;
  s.source = {&s.s, "client"};
  int rc = env_create_on(&s.env, source_of(s.source), &o);
  if (rc == 0) return;
  EXPECT_EQ(rc, RSTREAM_ENOMEM);
  EXPECT_EQ(s.env, nullptr);
  s.errors++;
}

void open_producer(scenario &s) {
  rstream_producer_options o;
  rstream_producer_options_init(&o);
  o.stream = stream;
  o.name = "till";
  o.on_confirm = on_confirm;
  o.on_state = on_state;
  o.close_timeout_ms = 2000;
  o.max_batch_messages = 1;  // many frames wait at once
  if (is_packed(s.way)) {
    o.max_batch_messages = 7;
    o.sub_entry_messages = 4;
    o.compression = RSTREAM_COMPRESSION_GZIP;
    o.ids_given = 1;
  }
  int rc = rstream_producer_open(&s.producer, s.env, &o);
  EXPECT_TRUE(rc == 0 || rc == RSTREAM_ENOMEM) << rstream_error_text(rc);
  if (rc < 0) s.errors++;
}

rstream_consumer *open_consumer(scenario &s, bool chunks) {
  rstream_consumer_options o;
  rstream_consumer_options_init(&o);
  o.stream = stream;
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_NONE;  // both read all
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.on_state = on_consumer_state;
  o.on_entry_error = on_entry_error;
  o.initial_credit = chunks ? 2 : 1;  // one that is lost is missed
  if (chunks) {
    o.on_chunk = on_chunk;
  } else {
    o.on_message = on_message;
    if (s.way == way::streamed) o.streaming_min_bytes = 1;
  }
  rstream_consumer *c = nullptr;
  int rc = rstream_consumer_open(&c, s.env, &o);
  EXPECT_TRUE(rc == 0 || rc == RSTREAM_ENOMEM) << rstream_error_text(rc);
  if (rc < 0) s.errors++;
  return c;
}

rstream_message next_message(scenario &s, int i, size_t bytes) {
  rstream_message m;
  rstream_message_init(&m);
  m.body = s.body.data();
  m.body_size = bytes;
  m.publishing_id = id_step * static_cast<uint64_t>(s.accepted + 1 + i);
  m.on_outcome = on_outcome;
  return m;
}

// How many messages were accepted, or why none.
int send_packed(scenario &s, int i, size_t bytes) {
  rstream_message two[] = {next_message(s, 0, bytes), next_message(s, 1, 10)};
  if (i % 5 != 4 || s.accepted + 2 > messages) {
    int rc = rstream_producer_send(s.producer, two, nullptr);
    return rc < 0 ? rc : 1;
  }
  int rc = rstream_producer_send_sub_entry(s.producer, two, 2, RSTREAM_COMPRESSION_GZIP,
                                           nullptr);
  return rc < 0 ? rc : 2;
}

int send(scenario &s, int i, size_t bytes) {
  if (is_packed(s.way)) return send_packed(s, i, bytes);
  int rc = rstream_producer_send_bytes(s.producer, s.body.data(), bytes, nullptr);
  return rc < 0 ? rc : 1;
}

void publish(scenario &s, int count) {
  int end = s.accepted + count;
  for (int i = 0; s.producer && i < count && s.accepted < end && s.accepted < messages;
       i++) {
    int rc = send(s, i, i % 8 == 7 ? 9000 : 100);
    if (rc > 0) {
      s.accepted += rc;
    } else {
      s.errors++;
      EXPECT_TRUE(rc == RSTREAM_ENOMEM || rc == RSTREAM_ECLOSED)
          << rstream_error_text(rc);
    }
  }
}

void flush(scenario &s) {
  if (!s.producer) return;
  call(s.flushed,
       rstream_producer_flush(
           s.producer,
           [](rstream_producer *, int status, void *) { told(at_work->flushed, status); },
           nullptr));
}

void ask(scenario &s) {
  const char *streams[] = {stream, "nothing"};
  call(s.metadata, rstream_stream_metadata(s.env, streams, 2, on_metadata, nullptr));
  call(s.stats, rstream_stream_stats(s.env, stream, on_stats, nullptr));
  call(s.stored, rstream_store_offset(s.env, "reader", stream, 7,
                                      on_result<&scenario::stored>, nullptr));
  call(s.offset, rstream_query_offset(s.env, "reader", stream,
                                      on_value<&scenario::offset>, nullptr));
  call(s.sequence, rstream_query_publisher_sequence(
                       s.env, "till", stream, on_value<&scenario::sequence>, nullptr));
}

void close_handles(scenario &s) {
  if (s.producer) {
    call(s.producer_closed,
         rstream_producer_close(s.producer, [](rstream_producer *, int status, void *) {
           told(at_work->producer_closed, status);
         }));
    EXPECT_TRUE(s.producer_closed.accepted);
  }
  if (s.by_chunk) {
    call(s.chunks_closed, rstream_consumer_close(
                              s.by_chunk, on_consumer_closed<&scenario::chunks_closed>));
    EXPECT_TRUE(s.chunks_closed.accepted);
  }
  if (s.by_message) {
    call(s.messages_closed,
         rstream_consumer_close(s.by_message,
                                on_consumer_closed<&scenario::messages_closed>));
    EXPECT_TRUE(s.messages_closed.accepted);
  }
}

void close_env(scenario &s) {
  call(s.env_closed, rstream_env_close(
                         s.env,
                         [](rstream_env *, void *) {
                           told(at_work->env_closed, 0);
                           at_work->env = nullptr;
                         },
                         nullptr));
  EXPECT_TRUE(s.env_closed.accepted);
}

// False once there is nothing more to do.
bool act(scenario &s) {
  switch (s.step++) {
  case 0:
    create_env(s);
    if (!s.env) return false;
    call(s.created, rstream_stream_create(s.env, stream, nullptr,
                                          on_result<&scenario::created>, nullptr));
    return true;
  case 1:
    open_producer(s);
    publish(s, 10);  // before it is open
    s.by_chunk = open_consumer(s, true);
    s.by_message = open_consumer(s, false);
    return true;
  case 3:
    publish(s, 30);
    flush(s);
    return true;
  case 4: ask(s); return true;
  case 6: publish(s, 20); return true;
  case 30: close_handles(s); return true;
  case 40: close_env(s); return true;
  default: return s.env != nullptr;
  }
}

void step(void *arg) {
  auto &s = *static_cast<scenario *>(arg);
  bool more = act(s);
  if (s.s.now_us > patience_us) {
    ADD_FAILURE() << "the environment does not get closed";
    simulation_stop(s.s);
  } else if (more) {
    simulation_call(s.s, step_us, step, &s);
  } else {
    cluster_stop(s.brokers);
  }
}

void check(scenario &s) {
  for (promise *p : s.promises) EXPECT_EQ(p->told, p->accepted ? 1 : 0) << p->what;
  for (int id = 1; id <= messages; id++) {
    EXPECT_EQ(s.outcomes[id], id <= s.accepted ? 1 : 0) << "message " << id;
    EXPECT_EQ(s.completions[id], is_packed(s.way) ? s.outcomes[id] : 0);
  }
  if (s.kept) {
    const rstream_message_view *view;
    rstream_chunk_rewind(s.kept);
    for (uint64_t at = s.kept_first; (view = rstream_chunk_next(s.kept)); at++) {
      // What can't be unpacked is passed over, this time or when it was kept.
      bool gaps = is_packed(s.way) && s.errors > 0;
      if (gaps && (view->offset > at || at == s.kept_first)) at = view->offset;
      EXPECT_EQ(view->offset, at);
      EXPECT_EQ(memcmp(view->body, s.body.data(), view->body_size), 0);
    }
    rstream_chunk_release(s.kept);
  }
  // What nobody was told about has been made good.
  if (s.errors == 0) {
    EXPECT_EQ(s.accepted, messages);
    EXPECT_EQ(s.received, messages);
  }
  EXPECT_EQ(s.memory.blocks, 0u) << "blocks leaked";
  EXPECT_EQ(s.s.failure, "");
}

// Returns how many allocations were made.
uint64_t play(scenario &s) {
  at_work = &s;
  s.body.assign(9000, 'x');
  simulation_init(s.s, 1);
  cluster_start(s.brokers, s.s, 1);
  s.brokers.cluster->options.max_chunk_entries = 7;
  simulation_call(s.s, 0, step, &s);
  EXPECT_TRUE(simulation_run(s.s, most_events)) << "it does not come to an end";
  check(s);
  simulation_release(s.s);
  return s.memory.calls;
}

uint64_t allocations(way how) {
  scenario s;
  s.way = how;
  uint64_t n = play(s);
  EXPECT_EQ(s.errors, 0);
  EXPECT_EQ(s.accepted, messages);
  EXPECT_EQ(s.received, messages);
  EXPECT_NE(s.kept, nullptr);
  return n;
}

void fail_each(way how, bool all_that_follow) {
  uint64_t n = allocations(how);
  ASSERT_GT(n, 50u);
  int noticed = 0;
  for (uint64_t i = 0; i < n && !testing::Test::HasFailure(); i++) {
    scenario s;
    s.way = how;
    s.memory.fail_at = i;
    s.memory.fail_from = all_that_follow;
    SCOPED_TRACE("allocation " + std::to_string(i) + " of " + std::to_string(n));
    play(s);
    if (s.errors > 0) noticed++;
  }
  printf("%llu allocations, %d of the failures were told to the application\n",
         static_cast<unsigned long long>(n), noticed);
}

TEST(scenario_38, each_allocation_fails_once) { fail_each(way::plain, false); }
TEST(scenario_38, each_allocation_fails_and_all_that_follow) {
  fail_each(way::plain, true);
}
TEST(scenario_38, each_allocation_fails_once_with_packed_messages) {
  fail_each(way::packed, false);
}
TEST(scenario_38, each_allocation_fails_and_all_that_follow_with_packed_messages) {
  fail_each(way::packed, true);
}
TEST(scenario_38, each_allocation_fails_once_with_streamed_chunks) {
  fail_each(way::streamed, false);
}
TEST(scenario_38, each_allocation_fails_and_all_that_follow_with_streamed_chunks) {
  fail_each(way::streamed, true);
}

}  // namespace

}  // namespace rstream::sim

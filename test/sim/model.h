#pragma once

// What a run remembers of everything the application did and was told, and the promises
// that are checked against it.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rstream/rstream.h"
#include "sim/carrier.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace rstream::sim {

struct run;
struct env_model;

// How a seed's run is made up.
struct plan {
  int nodes = 1;
  int streams = 1;
  uint32_t actions = 100;
  uint32_t action_gap_us_max = 3000;
  uint32_t in_callback = 20;  // 1/1000: a callback does something by itself
  uint32_t burst_max = 30;    // messages at a time
  uint32_t body_bytes_max = 200;
  uint32_t most_envs = 2;
  uint32_t most_handles = 12;  // producers and consumers open at a time, each
  bool loses_connections = false;
  uint32_t faults = 0;         // 1/1000, at each action: something befalls the cluster
  uint32_t follows = 0;        // 1/1000, at each action: something about followers
  bool holds_commits = false;  // chunks are committed, and so confirmed, one by one
};

struct stream_model {
  std::string name;
  bool stable = true;  // never deleted: its content is checked to the last message
};

constexpr int no_outcome = 1;

struct message_model {
  uint32_t body_bytes;
  uint64_t told_id = 0;  // what the application knows it by
  bool amqp = false;     // stored as an AMQP 1.0 message
  bool has_completion = false;
  int outcome = no_outcome;
  int completion = no_outcome;  // what its own callback was told
};

struct producer_model {
  run *r = nullptr;
  env_model *env = nullptr;
  uint32_t serial = 0;
  size_t stream = 0;
  std::string name;
  rstream_producer *p = nullptr;  // nullptr: not to be used any more
  rstream_producer_options options = {};
  std::vector<message_model> messages;  // in the order sent
  uint64_t settled = 0;
  uint64_t confirmed = 0;
  uint64_t highest_confirmed = 0;
  uint64_t last_given = 0;  // publishing id, with ids_given
  uint64_t id_base = 0;
  bool opened = false;  // once
  bool down = false;    // told RECOVERING or DISCONNECTED, not OPEN since
  bool disconnected = false;
  uint32_t losses = 0;
  bool unwatched = false;  // closed with messages in flight: losses are not told any more
  bool ended = false;      // told the state CLOSED
  bool closing = false;
  bool closed = false;  // gone
  bool tells_closed = false;
  bool wants_writable = false;
  bool may_be_writable = false;  // it may have been refused for a full window
  uint32_t flushes = 0;
};

struct flush_model {
  producer_model *producer;
  uint64_t last_id;
  int calls = 0;
};

struct record {
  uint64_t offset;
  uint32_t serial;  // of the producer
  uint32_t id;
};

struct consumer_model {
  run *r = nullptr;
  env_model *env = nullptr;
  uint32_t serial = 0;
  size_t stream = 0;
  std::string name;
  rstream_consumer *c = nullptr;
  rstream_consumer_options options = {};
  uint64_t lowest = 0;            // where it may start,
  uint64_t highest = UINT64_MAX;  // at most
  bool begins_late = false;       // where the stream ends when it is open
  uint64_t next = 0;              // offset to come, once there was one
  bool any = false;
  std::vector<record> received;
  uint32_t held = 0;    // chunks not finished
  bool opened = false;  // once
  bool down = false;    // as above
  bool disconnected = false;
  uint32_t losses = 0;
  bool ended = false;
  bool closing = false;
  bool closed = false;
  bool tells_closed = false;
};

// Consumers of one name on one stream: one after the other, or a group of single active
// ones.
struct follow_group {
  std::string name;
  size_t stream = 0;
  bool single = false;
  uint64_t seen_end = 0;  // all messages below were handed out to one of them
};

// A consumer that stores its offset, and goes on where that of its name is.
struct follower_model {
  run *r = nullptr;
  env_model *env = nullptr;
  follow_group *group = nullptr;
  uint32_t serial = 0;
  rstream_consumer *c = nullptr;
  rstream_consumer_options options = {};
  std::vector<rstream_chunk *> held;
  bool found = false;   // an offset was stored when it asked last,
  uint64_t stored = 0;  // this one
  bool its_turn = false;
  bool fresh = true;  // what comes next is the first of its turn
  uint64_t next = 0;
  uint64_t again_from =
      UINT64_MAX;  // of a chunk that turned out bad when it was streamed
  bool open = false;
  bool paused = false;
  bool owes_answer = false;  // to on_update
  bool ended = false;
  bool closing = false;
  bool closed = false;
};

// A chunk that is kept beyond its callback.
struct held_chunk {
  consumer_model *consumer;
  rstream_chunk *chunk;
  std::vector<record> records;
};

struct request_model {
  env_model *env;
  const char *what;
  int calls = 0;
  bool refused = false;
};

// What a message's own callback is called with.
struct completion_model {
  producer_model *producer;
  uint32_t number;  // of the message, from 1
};

// Messages sent as one array.
constexpr uint32_t largest_array = 6;

struct counted_memory {
  uint64_t blocks = 0;
  uint64_t calls = 0;
  uint64_t fail_at = UINT64_MAX;  // this call fails, counted from 0
  bool fail_from = false;         // and all that follow
  rstream_allocator functions();
};

struct env_model {
  run *r = nullptr;
  std::string name;
  host_source source = {};
  counted_memory memory;
  rstream_env *env = nullptr;
  bool closing = false;
  bool closed = false;
  bool refused = false;  // its password is wrong
  bool has_budget = false;
};

enum class phase : uint8_t { acting, settling, closing, done };

struct run {
  simulation s;
  plan p;
  random chance;
  carried_cluster brokers;
  std::vector<stream_model> streams;
  std::vector<std::unique_ptr<env_model>> envs;
  std::vector<std::unique_ptr<producer_model>> producers;  // by serial
  std::vector<std::unique_ptr<consumer_model>> consumers;
  std::vector<std::unique_ptr<follow_group>> groups;
  std::vector<std::unique_ptr<follower_model>> followers;
  std::vector<std::unique_ptr<request_model>> requests;
  std::vector<std::unique_ptr<flush_model>> flushes;
  std::deque<completion_model> completions;
  std::vector<std::unique_ptr<held_chunk>> held;
  std::map<std::string, uint64_t>
      names;  // of producers, free again: highest publishing id
  sim::phase phase = sim::phase::acting;
  uint32_t actions_done = 0;
  uint64_t phase_began_us = 0;
  uint64_t moved = 0;  // messages, when it was last looked at
  uint32_t names_made = 0;
  uint32_t in_call = 0;  // inside a function of the library
  run_report report;
};

// Inside a function of the library: nothing may be called back meanwhile.
struct calling {
  run &r;
  explicit calling(run &r_) : r(r_) { r.in_call++; }
  ~calling() { r.in_call--; }
  calling(const calling &) = delete;
  calling &operator=(const calling &) = delete;
};

#define SIM_CHECK(r, condition, ...)                       \
  do {                                                     \
    if (!(condition)) simulation_fail((r).s, __VA_ARGS__); \
  } while (0)

fake::stream *broker_stream(run &r, size_t stream);

template <class T>
T pick(run &r, std::initializer_list<T> values) {
  return values.begin()[random_below(r.chance, values.size())];
}

// ---- promises.cpp: what is checked when something is told, and at the end

void check_callback(run &r, const env_model *env, const char *what);
// A message the application is given. Returns what it is.
record check_body(run &r, uint64_t offset, const uint8_t *body, size_t size);
void fill_body(std::vector<uint8_t> &body, uint32_t serial, uint32_t id, size_t size);
void check_message(consumer_model &m, const rstream_message_view &view);
void check_outcomes(producer_model &m, const rstream_confirms &confirms);
void check_completion(const completion_model &c, uint64_t id, int status);
void check_producer_closed(producer_model &m, int status);
void check_env_closed(env_model &m);
void check_held(run &r, held_chunk &h);
// Between events: numbers that must agree.
void check_now(run &r);
// Everybody who is open has got everything.
bool is_settled(run &r, std::string &why);
// The run is over; brokers still have their streams.
void check_at_end(run &r);

// ---- handles.cpp: opening, closing, callbacks

env_model *open_env(run &r);
void close_env(env_model &m);
void open_producer(env_model &env);
void flush_producer(producer_model &m);
void close_producer(producer_model &m);
void open_consumer(env_model &env);
void close_consumer(consumer_model &m);
void release_held(run &r, size_t index);
// Those that wait to be told.
void reconnect_some(run &r, uint32_t chance);

// ---- publishing.cpp: in every way

void draw_producer_options(run &r, rstream_producer_options &o);
void send_some(producer_model &m, uint32_t count);
// It may have ended, and be telling outcomes first.
bool is_over(const producer_model &m);

// ---- following.cpp

// Names to follow under; the brokers' side is watched.
void following_start(run &r);
void follow_some(run &r);
// The environment is closed by the application: its consumers must not be used any more.
void followers_forget(const env_model &env);
// Nobody holds up a group any more.
void followers_go_on(run &r);

// ---- following_promises.cpp

// The peer at the other end; nullptr: none, as far as the network knows.
fake::peer *peer_of_follower(const follower_model &m);
void check_followed(follower_model &m, const rstream_message_view &view);
void check_queried(run &r, const fake::peer &from, const fake::frame &fr);
void check_offset_stored(run &r, const fake::peer &from, const fake::frame &fr);
void check_followers_now(run &r);
bool followers_settled(run &r, std::string &why);

// ---- requests.cpp

void ask_something(env_model &env);

// ---- faults.cpp

void fault_some(run &r);
// All nodes are up, all streams have a leader.
void faults_end(run &r);

// ---- workload.cpp

// What an application does by itself when it is called back.
void maybe_act(run &r);

}  // namespace rstream::sim

#pragma once

// A whole client on the simulated network against the in-memory broker. The input is a
// list of operations: what the application does, what goes wrong with the broker's
// answers, what the peer says unasked, how time passes. Whatever they are, the promises
// that need no honest peer are checked.

#include <deque>
#include <memory>
#include <vector>

#include "fuzz.h"
#include "rstream/rstream.h"
#include "sim/model.h"

namespace rstream::fuzz {

// The first byte of an operation, without its upper bits. The numbers, and the order in
// which operands are read, are part of the corpus. The names are in the order of their
// numbers; what is missing does nothing.
enum class op : uint8_t {
  // of the application
  advance = 0,
  open_producer,
  open_consumer,
  send,
  flush,
  close_producer,
  close_consumer,
  ask,
  release_chunk,
  store_offset,
  plan,
  fail_allocation,
  close_env,
  open_producer_with,
  send_many,
  send_sub_entry,
  last_of_application = send_sub_entry,
  // of the peer
  tamper = 16,
  say_frame,
  say_bytes,
  say_deliver,
  store_messages,
  say_outcome,
  say_answer,
  say_metadata_update,
  say_consumer_update,
  end_peer,
  pace,
  disturb,
  weather,
  say_packed,
};
constexpr uint8_t op_mask = 31;

// When a planned operation is run.
enum class occasion : uint8_t {
  confirm,
  writable,
  state,
  closed,
  chunk,
  message,
  answer,
  log,  // also from inside calls
  outcome,
  count
};

struct session;

struct message {
  uint64_t id;
  bool own_callback = false;  // wants one
  bool own_told = false;      // has had it
  bool told = false;          // has its outcome
};

struct producer {
  session *s = nullptr;
  rstream_producer *handle = nullptr;  // nullptr: not to be used any more
  std::vector<message> messages;       // ids go up
  bool ids_given = false;
  uint64_t last_given = 0;
  uint64_t settled = 0;
  uint32_t flushes = 0;  // not answered
  bool wants_writable = false;
  bool ended = false;
  bool closing = false;
  bool tells_closed = false;
  bool closed = false;
};

struct consumer {
  session *s = nullptr;
  rstream_consumer *handle = nullptr;
  uint64_t next_offset = 0;  // none below may come
  bool keeps_chunks = false;
  bool streams = false;
  bool ended = false;
  bool closing = false;
  bool tells_closed = false;
  bool closed = false;
};

// A question, or a flush.
struct request {
  session *s = nullptr;
  fuzz::producer *of = nullptr;
  bool accepted = false;
  int answers = 0;
};

struct seen_message {
  uint64_t offset;
  uint64_t sum;  // of its body
};

struct held_chunk {
  rstream_chunk *chunk;
  std::vector<seen_message> seen;
};

enum class damage : uint8_t {
  drop,
  change,
  cut,
  twice,
  insert,
  replace,
  refuse,
  other_id,
  close_after,
  count
};

// What happens to the answer to a frame of the client.
struct tampering {
  uint8_t skip;  // frames to let pass first
  damage how;
  uint8_t at;
  std::vector<uint8_t> bytes;
};

struct session {
  sim::simulation world;
  sim::carried_cluster brokers;
  sim::counted_memory memory;
  bool memory_was_short = false;
  sim::host_source source = {};
  uint64_t events_left = 4000;  // before the end is begun

  // The application.
  rstream_env *env = nullptr;
  bool env_closing = false;
  bool env_closed = false;
  uint32_t in_call = 0;  // of the library: nothing may be called back meanwhile
  std::vector<std::unique_ptr<producer>> producers;
  std::vector<std::unique_ptr<consumer>> consumers;
  std::vector<std::unique_ptr<request>> requests;
  std::vector<held_chunk> held;
  std::vector<uint8_t> plans[static_cast<size_t>(occasion::count)];
  std::vector<uint8_t> body;
  size_t body_bytes_left = 40000;  // that it may send

  // The peer.
  bool deaf = false;  // nothing is answered but by operations
  std::deque<tampering> tamperings;
  uint32_t last_correlation_id = 0;
};

#define FUZZ_CHECK(s, condition, ...)                \
  do {                                               \
    if (!(condition)) fuzz::give_up(s, __VA_ARGS__); \
  } while (0)

// A promise is broken.
[[noreturn, gnu::format(printf, 2, 3)]] void give_up(session &s, const char *format, ...);

// Up to n bytes of the input.
inline wire::bytes some(wire::reader &in, size_t n) {
  return in.take(n < in.left() ? n : in.left());
}

// Inside a function of the library.
struct calling {
  session &s;
  explicit calling(session &s_) : s(s_) { s.in_call++; }
  ~calling() { s.in_call--; }
  calling(const calling &) = delete;
  calling &operator=(const calling &) = delete;
};

// ---- application.cpp

constexpr const char *stream_names[] = {"invoices", "orders", "nothing", ""};

void open_env(session &s, uint8_t settings);
void run_application_op(session &s, op what, wire::reader &in);
void close_env(session &s);
// After the environment has been closed.
void check_application(session &s);
void release_chunk(session &s, size_t index);

// ---- peer.cpp

void start_brokers(session &s, uint8_t settings);
void run_peer_op(session &s, op what, wire::reader &in);
// Bytes do not come one by one any more: that would only take long.
void hurry(session &s);

}  // namespace rstream::fuzz

#pragma once

// Handles that write down what their callbacks tell, and check what always holds: one
// outcome for each message, offsets in order, states told once, nothing after the close
// callback.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rstream/rstream.h"

namespace rstream::test {

struct fixed_body {
  char bytes[24];
  size_t size;
};
// "message 42", the body of number 42.
fixed_body body_of(uint64_t number);
// A message of that body, which is borrowed.
rstream_message message_of(std::string_view body);
std::string text_of(const rstream_message_view *message);
// 42 of "message 42".
uint64_t number_of(const rstream_message_view *message);

struct producer_probe {
  rstream_env *env = nullptr;
  rstream_producer *handle = nullptr;

  std::vector<int> outcomes;             // in the order sent; 1 when there is none yet
  std::map<uint64_t, size_t> given_ids;  // where in there, with ids_given
  std::map<int, uint64_t> by_status;     // outcomes by status
  uint64_t sent = 0;
  uint64_t told = 0;  // outcomes
  uint64_t confirm_calls = 0;
  int opened = 0;
  int losses = 0;  // and attempts in vain to make them good
  int loss_reason = 0;
  std::string loss_text;
  int ended = 0;
  int end_reason = 0;
  std::string end_text;
  int writable = 0;
  int closed = 0;
  int close_status = 1;

  // Called after the event was written down.
  std::function<void(const rstream_confirms *)> on_confirm;
  std::function<void(const rstream_state *)> on_state;
  std::function<void()> on_writable;
  std::function<void()> on_closed;

  producer_probe() = default;
  producer_probe(const producer_probe &) = delete;
  // Closes what the test left open, giving up what is in flight.
  ~producer_probe();

  int open(rstream_env *e, const std::string &stream,
           const std::function<void(rstream_producer_options &)> &settings = nullptr);
  // 0, or what rstream_producer_send_bytes() returned.
  int send(const void *body, size_t size);
  int send(const std::string &body) { return send(body.data(), body.size()); }
  int send_number(uint64_t number);
  int send(const rstream_message &message);
  // So many were accepted by some other call, from this id on.
  void took(uint64_t first_id, size_t count);
  void took_given(uint64_t id);
  int close();
  int close_within(uint32_t timeout_ms);

  uint64_t confirmed() const { return with_status(0); }
  uint64_t with_status(int status) const;
  bool all_told() const { return told == sent; }
  rstream_producer_stats stats() const;
};

struct consumer_probe {
  rstream_env *env = nullptr;
  rstream_consumer *handle = nullptr;

  uint64_t messages = 0;
  uint64_t chunks = 0;
  uint64_t first_offset = UINT64_MAX;  // of the messages handed out
  uint64_t last_offset = 0;
  bool keep_bodies = false;
  std::vector<std::string> bodies;
  bool keep_numbers = false;
  std::vector<uint64_t> numbers;  // of bodies made by body_of()
  std::vector<rstream_chunk_info> infos;
  bool numbered = false;  // bodies are body_of(offset): checked
  uint64_t wrong_bodies = 0;
  int opened = 0;
  int losses = 0;  // and attempts in vain to make them good
  int loss_reason = 0;
  std::string loss_text;
  int ended = 0;
  int end_reason = 0;
  std::string end_text;
  int closed = 0;
  int close_status = 1;

  std::string updates;              // "+-": asked where to begin, told to stop
  std::vector<uint64_t> caught_up;  // the offsets told with it
  std::string bad_chunks;           // "status@first offset+messages>action ", each

  std::function<void(const rstream_message_view *)> on_message;
  std::function<void(rstream_chunk *)> on_chunk;               // instead of iterating
  std::function<rstream_update_reply(bool active)> on_update;  // set it before opening
  std::function<void(uint64_t)> on_caught_up;
  std::function<void(const rstream_chunk_error *)> on_chunk_error;
  std::function<void(const rstream_state *)> on_state;
  std::function<void()> on_closed;

  consumer_probe() = default;
  consumer_probe(const consumer_probe &) = delete;
  // Closes what the test left open.
  ~consumer_probe();

  enum mode { by_message, by_chunk };
  int open(rstream_env *e, const std::string &stream, mode how,
           const std::function<void(rstream_consumer_options &)> &settings = nullptr);
  // From the first message on.
  int open_first(
      rstream_env *e, const std::string &stream, mode how = by_message,
      const std::function<void(rstream_consumer_options &)> &settings = nullptr);
  int close();
  rstream_consumer_stats stats() const;
  // A message was handed out; also for hooks that iterate themselves.
  void saw(const rstream_message_view *message);
};

// An environment closes its handles without their close callbacks: their probes must
// know.
void probes_forget(rstream_env *env);

// ---- replies to requests: pass the address as `user`

struct result_reply {
  int calls = 0;
  int status = 1;
  std::string text;
  std::function<void()> then;
  static void on(rstream_env *env, int status, const char *text, void *user);
};

struct exists_reply {
  int calls = 0;
  int status = 1;
  int exists = -1;
  static void on(rstream_env *env, int status, int exists, void *user);
};

struct value_reply {
  int calls = 0;
  int status = 1;
  uint64_t value = 0;
  static void on(rstream_env *env, int status, uint64_t value, void *user);
};

struct stats_reply {
  int calls = 0;
  int status = 1;
  rstream_stream_statistics statistics = {};
  static void on(rstream_env *env, int status,
                 const rstream_stream_statistics *statistics, void *user);
};

struct metadata_reply {
  struct stream {
    int status;
    bool has_leader;
    std::string host;
    uint32_t port;
    size_t replicas;
  };
  int calls = 0;
  int status = 1;
  std::map<std::string, stream> streams;
  static void on(rstream_env *env, int status, const rstream_metadata *metadata,
                 void *user);
};

}  // namespace rstream::test

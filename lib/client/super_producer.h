#pragma once

// Publishing to the partitions of a super stream: routing, and what the producers of the
// partitions share: the window, the confirms, closing.

#include "client/key_memo.h"
#include "client/partition_watch.h"
#include "client/producer.h"
#include "client/route_cache.h"
#include "client/routing.h"
#include "rstream/super_producer.h"

namespace rstream {

// A partition that the super stream has or once had. It stays as long as the super
// producer, so that its number, which is in the ids of its messages, is never another's.
struct super_partition {
  list_node node;  // of super_producer::partitions
  rstream_super_producer *owner = nullptr;
  char *stream = nullptr;
  producer *link = nullptr;            // nullptr: not open
  uint32_t number = 0;                 // from 1
  uint64_t next_id = 0;                // where the ids of the next producer begin
  bool listed = false;                 // the super stream has it
  bool leaving = false;                // its last producer is still being closed
  int reason = 0;                      // why its producer ended; 0: it may be opened
  uint32_t copies = 0;                 // of letters, sent and without outcome
  bool told_listed = false;            // the application knows it so
  rstream_producer_stats before = {};  // what its earlier producers have counted
  // The copies' ids in the group of outcomes that is being told.
  ring<uint64_t> letter_ids;
};

// A message that can't go straight into one partition's frames: it waits for its route,
// or goes to several. What it has to say is encoded and stands behind the struct, and
// then its key and its filter value.
struct letter {
  list_node node;  // of super_producer::letters, or of its `told` once it has its outcome
  rstream_super_producer *owner = nullptr;
  uint64_t id = 0;             // as the application knows it
  uint64_t serial = 0;         // counts letters
  uint64_t since_ms = 0;       // it was accepted
  uint64_t publishing_id = 0;  // with ids_given
  rstream_outcome_cb on_outcome = nullptr;
  void *outcome_user = nullptr;
  uint32_t content_bytes = 0;
  uint32_t key_bytes = 0;
  uint32_t filter_bytes = 0;
  bool has_key = false;
  bool waiting = true;             // not in all of its partitions yet
  bool routed = false;             // `next` and `count` mean something
  route *by_key = nullptr;         // what it waits for
  uint32_t next = 0, count = 0;    // copies made, of those to be made
  uint32_t left = 0;               // copies without outcome
  super_partition *one = nullptr;  // where it went, if that is one partition
  super_partition **several = nullptr;
  int status = 0;
  const uint8_t *content() const { return reinterpret_cast<const uint8_t *>(this + 1); }
  std::string_view key() const {
    return {reinterpret_cast<const char *>(content() + content_bytes), key_bytes};
  }
  const char *filter() const {
    return reinterpret_cast<const char *>(content() + content_bytes + key_bytes);
  }
};

struct super_flush {
  list_node node;
  rstream_super_flushed_cb on_flushed;
  void *user;
  uint64_t last_letter;
  uint32_t count;
  struct mark {
    super_partition *partition;
    uint64_t last_id;
  };
  mark *marks() { return reinterpret_cast<mark *>(this + 1); }
};

enum class super_phase : uint8_t {
  looking,  // for the partitions
  open,
  ending,  // by itself: what is under way gets its outcome
  ended,   // waits for the application to close it
  closed
};

}  // namespace rstream

struct rstream_super_producer {
  rstream_env *env = nullptr;
  rstream::list_node node;                      // of env->super_producers
  rstream_super_producer_options options = {};  // texts and `producer` are its own
  rstream_producer_options producer_options = {};
  char *super_stream = nullptr;
  char *name = nullptr;

  rstream::super_phase phase = rstream::super_phase::looking;
  bool accepting = true;
  bool closing = false;
  int end_reason = 0;
  rstream_super_producer_closed_cb on_closed = nullptr;
  char end_text[128] = {};

  // What one message costs to send is decided by these few, see super_send_by(). With
  // none of them left, super_send() looks closer.
  rstream::key_memo memo;  // where keys led; hidden unless `straight`
  int64_t small_left = 0;  // bodies of up to small_body bytes, whose messages and bytes
                           // the next two are without; one less than none for a moment
  uint64_t messages_left = 0;
  uint64_t bytes_left = 0;
  bool straight = false;  // all that matters about a bare body is its key
  rstream::remainder_of by_hash;
  rstream::producer **links = nullptr;  // by index; nullptr: not open

  rstream::super_partition **by_index = nullptr;  // in the broker's order
  const char **names = nullptr;                   // likewise
  uint32_t count = 0;
  bool unsettled = true;                         // the list is not the broker's
  uint32_t room = 0;                             // of the arrays
  size_t *chosen = nullptr;                      // for on_route, as large
  rstream::super_partition **targets = nullptr;  // where a message goes, likewise

  rstream::list partitions;  // all that there ever were
  uint32_t last_number = 0;
  uint32_t leaving_count = 0;  // producers that are being closed

  rstream::partition_watch watch;
  uint64_t generation = 1;  // of what is known about routes
  rstream::route_cache routes;

  rstream::list letters;                     // without outcome, oldest first
  rstream::letter *first_waiting = nullptr;  // of those; all behind it wait, too
  rstream::list told;        // have their outcome, which the application is to be told
  uint64_t letters_out = 0;  // in `letters`
  uint64_t last_letter = 0;  // serial of the last one
  uint64_t next_letter_id = 1;
  uint64_t waiting_bytes = 0;  // content of those that wait
  uint64_t waiting_count = 0;
  uint64_t copies_out = 0;  // of letters, in partitions
  uint64_t copies_made = 0;
  uint64_t last_given = 0;  // publishing id
  uint64_t serial = 0;      // tells it from others that had its address

  bool window_full = false;  // on_writable is owed
  bool delivering = false;   // letters are being put into partitions
  rstream::list flushes;
  rstream::net_task task;
  rstream::net_timer close_timer;
  rstream::net_timer letter_timer;  // the first letter's time is up
  rstream::net_timer route_timer;   // before its route is asked for again
  uint64_t give_up_ms = 0;

  uint64_t letters_confirmed = 0, letters_failed = 0;
  uint64_t copies_confirmed = 0, copies_failed = 0;
  uint64_t unrouted = 0;
};

namespace rstream {

using super_producer = rstream_super_producer;

// Message ids: the partition's number above, 0 for letters.
constexpr int partition_number_shift = 48;
constexpr uint32_t most_partition_numbers = 0xffff;
// More than a bare body may have around it: a sub-entry of its own, in a data section.
constexpr size_t bare_overhead = 32;

// `options` are complete and checked; texts are borrowed, `producer` is not looked at.
[[nodiscard]] int super_producer_open(super_producer **s, rstream_env *env,
                                      const rstream_super_producer_options &options,
                                      const rstream_producer_options &of_partitions);
// Any message, the general case. A key without data(): on_routing_key gives it.
[[nodiscard]] int super_send(super_producer *s, const rstream_message &message,
                             std::string_view key, uint64_t *id);
[[nodiscard]] int super_send_body(super_producer *s, const void *body, size_t body_size,
                                  std::string_view key, uint64_t *id);
// All of them as one entry of one partition. Without data() the first one gives the key.
[[nodiscard]] int super_send_sub_entry(super_producer *s, const message_array &messages,
                                       uint8_t compression, std::string_view key,
                                       uint64_t *first_id);
// The callback of a message becomes this one; harmless when it has its outcome. `user` is
// what it had.
void super_replace_completion(super_producer *s, uint64_t id, void *user,
                              rstream_outcome_cb on_outcome, void *new_user);
[[nodiscard]] int super_flush_all(super_producer *s, rstream_super_flushed_cb on_flushed,
                                  void *user);
[[nodiscard]] int super_producer_close(super_producer *s, uint32_t timeout_ms,
                                       rstream_super_producer_closed_cb on_closed);
rstream_handle_state super_producer_state(const super_producer *s);
void super_producer_stats(const super_producer *s, rstream_super_producer_stats &stats);
void super_partition_stats(const super_partition *part, rstream_producer_stats &stats);

// A larger body, or one of another way, when its partition is known.
[[nodiscard]] int super_send_to(super_producer *s, producer *link, const void *body,
                                size_t body_size, uint64_t *id);

// A body with a key of so many bytes. The usual case is one whose partition is
// remembered. What it calls out of line it calls last, and so needs no stack frame.
[[nodiscard, gnu::always_inline]] inline int super_send_by(
    super_producer *s, const void *body, size_t body_size, std::string_view key,
    key_number number, uint64_t *id) {
  const key_slot *slot = memo_find(s->memo, number, key.size());
  if (!slot || !body) return super_send_body(s, body, body_size, key, id);
  producer *p = slot->link;
  if (body_size > small_body || p->way != send_way::raw)
    return super_send_to(s, p, body, body_size, id);
  if (--s->small_left < 0) return super_send_to(s, p, body, body_size, id);
  // With room in the common window there is in each partition's.
  return producer_put<send_way::raw, true, put_window::known>(p, body, body_size, id);
}

// The same for longer keys, which would need a stack frame.
[[nodiscard]] int super_send_longer(super_producer *s, const void *body, size_t body_size,
                                    std::string_view key, uint64_t *id);
// As super_send_body(), with a key that is not null.
[[nodiscard, gnu::always_inline]] inline int super_send_bare(super_producer *s,
                                                             const void *body,
                                                             size_t body_size,
                                                             std::string_view key,
                                                             uint64_t *id) {
  if (!key_is_short(key.size())) return super_send_longer(s, body, body_size, key, id);
  return super_send_by(s, body, body_size, key, short_key_number(key), id);
}

}  // namespace rstream

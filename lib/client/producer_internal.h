#pragma once

// Private to the files producer_*.cpp.

#include "client/env.h"
#include "client/producer.h"

namespace rstream {

// ---- producer_frame.cpp: the frame being filled, sealed frames, their way out

// Sizes once the connection is known, or before, from what the options allow.
void producer_set_limits(producer *p, uint32_t frame_max);
// Starts a frame with room for one entry at least, of that size and so many messages.
// RSTREAM_EAGAIN, RSTREAM_ENOMEM.
enum class frame_kind : uint8_t { plain, filtered, sub_entries };
[[nodiscard]] int producer_open_frame(producer *p, uint64_t entry_bytes,
                                      uint32_t messages, frame_kind kind);
// Where the frame being filled must end if it holds `count` messages.
uint8_t *producer_frame_end(const producer *p, uint32_t count);
// Closes the frame being filled, if there is one.
void producer_seal(producer *p);
// Hands sealed frames to the connection, if it is open.
void producer_pump(producer *p);
// Takes settled frames off the front.
void producer_drop_settled(producer *p);
// With nothing in flight, memory goes back to the pool.
void producer_release_idle_memory(producer *p);
void producer_release_frames(producer *p);
void producer_release_batch(producer *p, batch *b);
void producer_return_budget(env *e, batch *b);
// Nothing is in flight any more.
void producer_is_idle(producer *p);
// `frame_bytes` of a sealed batch that count against the window.
inline uint32_t batch_entries_bytes(const batch *b) {
  return b->frame_bytes - static_cast<uint32_t>(wire::publish_header_bytes);
}
void producer_shift_ids(producer *p, uint64_t delta);

// Everything without outcome waits to be sent, what was sent already too.
void producer_rewind(producer *p);

// ---- producer_recut.cpp

// Makes the frames that wait such that each fits the frame limit and holds nothing that
// has an outcome already. Messages that can't fit get RSTREAM_EMSGSIZE as outcome. False
// when out of memory: then all is as it was.
[[nodiscard]] bool producer_recut(producer *p);

// ---- producer_send.cpp

// What a message becomes: the bytes of an entry's body or of a sub-entry's record.
struct content {
  wire::bytes body;
  const rstream_amqp_sections *sections = nullptr;
  bool amqp = false;
  size_t bytes = 0;
};
// How it is to be stored, for frames of so many bytes. RSTREAM_EMSGSIZE.
[[nodiscard]] int content_measure(env *e, rstream_codec codec, uint32_t frame_limit,
                                  const rstream_message &m, content &c);
[[nodiscard]] int content_of(producer *p, const rstream_message &m, content &c);
uint8_t *content_write(uint8_t *to, const content &c);

bool producer_window_has_room(const producer *p, uint64_t bytes, uint32_t messages);
// What must hold for a message whatever becomes of it. `last_given` is the publishing id
// that came before its own. RSTREAM_ECLOSED, RSTREAM_EINVAL.
[[nodiscard]] int producer_check_message(producer *p, const rstream_message &m,
                                         uint64_t last_given);
// The same for whoever accepts it, with these options.
[[nodiscard]] int message_check(env *e, const rstream_producer_options &options,
                                const rstream_message &m, uint64_t last_given);
[[nodiscard]] int filter_check(env *e, const rstream_producer_options &options,
                               std::string_view filter);
// Its own or that of on_filter_value; without data() it has none. RSTREAM_EINVAL,
// RSTREAM_ENOTSUP.
[[nodiscard]] int producer_filter_of(producer *p, const rstream_message &m,
                                     std::string_view &filter);
// The window, or the budget, was found full.
int producer_window_is_full(producer *p);
// What an accepted message needs beside its bytes.
[[nodiscard]] int producer_reserve_books(producer *p, const rstream_message &m);
void producer_book(producer *p, const rstream_message &m);
// The publishing id that the next message gets, or the last one got.
inline uint64_t producer_publishing_id(const producer *p, const rstream_message &m) {
  return p->options.ids_given ? m.publishing_id : p->next_id + p->id_base;
}
// What the application knows the message by.
inline uint64_t producer_told_id(const producer *p, uint64_t id) {
  return p->options.ids_given ? p->given_ids[static_cast<uint32_t>(id - p->first_given)]
                              : id;
}

// ---- producer_sub_entry.cpp

[[nodiscard]] int sub_entry_add(producer *p, const rstream_message &m, const content &c,
                                uint64_t *id);
inline uint32_t sub_entry_messages_left(const producer *p) {
  return p->options.sub_entry_messages - (p->open_count - p->sub_entry.count_before);
}
// Closes the sub-entry being filled, if there is one.
void sub_entry_close(producer *p);
// Where its next message must end; the frame may take up to `frame_end`.
uint8_t *sub_entry_limit(const producer *p, uint8_t *frame_end);

// ---- producer_outcome.cpp

// Gives every message without outcome this one.
void producer_fail_all(producer *p, int status);
// The same for those that are with the connection, that wait in frames with filter
// values, that no frame can hold.
void producer_fail_sent(producer *p, int status);
void producer_fail_filtered(producer *p, int status);
void producer_fail_unfit(producer *p);
// The messages of frames whose time is up get RSTREAM_ETIMEDOUT.
void producer_expire(producer *p);
void producer_watch_confirms(producer *p);
// After outcomes: flush callbacks and on_writable that are due.
void producer_outcomes_told(producer *p);
void producer_fail_waiters(producer *p, int status);

// ---- producer.cpp

// Ends the producer by itself: every message gets its outcome, then the application is
// told.
void producer_end(producer *p, int reason, const char *text);

}  // namespace rstream

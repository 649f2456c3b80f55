#pragma once

// Messages as the application hands them in: sized structs that may be those of an older
// or newer header.

#include "rstream/amqp.h"
#include "rstream/producer.h"

namespace rstream {

// The message, and its sections where the caller's struct is not as long as ours.
struct message_storage {
  rstream_message m;
  rstream_amqp_sections sections;
};

// Several messages one behind the other.
struct message_array {
  const void *first;
  size_t stride;  // the struct_size of the first
  size_t count;
};

// Copies it. False when struct_size was not set, of the message or its sections. All that
// m.amqp points to is borrowed.
[[nodiscard]] bool message_read(message_storage &s, const void *from, size_t size);

// The caller's own struct where it is as long as ours, else a copy in `s`; nullptr as
// above.
[[nodiscard]] inline const rstream_message *message_whole(message_storage &s,
                                                          const void *from, size_t size) {
  const auto *m = static_cast<const rstream_message *>(from);
  bool whole = size == sizeof *m && (!m->amqp || m->amqp->struct_size == sizeof *m->amqp);
  if (whole) return m;
  return message_read(s, from, size) ? &s.m : nullptr;
}

// False when there is none.
[[nodiscard]] inline bool message_array_of(const rstream_message *messages, size_t count,
                                           message_array &array) {
  if (count == 0 || !messages) return false;
  array = {messages, messages->struct_size, count};
  return true;
}

[[nodiscard]] inline const rstream_message *message_at(const message_array &messages,
                                                       size_t index, message_storage &s) {
  const auto *first = static_cast<const char *>(messages.first);
  return message_whole(s, first + index * messages.stride, messages.stride);
}

// Nothing but a body.
inline bool message_is_bare(const rstream_message &m) {
  return !m.amqp && !m.filter_value && !m.on_outcome && m.publishing_id == 0 &&
         (m.body || m.body_size == 0);
}

}  // namespace rstream

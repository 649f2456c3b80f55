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

// False when struct_size was not set, of the message or its sections. All that m.amqp
// points to is borrowed.
[[nodiscard]] bool message_read(message_storage &s, const void *from, size_t size);
[[nodiscard]] bool message_at(const message_array &messages, size_t index,
                              message_storage &s);

// Nothing but a body.
inline bool message_is_bare(const rstream_message &m) {
  return !m.amqp && !m.filter_value && !m.on_outcome && m.publishing_id == 0 &&
         (m.body || m.body_size == 0);
}

}  // namespace rstream

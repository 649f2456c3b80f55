#pragma once

// Reading AMQP 1.0 values, one at a time. A compound is handed out as it lies in the
// message and is only entered by iterating it. Nothing here recurses, every length is
// compared with what is left, and what is handed out is borrowed from the bytes.

#include "codec/amqp_types.h"
#include "rstream/amqp.h"
#include "wire/cursor.h"

namespace rstream {

// Passes over one value, without looking into it. Fails where its end can't be known.
void amqp_skip(wire::reader &r);

// Reads the next value, which lies `depth` compounds deep. Fails the reader if it is cut
// short or has a code without a known length; other unknown codes are
// RSTREAM_AMQP_UNKNOWN.
rstream_amqp_value amqp_read(wire::reader &r, uint32_t depth);

// What a compound that was received consists of. `items` are the bytes behind its count,
// of an array the elements' constructor first.
struct amqp_compound {
  bool ok = false;
  uint32_t count = 0;
  wire::bytes items{};
};
amqp_compound amqp_compound_of(const rstream_amqp_value &v);

// ---- iterating

// The items of a LIST, MAP, ARRAY or DESCRIBED, received or made by a program. 0, or
// RSTREAM_ECODEC (broken or nested too deeply), RSTREAM_EINVAL (no such value).
[[nodiscard]] int amqp_items(rstream_amqp_iter &it, const rstream_amqp_value &v);

// 1 with an item, 0 at the end, RSTREAM_ECODEC for good once the bytes are broken.
[[nodiscard]] int amqp_next(rstream_amqp_iter &it, rstream_amqp_value &item);

// The same without the item, which is not looked at.
[[nodiscard]] int amqp_next_skipped(rstream_amqp_iter &it);

// Walks all that is in a received value, at this depth: whether it can be read whole.
bool amqp_is_sound(const rstream_amqp_value &v, uint32_t depth);

}  // namespace rstream

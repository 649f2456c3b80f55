// Sub-entries: several messages stored as one entry, maybe compressed.
#include <cstring>

#include "client/env.h"
#include "client/producer_internal.h"
#include "codec/compression.h"

namespace rstream {

namespace {

constexpr auto overhead = static_cast<uint32_t>(wire::publish_sub_batch_overhead);

// What packed messages may take at worst.
uint64_t packed_bound(const producer *p, uint8_t compression, uint64_t bytes) {
  if (compression == RSTREAM_COMPRESSION_NONE) return bytes;
  uint64_t bound = compression_bound(*p->env->compression, compression, bytes);
  return bound > bytes ? bound : bytes;  // what can't be packed goes in as it is
}

bool fits_frame(const producer *p, uint64_t entry_bytes) {
  return wire::publish_header_bytes + entry_bytes <= p->frame_limit;
}

// What an entry of so many bytes of messages may take at worst. Where a frame does not
// hold that, it is what they take as they are: pack() finds out.
uint64_t worst_entry(const producer *p, uint8_t compression, uint64_t bytes) {
  uint64_t packed = overhead + packed_bound(p, compression, bytes);
  return fits_frame(p, packed) ? packed : overhead + bytes;
}

// How many bytes of messages are sure to fit so many when packed.
uint64_t unpacked_room(const producer *p, uint8_t compression, uint64_t room) {
  uint64_t bytes = room;
  while (bytes > 0) {
    uint64_t bound = packed_bound(p, compression, bytes);
    if (bound <= room) break;
    uint64_t half = (bytes + 1) / 2;  // a bound may be more than twice the bytes
    bytes -= bound - room < half ? bound - room : half;
  }
  return bytes;
}

// Packs messages to where they stay. Returns their size there.
uint32_t pack(producer *p, uint8_t &compression, wire::bytes messages,
              std::span<uint8_t> out) {
  if (compression != RSTREAM_COMPRESSION_NONE) {
    ptrdiff_t n = compression_pack(*p->env->compression, compression, messages, out);
    if (n >= 0) return static_cast<uint32_t>(n);
    compression = RSTREAM_COMPRESSION_NONE;
  }
  memcpy(out.data(), messages.data(), messages.size());
  return static_cast<uint32_t>(messages.size());
}

int refuse_size(producer *p, uint64_t bytes) {
  return env_error(p->env, RSTREAM_EMSGSIZE,
                   "a sub-entry of %llu bytes does not fit a frame of %u bytes",
                   static_cast<unsigned long long>(bytes), p->frame_limit);
}

// A frame with room for an entry of that size. In the one at hand it must be as good as a
// new one: `expected` is what would be a pity to cut short.
int make_room(producer *p, uint64_t entry_bytes, uint64_t expected, uint32_t messages) {
  if (p->open_batch && p->open_batch->sub_entries) {
    uint64_t with = uint64_t{p->open_count} + messages;
    uint8_t *end = producer_frame_end(p, static_cast<uint32_t>(with));
    uint64_t least = entry_bytes > expected ? entry_bytes : expected;
    bool fits = end >= p->at && static_cast<uint64_t>(end - p->at) >= least &&
                with <= p->options.max_batch_messages;
    if (fits) return 0;
  }
  producer_seal(p);
  producer_pump(p);
  return producer_open_frame(p, entry_bytes, messages, frame_kind::sub_entries);
}

int make_gathered(producer *p, uint64_t bytes) {
  open_sub_entry &sub = p->sub_entry;
  if (sub.gathered && sub.gathered->capacity >= bytes) return 0;
  if (sub.gathered) slab_unref(sub.gathered);
  sub.gathered = slab_acquire(*p->env->pool, bytes);
  return sub.gathered ? 0 : RSTREAM_ENOMEM;
}

// A sub-entry ends at the usual size, so that is what the next one is expected to have.
uint64_t expected_bytes(const producer *p) {
  return uint64_t{p->sub_entry.last_bytes} + p->sub_entry.last_bytes / 8;
}

int begin(producer *p, uint64_t record_bytes) {
  auto compression = static_cast<uint8_t>(p->options.compression);
  uint64_t expected = expected_bytes(p);
  if (compression) {
    int rc = make_gathered(p, record_bytes > expected ? record_bytes : expected);
    if (rc < 0) return rc;
  }
  uint64_t entry_bytes = worst_entry(p, compression, record_bytes);
  if (expected > p->batch_limit / 2) expected = 0;  // a frame holds few of them anyway
  uint64_t wish = expected ? overhead + packed_bound(p, compression, expected) : 0;
  int rc = make_room(p, entry_bytes, wish, 1);
  if (rc < 0) return rc;
  p->sub_entry.begin = p->at;
  p->sub_entry.count_before = p->open_count;
  p->bytes_in_flight += overhead;
  p->at = compression ? p->sub_entry.gathered->data() : p->at + overhead;
  bool amqp = p->options.codec == RSTREAM_CODEC_AMQP;
  if (!p->options.ids_given) p->way = amqp ? send_way::amqp_record : send_way::record;
  producer_move_limit(p);
  // Room was made for this one, whatever the estimate for more of them says.
  if (p->limit < p->at + record_bytes) p->limit = p->at + record_bytes;
  return 0;
}

uint64_t last_publishing_id(const producer *p) {
  return p->options.ids_given ? p->last_given : p->next_id - 1 + p->id_base;
}

// Takes an entry that was written behind `begin` into account.
void finish_entry(producer *p, uint8_t *begin, uint8_t compression, uint32_t messages,
                  uint32_t uncompressed_bytes, uint32_t data_bytes) {
  uint8_t *data = wire::write_sub_batch_header(begin, last_publishing_id(p), compression,
                                               static_cast<uint16_t>(messages),
                                               uncompressed_bytes, data_bytes);
  p->at = data + data_bytes;
  p->merged_count += messages - 1;
}

}  // namespace

uint8_t *sub_entry_limit(const producer *p, uint8_t *frame_end) {
  const open_sub_entry &sub = p->sub_entry;
  if (sub_entry_messages_left(p) == 0) return p->at;
  auto compression = static_cast<uint8_t>(p->options.compression);
  if (compression == RSTREAM_COMPRESSION_NONE) return frame_end;
  if (frame_end < sub.begin + overhead) return p->at;
  auto room = static_cast<uint64_t>(frame_end - sub.begin) - overhead;
  uint64_t bytes = unpacked_room(p, compression, room);
  if (bytes > sub.gathered->capacity) bytes = sub.gathered->capacity;
  return sub.gathered->data() + bytes;
}

int sub_entry_add(producer *p, const rstream_message &m, const content &c, uint64_t *id) {
  open_sub_entry &sub = p->sub_entry;
  auto compression = static_cast<uint8_t>(p->options.compression);
  uint64_t record_bytes = record_overhead + uint64_t{c.bytes};
  uint64_t alone = worst_entry(p, compression, record_bytes);
  if (!fits_frame(p, alone)) return refuse_size(p, alone);
  if (sub.begin && record_bytes > static_cast<size_t>(p->limit - p->at))
    sub_entry_close(p);
  if (!producer_window_has_room(p, record_bytes + (sub.begin ? 0 : overhead), 1))
    return producer_window_is_full(p);
  if (!sub.begin) {
    int rc = begin(p, record_bytes);
    if (rc < 0) return rc;
  }
  wire::store_u32be(p->at, static_cast<uint32_t>(c.bytes));
  uint8_t *end = content_write(p->at + record_overhead, c);
  producer_book(p, m);
  producer_took(p, end, id);
  if (id && p->options.ids_given) *id = m.publishing_id;
  return 0;
}

void sub_entry_close(producer *p) {
  open_sub_entry &sub = p->sub_entry;
  uint8_t *begin = sub.begin;
  if (!begin) return;
  sub.begin = nullptr;
  p->way = send_way::asking;
  uint32_t messages = p->open_count - sub.count_before;
  if (messages == 0) {
    p->at = begin;
    p->bytes_in_flight -= overhead;
    return;
  }
  auto compression = static_cast<uint8_t>(p->options.compression);
  uint8_t *data = begin + overhead;
  const uint8_t *first = compression ? sub.gathered->data() : data;
  auto bytes = static_cast<uint32_t>(p->at - first);
  uint32_t packed = bytes;
  if (compression) {
    uint8_t *frame_end = producer_frame_end(p, p->open_count);
    packed = pack(p, compression, {first, bytes}, {data, frame_end});
    p->bytes_in_flight = p->bytes_in_flight - bytes + packed;
  }
  finish_entry(p, begin, compression, messages, bytes, packed);
  sub.last_bytes = bytes;
}

// ---- sub-entries that the application makes

namespace {

// What an array takes to send.
struct measured {
  uint64_t bytes = 0;        // as records
  uint32_t completions = 0;  // messages with a callback of their own
};

int check_no_filter(producer *p, const rstream_message &m) {
  std::string_view filter;
  int rc = producer_filter_of(p, m, filter);
  if (rc < 0 || !filter.data()) return rc;
  return env_error(p->env, RSTREAM_EINVAL, "sub-entries can't have filter values");
}

int measure_one(producer *p, const rstream_message &m, uint64_t last_given,
                measured &all) {
  int rc = producer_check_message(p, m, last_given);
  if (rc == 0) rc = check_no_filter(p, m);
  content c;
  if (rc == 0) rc = content_of(p, m, c);
  if (rc < 0) return rc;
  all.bytes += record_overhead + c.bytes;
  if (m.on_outcome) all.completions++;
  return all.bytes > max_inline_body ? refuse_size(p, all.bytes) : 0;
}

// The i-th message, which was read once before.
const rstream_message &again(const message_array &messages, size_t i,
                             message_storage &s) {
  return *message_at(messages, i, s);
}

// Checks all of them before any is taken.
int measure(producer *p, const message_array &messages, measured &all) {
  uint64_t last_given = p->last_given;
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < messages.count; i++) {
    message_storage s;
    const rstream_message *m = message_at(messages, i, s);
    if (!m) return RSTREAM_EINVAL;
    rc = measure_one(p, *m, last_given, all);
    last_given = m->publishing_id;
  }
  return rc;
}

void write_records(producer *p, const message_array &messages, uint8_t *to) {
  for (size_t i = 0; i < messages.count; i++) {
    message_storage s;
    const rstream_message &m = again(messages, i, s);
    content c;
    int rc = content_of(p, m, c);
    (void)rc;  // it was measured before
    wire::store_u32be(to, static_cast<uint32_t>(c.bytes));
    to = content_write(to + record_overhead, c);
  }
}

bool reserve_books(producer *p, uint32_t messages, uint32_t completions) {
  memory &mem = env_memory(p->env);
  bool ok = !p->options.ids_given || ring_reserve(mem, p->given_ids, messages);
  return ok && ring_reserve(mem, p->completions, completions);
}

void book_all(producer *p, const message_array &messages, uint64_t *first_id) {
  for (size_t i = 0; i < messages.count; i++) {
    message_storage s;
    const rstream_message &m = again(messages, i, s);
    if (i == 0 && first_id)
      *first_id = p->options.ids_given ? m.publishing_id : p->next_id;
    producer_book(p, m);
    p->next_id++;
  }
  p->open_count += static_cast<uint32_t>(messages.count);
}

// The records of a sub-entry, packed into a slab of their own where the frame could be
// too small for the worst case.
struct made_records {
  slab *records = nullptr;
  slab *packed = nullptr;
  uint32_t packed_bytes = 0;
};

void release(made_records &made) {
  if (made.records) slab_unref(made.records);
  if (made.packed) slab_unref(made.packed);
}

int make_records(producer *p, const message_array &messages, uint8_t &compression,
                 uint32_t bytes, made_records &made) {
  made.records = slab_acquire(*p->env->pool, bytes);
  if (!made.records) return RSTREAM_ENOMEM;
  write_records(p, messages, made.records->data());
  uint64_t bound = packed_bound(p, compression, bytes);
  if (fits_frame(p, overhead + bound)) return 0;
  made.packed = slab_acquire(*p->env->pool, bound);
  if (!made.packed) return RSTREAM_ENOMEM;
  made.packed_bytes = pack(p, compression, {made.records->data(), bytes},
                           {made.packed->data(), static_cast<size_t>(bound)});
  if (fits_frame(p, overhead + made.packed_bytes) || !fits_frame(p, overhead + bytes))
    return 0;
  // What does not get smaller still fits as it is.
  slab_unref(made.packed);
  made.packed = nullptr;
  compression = RSTREAM_COMPRESSION_NONE;
  return 0;
}

// Writes the entry into the frame at hand, which has room for it.
void put_entry(producer *p, const message_array &messages, uint8_t compression,
               uint32_t bytes, const made_records &made, uint64_t *first_id) {
  uint8_t *begin = p->at;
  uint8_t *data = begin + overhead;
  auto count = static_cast<uint32_t>(messages.count);
  uint32_t data_bytes = bytes;
  if (made.packed) {
    data_bytes = made.packed_bytes;
    memcpy(data, made.packed->data(), data_bytes);
  } else if (made.records) {
    uint8_t *frame_end = producer_frame_end(p, p->open_count + count);
    data_bytes = pack(p, compression, {made.records->data(), bytes}, {data, frame_end});
  } else {
    write_records(p, messages, data);
  }
  book_all(p, messages, first_id);
  finish_entry(p, begin, compression, count, bytes, data_bytes);
  p->bytes_in_flight += overhead + data_bytes;
  producer_move_limit(p);
}

}  // namespace

int producer_send_sub_entry(producer *p, const message_array &messages,
                            uint8_t compression, uint64_t *first_id) {
  measured all;
  int rc = measure(p, messages, all);
  if (rc < 0) return rc;
  auto count = static_cast<uint32_t>(messages.count);
  auto bytes = static_cast<uint32_t>(all.bytes);
  sub_entry_close(p);
  uint64_t worst = overhead + packed_bound(p, compression, bytes);
  if (!producer_window_has_room(p, worst, count)) return producer_window_is_full(p);
  if (!reserve_books(p, count, all.completions)) return RSTREAM_ENOMEM;
  made_records made;
  if (compression) rc = make_records(p, messages, compression, bytes, made);
  uint64_t entry_bytes =
      overhead + (made.packed ? made.packed_bytes : packed_bound(p, compression, bytes));
  if (rc == 0 && !fits_frame(p, entry_bytes)) rc = refuse_size(p, entry_bytes);
  if (rc == 0) rc = make_room(p, entry_bytes, 0, count);
  if (rc == 0) put_entry(p, messages, compression, bytes, made, first_id);
  release(made);
  return rc;
}

}  // namespace rstream

#include "client/producer_batch.h"

#include <gtest/gtest.h>

#include <cstring>

#include "hex.h"
#include "wire/publish.h"

using namespace rstream;
using namespace rstream::test;

namespace {

// A buffer with nothing behind the room a batch is entitled to.
struct filled_batch {
  exact_buffer space;
  batch b;
  uint32_t used = 0;

  filled_batch(const std::vector<std::string> &bodies, uint64_t first_id,
               size_t shift = 0)
      : space(size_of(bodies) + shift) {
    b.frame = space.data.get() + shift;
    b.first_id = first_id;
    uint8_t *at = b.frame + wire::publish_header_bytes;
    for (const std::string &body : bodies) {
      at = wire::write_entry_header(at, first_id++, static_cast<uint32_t>(body.size()));
      memcpy(at, body.data(), body.size());
      at += body.size();
    }
    used = batch_seal(b, 7, static_cast<uint32_t>(at - b.frame),
                      static_cast<uint32_t>(bodies.size()),
                      static_cast<uint32_t>(bodies.size()));
  }

  static size_t size_of(const std::vector<std::string> &bodies) {
    size_t n = wire::publish_header_bytes;
    for (const std::string &body : bodies)
      n += wire::publish_entry_overhead + body.size();
    return n + batch_padding + batch_bits_bytes(static_cast<uint32_t>(bodies.size()));
  }
};

}  // namespace

TEST(producer_batch, sealing_makes_a_publish_frame) {
  filled_batch f({"hi", "x"}, 0);
  f.b.frame[wire::publish_publisher_id_at] = 0;
  EXPECT_EQ(
      to_hex({f.b.frame, f.b.frame_bytes}),
      "00000024000200010000000002000000000000000000000002686900000000000000010000000178");
  EXPECT_EQ(f.b.count, 2u);
  EXPECT_EQ(f.b.left, 2u);
}

TEST(producer_batch, the_bits_are_aligned_and_within_the_room_at_every_address) {
  for (size_t shift = 0; shift < 9; shift++) {
    for (size_t count : {1u, 63u, 64u, 65u, 128u, 129u}) {
      filled_batch f(std::vector<std::string>(count, "body"), 1, shift);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(f.b.done) % 8, 0u);
      EXPECT_LE(f.used + shift, f.space.size);
      for (uint32_t i = 0; i < count; i++) ASSERT_FALSE(batch_is_done(f.b, i));
    }
  }
}

TEST(producer_batch, a_message_is_marked_once) {
  filled_batch f(std::vector<std::string>(130, ""), 1);
  for (uint32_t i : {0u, 63u, 64u, 129u}) {
    EXPECT_TRUE(batch_mark(f.b, i)) << i;
    EXPECT_FALSE(batch_mark(f.b, i)) << i;
    EXPECT_TRUE(batch_is_done(f.b, i)) << i;
  }
  EXPECT_EQ(f.b.left, 126u);
  EXPECT_FALSE(batch_is_done(f.b, 1));
  EXPECT_FALSE(batch_is_done(f.b, 128));
}

TEST(producer_batch, shifting_ids_changes_the_ids_only) {
  filled_batch f({"", "a", "bcd"}, 1);
  batch_shift_ids(f.b, 0x100000000);
  wire::reader r = wire::reader_of({f.b.frame + 8, f.b.frame_bytes - 8});
  wire::publish frame;
  ASSERT_TRUE(decode(r, frame));
  EXPECT_EQ(frame.publisher_id, 7);
  std::string text;
  wire::publish_entry entry;
  while (frame.entries.next(entry))
    text += std::to_string(entry.id) + "=" + text_of(entry.body) + " ";
  EXPECT_EQ(text, "4294967297= 4294967298=a 4294967299=bcd ");
  EXPECT_EQ(f.b.first_id, 1u);
}

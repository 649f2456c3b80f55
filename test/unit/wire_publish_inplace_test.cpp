// The helpers that build a Publish frame in place write what encode() does.
#include <gtest/gtest.h>

#include "wire/publish.h"
#include "wire_frames.h"

using namespace rstream;
using namespace rstream::test;
using rstream::wire::publish_entry;

namespace {

uint8_t *copy(uint8_t *p, wire::bytes body) {
  std::memcpy(p, body.data(), body.size());
  return p + body.size();
}

std::string finished(exact_buffer &buffer, uint8_t *end, uint8_t publisher_id,
                     uint16_t version, uint32_t count) {
  EXPECT_EQ(end, buffer.data.get() + buffer.size);
  wire::write_publish_header(buffer.data.get(), publisher_id, version,
                             static_cast<uint32_t>(buffer.size), count);
  return to_hex(buffer.span());
}

}  // namespace

TEST(wire_publish_inplace, simple_entries) {
  publish_entry items[] = {{.id = 5, .body = bytes_of("hi")},
                           {.id = 6, .body = bytes_of("there")}};
  exact_buffer buffer(wire::publish_header_bytes + 2 * wire::publish_entry_overhead + 7);
  uint8_t *p = buffer.data.get() + wire::publish_header_bytes;
  p = copy(wire::write_entry_header(p, 5, 2), items[0].body);
  p = copy(wire::write_entry_header(p, 6, 5), items[1].body);
  EXPECT_EQ(finished(buffer, p, 3, 1, 2), to_hex(encoded(wire::publish{3, 1, {items}})));
}

TEST(wire_publish_inplace, filtered_entries) {
  publish_entry items[] = {{.id = 5, .filter = "emea", .body = bytes_of("hi")},
                           {.id = 6, .body = bytes_of("there")}};
  exact_buffer buffer(wire::publish_header_bytes +
                      2 * wire::publish_filtered_entry_overhead + 4 + 7);
  uint8_t *p = buffer.data.get() + wire::publish_header_bytes;
  p = copy(wire::write_filtered_entry_header(p, 5, "emea", 2), items[0].body);
  p = copy(wire::write_filtered_entry_header(p, 6, {}, 5), items[1].body);
  EXPECT_EQ(finished(buffer, p, 3, 2, 2), to_hex(encoded(wire::publish{3, 2, {items}})));
}

TEST(wire_publish_inplace, sub_batches) {
  publish_entry items[] = {{.id = 9,
                            .body = bytes_of("compressed"),
                            .is_sub_batch = true,
                            .compression = 1,
                            .record_count = 300,
                            .uncompressed_bytes = 70000}};
  exact_buffer buffer(wire::publish_header_bytes + wire::publish_sub_batch_overhead + 10);
  uint8_t *p = buffer.data.get() + wire::publish_header_bytes;
  p = copy(wire::write_sub_batch_header(p, 9, 1, 300, 70000, 10), items[0].body);
  EXPECT_EQ(finished(buffer, p, 3, 1, 1), to_hex(encoded(wire::publish{3, 1, {items}})));
}

TEST(wire_publish_inplace, the_publisher_id_can_be_patched) {
  publish_entry items[] = {{.id = 5, .body = bytes_of("hi")}};
  byte_vector frame = encoded(wire::publish{3, 1, {items}});
  wire::patch_publisher_id(frame.data(), 200);
  EXPECT_EQ(to_hex(frame), to_hex(encoded(wire::publish{200, 1, {items}})));
}

#include "codec/chunk.h"

#include <gtest/gtest.h>

#include "chunk_builder.h"
#include "chunk_walk.h"

using namespace rstream;
using namespace rstream::test;

namespace {

// Two messages and a sub-entry of three.
const char example_hex[] =
    "5000000300000005 0000018bcfe56800 0000000000000001 0000000000000064"
    "7a867328 0000002d 00000000 00000000"
    "00000002 6869 00000006 73747265616d"
    "80 0003 00000012 00000012 00000001 61 00000002 6262 00000003 636363";

const std::string example_walk = "100=hi 101=stream 102=a 103=bb 104=ccc";

constexpr const char counts_gap[] = "the chunk's counts do not match its content";

}  // namespace

TEST(chunk, reads_the_protocols_example) {
  byte_vector bytes = from_hex(example_hex);
  chunk_header h;
  wire::bytes entries;
  ASSERT_TRUE(chunk_parse(bytes, h, entries));
  EXPECT_EQ(h.type, chunk_type_user);
  EXPECT_EQ(h.entry_count, 3);
  EXPECT_EQ(h.record_count, 5u);
  EXPECT_EQ(h.timestamp_ms, 1700000000000);
  EXPECT_EQ(h.epoch, 1u);
  EXPECT_EQ(h.first_offset, 100u);
  EXPECT_EQ(h.crc, 0x7a867328u);
  EXPECT_EQ(h.data_bytes, 45u);
  EXPECT_TRUE(chunk_crc_matches(h, entries));
  EXPECT_EQ(walk(bytes), example_walk);
}

TEST(chunk, the_builder_makes_the_same_bytes) {
  chunk_builder b;
  b.message("hi").message("stream").sub_entry({"a", "bb", "ccc"});
  byte_vector built = b.build();
  EXPECT_EQ(to_hex(built).substr(0, 80), to_hex(from_hex(example_hex)).substr(0, 80));
  EXPECT_EQ(walk(built), example_walk);
}

TEST(chunk, a_wrong_crc_is_noticed_for_every_bit) {
  byte_vector bytes = from_hex(example_hex);
  chunk_header h;
  wire::bytes entries;
  for (size_t bit = 48 * 8; bit < bytes.size() * 8; bit++) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    ASSERT_TRUE(chunk_parse(bytes, h, entries));
    ASSERT_FALSE(chunk_crc_matches(h, entries)) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST(chunk, an_empty_one_ends_at_once) { EXPECT_EQ(walk(chunk_builder()), ""); }

TEST(chunk, messages_may_be_empty) {
  EXPECT_EQ(walk(chunk_builder().message("").message("x").message("")),
            "100= 101=x 102=");
}

TEST(chunk, simple_and_sub_entries_may_be_mixed) {
  chunk_builder b;
  b.sub_entry({"a"}).message("b").sub_entry({"c", "d"}).sub_entry({"e"}).message("f");
  EXPECT_EQ(walk(b), "100=a 101=b 102=c 103=d 104=e 105=f");
}

TEST(chunk, an_empty_sub_entry_is_passed_over) {
  EXPECT_EQ(walk(chunk_builder().message("a").sub_entry({}).message("b")), "100=a 101=b");
  EXPECT_EQ(walk(chunk_builder().message("a").sub_entry({}).sub_entry({})), "100=a");
  EXPECT_EQ(walk(chunk_builder().sub_entry({})), "");
}

TEST(chunk, as_many_empty_sub_entries_as_can_be_do_not_recurse) {
  chunk_builder b;
  for (int i = 0; i < 65534; i++) b.sub_entry({});
  b.message("last");
  EXPECT_EQ(walk(b), "100=last");
}

TEST(chunk, a_compressed_entry_is_passed_over_by_whoever_can_not_read_it) {
  for (uint8_t compression = 1; compression <= 7; compression++) {
    chunk_builder b;
    b.message("a").sub_entry_raw(compression, 20, "whatever").message("b");
    EXPECT_EQ(walk(b), "100=a [101+20 the sub-entry is compressed] 121=b");
  }
}

TEST(chunk, a_compressed_entry_is_entered_by_whoever_can_read_it) {
  chunk_builder inner;
  inner.message("x").message("").message("yz");
  for (int records : {2, 3, 4}) {
    chunk_builder b;
    b.message("a").sub_entry_raw(3, static_cast<uint32_t>(records), "packed", 15);
    b.message("b");
    byte_vector bytes = b.build();
    chunk_header h;
    wire::bytes entries;
    ASSERT_TRUE(chunk_parse(bytes, h, entries));
    chunk_cursor c = chunk_cursor_of(h, entries);
    std::string text;
    chunk_record record;
    chunk_gap gap;
    for (chunk_step s; (s = chunk_next(c, record, gap)) != chunk_step::end;) {
      if (s == chunk_step::packed) {
        sub_entry_header header = load_sub_entry(gap.bytes.data());
        EXPECT_EQ(header.compression, 3);
        EXPECT_EQ(header.record_count, records);
        EXPECT_EQ(header.uncompressed_bytes, 15u);
        EXPECT_EQ(header.data_bytes, 6u);
        EXPECT_EQ(text_of(gap.bytes.subspan(sub_entry_header_bytes)), "packed");
        chunk_enter(c, gap, inner.entries);
      } else if (s == chunk_step::record) {
        text += std::to_string(record.offset) + '=' +
                text_of({record.data, record.size}) + ' ';
      } else {
        text += std::to_string(gap.first_offset) + '+' +
                std::to_string(gap.record_count) + ' ';
      }
    }
    EXPECT_EQ(text, records == 2   ? "100=a 101=x 102= 103=b "
                    : records == 3 ? "100=a 101=x 102= 103=yz 104=b "
                                   : "100=a 101=x 102= 103=yz 104+1 105=b ");
  }
}

TEST(chunk, a_gap_carries_the_entry_as_it_came) {
  chunk_builder b;
  b.sub_entry_raw(1, 2, "zipped");
  byte_vector bytes = b.build();
  chunk_header h;
  wire::bytes entries;
  ASSERT_TRUE(chunk_parse(bytes, h, entries));
  chunk_cursor c = chunk_cursor_of(h, entries);
  chunk_record record;
  chunk_gap gap;
  ASSERT_EQ(chunk_next(c, record, gap), chunk_step::packed);
  EXPECT_EQ(to_hex(gap.bytes), to_hex(b.entries));
}

TEST(chunk, header_sizes_of_trailer_and_bloom_filter_are_not_on_the_wire) {
  byte_vector bytes = from_hex(example_hex);
  wire::store_u32be(bytes.data() + 40, 0xffffffff);
  bytes[44] = 255;
  EXPECT_EQ(walk(bytes), example_walk);
}

TEST(chunk, bytes_behind_the_data_are_not_looked_at) {
  byte_vector bytes = from_hex(example_hex);
  bytes.insert(bytes.end(), 40, 0xff);
  EXPECT_EQ(walk(bytes), example_walk);
}

// ---- what a broken peer sends

TEST(chunk_damaged, cut_short_at_every_byte_it_is_malformed) {
  byte_vector bytes = from_hex(example_hex);
  for (size_t n = 0; n < bytes.size(); n++) {
    EXPECT_EQ(walk(std::span(bytes).subspan(0, n)), "malformed") << n << " bytes";
  }
}

TEST(chunk_damaged, entries_cut_short_at_every_byte_end_in_a_gap) {
  chunk_builder whole;
  whole.message("hi").message("stream").sub_entry({"a", "bb", "ccc"});
  for (size_t n = 0; n < whole.entries.size(); n++) {
    chunk_builder cut = whole;
    cut.entries.resize(n);
    std::string text = walk(cut);
    EXPECT_EQ(text.back(), ']') << n << " bytes: " << text;
  }
}

TEST(chunk_damaged, another_magic_or_version_is_malformed) {
  byte_vector bytes = from_hex(example_hex);
  for (int first : {0x00, 0x40, 0x51, 0x5f, 0xd0}) {
    bytes[0] = static_cast<uint8_t>(first);
    EXPECT_EQ(walk(bytes), "malformed") << first;
  }
}

TEST(chunk_damaged, a_data_length_beyond_the_frame_is_malformed) {
  for (int64_t more : {1ll, 1000ll, 0x7fffffd2ll, 0xffffffd2ll}) {
    chunk_builder b;
    b.message("hi");
    b.data_bytes_change = more;
    EXPECT_EQ(walk(b), "malformed") << more;
  }
}

TEST(chunk_damaged, offsets_must_not_wrap_around) {
  chunk_builder b;
  b.message("a").message("b");
  b.first_offset = UINT64_MAX - 1;
  EXPECT_EQ(walk(b), "malformed");
  b.first_offset = UINT64_MAX - 2;
  EXPECT_EQ(walk(b), "18446744073709551613=a 18446744073709551614=b");
}

TEST(chunk_damaged, more_records_promised_than_there_are_is_a_gap) {
  chunk_builder b;
  b.message("a").message("b");
  b.record_count = 5;
  EXPECT_EQ(walk(b), std::string("100=a 101=b [102+3 ") + counts_gap + "]");
  b.record_count = UINT32_MAX;
  EXPECT_EQ(walk(b), std::string("100=a 101=b [102+4294967293 ") + counts_gap + "]");
}

TEST(chunk_damaged, never_more_records_than_promised) {
  chunk_builder b;
  b.message("a").message("b").message("c");
  b.record_count = 2;
  EXPECT_EQ(walk(b), std::string("100=a 101=b [102+0 ") + counts_gap + "]");
  b.record_count = 0;
  EXPECT_EQ(walk(b), std::string("[100+0 ") + counts_gap + "]");
}

TEST(chunk_damaged, fewer_entries_counted_than_there_are) {
  chunk_builder b;
  b.message("a").message("b").message("c");
  b.entry_count = 2;
  EXPECT_EQ(walk(b), std::string("100=a 101=b [102+1 ") + counts_gap + "]");
}

TEST(chunk_damaged, more_entries_counted_than_there_are) {
  chunk_builder b;
  b.message("a").message("b");
  b.entry_count = 9;
  EXPECT_EQ(walk(b), std::string("100=a 101=b [102+0 ") + counts_gap + "]");
}

TEST(chunk_damaged, a_message_past_the_data_is_a_gap) {
  for (uint32_t size : {9u, 100u, 0x7fffffffu}) {
    chunk_builder b;
    b.message("a").message("xyz").message("c");
    wire::store_u32be(b.entries.data() + 5, size);
    EXPECT_EQ(walk(b), "100=a [101+2 a message reaches past its chunk]") << size;
  }
}

TEST(chunk_damaged, a_negative_size_is_taken_for_a_sub_entry_and_found_too_long) {
  chunk_builder b;
  b.message("a").message("some more text here").message("c");
  wire::store_u32be(b.entries.data() + 5, 0xffffffff);
  std::string text = walk(b);
  EXPECT_EQ(text, "100=a [101+2 a sub-entry reaches past its chunk]");
}

TEST(chunk_damaged, a_sub_entry_past_the_data_is_a_gap) {
  for (uint32_t size : {7u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    chunk_builder b;
    b.message("a").sub_entry({"b"});
    wire::store_u32be(b.entries.data() + 5 + 7, size);
    EXPECT_EQ(walk(b), "100=a [101+1 a sub-entry reaches past its chunk]") << size;
  }
}

TEST(chunk_damaged, a_sub_entry_with_more_records_than_the_chunk_is_a_gap) {
  chunk_builder b;
  b.message("a").sub_entry({"b", "c"}).message("d");
  b.record_count = 2;
  EXPECT_EQ(walk(b),
            "100=a [101+1 the sub-entries hold more messages than the chunk says]");
}

TEST(chunk_damaged, a_sub_entry_with_fewer_messages_than_it_says_is_a_gap) {
  chunk_builder b;
  b.sub_entry({"a", "b"}).message("c");
  wire::store_u16be(b.entries.data() + 1, 4);
  b.record_count = 5;
  EXPECT_EQ(walk(b), "100=a 101=b [102+2 the sub-entry is shorter than it says] 104=c");
}

TEST(chunk_damaged, a_length_past_the_end_of_its_sub_entry_is_a_gap) {
  for (uint32_t size : {2u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    chunk_builder b;
    b.sub_entry({"a", "b"}).message("c");
    wire::store_u32be(b.entries.data() + 11 + 5, size);
    EXPECT_EQ(walk(b), "100=a [101+1 the sub-entry is shorter than it says] 102=c")
        << size;
  }
}

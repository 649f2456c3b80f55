// Snappy's framing format: vectors made by python-snappy, and by hand after the format's
// description.
#include "codec/crc32c.h"
#include "compression_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint8_t snappy = RSTREAM_COMPRESSION_SNAPPY;

const std::string identifier = "ff060000 734e61507059 ";

// python-snappy stores what does not get smaller.
const byte_vector of_python_stored = from_hex(
    identifier + "011a0000 0c0f8bba 0000000568656c6c6f00000005776f726c6400000000");
// 20 times "abcdefghij".
const std::string alphabet_chunk =
    "001a0000 abb25c59 c801246162636465666768696afe0a00fe0a00f60a00";
const byte_vector of_python_compressed = from_hex(identifier + alphabet_chunk);

const std::string alphabets = repeated("abcdefghij", 20);

// A chunk of type 1, made here.
std::string stored_chunk(std::string_view text, uint32_t crc_change = 0) {
  uint32_t crc = crc32c_of(bytes_of(text));
  crc = ((crc >> 15 | crc << 17) + 0xa282ead8) ^ crc_change;
  size_t size = text.size() + 4;
  byte_vector chunk = {1, static_cast<uint8_t>(size), static_cast<uint8_t>(size >> 8),
                       static_cast<uint8_t>(size >> 16)};
  for (int i = 0; i < 4; i++) chunk.push_back(static_cast<uint8_t>(crc >> 8 * i));
  return to_hex(chunk) + to_hex(bytes_of(text));
}

struct compression_snappy : vectors_test<snappy> {
  std::string unpack_hex(const std::string &hex, size_t size) {
    return unpack(from_hex(hex), size);
  }
};

}  // namespace

TEST_F(compression_snappy, reads_what_others_wrote) {
  EXPECT_EQ(unpack(of_python_stored, 22), three_records);
  EXPECT_EQ(unpack(of_python_compressed, 200), alphabets);
}

TEST_F(compression_snappy, chunks_follow_each_other_stored_or_not) {
  std::string three = identifier + alphabet_chunk + stored_chunk("xyz") + alphabet_chunk;
  EXPECT_EQ(unpack_hex(three, 403), alphabets + "xyz" + alphabets);
  EXPECT_EQ(unpack_hex(identifier + stored_chunk("") + stored_chunk("a"), 1), "a");
}

TEST_F(compression_snappy, the_identifier_comes_first_and_may_come_again) {
  EXPECT_EQ(unpack_hex(identifier + identifier + alphabet_chunk + identifier, 200),
            alphabets);
  EXPECT_EQ(unpack_hex(alphabet_chunk, 200), "damaged");
  EXPECT_EQ(unpack_hex(alphabet_chunk + identifier, 200), "damaged");
  EXPECT_EQ(unpack_hex("ff060000 734e61507058" + alphabet_chunk, 200), "damaged");
  EXPECT_EQ(unpack_hex("ff050000 734e615070" + alphabet_chunk, 200), "damaged");
  EXPECT_EQ(unpack_hex("ff070000 734e6150705959" + alphabet_chunk, 200), "damaged");
}

TEST_F(compression_snappy, unknown_chunks_are_passed_over_or_not_by_their_type) {
  for (int type = 2; type < 0xff; type++) {
    byte_vector unknown = {static_cast<uint8_t>(type), 3, 0, 0, 'a', 'b', 'c'};
    std::string hex = identifier + to_hex(unknown) + alphabet_chunk;
    EXPECT_EQ(unpack_hex(hex, 200), type < 0x80 ? "damaged" : alphabets) << type;
  }
}

TEST_F(compression_snappy, a_wrong_crc_is_damage) {
  for (uint32_t bit = 0; bit < 32; bit++) {
    EXPECT_EQ(unpack_hex(identifier + stored_chunk("abc", 1u << bit), 3), "damaged");
    byte_vector wrong = of_python_compressed;
    wrong[14 + bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(unpack(wrong, 200), "damaged");
  }
}

TEST_F(compression_snappy, every_wrong_bit_is_noticed) {
  for (size_t bit = 0; bit < of_python_compressed.size() * 8; bit++) {
    byte_vector wrong = of_python_compressed;
    wrong[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(unpack(wrong, 200), alphabets) << bit;
  }
}

// Behind a whole chunk there is nothing to tell that another one was to follow.
TEST_F(compression_snappy, cut_short_at_every_byte_it_is_damaged) {
  for (size_t n = 0; n < of_python_compressed.size(); n++) {
    EXPECT_EQ(unpack(std::span(of_python_compressed).first(n), 200),
              n == 10 ? "wrong size" : "damaged")
        << n;
  }
}

TEST_F(compression_snappy, a_chunk_becomes_at_most_64_kib) {
  std::string most(65536, 'x');
  EXPECT_EQ(unpack_hex(identifier + stored_chunk(most), 65536), most);
  std::string more(65537, 'x');
  EXPECT_EQ(unpack_hex(identifier + stored_chunk(more), 65537), "damaged");
  // A block that says it becomes 2 GiB, and one whose length has no end.
  EXPECT_EQ(unpack_hex(identifier + "000a0000 00000000 ffffffff0700", 100), "damaged");
  EXPECT_EQ(unpack_hex(identifier + "000a0000 00000000 ffffffffffff", 100), "damaged");
}

TEST_F(compression_snappy, lengths_past_the_end_are_damage) {
  for (const char *chunk : {"00ffffff 00000000 00", "01ffffff 00000000 00",
                            "feffffff 00000000 00", "00030000 000000", "01030000 000000"})
    EXPECT_EQ(unpack_hex(identifier + chunk, 1), "damaged") << chunk;
}

TEST_F(compression_snappy, writes_what_others_write) {
  EXPECT_EQ(pack(snappy, alphabets), of_python_compressed);
  EXPECT_EQ(pack(snappy, three_records), of_python_stored);
}

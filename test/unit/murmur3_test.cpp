// Vectors from an independent implementation (the Python package mmh3). Scenario 84.
#include "util/murmur3.h"

#include <gtest/gtest.h>

#include <string>

#include "client/routing.h"
#include "hex.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct vector_of_key {
  std::string key;
  uint32_t hash;          // of the UTF-8
  const char *python;     // the digest of the UTF-16 with its mark
  uint32_t partition[5];  // of 2, 3, 7, 256, 1000 by hash
  uint32_t compat[5];     // the same by the digest
};

constexpr uint32_t counts[] = {2, 3, 7, 256, 1000};

const vector_of_key vectors[] = {
    {"",
     0xc6757d56,
     "5c6a5c5ec108c2c7f93b6487bb9d96b4",
     {0, 1, 3, 86, 566},
     {0, 2, 5, 92, 740}},
    {"a",
     0x40c5855a,
     "630518b8e42bfb9c4af83a144f7031ab",
     {0, 1, 2, 90, 554},
     {1, 1, 6, 99, 571}},
    {"ab",
     0x17c238a8,
     "c377bd7df797a004a6b8cf235b9e9ea5",
     {0, 0, 5, 168, 456},
     {1, 2, 1, 195, 979}},
    {"abc",
     0xcb3be711,
     "3815787c02fb2f97a1df94b37760e3f4",
     {1, 0, 2, 17, 625},
     {0, 0, 0, 56, 384}},
    {"hello",
     0x4ec83379,
     "a9ccd7ed549dc477dfee97f0ad100f63",
     {1, 0, 5, 121, 225},
     {1, 1, 5, 169, 361}},
    {"hello1",
     0x10f9983a,
     "77ac68b7e687177fa49efc2dfb9ff2bb",
     {0, 1, 4, 58, 890},
     {1, 1, 6, 119, 911}},
    {"hello2",
     0xc071bd04,
     "da46a1fba292c0fe7ede02be81cf191b",
     {0, 0, 2, 4, 428},
     {0, 0, 5, 218, 322}},
    {"key_0",
     0x7b225822,
     "b176113e2f813e9f2d73d05dfbb0f7b4",
     {0, 0, 3, 34, 354},
     {1, 1, 2, 177, 521}},
    {"key_1",
     0x708cb116,
     "b8cdae242b412ea12537368c0ff87031",
     {0, 1, 2, 22, 566},
     {0, 1, 1, 184, 144}},
    {"key_42",
     0x4fb606cc,
     "f54430b44df50f528fa0ba8c68e70dae",
     {0, 0, 6, 204, 356},
     {1, 2, 5, 245, 901}},
    {"amer",
     0x7663e770,
     "e12add9363be4c8c42365bcd475e570a",
     {0, 2, 1, 112, 800},
     {1, 0, 2, 225, 33}},
    {"user-0001",
     0x628e6e36,
     "f4e5158438a704485c784872339bd2b4",
     {0, 2, 1, 54, 494},
     {0, 2, 5, 244, 524}},
    {"\u00e9",
     0xae3193d2,
     "b907beb30d08908722c0398e3dcf9b17",
     {0, 1, 6, 210, 690},
     {1, 1, 4, 185, 857}},
    {"\u65e5\u672c",
     0x84edd0f0,
     "ca58b2b1b7d8fd8f00b0691c59f86b55",
     {0, 1, 5, 240, 32},
     {0, 1, 5, 202, 618}},
    {"\U0001d11e clef",
     0x0223738e,
     "4db1cfe7e3af37bb8da2399d9cf804e7",
     {0, 0, 2, 142, 774},
     {1, 2, 5, 77, 597}},
    {"The quick brown fox jumps over the lazy dog",
     0x89a2e4e6,
     "1a0ed2f834950e8efccb66bd8addedc8",
     {0, 1, 0, 230, 22},
     {0, 0, 1, 26, 762}},
};

remainder_of modulo(uint32_t n) {
  remainder_of r;
  r.set(n);
  return r;
}

std::string numbered(int i) { return "key-" + std::to_string(i); }

}  // namespace

TEST(scenario_84, keys_hash_as_in_every_other_client) {
  for (const vector_of_key &v : vectors) {
    EXPECT_EQ(murmur3_32(v.key.data(), v.key.size(), routing_seed), v.hash) << v.key;
    for (int i = 0; i < 5; i++)
      EXPECT_EQ(route_by_hash(v.key, modulo(counts[i])), v.partition[i]) << v.key;
    EXPECT_EQ(route_by_hash(v.key, modulo(1)), 0u);
  }
}

// The sums stand for ten thousand vectors of their own.
TEST(scenario_84, ten_thousand_keys_go_to_the_partitions_they_should) {
  const std::pair<uint32_t, uint32_t> sums[] = {
      {1, 0}, {3, 692027702}, {256, 4281934032}};
  for (auto [count, expected] : sums) {
    uint32_t sum = 0;
    for (int i = 0; i < 10000; i++)
      sum = sum * 31 + route_by_hash(numbered(i), modulo(count));
    EXPECT_EQ(sum, expected) << count;
  }
  uint32_t sum = 0;
  for (int i = 0; i < 10000; i++) {
    std::string key = numbered(i);
    sum = sum * 31 + murmur3_32(key.data(), key.size(), routing_seed);
  }
  EXPECT_EQ(sum, 4158349520u);
}

TEST(scenario_84, the_remainder_is_that_of_a_division) {
  for (uint32_t n :
       {1u, 2u, 3u, 7u, 10u, 255u, 256u, 257u, 999u, 1000u, 4095u, 65535u, 65536u}) {
    remainder_of r = modulo(n);
    for (uint64_t at = 0; at <= UINT32_MAX; at += 12289) {
      auto value = static_cast<uint32_t>(at);
      ASSERT_EQ(r(value), value % n) << value << " % " << n;
    }
    for (uint32_t value : {0u, 1u, n - 1, n, n + 1, 0x7fffffffu, 0x80000000u, UINT32_MAX})
      ASSERT_EQ(r(value), value % n) << value << " % " << n;
    uint32_t largest = UINT32_MAX - UINT32_MAX % n;
    ASSERT_EQ(r(largest), 0u);
    ASSERT_EQ(r(largest - 1), (largest - 1) % n);
  }
}

TEST(python_routing, keys_hash_as_in_the_python_client) {
  for (const vector_of_key &v : vectors) {
    for (int i = 0; i < 5; i++) {
      uint32_t partition = UINT32_MAX;
      EXPECT_TRUE(route_by_python_hash(v.key, counts[i], partition));
      EXPECT_EQ(partition, v.compat[i]) << v.key << " of " << counts[i];
    }
  }
  uint32_t sum = 0;
  for (int i = 0; i < 10000; i++) {
    uint32_t partition = 0;
    EXPECT_TRUE(route_by_python_hash(numbered(i), 1000, partition));
    sum = sum * 31 + partition;
  }
  EXPECT_EQ(sum, 3307539452u);
}

TEST(python_routing, digests_of_every_length_of_the_last_block) {
  for (const vector_of_key &v : vectors) {
    if (v.key.size() > 100 || v.key.find_first_of("\xc3\xe6\xf0") != v.key.npos) continue;
    murmur3_x64 hash(routing_seed);
    hash.add(0xff);
    hash.add(0xfe);
    for (char c : v.key) {
      hash.add(static_cast<uint8_t>(c));
      hash.add(0);
    }
    murmur3_128 digest = hash.finish();
    byte_vector expected = from_hex(v.python);
    EXPECT_EQ(digest.low, murmur3_load<uint64_t>(expected.data())) << v.key;
    EXPECT_EQ(digest.high, murmur3_load<uint64_t>(expected.data() + 8)) << v.key;
  }
}

TEST(python_routing, what_is_no_utf_8_has_no_partition) {
  for (std::string_view key :
       {"\x80", "\xc0\x80", "\xc3", "\xe6\x97", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "a\xff", "\xc3\x28",
        "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"}) {
    uint32_t partition = 7;
    EXPECT_FALSE(route_by_python_hash(key, 3, partition)) << key;
    EXPECT_EQ(partition, 7u);
  }
}

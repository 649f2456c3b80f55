#include "client/key_memo.h"

#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <vector>

#include "counting_memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct key_memo_test : testing::Test {
  counting_memory counted;
  memory mem{counted.functions()};
  key_memo memo;
  char places[4];

  ~key_memo_test() override { memo_release(memo, mem); }

  // Producers are only told apart.
  rstream_producer *link(size_t i) {
    return reinterpret_cast<rstream_producer *>(places + i % std::size(places));
  }
  void add(const std::string &key, rstream_producer *to, bool may_rest = false) {
    if (memo_takes(memo, key)) memo_add(memo, mem, key, to, may_rest);
  }
  rstream_producer *search(const std::string &key) { return memo_search(memo, key); }
  // In the key's own slot.
  rstream_producer *find(const std::string &key) {
    if (key.empty() || key.size() > 16) return nullptr;
    key_number k =
        key_is_short(key.size()) ? short_key_number(key) : medium_key_number(key);
    const key_slot *slot = memo_find(memo, k, key.size());
    return slot ? slot->link : nullptr;
  }
};

}  // namespace

TEST_F(key_memo_test, of_every_length) {
  std::vector<std::string> keys;
  for (size_t n = 0; n <= 17; n++) keys.push_back(std::string("abcdefghijklmnopq", n));
  for (size_t i = 0; i < keys.size(); i++) add(keys[i], link(i));
  for (size_t i = 0; i < keys.size(); i++) {
    bool takes = i >= 1 && i <= 16;
    EXPECT_EQ(search(keys[i]), takes ? link(i) : nullptr) << keys[i];
    rstream_producer *own = find(keys[i]);
    EXPECT_TRUE(own == nullptr || own == link(i)) << keys[i];
  }
}

// Each differs from the other in one byte, or in its length alone.
TEST_F(key_memo_test, keys_that_are_nearly_the_same) {
  for (size_t n = 1; n <= 16; n++) {
    std::string zeros(n, '\0');
    add(zeros, link(0));
    EXPECT_EQ(search(zeros), link(0)) << n;
    for (size_t i = 0; i < n; i++) {
      std::string other = zeros;
      other[i] = 1;
      EXPECT_EQ(search(other), nullptr) << n << " " << i;
      EXPECT_EQ(find(other), nullptr) << n << " " << i;
    }
    for (size_t m = 1; m <= 16; m++) {
      if (m != n) EXPECT_EQ(search(std::string(m, '\0')), nullptr) << n << " " << m;
    }
    memo_clear(memo);
    EXPECT_EQ(search(zeros), nullptr) << n;
  }
}

TEST_F(key_memo_test, a_thousand_keys_are_in_their_own_slots) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; i++) keys.push_back("key-" + std::to_string(i));
  for (int round = 0; round < 8; round++) {
    for (size_t i = 0; i < keys.size(); i++) {
      if (!search(keys[i])) add(keys[i], link(i));
    }
  }
  size_t own = 0;
  for (size_t i = 0; i < keys.size(); i++) {
    ASSERT_EQ(search(keys[i]), link(i)) << keys[i];
    if (find(keys[i])) own++;
  }
  EXPECT_GT(own, keys.size() * 9 / 10);
}

TEST_F(key_memo_test, what_is_hidden_is_not_found) {
  add("a", link(1));
  EXPECT_EQ(find("a"), link(1));
  memo_hide(memo);
  EXPECT_EQ(find("a"), nullptr);
  EXPECT_EQ(search("a"), link(1));
  memo_show(memo);
  EXPECT_EQ(find("a"), link(1));
}

TEST_F(key_memo_test, clearing_forgets_everything) {
  for (int i = 0; i < 2000; i++) add("key-" + std::to_string(i), link(0));
  memo_clear(memo);
  for (int i = 0; i < 2000; i++)
    EXPECT_EQ(search("key-" + std::to_string(i)), nullptr) << i;
  add("key-1", link(2));
  EXPECT_EQ(find("key-1"), link(2));
}

TEST_F(key_memo_test, very_many_keys_take_no_more_memory) {
  for (int i = 0; i < 100000; i++) add("key-" + std::to_string(i), link(0));
  EXPECT_LE(mem.bytes_held, 140u << 10);
  EXPECT_EQ(search("key-99999"), link(0));
}

TEST_F(key_memo_test, with_too_many_keys_it_rests_until_it_is_cleared) {
  for (int i = 0; i < 100000; i++) add("key-" + std::to_string(i), link(0), true);
  EXPECT_EQ(mem.bytes_held, 0u);
  EXPECT_FALSE(memo_takes(memo, "key-1"));
  EXPECT_EQ(find("key-1"), nullptr);
  EXPECT_EQ(search("key-1"), nullptr);
  memo_clear(memo);
  add("key-1", link(1), true);
  EXPECT_EQ(find("key-1"), link(1));
}

TEST_F(key_memo_test, without_memory_nothing_is_remembered) {
  counted.calls_left = 0;
  add("a", link(1));
  EXPECT_EQ(search("a"), nullptr);
  counted.calls_left = SIZE_MAX;
  add("a", link(1));
  EXPECT_EQ(search("a"), link(1));
}

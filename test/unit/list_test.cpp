#include "util/list.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

using namespace rstream;

namespace {

struct item {
  char name;
  list_node node;
  explicit item(char n) : name(n) {}
};

std::string names(const list &head) {
  std::string text;
  for (list_node *n = head.next; n != &head; n = n->next)
    text += RSTREAM_OWNER(n, item, node)->name;
  std::string back;
  for (list_node *n = head.prev; n != &head; n = n->prev)
    back += RSTREAM_OWNER(n, item, node)->name;
  EXPECT_EQ(std::string(back.rbegin(), back.rend()), text);
  return text;
}

struct list_test : testing::Test {
  list head, other;
  item a{'a'}, b{'b'}, c{'c'}, d{'d'};
};

}  // namespace

TEST_F(list_test, a_new_list_is_empty) {
  EXPECT_TRUE(list_empty(head));
  EXPECT_EQ(list_pop_front(head), nullptr);
  EXPECT_FALSE(list_linked(a.node));
}

TEST_F(list_test, keeps_order_at_both_ends) {
  list_push_back(head, b.node);
  list_push_back(head, c.node);
  list_push_front(head, a.node);
  EXPECT_EQ(names(head), "abc");
  EXPECT_TRUE(list_linked(b.node));
}

TEST_F(list_test, inserts_before_a_node) {
  list_push_back(head, a.node);
  list_push_back(head, c.node);
  list_insert_before(c.node, b.node);
  EXPECT_EQ(names(head), "abc");
}

TEST_F(list_test, removing_twice_is_harmless) {
  list_push_back(head, a.node);
  list_push_back(head, b.node);
  list_remove(a.node);
  list_remove(a.node);
  EXPECT_FALSE(list_linked(a.node));
  EXPECT_EQ(names(head), "b");
  list_push_back(head, a.node);
  EXPECT_EQ(names(head), "ba");
}

TEST_F(list_test, pops_from_the_front) {
  list_push_back(head, a.node);
  list_push_back(head, b.node);
  EXPECT_EQ(list_pop_front(head), &a.node);
  EXPECT_EQ(list_pop_front(head), &b.node);
  EXPECT_EQ(list_pop_front(head), nullptr);
}

TEST_F(list_test, takes_all_behind_what_is_there) {
  list_push_back(head, a.node);
  list_push_back(other, b.node);
  list_push_back(other, c.node);
  list_take_all(head, other);
  EXPECT_EQ(names(head), "abc");
  EXPECT_TRUE(list_empty(other));
  list_push_back(other, d.node);
  EXPECT_EQ(names(other), "d");
}

TEST_F(list_test, taking_from_an_empty_list_changes_nothing) {
  list_push_back(head, a.node);
  list_take_all(head, other);
  EXPECT_EQ(names(head), "a");
  EXPECT_EQ(names(other), "");
}

TEST_F(list_test, takes_all_into_an_empty_list) {
  list_push_back(other, a.node);
  list_take_all(head, other);
  EXPECT_EQ(names(head), "a");
  EXPECT_EQ(names(other), "");
}

#pragma once

#include <cstddef>

namespace rstream {

// An intrusive, circular, doubly linked list: the node lives in the thing that is listed.
// A node that is in no list points at itself, so removing it twice is harmless.
struct list_node {
  list_node *prev = this;
  list_node *next = this;

  list_node() = default;
  list_node(const list_node &) = delete;
  list_node &operator=(const list_node &) = delete;
};

// The head of a list is a node as well.
using list = list_node;

inline bool list_empty(const list &head) { return head.next == &head; }
inline bool list_linked(const list_node &node) { return node.next != &node; }

inline void list_insert_before(list_node &place, list_node &node) {
  node.prev = place.prev;
  node.next = &place;
  place.prev->next = &node;
  place.prev = &node;
}

inline void list_push_back(list &head, list_node &node) {
  list_insert_before(head, node);
}
inline void list_push_front(list &head, list_node &node) {
  list_insert_before(*head.next, node);
}

inline void list_remove(list_node &node) {
  node.prev->next = node.next;
  node.next->prev = node.prev;
  node.prev = node.next = &node;
}

// Moves all nodes of `from` behind those of `to`. Done before calling out over a list, so
// that callbacks may change the original.
inline void list_take_all(list &to, list &from) {
  if (list_empty(from)) return;
  from.next->prev = to.prev;
  from.prev->next = &to;
  to.prev->next = from.next;
  to.prev = from.prev;
  from.prev = from.next = &from;
}

inline list_node *list_pop_front(list &head) {
  if (list_empty(head)) return nullptr;
  list_node *node = head.next;
  list_remove(*node);
  return node;
}

}  // namespace rstream

// The thing a node, timer or task is a member of.
#define RSTREAM_OWNER(pointer, type, member) \
  (reinterpret_cast<type *>(reinterpret_cast<char *>(pointer) - offsetof(type, member)))

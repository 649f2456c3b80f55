#include "util/memory.h"

#include <cstdlib>
#include <cstring>

namespace rstream {

namespace {

// Keeps malloc's alignment for what follows it.
struct alignas(alignof(std::max_align_t)) block_header {
  size_t bytes;
};

void *default_allocate(size_t bytes, void *) { return malloc(bytes); }
void *default_resize(void *block, size_t bytes, void *) { return realloc(block, bytes); }
void default_release(void *block, void *) { free(block); }

block_header *header_of(void *block) { return static_cast<block_header *>(block) - 1; }

}  // namespace

memory_functions memory_functions_default() {
  return {default_allocate, default_resize, default_release, nullptr};
}

void *memory_allocate(memory &mem, size_t bytes) {
  if (bytes > SIZE_MAX - sizeof(block_header)) return nullptr;
  void *raw = mem.functions.allocate(sizeof(block_header) + bytes, mem.functions.user);
  if (!raw) return nullptr;
  auto *header = static_cast<block_header *>(raw);
  header->bytes = bytes;
  mem.bytes_held += bytes;
  mem.allocations++;
  return header + 1;
}

void *memory_resize(memory &mem, void *block, size_t bytes) {
  if (!block) return memory_allocate(mem, bytes);
  if (bytes > SIZE_MAX - sizeof(block_header)) return nullptr;
  size_t before = header_of(block)->bytes;
  void *raw = mem.functions.resize(header_of(block), sizeof(block_header) + bytes,
                                   mem.functions.user);
  if (!raw) return nullptr;
  auto *header = static_cast<block_header *>(raw);
  header->bytes = bytes;
  mem.bytes_held += bytes - before;
  mem.allocations++;
  return header + 1;
}

void memory_release(memory &mem, void *block) {
  if (!block) return;
  mem.bytes_held -= header_of(block)->bytes;
  mem.functions.release(header_of(block), mem.functions.user);
}

void memory_wipe(void *block, size_t bytes) {
  volatile auto *at = static_cast<volatile uint8_t *>(block);
  while (bytes--) *at++ = 0;
}

char *memory_copy_text(memory &mem, std::string_view text) {
  auto *copy = static_cast<char *>(memory_allocate(mem, text.size() + 1));
  if (!copy) return nullptr;
  if (!text.empty()) memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  return copy;
}

}  // namespace rstream

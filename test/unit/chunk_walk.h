// A chunk read to its end, as text.
#pragma once

#include <gtest/gtest.h>

#include "chunk_builder.h"
#include "codec/chunk.h"

namespace rstream::test {

// Adds what the cursor has: " offset=body", and " [offset+count reason]" for gaps.
// `next` is the offset that must come.
inline void walk_on(chunk_cursor cursor, uint64_t &next, std::string &text) {
  for (int steps = 0; steps < 200000; steps++) {
    chunk_record record;
    chunk_gap gap;
    chunk_step step = chunk_next(cursor, record, gap);
    if (step == chunk_step::end) return;
    if (step == chunk_step::record) {
      EXPECT_EQ(record.offset, next);
      next++;
      text +=
          ' ' + std::to_string(record.offset) + '=' + text_of({record.data, record.size});
    } else {
      EXPECT_EQ(gap.first_offset, next);
      next += gap.record_count;
      text += " [" + std::to_string(gap.first_offset) + '+' +
              std::to_string(gap.record_count) + ' ' + gap.reason + ']';
    }
  }
  text += " without end";
}

inline std::string walk(std::span<const uint8_t> bytes) {
  exact_buffer chunk(bytes);
  chunk_header header;
  wire::bytes entries;
  if (!chunk_parse(chunk.span(), header, entries)) return "malformed";
  std::string text;
  uint64_t next = header.first_offset;
  walk_on(chunk_cursor_of(header, entries), next, text);
  EXPECT_EQ(next, header.first_offset + header.record_count);
  return text.empty() ? text : text.substr(1);
}

inline std::string walk(const chunk_builder &b) { return walk(b.build()); }

}  // namespace rstream::test

// Chunks for tests, right or wrong on purpose.
#pragma once

#include <string>
#include <vector>

#include "codec/crc32.h"
#include "hex.h"
#include "wire/cursor.h"

namespace rstream::test {

struct chunk_builder {
  uint8_t type = 0;
  uint64_t first_offset = 100;
  int64_t timestamp_ms = 1700000000000;
  uint64_t epoch = 1;
  uint32_t entry_count = 0;
  uint32_t record_count = 0;
  byte_vector entries;
  uint32_t crc_change = 0;
  int64_t data_bytes_change = 0;

  void put(uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
      entries.push_back(static_cast<uint8_t>(value >> 8 * i));
  }
  void put(std::string_view text) {
    entries.insert(entries.end(), text.begin(), text.end());
  }

  chunk_builder &message(std::string_view body) {
    put(body.size(), 4);
    put(body);
    entry_count++;
    record_count++;
    return *this;
  }
  // `uncompressed`: the size it declares, if not that of the data.
  chunk_builder &sub_entry_raw(uint8_t compression, uint32_t records,
                               std::string_view data, int64_t uncompressed = -1) {
    put(uint64_t{0x80} | uint64_t{compression} << 4, 1);
    put(records, 2);
    put(uncompressed < 0 ? data.size() : static_cast<uint64_t>(uncompressed), 4);
    put(data.size(), 4);
    put(data);
    entry_count++;
    record_count += records;
    return *this;
  }
  chunk_builder &sub_entry(const std::vector<std::string> &bodies) {
    chunk_builder inner;
    for (const std::string &body : bodies) inner.message(body);
    return sub_entry_raw(0, static_cast<uint32_t>(bodies.size()), text_of(inner.entries));
  }

  byte_vector build() const {
    chunk_builder head;
    head.put(0x50, 1);
    head.put(type, 1);
    head.put(entry_count, 2);
    head.put(record_count, 4);
    head.put(static_cast<uint64_t>(timestamp_ms), 8);
    head.put(epoch, 8);
    head.put(first_offset, 8);
    head.put(crc32_of(entries) ^ crc_change, 4);
    head.put(entries.size() + static_cast<uint64_t>(data_bytes_change), 4);
    head.put(0x28, 4);  // trailer and Bloom filter are sizes on disk, not of what follows
    head.put(16 << 24, 4);
    byte_vector out = head.entries;
    out.insert(out.end(), entries.begin(), entries.end());
    return out;
  }
};

}  // namespace rstream::test

// Snappy's framing format around the blocks that its library packs and unpacks.
#include <snappy-c.h>

#include <cstring>

#include "codec/compression_format.h"
#include "codec/crc32c.h"
#include "rstream/error.h"

namespace rstream {

namespace {

// A frame is a row of chunks: type, length in three bytes (little-endian), content.
enum chunk_type : uint8_t {
  chunk_compressed = 0x00,  // CRC-32C of what it becomes, masked; a block
  chunk_raw = 0x01,         // the same, not compressed
  chunk_first_skippable = 0x80,
  chunk_identifier = 0xff  // starts a stream
};
constexpr size_t chunk_header_size = 4;
constexpr size_t crc_bytes = 4;
constexpr size_t block_bytes = 65536;  // the most that a chunk may become
constexpr uint8_t identifier[] = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};

const char *chars(const uint8_t *p) { return reinterpret_cast<const char *>(p); }
char *chars(uint8_t *p) { return reinterpret_cast<char *>(p); }

uint32_t load_le(const uint8_t *p, int n) {
  uint32_t v = 0;
  while (n-- > 0) v = v << 8 | p[n];
  return v;
}

void store_le(uint8_t *p, size_t v, int n) {
  for (int i = 0; i < n; i++) p[i] = static_cast<uint8_t>(v >> 8 * i);
}

// The format masks its CRCs because a CRC over bytes that hold CRCs is a weak one.
uint32_t masked_crc(wire::bytes bytes) {
  uint32_t crc = crc32c_of(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

// ---- packing

size_t bound(size_t raw_bytes) {
  size_t blocks = (raw_bytes + block_bytes - 1) / block_bytes;
  size_t room_for_last =
      snappy_max_compressed_length(raw_bytes < block_bytes ? raw_bytes : block_bytes);
  return sizeof identifier + blocks * (chunk_header_size + crc_bytes) + raw_bytes +
         room_for_last;
}

// Bytes written; 0 when there is no room for the worst case.
size_t pack_block(wire::bytes raw, std::span<uint8_t> out) {
  constexpr size_t head = chunk_header_size + crc_bytes;
  size_t size = snappy_max_compressed_length(raw.size());
  if (out.size() < head + size) return 0;
  uint8_t *data = out.data() + head;
  snappy_compress(chars(raw.data()), raw.size(), chars(data), &size);
  // What saves less than an eighth is not worth unpacking: the format's own advice.
  bool worth_it = size < raw.size() - raw.size() / 8;
  if (!worth_it) {
    size = raw.size();
    memcpy(data, raw.data(), size);
  }
  out[0] = worth_it ? chunk_compressed : chunk_raw;
  store_le(&out[1], crc_bytes + size, 3);
  store_le(&out[chunk_header_size], masked_crc(raw), crc_bytes);
  return head + size;
}

ptrdiff_t pack(memory &, void *&, wire::bytes raw, std::span<uint8_t> out) {
  if (out.size() < sizeof identifier) return RSTREAM_EMSGSIZE;
  memcpy(out.data(), identifier, sizeof identifier);
  size_t written = sizeof identifier;
  while (!raw.empty()) {
    size_t size = raw.size() < block_bytes ? raw.size() : block_bytes;
    size_t n = pack_block(raw.first(size), out.subspan(written));
    if (n == 0) return RSTREAM_EMSGSIZE;
    written += n;
    raw = raw.subspan(size);
  }
  return static_cast<ptrdiff_t>(written);
}

// ---- unpacking

struct unpacking {
  std::span<uint8_t> out;
  size_t written = 0;

  std::span<uint8_t> rest() const { return out.subspan(written); }
};

unpack_result take(unpacking &u, size_t size, uint32_t crc) {
  if (masked_crc(u.rest().first(size)) != crc) return unpack_result::damaged;
  u.written += size;
  return unpack_result::done;
}

unpack_result unpack_block(unpacking &u, uint32_t crc, wire::bytes block) {
  size_t size = 0;
  if (snappy_uncompressed_length(chars(block.data()), block.size(), &size) != SNAPPY_OK ||
      size > block_bytes) {
    return unpack_result::damaged;
  }
  if (size > u.rest().size()) return unpack_result::wrong_size;
  if (snappy_uncompress(chars(block.data()), block.size(), chars(u.rest().data()),
                        &size) != SNAPPY_OK) {
    return unpack_result::damaged;
  }
  return take(u, size, crc);
}

unpack_result copy_block(unpacking &u, uint32_t crc, wire::bytes block) {
  if (block.size() > block_bytes) return unpack_result::damaged;
  if (block.size() > u.rest().size()) return unpack_result::wrong_size;
  if (!block.empty()) memcpy(u.rest().data(), block.data(), block.size());
  return take(u, block.size(), crc);
}

unpack_result unpack_chunk(unpacking &u, uint8_t type, wire::bytes content) {
  if (type == chunk_identifier) {
    constexpr size_t name_bytes = sizeof identifier - chunk_header_size;
    bool known = content.size() == name_bytes &&
                 memcmp(content.data(), &identifier[chunk_header_size], name_bytes) == 0;
    return known ? unpack_result::done : unpack_result::damaged;
  }
  if (type >= chunk_first_skippable) return unpack_result::done;
  if (type > chunk_raw || content.size() < crc_bytes) return unpack_result::damaged;
  uint32_t crc = load_le(content.data(), crc_bytes);
  wire::bytes block = content.subspan(crc_bytes);
  return type == chunk_raw ? copy_block(u, crc, block) : unpack_block(u, crc, block);
}

unpack_result unpack(memory &, void *&, wire::bytes packed, std::span<uint8_t> out) {
  if (packed.empty() || packed[0] != chunk_identifier) return unpack_result::damaged;
  unpacking u{out};
  while (!packed.empty()) {
    if (packed.size() < chunk_header_size) return unpack_result::damaged;
    size_t size = load_le(&packed[1], 3);
    if (size > packed.size() - chunk_header_size) return unpack_result::damaged;
    unpack_result r = unpack_chunk(u, packed[0], packed.subspan(chunk_header_size, size));
    if (r != unpack_result::done) return r;
    packed = packed.subspan(chunk_header_size + size);
  }
  return u.rest().empty() ? unpack_result::done : unpack_result::wrong_size;
}

void release(memory &, void *) {}

}  // namespace

// The longest repetition is 64 bytes, told in three.
const compression_format snappy_format = {22, bound, pack, unpack, release};

}  // namespace rstream

// Reading and writing the primitive types of the RabbitMQ stream protocol: big-endian
// integers, strings (int16 length), byte strings (int32 length) and arrays (int32 count).
//
// Reads are total: past the end they yield zero and set `failed`, so that a decoder reads
// all its fields and asks once at the end. Everything a reader hands out (string views,
// spans, sequences) is borrowed from the bytes it reads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace rstream::wire {

using bytes = std::span<const uint8_t>;

// ---- integers

inline uint16_t swap_be(uint16_t v) {
  return std::endian::native == std::endian::little ? __builtin_bswap16(v) : v;
}
inline uint32_t swap_be(uint32_t v) {
  return std::endian::native == std::endian::little ? __builtin_bswap32(v) : v;
}
inline uint64_t swap_be(uint64_t v) {
  return std::endian::native == std::endian::little ? __builtin_bswap64(v) : v;
}

template <class T>
inline T load_be(const uint8_t *p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return swap_be(v);
}
template <class T>
inline void store_be(uint8_t *p, T v) {
  v = swap_be(v);
  std::memcpy(p, &v, sizeof v);
}

inline uint16_t load_u16be(const uint8_t *p) { return load_be<uint16_t>(p); }
inline uint32_t load_u32be(const uint8_t *p) { return load_be<uint32_t>(p); }
inline uint64_t load_u64be(const uint8_t *p) { return load_be<uint64_t>(p); }
inline void store_u16be(uint8_t *p, uint16_t v) { store_be(p, v); }
inline void store_u32be(uint8_t *p, uint32_t v) { store_be(p, v); }
inline void store_u64be(uint8_t *p, uint64_t v) { store_be(p, v); }

// ---- limits

// The length of a string is an int16. The broker reads it as unsigned, other clients do
// not, so we never write more than both understand.
constexpr size_t max_string_bytes = 0x7fff;
constexpr size_t max_blob_bytes = 0x7fffffff;
constexpr uint16_t null_string_length = 0xffff;
constexpr uint32_t null_blob_length = 0xffffffff;

// ---- reader

struct reader {
  const uint8_t *p = nullptr;
  const uint8_t *end = nullptr;
  bool failed = false;

  size_t left() const { return static_cast<size_t>(end - p); }

  // Leaves nothing to read, so that whatever is read after a failure is zero as well.
  void fail() {
    failed = true;
    p = end;
  }

  // The next `n` bytes, or null when there are fewer.
  const uint8_t *grab(size_t n) {
    if (n > left()) {
      fail();
      return nullptr;
    }
    const uint8_t *q = p;
    p += n;
    return q;
  }

  template <class T>
  T integer() {
    const uint8_t *q = grab(sizeof(T));
    return q != nullptr ? load_be<T>(q) : T{0};
  }

  uint8_t u8() {
    const uint8_t *q = grab(1);
    return q != nullptr ? *q : uint8_t{0};
  }
  uint16_t u16() { return integer<uint16_t>(); }
  uint32_t u32() { return integer<uint32_t>(); }
  uint64_t u64() { return integer<uint64_t>(); }
  int8_t i8() { return static_cast<int8_t>(u8()); }
  int16_t i16() { return static_cast<int16_t>(u16()); }
  int32_t i32() { return static_cast<int32_t>(u32()); }
  int64_t i64() { return static_cast<int64_t>(u64()); }

  bytes take(size_t n) {
    const uint8_t *q = grab(n);
    return q != nullptr ? bytes(q, n) : bytes();
  }
  bytes rest() { return take(left()); }

  // A null string is an empty view with data() == nullptr; an empty one has data().
  std::string_view str() {
    uint16_t n = u16();
    if (failed || n == null_string_length) {
      return {};
    }
    const uint8_t *q = grab(n);
    return q != nullptr ? std::string_view(reinterpret_cast<const char *>(q), n)
                        : std::string_view();
  }

  // Null likewise is an empty span with data() == nullptr.
  bytes blob() {
    uint32_t n = u32();
    if (failed || n == null_blob_length) {
      return {};
    }
    if (n > max_blob_bytes) {
      fail();
      return {};
    }
    return take(n);
  }
};

inline reader reader_of(bytes b) { return {b.data(), b.data() + b.size()}; }

// ---- writer

// Writes into a buffer that it does not own, or only counts. What does not fit sets
// `failed`; nothing is written from then on and the bytes so far are of no use, but
// `written` goes on counting, so that it tells in the end how much room was needed.
struct writer {
  uint8_t *p = nullptr;
  uint8_t *end = nullptr;
  bool failed = false;
  size_t written = 0;
  bool counting = false;

  // Room for `n` bytes, or null when there is none and also when only counting.
  uint8_t *grab(size_t n) {
    written += n;
    if (failed || counting) {
      return nullptr;
    }
    if (n > static_cast<size_t>(end - p)) {
      failed = true;
      return nullptr;
    }
    uint8_t *q = p;
    p += n;
    return q;
  }

  template <class T>
  void integer(T v) {
    if (uint8_t *q = grab(sizeof v)) {
      store_be(q, v);
    }
  }

  void u8(uint8_t v) {
    if (uint8_t *q = grab(1)) {
      *q = v;
    }
  }
  void u16(uint16_t v) { integer(v); }
  void u32(uint32_t v) { integer(v); }
  void u64(uint64_t v) { integer(v); }
  void i8(int8_t v) { u8(static_cast<uint8_t>(v)); }
  void i16(int16_t v) { u16(static_cast<uint16_t>(v)); }
  void i32(int32_t v) { u32(static_cast<uint32_t>(v)); }
  void i64(int64_t v) { u64(static_cast<uint64_t>(v)); }

  void raw(bytes b) {
    uint8_t *q = grab(b.size());
    if (q != nullptr && !b.empty()) {
      std::memcpy(q, b.data(), b.size());
    }
  }

  // A view without data() is written as the empty string: the broker takes a null string
  // for an unknown frame nearly everywhere and closes the connection.
  void str(std::string_view s) {
    if (s.size() > max_string_bytes) {
      failed = true;
      return;
    }
    u16(static_cast<uint16_t>(s.size()));
    raw({reinterpret_cast<const uint8_t *>(s.data()), s.size()});
  }

  void null_str() { u16(null_string_length); }

  // For the one string that may be null, the filter value of Publish.
  void optional_str(std::string_view s) {
    if (s.data() == nullptr) {
      null_str();
    } else {
      str(s);
    }
  }

  void null_blob() { u32(null_blob_length); }

  void blob(bytes b) {
    if (b.data() == nullptr) {
      null_blob();
      return;
    }
    if (b.size() > max_blob_bytes) {
      failed = true;
      return;
    }
    u32(static_cast<uint32_t>(b.size()));
    raw(b);
  }
};

inline writer writer_of(std::span<uint8_t> b) {
  return {.p = b.data(), .end = b.data() + b.size()};
}

// A writer over no buffer: afterwards `written` is the exact size of what was encoded.
inline writer counting_writer() { return {.counting = true}; }

// The whole frame's size in bytes, 0 when it cannot be encoded at all.
template <class X, class... Key>
size_t encoded_size(const X &x, Key... key) {
  writer w = counting_writer();
  encode(w, x, key...);
  return w.failed ? 0 : w.written;
}

// ---- arrays

// How one element of an array looks on the wire. `min_bytes` bounds how many elements can
// possibly follow, before anything loops over an array's count; where all elements have
// that very size, `fixed` spares the walk.
template <class T>
struct element;

template <>
struct element<uint16_t> {
  static constexpr size_t min_bytes = 2;
  static constexpr bool fixed = true;
  static void put(writer &w, uint16_t v) { w.u16(v); }
  static void get(reader &r, uint16_t &v) { v = r.u16(); }
};

template <>
struct element<uint64_t> {
  static constexpr size_t min_bytes = 8;
  static constexpr bool fixed = true;
  static void put(writer &w, uint64_t v) { w.u64(v); }
  static void get(reader &r, uint64_t &v) { v = r.u64(); }
};

template <>
struct element<std::string_view> {
  static constexpr size_t min_bytes = 2;
  static constexpr bool fixed = false;
  static void put(writer &w, std::string_view v) { w.str(v); }
  static void get(reader &r, std::string_view &v) { v = r.str(); }
};

// An entry of a map; a map is an array of these, in the order they were sent.
struct property {
  std::string_view key{};
  std::string_view value{};
};

template <>
struct element<property> {
  static constexpr size_t min_bytes = 4;
  static constexpr bool fixed = false;
  static void put(writer &w, const property &v) {
    w.str(v.key);
    w.str(v.value);
  }
  static void get(reader &r, property &v) {
    v.key = r.str();
    v.value = r.str();
  }
};

// An array of the protocol. To encode, it borrows elements: `x.streams = {names}`.
// Decoded, it borrows the undecoded bytes, which were walked once and so cannot fail
// later. Either kind can be iterated and encoded.
template <class T>
struct seq {
  std::span<const T> items{};
  bytes raw{};         // set by decoding, even for an empty array
  uint32_t count = 0;  // of `raw`

  bool decoded() const { return raw.data() != nullptr; }
  size_t size() const { return decoded() ? count : items.size(); }
  bool empty() const { return size() == 0; }
};

// seq_iter it(frame.streams);
// while (it.next(name)) ...
template <class T>
struct seq_iter {
  std::span<const T> items;
  reader r;
  size_t left;

  explicit seq_iter(const seq<T> &s)
      : items(s.items), r(reader_of(s.raw)), left(s.size()) {}

  bool next(T &v) {
    if (left == 0) {
      return false;
    }
    left--;
    if (r.p == nullptr) {
      v = items[items.size() - left - 1];
      return true;
    }
    element<T>::get(r, v);
    return !r.failed;
  }
};

template <class T>
void put(writer &w, const seq<T> &s) {
  if (s.size() > 0x7fffffff) {
    w.failed = true;
    return;
  }
  w.u32(static_cast<uint32_t>(s.size()));
  if (s.decoded()) {
    w.raw(s.raw);
    return;
  }
  for (const T &v : s.items) {
    element<T>::put(w, v);
  }
}

// A negative count (null) is malformed: neither the broker nor a client ever sends one.
template <class T>
void get(reader &r, seq<T> &s) {
  s = {};
  uint32_t count = r.u32();
  if (r.failed || count > r.left() / element<T>::min_bytes) {
    r.fail();
    return;
  }
  const uint8_t *start = r.p;
  if constexpr (element<T>::fixed) {
    r.grab(count * element<T>::min_bytes);
  } else {
    T ignored{};
    for (uint32_t i = 0; i < count && !r.failed; i++) {
      element<T>::get(r, ignored);
    }
  }
  if (r.failed) {
    return;
  }
  s.raw = bytes(start, static_cast<size_t>(r.p - start));
  s.count = count;
}

// A map that ends its frame may be left out altogether when it is empty.
inline void get_trailing_map(reader &r, seq<property> &s) {
  s = {};
  if (r.left() > 0) {
    get(r, s);
  }
}

}  // namespace rstream::wire

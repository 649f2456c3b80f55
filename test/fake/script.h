#pragma once

// What a test tells a broker to do out of the ordinary. Either a hook, for each frame of
// a kind, or a script for the next connection: steps in order, each waiting for the next
// frame with its key. Frames that no step waits for, and all that is not scripted, get
// the correct answer.
//
//   script &s = script_next(node(c));
//   s.expect(wire::key::open).delay(50);
//   s.expect(wire::key::subscribe).answer_code(wire::response::stream_not_available).then_reset();

#include "fake/broker.h"

namespace rstream::fake {

using byte_vector = std::vector<uint8_t>;

// ---- building and reading frames

template <class X, class... Key>
byte_vector frame_of(const X &x, Key... key) {
  byte_vector out(wire::encoded_size(x, key...));
  wire::writer w = wire::writer_of(out);
  encode(w, x, key...);
  return out;
}

// A frame of any key, version and body, with the right size.
byte_vector raw_frame(uint16_t key, uint16_t version, wire::bytes body);
byte_vector join(std::initializer_list<byte_vector> parts);

// Decoded; its views are borrowed from the frame. False when malformed.
template <class X>
bool decoded(const frame &fr, X &x) {
  wire::reader r = wire::reader_of(fr.body);
  if constexpr (requires { x.version; }) x.version = fr.version;
  return decode(r, x) && r.left() == 0;
}
// The first four bytes of a request's body; 0 when there are none.
uint32_t correlation_of(const frame &fr);
// The request's answer that is a code alone.
byte_vector response_to(const frame &fr, wire::response code);

// A chunk to be delivered, right unless told otherwise.
struct chunk_parts {
  uint64_t first_offset = 0;
  int64_t timestamp_ms = 1700000000000;
  uint64_t epoch = 1;
  uint8_t type = 0;
  byte_vector entries{};
  uint16_t entry_count = 0;
  uint32_t record_count = 0;
  uint32_t crc_xor = 0;        // not 0: a wrong CRC
  int64_t data_bytes_off = 0;  // added to the true length
  uint32_t trailer_bytes = 0;  // on disk
  uint8_t bloom_bytes = 0;     // on disk
};
void chunk_add(chunk_parts &parts, std::string_view body);
// Uncompressed sub-entry; `records` is what it says, the bodies are what it has.
void chunk_add_batch(chunk_parts &parts, const std::vector<std::string> &bodies,
                     int records = -1);
// A sub-entry of any kind, right or wrong: what it says, and the data it has.
void chunk_add_packed(chunk_parts &parts, uint8_t compression, uint16_t records,
                      uint32_t uncompressed_bytes, wire::bytes data);
byte_vector chunk_bytes(const chunk_parts &parts);
byte_vector deliver_frame(uint8_t subscription, uint16_t version,
                          const chunk_parts &parts);

// ---- scripts

enum class ending : uint8_t { none, close, reset, stop_reading };

struct step {
  uint16_t key = 0;
  bool met = false;
  byte_vector seen{};  // the frame that met it, whole
  int skip = 0;        // frames of this key to let pass first

  byte_vector before_bytes{};
  byte_vector after_bytes{};
  std::function<byte_vector(const frame &)> make_answer{};
  bool dropped = false;
  uint32_t delay_ms = 0;
  size_t first_piece = 0;
  size_t piece = 0;
  uint32_t interval_ms = 0;
  fake::ending ending = fake::ending::none;
  std::function<void(peer &, const frame &)> call{};

  // These bytes instead of the correct answer; the broker then does not act on the frame.
  step &answer(byte_vector bytes);
  step &answer_with(std::function<byte_vector(const frame &)> make);
  step &answer_code(wire::response code);
  step &drop();                     // no answer, not acted on
  step &delay(uint32_t ms);         // acted on later; frames behind it may overtake
  step &before(byte_vector bytes);  // sent first
  step &after(byte_vector bytes);   // sent behind the answer
  step &split_at(size_t n);         // so many bytes, and in a later turn the rest
  step &pieces(size_t n,
               uint32_t interval_ms_ = 0);  // the connection's output from here on
  step &then_close();
  step &then_reset();
  step &then_stop_reading();
  step &then(std::function<void(peer &, const frame &)> f);
  step &after_frames(int n);  // the frame after n others of this key
};

struct script {
  std::deque<step> steps;
  size_t next = 0;
  size_t piece = 0;  // not 0: from the first byte on
  uint32_t interval_ms = 0;
  byte_vector greeting{};  // sent as soon as the connection is there
  bool taken = false;      // by a connection

  step &expect(wire::key key);
  // An answer of the client's: Tune, Close, ConsumerUpdate.
  step &expect_response(wire::key key);
  bool done() const { return next == steps.size(); }
};

// For the next connection to this node that has no script yet.
script &script_next(broker &b);

// The script's word on a frame; for the broker.
verdict script_apply(peer &p, const frame &fr);

// ---- hooks: before the broker, the latest first

uint64_t on_frame(broker &b, wire::key key, frame_handler handler);
uint64_t on_frame(peer &p, wire::key key, frame_handler handler);
// Frames of all keys, and of none.
uint64_t on_any_frame(broker &b, frame_handler handler);
// By the number that on_frame() returned.
void hook_remove(broker &b, uint64_t id);

}  // namespace rstream::fake

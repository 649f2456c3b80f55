// Decoders of wire/command.h: what all frames and all responses have in common. The order
// of the list is part of the corpus.
#include <cstring>

#include "fuzz.h"
#include "wire/command.h"

using namespace rstream;

// What dispatch and logs ask about a key, whatever it is.
static void look_up(uint16_t key) {
  const wire::command_info *info = wire::command_find(wire::without_response_bit(key));
  const char *name = wire::command_name(key);
  if (info && strcmp(info->name, name) != 0) abort();
  if (info && wire::raw(info->key) != wire::without_response_bit(key)) abort();
}

static void decode_header(wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  wire::frame_header h;
  if (decode(r, h) != (body.size() >= wire::frame_header_bytes)) abort();
  look_up(h.key);
}

static void decode_code(wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  wire::response_frame x;
  if (!decode(r, x)) return;
  fuzz::check_round_trip(x, wire::key::create);
  if (strlen(wire::response_name(x.code)) == 0) abort();
}

static void decode_any_response(wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  wire::response_body rest = decode_response(r, correlation_id, code);
  if (rest == wire::response_body::malformed) return;
  if (rest == wire::response_body::absent && wire::is_ok(code)) abort();
  if (correlation_id != wire::load_u32be(body.data())) abort();
}

static constexpr fuzz::decoder decoders[] = {decode_header, decode_code,
                                             decode_any_response};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::run_one(decoders, data, size);
  return 0;
}

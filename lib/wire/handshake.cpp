#include "wire/handshake.h"

namespace rstream::wire {

// ---- PeerProperties

void encode(writer &w, const peer_properties &x) {
  size_t mark = request_begin(w, key::peer_properties, x.correlation_id);
  put(w, x.properties);
  frame_end(w, mark);
}

bool decode(reader &r, peer_properties &x) {
  x.correlation_id = r.u32();
  get_trailing_map(r, x.properties);
  return !r.failed;
}

void encode(writer &w, const peer_properties_response &x) {
  size_t mark = response_begin(w, key::peer_properties, x.correlation_id, x.code);
  put(w, x.properties);
  frame_end(w, mark);
}

bool decode(reader &r, peer_properties_response &x) {
  x = {};
  decode_response(r, x.correlation_id, x.code);
  get_trailing_map(r, x.properties);
  return !r.failed;
}

// ---- SaslHandshake

void encode(writer &w, const sasl_handshake &x) {
  size_t mark = request_begin(w, key::sasl_handshake, x.correlation_id);
  frame_end(w, mark);
}

bool decode(reader &r, sasl_handshake &x) {
  x.correlation_id = r.u32();
  return !r.failed;
}

void encode(writer &w, const sasl_handshake_response &x) {
  size_t mark = response_begin(w, key::sasl_handshake, x.correlation_id, x.code);
  put(w, x.mechanisms);
  frame_end(w, mark);
}

bool decode(reader &r, sasl_handshake_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    get(r, x.mechanisms);
  }
  return !r.failed;
}

// ---- SaslAuthenticate

void encode(writer &w, const sasl_authenticate &x) {
  size_t mark = request_begin(w, key::sasl_authenticate, x.correlation_id);
  w.str(x.mechanism);
  w.blob(x.data);
  frame_end(w, mark);
}

bool decode(reader &r, sasl_authenticate &x) {
  x.correlation_id = r.u32();
  x.mechanism = r.str();
  x.data = r.blob();
  return !r.failed;
}

void encode(writer &w, const sasl_authenticate_response &x) {
  size_t mark = response_begin(w, key::sasl_authenticate, x.correlation_id, x.code);
  if (x.code == raw(response::sasl_challenge)) {
    if (x.form == challenge_form::blob) {
      w.blob(x.challenge);
    } else {
      w.str({reinterpret_cast<const char *>(x.challenge.data()), x.challenge.size()});
    }
  }
  frame_end(w, mark);
}

// Only the length of the rest tells the two forms apart: it fits one of them exactly.
// Both can never fit, because the first half of a small int32 length is 0.
static void get_challenge(reader &r, sasl_authenticate_response &x) {
  if (r.left() == 0) {
    return;
  }
  reader as_string = r;
  std::string_view s = as_string.str();
  if (!as_string.failed && as_string.left() == 0) {
    x.challenge = {reinterpret_cast<const uint8_t *>(s.data()), s.size()};
    r = as_string;
    return;
  }
  x.form = challenge_form::blob;
  x.challenge = r.blob();
  if (r.left() != 0) {
    r.fail();
  }
}

bool decode(reader &r, sasl_authenticate_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::malformed) {
    return false;
  }
  if (x.code == raw(response::sasl_challenge)) {
    get_challenge(r, x);
  }
  return !r.failed;
}

// ---- Tune

static void encode_tune(writer &w, uint16_t frame_key, uint32_t frame_max,
                        uint32_t heartbeat_s) {
  size_t mark = frame_begin(w, frame_key, 1);
  w.u32(frame_max);
  w.u32(heartbeat_s);
  frame_end(w, mark);
}

void encode(writer &w, const tune &x) {
  encode_tune(w, raw(key::tune), x.frame_max, x.heartbeat_s);
}

bool decode(reader &r, tune &x) {
  x.frame_max = r.u32();
  x.heartbeat_s = r.u32();
  return !r.failed;
}

void encode(writer &w, const tune_response &x) {
  encode_tune(w, response_key(key::tune), x.frame_max, x.heartbeat_s);
}

bool decode(reader &r, tune_response &x) {
  x.frame_max = r.u32();
  x.heartbeat_s = r.u32();
  return !r.failed;
}

// ---- Open

void encode(writer &w, const open &x) {
  size_t mark = request_begin(w, key::open, x.correlation_id);
  w.str(x.vhost);
  frame_end(w, mark);
}

bool decode(reader &r, open &x) {
  x.correlation_id = r.u32();
  x.vhost = r.str();
  return !r.failed;
}

void encode(writer &w, const open_response &x) {
  size_t mark = response_begin(w, key::open, x.correlation_id, x.code);
  if (!x.properties.empty()) {
    put(w, x.properties);
  }
  frame_end(w, mark);
}

bool decode(reader &r, open_response &x) {
  x = {};
  decode_response(r, x.correlation_id, x.code);
  get_trailing_map(r, x.properties);
  return !r.failed;
}

// ---- ExchangeCommandVersions

void encode(writer &w, const command_versions &x) {
  size_t mark = request_begin(w, key::exchange_command_versions, x.correlation_id);
  put(w, x.commands);
  frame_end(w, mark);
}

bool decode(reader &r, command_versions &x) {
  x.correlation_id = r.u32();
  get(r, x.commands);
  return !r.failed;
}

void encode(writer &w, const command_versions_response &x) {
  size_t mark =
      response_begin(w, key::exchange_command_versions, x.correlation_id, x.code);
  put(w, x.commands);
  frame_end(w, mark);
}

bool decode(reader &r, command_versions_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    get(r, x.commands);
  }
  return !r.failed;
}

// ---- Close

void encode(writer &w, const close_request &x) {
  size_t mark = request_begin(w, key::close, x.correlation_id);
  w.u16(x.code);
  w.str(x.reason);
  frame_end(w, mark);
}

bool decode(reader &r, close_request &x) {
  x.correlation_id = r.u32();
  x.code = r.u16();
  x.reason = r.str();
  return !r.failed;
}

void encode(writer &w, const close_response &x) {
  frame_end(w, response_begin(w, key::close, x.correlation_id, x.code));
}

bool decode(reader &r, close_response &x) {
  x.correlation_id = r.u32();
  x.code = r.u16();
  return !r.failed;
}

// ---- Heartbeat

void encode(writer &w, const heartbeat &) {
  frame_end(w, frame_begin(w, raw(key::heartbeat), 1));
}

bool decode(reader &r, heartbeat &) { return !r.failed; }

}  // namespace rstream::wire

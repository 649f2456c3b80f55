#include "fake/script.h"

#include <cstring>

#include "codec/crc32.h"
#include "fake/internal.h"

namespace rstream::fake {

byte_vector raw_frame(uint16_t key, uint16_t version, wire::bytes body) {
  byte_vector out(8 + body.size());
  wire::store_u32be(out.data(), static_cast<uint32_t>(4 + body.size()));
  wire::store_u16be(out.data() + 4, key);
  wire::store_u16be(out.data() + 6, version);
  if (!body.empty()) std::memcpy(out.data() + 8, body.data(), body.size());
  return out;
}

byte_vector join(std::initializer_list<byte_vector> parts) {
  byte_vector out;
  for (const byte_vector &part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

uint32_t correlation_of(const frame &fr) {
  return fr.body.size() >= 4 ? wire::load_u32be(fr.body.data()) : 0;
}

byte_vector response_to(const frame &fr, wire::response code) {
  return frame_of(wire::response_frame{correlation_of(fr), wire::raw(code)}, fr.key);
}

// ---- chunks

void chunk_add(chunk_parts &parts, std::string_view body) {
  uint8_t size[4];
  wire::store_u32be(size, static_cast<uint32_t>(body.size()));
  parts.entries.insert(parts.entries.end(), size, size + 4);
  parts.entries.insert(parts.entries.end(), body.begin(), body.end());
  parts.entry_count++;
  parts.record_count++;
}

void chunk_add_batch(chunk_parts &parts, const std::vector<std::string> &bodies,
                     int records) {
  chunk_parts inner;
  for (const std::string &body : bodies) chunk_add(inner, body);
  auto count =
      static_cast<uint16_t>(records < 0 ? static_cast<int>(bodies.size()) : records);
  chunk_add_packed(parts, 0, count, static_cast<uint32_t>(inner.entries.size()),
                   inner.entries);
}

void chunk_add_packed(chunk_parts &parts, uint8_t compression, uint16_t records,
                      uint32_t uncompressed_bytes, wire::bytes data) {
  uint8_t header[11] = {static_cast<uint8_t>(wire::sub_batch_bit | compression << 4)};
  wire::store_u16be(header + 1, records);
  wire::store_u32be(header + 3, uncompressed_bytes);
  wire::store_u32be(header + 7, static_cast<uint32_t>(data.size()));
  parts.entries.insert(parts.entries.end(), header, header + sizeof header);
  parts.entries.insert(parts.entries.end(), data.begin(), data.end());
  parts.entry_count++;
  parts.record_count += records;
}

byte_vector chunk_bytes(const chunk_parts &parts) {
  byte_vector out(chunk_header_bytes);
  uint8_t *h = out.data();
  h[0] = 0x50;
  h[1] = parts.type;
  wire::store_u16be(h + 2, parts.entry_count);
  wire::store_u32be(h + 4, parts.record_count);
  wire::store_u64be(h + 8, static_cast<uint64_t>(parts.timestamp_ms));
  wire::store_u64be(h + 16, parts.epoch);
  wire::store_u64be(h + 24, parts.first_offset);
  wire::store_u32be(h + 32, crc32_of(parts.entries) ^ parts.crc_xor);
  auto size = static_cast<int64_t>(parts.entries.size()) + parts.data_bytes_off;
  wire::store_u32be(h + 36, static_cast<uint32_t>(size));
  wire::store_u32be(h + 40, parts.trailer_bytes);
  h[44] = parts.bloom_bytes;
  out.insert(out.end(), parts.entries.begin(), parts.entries.end());
  return out;
}

byte_vector deliver_frame(uint8_t subscription, uint16_t version,
                          const chunk_parts &parts) {
  byte_vector chunk = chunk_bytes(parts);
  return frame_of(wire::deliver{.subscription_id = subscription,
                                .version = version,
                                .committed_chunk_id = parts.first_offset,
                                .chunk = chunk});
}

// ---- steps

step &step::answer(byte_vector bytes) {
  return answer_with([bytes = std::move(bytes)](const frame &) { return bytes; });
}
step &step::answer_with(std::function<byte_vector(const frame &)> make) {
  make_answer = std::move(make);
  return *this;
}
step &step::answer_code(wire::response code) {
  return answer_with([code](const frame &fr) { return response_to(fr, code); });
}
step &step::drop() {
  dropped = true;
  return *this;
}
step &step::delay(uint32_t ms) {
  delay_ms = ms;
  return *this;
}
step &step::before(byte_vector bytes) {
  before_bytes = std::move(bytes);
  return *this;
}
step &step::after(byte_vector bytes) {
  after_bytes = std::move(bytes);
  return *this;
}
step &step::split_at(size_t n) {
  first_piece = n;
  return *this;
}
step &step::pieces(size_t n, uint32_t interval_ms_) {
  piece = n;
  interval_ms = interval_ms_;
  return *this;
}
step &step::then_close() {
  ending = ending::close;
  return *this;
}
step &step::then_reset() {
  ending = ending::reset;
  return *this;
}
step &step::then_stop_reading() {
  ending = ending::stop_reading;
  return *this;
}
step &step::then(std::function<void(peer &, const frame &)> f) {
  call = std::move(f);
  return *this;
}
step &step::after_frames(int n) {
  skip = n;
  return *this;
}

step &script::expect(wire::key key) {
  steps.emplace_back().key = wire::raw(key);
  return steps.back();
}

step &script::expect_response(wire::key key) {
  steps.emplace_back().key = wire::response_key(key);
  return steps.back();
}

script &script_next(broker &b) {
  b.kept.push_back(std::make_shared<script>());
  b.scripts.push_back(b.kept.back());
  return *b.kept.back();
}

namespace {

void act(peer &p, const frame &fr, const step &st) {
  if (st.piece) peer_pace(p, st.piece, st.interval_ms);
  if (st.first_piece) {
    peer_flush(p);
    p.pace.first = st.first_piece;
    p.pace.on = true;  // Until the queue is empty again.
  }
  peer_send(p, st.before_bytes);
  if (st.make_answer) {
    peer_send(p, st.make_answer(fr));
  } else if (!st.dropped) {
    peer_handle(p, fr);
  }
  peer_send(p, st.after_bytes);
  if (st.call) st.call(p, fr);
  switch (st.ending) {
  case ending::none: break;
  case ending::close: peer_close(p); break;
  case ending::reset: peer_reset(p); break;
  case ending::stop_reading: peer_stop_reading(p); break;
  }
}

uint64_t add_hook(cluster &c, std::vector<hook> &hooks, uint16_t key,
                  frame_handler handler) {
  uint64_t id = ++c.hook_ids;
  hooks.push_back({key, id, std::move(handler)});
  return id;
}

}  // namespace

verdict script_apply(peer &p, const frame &fr) {
  // Kept alive: what a step calls may end everything.
  std::shared_ptr<script> s = p.script;
  if (s->done()) return verdict::pass;
  step &st = s->steps[s->next];
  if (st.key != fr.key) return verdict::pass;
  if (st.skip > 0) {
    st.skip--;
    return verdict::pass;
  }
  s->next++;
  st.met = true;
  st.seen.assign(fr.whole.begin(), fr.whole.end());
  if (st.delay_ms == 0) {
    act(p, fr, st);
    return verdict::handled;
  }
  peer_later(p, st.delay_ms, [s, &st](peer &late) {
    frame again = {.key = wire::load_u16be(st.seen.data() + 4),
                   .version = wire::load_u16be(st.seen.data() + 6),
                   .body = wire::bytes(st.seen).subspan(8),
                   .whole = st.seen};
    act(late, again, st);
  });
  return verdict::handled;
}

uint64_t on_frame(broker &b, wire::key key, frame_handler handler) {
  return add_hook(*b.cluster, b.hooks, wire::raw(key), std::move(handler));
}

uint64_t on_frame(peer &p, wire::key key, frame_handler handler) {
  return add_hook(*p.broker->cluster, p.hooks, wire::raw(key), std::move(handler));
}

uint64_t on_any_frame(broker &b, frame_handler handler) {
  return add_hook(*b.cluster, b.hooks, 0, std::move(handler));
}

void hook_remove(broker &b, uint64_t id) {
  std::erase_if(b.hooks, [id](const hook &h) { return h.id == id; });
  for (peer *p : b.peers)
    std::erase_if(p->hooks, [id](const hook &h) { return h.id == id; });
}

}  // namespace rstream::fake

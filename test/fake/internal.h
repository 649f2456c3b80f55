#pragma once

// Between the files of the broker.

#include "fake/broker.h"

namespace rstream::fake {

// Every way into the broker: at the end of the outermost, chunks are sealed and output is
// flushed.
struct entry_scope {
  fake::cluster &cluster;
  explicit entry_scope(fake::cluster &c);
  ~entry_scope();
  entry_scope(const entry_scope &) = delete;
  entry_scope &operator=(const entry_scope &) = delete;
};

// 4.3.5 is 40305.
uint32_t version_number(const options &o);
inline bool at_least(const cluster &c, uint32_t version) {
  return version_number(c.options) >= version;
}
bool knows_command(const cluster &c, uint16_t key, uint16_t version);

// The owner of the timer that is due.
template <class T>
T &owner_of(net_timer *timer) {
  return *RSTREAM_OWNER(timer, timer_of<T>, timer)->owner;
}
template <class T>
void start(net &world, timer_of<T> &t, T &owner, uint64_t delay_ms,
           void (*on_due)(net_timer *)) {
  t.owner = &owner;
  t.timer.on_due = on_due;
  net_timer_start(world, t.timer, delay_ms);
}
template <class T>
void stop(net &world, timer_of<T> &t) {
  net_timer_stop(world, t.timer);
}

// ---- log.cpp

void stream_gather(stream &s);  // remembers that it has to be sealed
// Room for n bytes at the end of the open chunk and some to spare behind; seals a full
// chunk first.
uint8_t *stream_room(stream &s, size_t n);
constexpr size_t room_to_spare = 64;
inline size_t open_bytes(const stream &s) { return s.used - s.open_at; }
void stream_seal(stream &s);
uint64_t sealed_chunks(const stream &s);
// The number of the chunk where reading from `spec` starts.
uint64_t stream_position(const stream &s, const wire::offset_spec &spec);
const chunk &chunk_at(const stream &s, uint64_t number);
void confirm_committed(stream &s);

// ---- peer.cpp

uint8_t *peer_put(peer &p, size_t n);  // n bytes of output to be filled in
template <class X, class... Key>
void emit(peer &p, const X &x, Key... key) {
  size_t size = wire::encoded_size(x, key...);
  wire::writer w = wire::writer_of({peer_put(p, size), size});
  encode(w, x, key...);
}
void emit_code(peer &p, wire::key key, uint32_t correlation, wire::response code);
void peer_send_shared(peer &p, blob *owner, wire::bytes bytes);
void peer_flush(peer &p);
void peer_drain_held(peer &p);
void step_start(peer &p, uint32_t deadline_ms);
void peer_check_reading(peer &p);
// The end for those who break the protocol: Close(13) when open, the bare end before.
void peer_unknown_frame(peer &p, std::string_view why);
// As when the broker's process for the connection crashes: the socket closes.
void peer_crashed(peer &p);
bool peer_over(const peer &p);

// ---- the commands

template <class X>
bool take(const frame &fr, X &x) {
  wire::reader r = wire::reader_of(fr.body);
  if constexpr (requires { x.version; }) x.version = fr.version;
  return decode(r, x) && r.left() == 0;
}
inline bool is_null(std::string_view text) { return text.data() == nullptr; }

bool handle_handshake(peer &p, const frame &fr);  // false: malformed or out of order
bool handle_reauthentication(peer &p, const frame &fr);
bool handle_versions(peer &p, const frame &fr);
void start_heartbeat(peer &p);

bool handle_declare_publisher(peer &p, const frame &fr);
bool handle_delete_publisher(peer &p, const frame &fr);
bool handle_publish(peer &p, const frame &fr);
bool handle_query_sequence(peer &p, const frame &fr);
void publisher_remove(peer &p, uint8_t id);

bool handle_subscribe(peer &p, const frame &fr);
bool handle_unsubscribe(peer &p, const frame &fr);
bool handle_credit(peer &p, const frame &fr);
bool handle_consumer_update(peer &p, const frame &fr);
bool handle_store_offset(peer &p, const frame &fr);
bool handle_query_offset(peer &p, const frame &fr);
bool handle_resolve_offset(peer &p, const frame &fr);
void subscription_remove(peer &p, uint8_t id);
void subscription_dispatch(subscription &sub);

bool handle_create(peer &p, const frame &fr);
bool handle_delete(peer &p, const frame &fr);
bool handle_create_super(peer &p, const frame &fr);
bool handle_delete_super(peer &p, const frame &fr);
bool handle_metadata(peer &p, const frame &fr);
bool handle_route(peer &p, const frame &fr);
bool handle_partitions(peer &p, const frame &fr);
bool handle_stats(peer &p, const frame &fr);

// Alive, and its node can lead.
bool stream_has_leader(const stream &s);
bool stream_on_node(const stream &s, int node);
// Why the peer may not be told what is remembered for a stream; ok: it may, and `s` is
// that stream.
wire::response read_code(const peer &p, std::string_view name, stream *&s);

}  // namespace rstream::fake

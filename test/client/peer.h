// A small scripted peer on the client's own loop: it listens on 127.0.0.1, keeps every
// frame it is sent, and answers like a broker with one node unless a test answers
// instead.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "unit/hex.h"
#include "wire/command.h"
#include "wire/consume.h"
#include "wire/handshake.h"
#include "wire/publish.h"
#include "wire/topology.h"

namespace rstream::test {

// A frame the client sent; `bytes` is all of it, the size field included.
struct peer_frame {
  uint16_t key = 0;
  byte_vector bytes;

  wire::bytes body() const { return std::span(bytes).subspan(8); }
  uint32_t correlation_id() const {
    return bytes.size() < 12 ? 0 : wire::load_u32be(&bytes[8]);
  }
};

template <class X, class... Key>
byte_vector encoded(const X &x, Key... key) {
  byte_vector out(wire::encoded_size(x, key...));
  wire::writer w = wire::writer_of(out);
  encode(w, x, key...);
  return out;
}

// Borrows from the frame.
template <class X>
X decoded(const peer_frame &f) {
  X x{};
  wire::reader r = wire::reader_of(f.body());
  if (!decode(r, x)) abort();
  return x;
}

struct peer;

// One accepted connection.
struct peer_link {
  peer *owner = nullptr;
  size_t index = 0;  // in the order of being accepted
  uv_tcp_t tcp;
  byte_vector received;
  std::vector<peer_frame> frames;
  bool reading = true;
  bool ended = false;   // the client closed it
  bool closed = false;  // we did

  void send(const byte_vector &bytes);
  template <class X>
  void send_frame(const X &x) {
    send(encoded(x));
  }
  void answer(const peer_frame &request, wire::response code) {
    send(encoded(wire::response_frame{request.correlation_id(), raw(code)}, request.key));
  }
  void close();
  // Frames of one kind, in order.
  std::vector<peer_frame> of(wire::key key) const;
  std::vector<peer_frame> of_raw(uint16_t key) const;
  bool has(wire::key key) const { return !of(key).empty(); }
};

struct peer {
  uv_loop_t *loop = nullptr;
  uv_tcp_t listener;
  uint16_t port = 0;
  std::vector<std::unique_ptr<peer_link>> links;

  // True: the test has dealt with the frame, answering or not.
  std::function<bool(peer_link &, const peer_frame &)> on_frame;
  std::function<void(peer_link &)> on_accept;

  std::string version = "4.0.5";
  uint32_t frame_max = 1u << 20;
  uint32_t heartbeat_s = 0;
  uint64_t sequence = 0;
  bool confirms = false;  // every Publish at once

  void open(uv_loop_t *on);
  void close();
  // Answers as a broker would.
  void answer(peer_link &link, const peer_frame &frame);
  size_t count(wire::key key) const;
  peer_link &last() { return *links.back(); }
};

// ---- peer_link

inline void peer_link::send(const byte_vector &bytes) {
  struct write {
    uv_write_t request;
    byte_vector bytes;
  };
  if (closed || ended) return;
  auto *w = new write{{}, bytes};
  uv_buf_t buffer = uv_buf_init(reinterpret_cast<char *>(w->bytes.data()),
                                static_cast<unsigned>(w->bytes.size()));
  uv_write(&w->request, reinterpret_cast<uv_stream_t *>(&tcp), &buffer, 1,
           [](uv_write_t *request, int) { delete reinterpret_cast<write *>(request); });
}

inline void peer_link::close() {
  if (closed) return;
  closed = true;
  uv_close(reinterpret_cast<uv_handle_t *>(&tcp), nullptr);
}

inline std::vector<peer_frame> peer_link::of_raw(uint16_t key) const {
  std::vector<peer_frame> found;
  for (const peer_frame &f : frames) {
    if (f.key == key) found.push_back(f);
  }
  return found;
}

inline std::vector<peer_frame> peer_link::of(wire::key key) const {
  return of_raw(raw(key));
}

// ---- peer

inline size_t peer::count(wire::key key) const {
  size_t n = 0;
  for (auto &link : links) n += link->of(key).size();
  return n;
}

inline void peer_take_frames(peer_link &link) {
  while (!link.closed && link.received.size() >= 4) {
    size_t size = 4 + wire::load_u32be(link.received.data());
    if (link.received.size() < size) return;
    peer_frame f;
    f.bytes.assign(link.received.begin(),
                   link.received.begin() + static_cast<ptrdiff_t>(size));
    f.key = wire::load_u16be(&f.bytes[4]);
    link.received.erase(link.received.begin(),
                        link.received.begin() + static_cast<ptrdiff_t>(size));
    link.frames.push_back(f);
    peer &p = *link.owner;
    if (!p.on_frame || !p.on_frame(link, f)) p.answer(link, f);
  }
}

inline void peer::open(uv_loop_t *on) {
  loop = on;
  listener.data = this;
  uv_tcp_init(loop, &listener);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&listener, reinterpret_cast<sockaddr *>(&address), 0);
  int size = sizeof address;
  uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr *>(&address), &size);
  port = ntohs(address.sin_port);
  auto on_connection = [](uv_stream_t *stream, int) {
    auto *p = static_cast<peer *>(stream->data);
    auto link = std::make_unique<peer_link>();
    link->owner = p;
    link->index = p->links.size();
    link->tcp.data = link.get();
    uv_tcp_init(p->loop, &link->tcp);
    uv_accept(stream, reinterpret_cast<uv_stream_t *>(&link->tcp));
    uv_tcp_nodelay(&link->tcp, 1);
    p->links.push_back(std::move(link));
    peer_link &l = p->last();
    auto allocate = [](uv_handle_t *, size_t, uv_buf_t *buffer) {
      static char space[1 << 16];
      *buffer = uv_buf_init(space, sizeof space);
    };
    auto on_read = [](uv_stream_t *s, ssize_t n, const uv_buf_t *buffer) {
      auto *from = static_cast<peer_link *>(s->data);
      if (n < 0) {
        from->ended = true;
        from->close();
        return;
      }
      from->received.insert(from->received.end(), buffer->base, buffer->base + n);
      peer_take_frames(*from);
    };
    uv_read_start(reinterpret_cast<uv_stream_t *>(&l.tcp), allocate, on_read);
    if (p->on_accept) p->on_accept(l);
  };
  uv_listen(reinterpret_cast<uv_stream_t *>(&listener), 16, on_connection);
}

inline void peer::close() {
  uv_close(reinterpret_cast<uv_handle_t *>(&listener), nullptr);
  for (auto &link : links) link->close();
}

inline void peer::answer(peer_link &link, const peer_frame &f) {
  using namespace wire;
  uint32_t id = f.correlation_id();
  switch (static_cast<key>(f.key)) {
  case key::peer_properties: {
    const property properties[] = {{"product", "RabbitMQ"}, {"version", version}};
    return link.send_frame(peer_properties_response{id, 1, {properties}});
  }
  case key::sasl_handshake: {
    const std::string_view mechanisms[] = {"AMQPLAIN", "PLAIN"};
    return link.send_frame(sasl_handshake_response{id, 1, {mechanisms}});
  }
  case key::sasl_authenticate: {  // in one piece with Tune, as a broker may
    if (link.has(key::open)) return link.answer(f, response::ok);  // a renewal
    byte_vector both = encoded(response_frame{id, 1}, key::sasl_authenticate);
    byte_vector offer = encoded(tune{frame_max, heartbeat_s});
    both.insert(both.end(), offer.begin(), offer.end());
    return link.send(both);
  }
  case key::open: return link.send_frame(open_response{id, 1});
  case key::exchange_command_versions: {
    version_range ranges[last_key];
    for (uint16_t k = first_key; k <= last_key; k++) ranges[k - 1] = {k, 1, 1};
    return link.send_frame(command_versions_response{id, 1, {ranges}});
  }
  case key::metadata: {
    const broker_ref brokers[] = {{0, "127.0.0.1", port}};
    std::vector<stream_info> streams;
    metadata request = decoded<metadata>(f);
    seq_iter<std::string_view> it(request.streams);
    for (std::string_view name; it.next(name);) streams.push_back({name, 1, 0});
    return link.send_frame(metadata_response{id, {brokers}, {streams}});
  }
  case key::query_publisher_sequence:
    return link.send_frame(query_sequence_response{id, 1, sequence});
  case key::query_offset: return link.send_frame(query_offset_response{id, 19, 0});
  case key::publish: {
    if (!confirms) return;
    publish frame = decoded<publish>(f);
    std::vector<uint64_t> ids;
    for (publish_entry entry; frame.entries.next(entry);) ids.push_back(entry.id);
    return link.send_frame(publish_confirm{frame.publisher_id, {ids}});
  }
  case key::declare_publisher:
  case key::delete_publisher:
  case key::subscribe:
  case key::unsubscribe:
  case key::create:
  case key::delete_stream:
  case key::close: return link.answer(f, response::ok);
  default: return;  // one-way, or an answer
  }
}

}  // namespace rstream::test

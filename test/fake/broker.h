#pragma once

// A small but correct RabbitMQ stream broker in memory: what a test does not script
// (script.h) is answered as a real one would. It knows no sockets: a carrier
// (uv_carrier.h, or a simulated network) feeds it bytes and takes its bytes. Time, timers
// and randomness come from the `net` it is given, so that in a simulation it is as
// deterministic as the client.
//
// Single-threaded. It belongs to the tests: running out of memory is not handled.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codec/chunk.h"
#include "net/net.h"
#include "wire/command.h"
#include "wire/consume.h"
#include "wire/cursor.h"
#include "wire/handshake.h"
#include "wire/publish.h"
#include "wire/topology.h"

namespace rstream::fake {

struct cluster;
struct broker;
struct stream;
struct peer;
struct script;

// ---- bytes shared by reference: segments of a stream's log

struct blob {
  uint32_t refs = 1;
  size_t capacity = 0;
  uint8_t *data() { return reinterpret_cast<uint8_t *>(this + 1); }
};

blob *blob_new(size_t capacity);
inline void blob_ref(blob *b) { b->refs++; }
void blob_unref(blob *b);

// ---- the carrier's side

// What a carrier does for a peer. None of these may call back into the broker before it
// returns: what the other side makes of it comes in a later turn. After close() or
// reset() the broker calls none of them again; the carrier still calls peer_gone(), once.
struct peer_io {
  // Borrowed until return: the carrier copies what it can't send at once.
  void (*send)(void *carrier, wire::bytes bytes);
  // `bytes` lie in `owner`: a carrier that keeps them past its return takes a reference
  // with blob_ref() and gives it back with blob_unref(). nullptr: send() is used instead.
  void (*send_shared)(void *carrier, blob *owner, wire::bytes bytes);
  // Ends it once everything sent before has gone out: the client sees all of it, then the
  // end.
  void (*close)(void *carrier);
  // Ends it at once, like a killed process: what has not gone out is lost.
  void (*reset)(void *carrier);
  // Stops or resumes taking bytes from the client. Bytes that peer_received() has been
  // given already are kept by the broker. nullptr: the broker just keeps everything.
  void (*pause)(void *carrier, bool paused);
  // Asks for one peer_turn() once the client could have read what was sent so far.
  // nullptr: a timer of 0 ms is as good.
  void (*next_turn)(void *carrier);
};

// A client has connected to `b`. The peer lives until peer_gone(). nullptr: the node is
// down or was told to refuse; the carrier ends the connection.
peer *peer_open(broker &b, const peer_io &io, void *carrier);
// Bytes of the client, cut anywhere. Everything they lead to (confirms, chunks for other
// peers) has been handed to the carriers when it returns.
void peer_received(peer *p, wire::bytes bytes);
// What next_turn() asked for.
void peer_turn(peer *p);
// The connection is over, whoever ended it. Calls nothing of the carrier; frees the peer.
void peer_gone(peer *p);

// ---- options

struct options {
  // "3.10", "3.13.7", "4.0.5", "4.3.6": what it calls itself, which commands it knows,
  // and how strict it is.
  std::string version = "4.3.6";
  uint32_t frame_max = 1048576;
  uint32_t heartbeat_s = 60;
  uint32_t tarpit_ms =
      3000;  // how long refused credentials and vhosts wait for the answer
  uint32_t step_ms =
      10000;  // for each step of the handshake, and for the answer to Close
  uint32_t update_ms = 60000;         // for the answer to ConsumerUpdate
  uint32_t initial_frame_max = 8192;  // before Open, from 4.3.5 on
  bool advertise = true;              // Open names the node
  bool verify_entries = true;         // look at sub-entries as 4.3.5 does
  std::vector<std::string> mechanisms = {"PLAIN", "AMQPLAIN"};

  uint32_t max_chunk_entries = 8192;
  size_t max_chunk_bytes = 8u << 20;
  size_t segment_bytes = 1u << 20;  // of the log: large blocks that chunks are slices of
  size_t retention_bytes = 0;       // per stream, oldest chunks go; 0: keep everything
  bool keep_unread = false;         // but not those that a subscription has yet to get
  bool count_only = false;          // number and confirm messages, but do not keep them

  bool auto_commit = true;  // else cluster_commit() or stream_commit() does it
  uint32_t commit_min_ms =
      0;  // a random time from appending to committing; 0, 0: at once
  uint32_t commit_max_ms = 0;
  uint32_t settle_ms = 0;            // how long a new stream has no leader
  uint32_t max_unconfirmed = 50000;  // of a connection: above, it is not read from
  int64_t epoch_ms = 1700000000000;  // wall clock when the world's clock is 0
};

struct user {
  std::string password;
  std::set<std::string> vhosts = {"/"};
  bool configure = true;
  bool write = true;
  bool read = true;
  bool loopback_only_refused = false;  // answers 11
};

// A timer, and whose it is.
template <class T>
struct timer_of {
  net_timer timer;
  T *owner = nullptr;
};

// ---- a stream

struct chunk {
  uint8_t header[chunk_header_bytes];
  blob *segment = nullptr;        // one reference
  const uint8_t *data = nullptr;  // entries
  uint32_t data_bytes = 0;
  uint16_t entries = 0;
  uint32_t records = 0;
  uint64_t first_offset = 0;
  int64_t timestamp_ms = 0;
  bool unfiltered = false;             // has a message without a filter value
  std::vector<std::string> filters{};  // values of its messages
  std::vector<std::pair<std::string, uint64_t>>
      sequences{};  // highest ids of named publishers
};

struct publisher {
  fake::peer *peer = nullptr;
  fake::stream *stream = nullptr;
  uint64_t serial = 0;  // tells a publisher from a later one of the same id
  uint8_t id = 0;
  std::string reference{};             // empty: no deduplication
  std::vector<uint8_t> unconfirmed{};  // ids as on the wire, oldest first
};

enum class activity : uint8_t { plain, waiting, activating, active, deactivating };

struct subscription {
  fake::peer *peer = nullptr;
  fake::stream *stream = nullptr;
  uint8_t id = 0;
  int32_t credit = 0;
  int32_t send_limit = 0;   // half the initial credit
  uint64_t next_chunk = 0;  // counted from the first chunk the stream ever had
  wire::offset_spec spec{};
  std::map<std::string, std::string> properties{};  // as Subscribe gave them
  std::set<std::string> filters{};
  bool match_unfiltered = false;
  uint32_t spoiled = 0;  // so many of its next chunks are sent with a wrong CRC
  fake::activity activity = fake::activity::plain;
  std::string group{};  // of a single active consumer
};

struct stream {
  fake::cluster *cluster = nullptr;
  std::string name;
  std::map<std::string, std::string> arguments;
  uint64_t epoch = 1;
  int leader = 0;             // node, or -1: none
  std::vector<int> replicas;  // nodes, without the leader
  bool settled = true;        // false: just created, nobody leads yet
  bool hold_commits = false;  // only stream_commit() commits

  std::deque<chunk> log;          // sealed chunks that were not dropped
  uint64_t first_chunk = 0;       // number of log.front()
  uint64_t committed_chunks = 0;  // chunks numbered below are committed
  uint64_t next_offset = 0;       // of the next record appended
  uint64_t committed_offset = 0;  // offsets below are committed
  uint64_t last_chunk_id = 0;     // when next_offset > 0
  uint64_t committed_chunk_id = 0;
  uint64_t log_bytes = 0;

  // The chunk being gathered, at the end of the last segment.
  chunk open{};
  blob *segment = nullptr;
  size_t open_at = 0;  // where in the segment it starts
  size_t used = 0;     // of the segment

  // Ids that wait until so many chunks are committed.
  struct waiting_confirm {
    uint64_t chunks;
    fake::peer *peer;  // nullptr: the publisher is gone
    uint64_t serial;
    uint8_t id;
    uint32_t count;
  };
  std::deque<waiting_confirm> waiting;

  std::map<std::string, uint64_t> sequences;  // highest id by publisher reference
  std::map<std::string, uint64_t> committed_sequences;
  std::map<std::string, uint64_t> offsets;
  std::vector<publisher *> publishers;
  std::vector<subscription *> subscriptions;
  timer_of<stream> commit_timer;
  timer_of<stream> settle_timer;

  stream() = default;
  ~stream();
};

struct super_stream {
  std::vector<std::string> partitions;
  std::vector<std::string> binding_keys;
};

// ---- nodes, the cluster

struct counters {
  uint64_t connections = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t pieces_sent = 0;  // see peer_pace()
  uint64_t frames[32] = {};  // received, by key without the response bit; 0: unknown keys
  uint64_t entries = 0;      // in Publish
  uint64_t duplicates = 0;   // of those, confirmed but not stored
  uint64_t publish_errors = 0;  // ids refused
  uint64_t confirms = 0;        // ids
  uint64_t chunks_sent = 0;
  uint64_t records_sent = 0;
  uint64_t credits = 0;  // granted by Subscribe and Credit
  uint64_t credit_errors = 0;
  uint64_t heartbeats_sent = 0;
  uint64_t heartbeat_losses = 0;
  uint64_t refused = 0;  // connections ended for breaking the protocol
};

inline uint64_t count_of(const counters &c, wire::key k) {
  return c.frames[wire::raw(k)];
}

enum class verdict : uint8_t { pass, handled };

// A frame of the client. Borrowed until the handler returns.
struct frame {
  uint16_t key = 0;  // as it came, maybe with the response bit
  uint16_t version = 0;
  wire::bytes body{};   // after key and version
  wire::bytes whole{};  // with the size
};

using frame_handler = std::function<verdict(peer &from, const frame &fr)>;

struct hook {
  uint16_t key = 0;  // 0: every frame
  uint64_t id = 0;
  frame_handler handler;
};

struct broker {
  fake::cluster *cluster = nullptr;
  int index = 0;
  std::string host = "localhost";  // advertised
  uint16_t port = 5552;
  bool up = true;             // false: refuses connections, leads nothing
  bool refuse = false;        // connections end before anything is said
  std::vector<peer *> peers;  // in the order they came
  std::deque<std::shared_ptr<script>> scripts;  // each for one connection to come
  std::vector<std::shared_ptr<script>> kept;    // all of them, for the test to look at
  std::vector<hook> hooks;
  counters count;
  std::function<void(peer &)> on_open;  // a connection was accepted

  broker() = default;
};

struct cluster {
  net *world;
  fake::options options;
  std::map<std::string, user> users = {{"guest", {.password = "guest"}}};
  std::vector<std::unique_ptr<broker>> nodes;
  std::map<std::string, std::unique_ptr<stream>, std::less<>> streams;
  std::map<std::string, super_stream, std::less<>> super_streams;
  bool disk_alarm = false;  // see cluster_set_alarm()

  uint64_t serials = 0;
  uint64_t hook_ids = 0;
  std::vector<stream *> gathering;  // with an open chunk
  std::vector<peer *> dirty;        // with output that is not flushed
  std::vector<peer *> waking;       // may read again, have bytes left from before
  int depth = 0;                    // of entry points at work

  // One or several nodes; set host and port of each once they are known.
  explicit cluster(net &world_, int node_count = 1);
  // All peers must be gone.
  ~cluster();
  cluster(const cluster &) = delete;
  cluster &operator=(const cluster &) = delete;
};

inline broker &node(cluster &c, int index = 0) {
  return *c.nodes[static_cast<size_t>(index)];
}
counters totals(const cluster &c);

// ---- what a test or a simulation does to the cluster

stream *stream_find(cluster &c, std::string_view name);
// Makes one without any client. The leader is node `leader`, the replicas all others.
stream &stream_create(cluster &c, std::string_view name, int leader = 0);
// As the command Delete does, MetadataUpdate to all who use it included.
void stream_delete(cluster &c, std::string_view name);

// Stores one message, as if published without a name.
void stream_append(stream &s, wire::bytes body, std::string_view filter = {});
// Stores many that are equal, taking the memory of one chunk only.
void stream_fill(stream &s, uint64_t count, wire::bytes body);
// The same with entries as a chunk has them, which hold so many messages each: `count` is
// of messages, rounded up to whole entries.
void stream_fill_entries(stream &s, uint64_t count, wire::bytes entry, uint32_t records);
// Stores many that differ, in chunks as large as may be: `write` makes the body of each.
void stream_append_many(stream &s, uint64_t count, size_t body_bytes,
                        const std::function<void(uint64_t index, uint8_t *body)> &write);
// Every message stored, sub-entries unpacked; for checks.
void stream_each(const stream &s,
                 const std::function<void(uint64_t offset, wire::bytes body)> &f);

// Commits what is sealed, up to that many chunks; confirms and deliveries follow.
void stream_commit(stream &s, uint64_t chunks = UINT64_MAX);
void cluster_commit(cluster &c);

// Publishers and subscribers of the stream on all peers, or on those of one node, are
// told that it is unavailable, and dropped.
void stream_drop_users(stream &s, int only_node = -1);
// The leader is gone: what is not committed is lost, its publishers are dropped.
void stream_lose_leader(stream &s);
// A new term begins. The stream must have no leader.
void stream_elect(stream &s, int leader);

// The node dies: all its connections are reset, the streams it leads lose their leader.
void broker_crash(broker &b);
void broker_start(broker &b);

// The disk alarm: no new publishers, no reading from connections that publish.
void cluster_set_alarm(cluster &c, bool on);

// The active consumer of a group is asked to step down; once it has answered, the next is
// active.
void sac_rotate(stream &s, std::string_view name);

// ---- a peer

enum class peer_state : uint8_t {
  properties,
  handshake,
  authenticate,
  tune,
  open,
  ready,
  closing,
  ended
};

struct delayed_call {
  timer_of<delayed_call> due;
  fake::peer *peer = nullptr;
  std::function<void(fake::peer &)> call;
};

struct peer {
  fake::broker *broker = nullptr;
  peer_io io{};
  void *carrier = nullptr;
  peer_state state = peer_state::properties;
  uint64_t serial = 0;
  std::map<std::string, std::string> properties;  // the client's
  std::string username;
  const fake::user *user = nullptr;
  std::string vhost;
  uint32_t frame_max = 0;  // negotiated
  uint32_t heartbeat_s = 0;
  uint16_t deliver_version = 1;
  uint32_t next_correlation = 0;  // of ConsumerUpdate
  // ConsumerUpdate, by correlation id. An answer is owed also when the subscription is
  // gone: only then is the question forgotten.
  struct open_update {
    fake::subscription *about;  // nullptr: gone
    uint64_t due_ms;
  };
  std::map<uint32_t, open_update> updates;
  timer_of<peer> update_timer;

  std::unique_ptr<publisher> publishers[256];
  std::unique_ptr<subscription> subscriptions[256];
  uint64_t unconfirmed = 0;

  std::vector<uint8_t> in;  // a frame that is not complete
  uint64_t skip = 0;        // bytes of a frame that is too large
  bool stopped = false;     // reads nothing: scripted, alarmed or too much unconfirmed
  bool stop_scripted = false;
  std::vector<uint8_t> held;  // what came while stopped
  std::vector<uint8_t> out;   // not flushed
  bool dirty = false;         // in the cluster's list
  bool waking = false;        // likewise
  bool close_after_flush = false;

  // Output that goes out in pieces, see script.h.
  struct {
    size_t first = 0;  // size of the first piece only; 0: as the others
    size_t piece = 0;  // 0: everything
    uint32_t interval_ms = 0;
    bool on = false;
    bool due_soon = false;  // the next piece has its turn or its timer
    std::vector<uint8_t> queue;
    timer_of<peer> due;
  } pace;

  timer_of<peer> step_timer;  // handshake, Close
  timer_of<peer> heartbeat_timer;
  bool heard = false;  // since the last tick
  bool spoke = false;
  int silent_ticks = 0;
  std::vector<std::unique_ptr<delayed_call>> delayed;

  std::shared_ptr<fake::script> script;
  std::vector<hook> hooks;
  counters count;
  void *user_data = nullptr;  // for tests

  peer() = default;
};

// Sends bytes as they are, at once; from a test or a handler.
void peer_send(peer &p, wire::bytes bytes);
// Handles a frame as the correct broker does, without script or hooks.
void peer_handle(peer &p, const frame &fr);
// Calls later, unless the peer is gone by then.
void peer_later(peer &p, uint32_t delay_ms, std::function<void(peer &)> call);
// Ends the connection: in order, or as if the process had been killed.
void peer_close(peer &p);
void peer_reset(peer &p);
// The broker's own Close frame, whose answer is awaited.
void peer_send_close(peer &p, wire::response code, std::string_view reason);
// Reads nothing from the client until resumed.
void peer_stop_reading(peer &p);
void peer_resume_reading(peer &p);
// From now on output goes out in pieces, one for each interval; 0 ms: one for each turn
// of the loop. A piece of 0 ends it: what is queued goes out at once.
void peer_pace(peer &p, size_t piece, uint32_t interval_ms = 0);

// Who uses a stream: the first found, or nullptr.
publisher *publisher_of(cluster &c, std::string_view stream);
subscription *subscription_of(cluster &c, std::string_view stream);

}  // namespace rstream::fake

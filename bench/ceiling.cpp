// rstream-ceiling: what a broker and a machine give at best, to compare a client with.
//
// The writer is blind: it sends ready-made Publish frames in which only the ids change,
// one write(2) per frame, and does nothing with confirms but count them. The reader looks
// at chunk headers only. Neither uses rstream; blocking sockets, one thread, no recovery.
// A client that does the work these two leave out can't be faster, and should not be much
// slower. With --mode zlib there is no broker: zlib packs and unpacks the same
// sub-entries.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ceiling_zlib.h"

namespace {

enum class mode { write, read, both, zlib };

enum : uint16_t {
  key_declare_publisher = 1,
  key_publish = 2,
  key_publish_confirm = 3,
  key_publish_error = 4,
  key_subscribe = 7,
  key_deliver = 8,
  key_credit = 9,
  key_create = 13,
  key_delete = 14,
  key_metadata_update = 16,
  key_peer_properties = 17,
  key_sasl_handshake = 18,
  key_sasl_authenticate = 19,
  key_tune = 20,
  key_open = 21,
  key_close = 22,
};

enum : uint16_t {
  code_ok = 1,
  code_stream_exists = 5,
  code_stream_not_available = 6,
  code_precondition_failed = 17,
};

constexpr size_t publish_header_size = 13;  // size, key, version, publisher id, count
constexpr size_t chunk_header_size = 48;
constexpr size_t deliver_header_size =
    9 + chunk_header_size;  // size, key, version, subscription
constexpr size_t max_frame_size =
    1 << 20;  // what brokers offer in Tune unless told otherwise
constexpr size_t block_size = 256 * 1024;  // of one read(2); stays within a core's cache
constexpr int silence_limit_s = 30;  // a socket that does nothing for so long is an error
constexpr uint64_t broker_unconfirmed_limit = 50000;  // above it the broker stops reading

struct options {
  char host[256] = "localhost";
  char port[8] = "5552";
  char user[256] = "guest";
  char password[1024] = "guest";
  char vhost[256] = "/";
  const char *stream = "rstream-ceiling";
  mode what = mode::both;
  uint64_t messages = 2000000;
  uint64_t size = 10;
  uint64_t batch = 100;
  uint64_t sub_entry = 1;
  bool amqp = false;  // bodies in the data section of an AMQP 1.0 message
  bool gzip = false;  // sub-entries
  uint64_t unconfirmed = 10000;
  bool json = false;
  bool keep = false;
  bool remove = false;
};

// One connection. `in` holds what was read and not looked at yet.
struct connection {
  int fd = -1;
  uint32_t correlation = 0;
  size_t begin = 0;
  size_t end = 0;
  uint8_t in[block_size];
};

// A request being written. Only handshakes and declarations pass here, so the room is
// ample.
struct request {
  size_t size = 0;
  uint8_t data[4096];
};

// Bytes that were made once.
struct block {
  size_t size = 0;
  uint8_t *data = nullptr;
};

// A ready-made Publish frame.
struct publish_frame {
  uint64_t entries = 0;
  size_t entry_size = 0;
  size_t size = 0;
  uint8_t *data = nullptr;
};

struct figures {
  uint64_t messages = 0;
  double seconds = 0;
  double cpu_seconds = 0;
};

[[noreturn]] __attribute__((format(printf, 1, 2))) void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("rstream-ceiling: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

uint16_t get_u16(const uint8_t *p) { return static_cast<uint16_t>(p[0] << 8 | p[1]); }

uint32_t get_u32(const uint8_t *p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | p[3];
}

void set_u32(uint8_t *p, uint32_t value) {
  value = htonl(value);
  memcpy(p, &value, sizeof value);
}

void set_u64(uint8_t *p, uint64_t value) {
  set_u32(p, static_cast<uint32_t>(value >> 32));
  set_u32(p + 4, static_cast<uint32_t>(value));
}

double now_s() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double cpu_s() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

// ---- the socket

void send_all(connection &c, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t n = send(c.fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      die("the broker took nothing for %d s", silence_limit_s);
    }
    if (n < 0) die("write: %s", strerror(errno));
    data += n;
    size -= static_cast<size_t>(n);
  }
}

size_t receive(connection &c, uint8_t *to, size_t room) {
  for (;;) {
    ssize_t n = recv(c.fd, to, room, 0);
    if (n > 0) return static_cast<size_t>(n);
    if (n == 0) die("the broker closed the connection");
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      die("the broker sent nothing for %d s", silence_limit_s);
    }
    die("read: %s", strerror(errno));
  }
}

// The next `count` bytes in one piece; they stay where they are until the next call.
const uint8_t *peek(connection &c, size_t count) {
  if (count > block_size) die("a frame of %zu bytes where a short one was due", count);
  while (c.end - c.begin < count) {
    if (c.begin > 0) {
      memmove(c.in, c.in + c.begin, c.end - c.begin);
      c.end -= c.begin;
      c.begin = 0;
    }
    c.end += receive(c, c.in + c.end, block_size - c.end);
  }
  return c.in + c.begin;
}

void skip(connection &c, uint64_t count) {
  while (count > c.end - c.begin) {
    count -= c.end - c.begin;
    c.begin = 0;
    c.end = receive(c, c.in, block_size);
  }
  c.begin += count;
}

int connect_to(const options &o) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *list = nullptr;
  int rc = getaddrinfo(o.host, o.port, &hints, &list);
  if (rc != 0) die("%s: %s", o.host, gai_strerror(rc));
  int fd = -1;
  int error = 0;
  for (const addrinfo *a = list; a != nullptr && fd < 0; a = a->ai_next) {
    fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
      error = errno;
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(list);
  if (fd < 0) die("%s:%s: %s", o.host, o.port, strerror(error));
  int on = 1;
  timeval limit = {silence_limit_s, 0};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

// ---- requests

void put(request &r, const void *data, size_t size) {
  if (size > sizeof r.data - r.size) die("a name in the URI or --stream is too long");
  memcpy(r.data + r.size, data, size);
  r.size += size;
}

void put_u8(request &r, uint8_t value) { put(r, &value, 1); }

void put_u16(request &r, uint16_t value) {
  value = htons(value);
  put(r, &value, sizeof value);
}

void put_u32(request &r, uint32_t value) {
  value = htonl(value);
  put(r, &value, sizeof value);
}

void put_string(request &r, const char *text) {
  size_t length = strlen(text);
  if (length > sizeof r.data) die("a name in the URI or --stream is too long");
  put_u16(r, static_cast<uint16_t>(length));
  put(r, text, length);
}

void begin(request &r, uint16_t key) {
  r.size = 0;
  put_u32(r, 0);  // the size, set by send_request()
  put_u16(r, key);
  put_u16(r, 1);
}

void begin_call(request &r, connection &c, uint16_t key) {
  begin(r, key);
  put_u32(r, ++c.correlation);
}

void send_request(connection &c, request &r) {
  set_u32(r.data, static_cast<uint32_t>(r.size - 4));
  send_all(c, r.data, r.size);
}

// A frame that ends the run whenever it comes.
void refuse_bad_news(connection &c, uint16_t key) {
  if (key == key_metadata_update) die("the broker says the stream is gone");
  if (key == key_publish_error) die("the broker refused messages");
  if (key != key_close) return;
  uint32_t size = get_u32(peek(c, 4));
  const uint8_t *frame = peek(c, 4 + static_cast<size_t>(size));
  if (size < 12) die("the broker closes the connection");
  uint16_t length = get_u16(frame + 14);
  if (length > size - 12) length = 0;
  die("the broker closes the connection: code %u, %.*s", get_u16(frame + 12), length,
      reinterpret_cast<const char *>(frame + 16));
}

// The next frame with this key, others passed over. It is left in place: `size` counts
// all of it.
const uint8_t *await_frame(connection &c, uint16_t key, size_t &size) {
  for (;;) {
    const uint8_t *head = peek(c, 8);
    size = 4 + static_cast<size_t>(get_u32(head));
    uint16_t got = get_u16(head + 4);
    if (got == key) return peek(c, size);
    refuse_bad_news(c, got);
    skip(c, size);
  }
}

// Sends a request and returns the response code of its answer.
uint16_t call(connection &c, request &r) {
  uint16_t key = get_u16(r.data + 4);
  send_request(c, r);
  size_t size = 0;
  const uint8_t *frame = await_frame(c, key | 0x8000, size);
  if (size < 14) die("the answer to command %u is cut short", key);
  uint16_t code = get_u16(frame + 12);
  skip(c, size);
  return code;
}

void call_or_die(connection &c, request &r, const char *what) {
  uint16_t code = call(c, r);
  if (code != code_ok) die("%s: the broker answered with code %u", what, code);
}

void handshake(connection &c, const options &o) {
  request r;
  c.fd = connect_to(o);
  begin_call(r, c, key_peer_properties);
  put_u32(r, 1);
  put_string(r, "product");
  put_string(r, "rstream-ceiling");
  call_or_die(c, r, "peer properties");

  begin_call(r, c, key_sasl_handshake);
  call_or_die(c, r, "SASL handshake");

  begin_call(r, c, key_sasl_authenticate);
  put_string(r, "PLAIN");
  put_u32(r, static_cast<uint32_t>(2 + strlen(o.user) + strlen(o.password)));
  put_u8(r, 0);
  put(r, o.user, strlen(o.user));
  put_u8(r, 0);
  put(r, o.password, strlen(o.password));
  call_or_die(c, r, "login");

  size_t size = 0;
  await_frame(c, key_tune, size);
  skip(c, size);
  begin(r, key_tune | 0x8000);
  put_u32(r, max_frame_size);
  put_u32(r,
          0);  // no heartbeats: they would have to be answered in the middle of the run
  send_request(c, r);

  begin_call(r, c, key_open);
  put_string(r, o.vhost);
  call_or_die(c, r, "opening the virtual host");
}

// Whether the stream was made now.
bool create_stream(connection &c, const options &o) {
  request r;
  begin_call(r, c, key_create);
  put_string(r, o.stream);
  put_u32(r, 0);
  uint16_t code = call(c, r);
  bool exists = code == code_stream_exists || code == code_precondition_failed;
  if (code != code_ok && !exists) die("creating %s: code %u", o.stream, code);
  return code == code_ok;
}

void delete_stream(connection &c, const options &o) {
  request r;
  begin_call(r, c, key_delete);
  put_string(r, o.stream);
  call_or_die(c, r, "deleting the stream");
}

// A new stream has no leader for some hundred milliseconds.
void call_until_available(connection &c, request &r, const char *what) {
  for (int attempt = 0; attempt < 100; attempt++) {
    uint16_t code = call(c, r);
    if (code == code_ok) return;
    if (code != code_stream_not_available) {
      die("%s: the broker answered with code %u", what, code);
    }
    usleep(100 * 1000);
  }
  die("%s: the stream is not available on this node", what);
}

void hang_up(connection &c) {
  request r;
  begin_call(r, c, key_close);
  put_u16(r, code_ok);
  put_string(r, "done");
  send_request(c, r);
  close(c.fd);
  c.fd = -1;
  c.begin = c.end = 0;
}

// ---- what is written

size_t message_size(const options &o) {
  size_t header = !o.amqp ? 0 : o.size <= 255 ? 5 : 8;
  return header + o.size;
}

// Returns where the body belongs.
uint8_t *put_amqp_header(uint8_t *p, const options &o) {
  bool is_short = o.size <= 255;
  set_u32(p, is_short ? 0x005375a0 : 0x005375b0);
  if (!is_short) {
    set_u32(p + 4, static_cast<uint32_t>(o.size));
    return p + 8;
  }
  p[4] = static_cast<uint8_t>(o.size);
  return p + 5;
}

// As rstream-perf makes them at full speed, so that compressing them costs the same: the
// time when every 64th was sent, some microseconds after the one before, then a number of
// the run, then 'x'.
void fill_body(uint8_t *body, uint64_t index, const options &o) {
  const uint32_t stamp_us = 0x6b8b4567 + static_cast<uint32_t>(index / 64) * 3;
  const uint32_t run = 0x327b23c6;
  memset(body, 'x', o.size);
  if (o.size < 8) return;
  memcpy(body, &stamp_us, sizeof stamp_us);
  memcpy(body + 4, &run, sizeof run);
}

block allocate(size_t size) {
  block b = {size, static_cast<uint8_t *>(malloc(size))};
  if (b.data == nullptr) die("out of memory");
  return b;
}

// The messages of so many entries, each after its length.
block build_messages(const options &o, uint64_t entries) {
  block b = allocate(entries * o.sub_entry * (4 + message_size(o)));
  uint8_t *p = b.data;
  for (uint64_t i = 0; i < entries * o.sub_entry; i++) {
    set_u32(p, static_cast<uint32_t>(message_size(o)));
    p = o.amqp ? put_amqp_header(p + 4, o) : p + 4;
    fill_body(p, i, o);
    p += o.size;
  }
  return b;
}

// What an entry has after its id: a message, or with --sub-entry a batch of that many.
block build_entry(const options &o) {
  constexpr size_t header_size = 11;
  block messages = build_messages(o, 1);
  if (o.sub_entry == 1) return messages;
  block entry = allocate(header_size + gzip_bound(messages.size));
  uint8_t *packed = entry.data + header_size;
  size_t packed_size = messages.size;
  if (o.gzip) {
    packed_size =
        gzip_pack(messages.data, messages.size, packed, entry.size - header_size);
  } else {
    memcpy(packed, messages.data, messages.size);
  }
  entry.data[0] = o.gzip ? 0x90 : 0x80;
  entry.data[1] = static_cast<uint8_t>(o.sub_entry >> 8);
  entry.data[2] = static_cast<uint8_t>(o.sub_entry);
  set_u32(entry.data + 3, static_cast<uint32_t>(messages.size));
  set_u32(entry.data + 7, static_cast<uint32_t>(packed_size));
  entry.size = header_size + packed_size;
  free(messages.data);
  return entry;
}

// ---- the blind writer

void build_frame(publish_frame &f, const block &entry, uint64_t entries) {
  f.entries = entries;
  f.entry_size = 8 + entry.size;
  f.size = publish_header_size + entries * f.entry_size;
  if (f.size - 4 > max_frame_size) {
    die("--batch, --sub-entry and --size make a frame of more than %zu bytes",
        max_frame_size);
  }
  f.data = allocate(f.size).data;
  set_u32(f.data, static_cast<uint32_t>(f.size - 4));
  set_u32(f.data + 4, key_publish << 16 | 1);
  f.data[8] = 0;
  set_u32(f.data + 9, static_cast<uint32_t>(entries));
  for (uint64_t i = 0; i < entries; i++) {
    memcpy(f.data + publish_header_size + i * f.entry_size + 8, entry.data, entry.size);
  }
}

void send_frame(connection &c, publish_frame &f, uint64_t first_id) {
  uint8_t *p = f.data + publish_header_size;
  for (uint64_t i = 0; i < f.entries; i++, p += f.entry_size) set_u64(p, first_id + i);
  send_all(c, f.data, f.size);
}

// Waits for confirms and returns how many came.
uint64_t count_confirms(connection &c) {
  uint64_t count = 0;
  do {
    const uint8_t *head = peek(c, publish_header_size);
    uint16_t key = get_u16(head + 4);
    if (key == key_publish_confirm) {
      count += get_u32(head + 9);
    } else {
      refuse_bad_news(c, key);
    }
    skip(c, 4 + static_cast<uint64_t>(get_u32(peek(c, 4))));
  } while (c.end - c.begin >= publish_header_size);
  return count;
}

// One thread does both: while the window has room it writes, else it sleeps in read(2).
// The confirms it leaves unread meanwhile are at most the window's, so the broker can
// always send.
figures run_writer(connection &c, const options &o) {
  request r;
  begin_call(r, c, key_declare_publisher);
  put_u8(r, 0);
  put_string(r, "");
  put_string(r, o.stream);
  call_until_available(c, r, "declaring a publisher");

  uint64_t entries = (o.messages + o.sub_entry - 1) / o.sub_entry;
  publish_frame full;
  publish_frame last;
  block entry = build_entry(o);
  build_frame(full, entry, o.batch);
  build_frame(last, entry, entries % o.batch);
  free(entry.data);

  double start = now_s();
  double start_cpu = cpu_s();
  uint64_t sent = 0;
  uint64_t confirmed = 0;
  while (confirmed < entries) {
    while (sent < entries) {
      publish_frame &f = entries - sent >= o.batch ? full : last;
      if (sent - confirmed + f.entries > o.unconfirmed) break;
      send_frame(c, f, sent);
      sent += f.entries;
    }
    confirmed += count_confirms(c);
  }
  figures result = {entries * o.sub_entry, now_s() - start, cpu_s() - start_cpu};
  free(full.data);
  free(last.data);
  return result;
}

// ---- the header-only reader

void send_credit(connection &c) {
  request r;
  begin(r, key_credit);
  put_u8(r, 0);
  put_u16(r, 1);
  send_request(c, r);
}

figures run_reader(connection &c, const options &o) {
  request r;
  begin_call(r, c, key_subscribe);
  put_u8(r, 0);
  put_string(r, o.stream);
  put_u16(r, 1);   // from the first message
  put_u16(r, 10);  // chunks
  double start = now_s();
  double start_cpu = cpu_s();
  call_until_available(c, r, "subscribing");

  uint64_t messages = 0;
  while (messages < o.messages) {
    const uint8_t *head = peek(c, 8);
    uint64_t size = 4 + static_cast<uint64_t>(get_u32(head));
    uint16_t key = get_u16(head + 4);
    if (key == key_deliver) {
      if (size < deliver_header_size) die("a Deliver frame of %" PRIu64 " bytes", size);
      messages += get_u32(peek(c, deliver_header_size) + 9 + 4);
      send_credit(c);
    } else {
      refuse_bad_news(c, key);
    }
    skip(c, size);
  }
  return {messages, now_s() - start, cpu_s() - start_cpu};
}

// ---- zlib alone

using zlib_work = void (*)(const uint8_t *batches, size_t size, size_t count,
                           uint64_t times);

figures run_zlib(const options &o, zlib_work work) {
  constexpr size_t different = 64;
  block messages = build_messages(o, different);
  uint64_t entries = (o.messages + o.sub_entry - 1) / o.sub_entry;
  double start = now_s();
  double start_cpu = cpu_s();
  work(messages.data, messages.size / different, different, entries);
  figures result = {entries * o.sub_entry, now_s() - start, cpu_s() - start_cpu};
  free(messages.data);
  return result;
}

// ---- options

const char help[] =
    "Usage: rstream-ceiling [OPTION]...\n"
    "The most that a broker and this machine give, to compare a client with: a\n"
    "writer of ready-made frames and a reader of chunk headers.\n"
    "\n"
    "  --uri URI        rabbitmq-stream://user:password@host:port/vhost\n"
    "                   (default: $RSTREAM_BROKER_URI, else guest at localhost:5552)\n"
    "                   The node must be the stream's leader: no other is looked for.\n"
    "  --stream NAME    created when missing, then deleted at the end (rstream-ceiling)\n"
    "  --mode MODE      write, read from the first message, or both in turn (both);\n"
    "                   zlib: without a broker, pack and unpack the sub-entries\n"
    "  --messages N     to write or to read (2000000)\n"
    "  --size BYTES     of a message (10)\n"
    "  --batch N        entries per Publish frame (100)\n"
    "  --sub-entry N    messages per entry; above 1: sub-entries (1)\n"
    "  --gzip           compress the sub-entries, once, before they are written\n"
    "  --amqp           messages are AMQP 1.0 with a data section\n"
    "  --unconfirmed N  entries written ahead of the confirms, at most 50000 (10000)\n"
    "  --keep           do not delete the stream\n"
    "  --delete         only delete the stream\n"
    "  --json           print one JSON object\n"
    "  --help\n";

uint64_t parse_number(const char *name, const char *text, uint64_t low, uint64_t high) {
  char *end = nullptr;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  bool digits = text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
  if (!digits || value < low || value > high) {
    die("%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, name, text, low, high);
  }
  return value;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Copies text[0, length) to `to`, resolving %xx.
void decode(char *to, size_t room, const char *text, size_t length) {
  size_t n = 0;
  for (size_t i = 0; i < length; i++, n++) {
    if (n + 1 >= room) die("the URI has a part that is too long");
    to[n] = text[i];
    if (text[i] != '%') continue;
    int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
    int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) die("the URI has a %% without two hexadecimal digits");
    to[n] = static_cast<char>(high << 4 | low);
    i += 2;
  }
  to[n] = 0;
}

void parse_uri(options &o, const char *uri) {
  static const char scheme[] = "rabbitmq-stream://";
  if (strncasecmp(uri, scheme, sizeof scheme - 1) != 0)
    die("the URI must begin with %s", scheme);
  const char *p = uri + sizeof scheme - 1;
  const char *slash = strchr(p, '/');
  const char *end = slash != nullptr ? slash : p + strlen(p);
  if (slash != nullptr && slash[1] != 0) {
    decode(o.vhost, sizeof o.vhost, slash + 1, strlen(slash + 1));
  }
  const char *at =
      static_cast<const char *>(memchr(p, '@', static_cast<size_t>(end - p)));
  if (at != nullptr) {
    const char *colon =
        static_cast<const char *>(memchr(p, ':', static_cast<size_t>(at - p)));
    const char *user_end = colon != nullptr ? colon : at;
    decode(o.user, sizeof o.user, p, static_cast<size_t>(user_end - p));
    if (colon != nullptr) {
      decode(o.password, sizeof o.password, colon + 1,
             static_cast<size_t>(at - colon - 1));
    }
    p = at + 1;
  }
  const char *host_end = end;
  const char *bracket =
      static_cast<const char *>(memchr(p, ']', static_cast<size_t>(end - p)));
  const char *from = bracket != nullptr ? bracket : p;
  const char *colon =
      static_cast<const char *>(memchr(from, ':', static_cast<size_t>(end - from)));
  if (colon != nullptr) {
    decode(o.port, sizeof o.port, colon + 1, static_cast<size_t>(end - colon - 1));
    host_end = colon;
  }
  if (*p == '[' && bracket != nullptr) {  // an IPv6 address
    p++;
    host_end = bracket;
  }
  if (host_end > p) decode(o.host, sizeof o.host, p, static_cast<size_t>(host_end - p));
}

mode parse_mode(const char *text) {
  if (strcmp(text, "write") == 0) return mode::write;
  if (strcmp(text, "read") == 0) return mode::read;
  if (strcmp(text, "both") == 0) return mode::both;
  if (strcmp(text, "zlib") == 0) return mode::zlib;
  die("--mode: \"%s\" is not write, read, both or zlib", text);
}

bool parse_flag(options &o, const char *name) {
  if (strcmp(name, "--json") == 0) {
    o.json = true;
  } else if (strcmp(name, "--gzip") == 0) {
    o.gzip = true;
  } else if (strcmp(name, "--amqp") == 0) {
    o.amqp = true;
  } else if (strcmp(name, "--keep") == 0) {
    o.keep = true;
  } else if (strcmp(name, "--delete") == 0) {
    o.remove = true;
  } else {
    return false;
  }
  return true;
}

void parse_value(options &o, const char *name, const char *value) {
  if (strcmp(name, "--stream") == 0) {
    o.stream = value;
  } else if (strcmp(name, "--mode") == 0) {
    o.what = parse_mode(value);
  } else if (strcmp(name, "--messages") == 0) {
    o.messages = parse_number(name, value, 1, UINT64_C(1) << 48);
  } else if (strcmp(name, "--size") == 0) {
    o.size = parse_number(name, value, 0, max_frame_size);
  } else if (strcmp(name, "--batch") == 0) {
    o.batch = parse_number(name, value, 1, broker_unconfirmed_limit);
  } else if (strcmp(name, "--sub-entry") == 0) {
    o.sub_entry = parse_number(name, value, 1, UINT16_MAX);
  } else if (strcmp(name, "--unconfirmed") == 0) {
    o.unconfirmed = parse_number(name, value, 1, broker_unconfirmed_limit);
  } else {
    die("%s: no such option; see --help", name);
  }
}

void parse_options(options &o, int argc, char **argv) {
  const char *uri = getenv("RSTREAM_BROKER_URI");
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i];
    if (strcmp(name, "--help") == 0) {
      fputs(help, stdout);
      exit(0);
    }
    if (parse_flag(o, name)) continue;
    if (i + 1 == argc) die("%s is not an option, or lacks its value; see --help", name);
    const char *value = argv[++i];
    if (strcmp(name, "--uri") == 0) {
      uri = value;
    } else {
      parse_value(o, name, value);
    }
  }
  if (uri != nullptr && *uri != 0) parse_uri(o, uri);
  if (o.unconfirmed < o.batch) die("--unconfirmed must be at least --batch");
  if (o.gzip && o.sub_entry == 1) die("--gzip needs --sub-entry 2 or more");
}

// ---- results

double rate(const figures &f) {
  return f.seconds > 0 ? static_cast<double>(f.messages) / f.seconds : 0;
}

double cpu_ns(const figures &f) {
  return f.messages > 0 ? f.cpu_seconds * 1e9 / static_cast<double>(f.messages) : 0;
}

struct outcome {
  const char *title;
  const char *count_key;
  const char *key;
  figures f;
};

void print_json(const options &o, const outcome *list, size_t count) {
  printf("{\"messages\":%" PRIu64 ",\"size\":%" PRIu64 ",\"batch\":%" PRIu64
         ",\"sub_entry\":%" PRIu64 ",\"unconfirmed\":%" PRIu64 ",\"amqp\":%s,\"gzip\":%s",
         o.messages, o.size, o.batch, o.sub_entry, o.unconfirmed,
         o.amqp ? "true" : "false", o.gzip ? "true" : "false");
  for (size_t i = 0; i < count; i++) {
    const outcome &x = list[i];
    printf(",\"%s\":%" PRIu64 ",\"%s_rate\":%.0f,\"%s_cpu_ns_per_msg\":%.2f", x.count_key,
           x.f.messages, x.key, rate(x.f), x.key, cpu_ns(x.f));
  }
  puts("}");
}

void print_table(const outcome *list, size_t count) {
  printf("%-20s %14s %14s %12s\n", "", "messages", "messages/s", "CPU ns each");
  for (size_t i = 0; i < count; i++) {
    const figures &f = list[i].f;
    printf("%-20s %14" PRIu64 " %14.0f %12.1f\n", list[i].title, f.messages, rate(f),
           cpu_ns(f));
  }
}

void report(const options &o, const outcome *list, size_t count) {
  if (o.json) {
    print_json(o, list, count);
  } else {
    print_table(list, count);
  }
}

// ---- what is asked for

void measure_zlib(const options &o) {
  outcome list[] = {
      {"zlib, packing", "packed", "pack", run_zlib(o, gzip_pack_again)},
      {"zlib, unpacking", "unpacked", "unpack", run_zlib(o, gzip_unpack_again)},
  };
  report(o, list, 2);
}

void measure_broker(connection &control, connection &data, const options &o) {
  outcome list[2];
  size_t count = 0;
  bool created = create_stream(control, o);
  if (o.what != mode::read) {
    handshake(data, o);
    list[count++] = {"blind writer", "written", "write", run_writer(data, o)};
    hang_up(data);
  }
  if (o.what != mode::write) {
    handshake(data, o);
    list[count++] = {"header-only reader", "read", "read", run_reader(data, o)};
    hang_up(data);
  }
  if (created && !o.keep) delete_stream(control, o);
  report(o, list, count);
}

}  // namespace

int main(int argc, char **argv) {
  options o;
  parse_options(o, argc, argv);
  static connection control;
  static connection
      data;  // the broker wants writers and readers on connections of their own
  if (o.what == mode::zlib) {
    measure_zlib(o);
    return 0;
  }
  handshake(control, o);
  if (o.remove) {
    delete_stream(control, o);
  } else {
    measure_broker(control, data, o);
  }
  hang_up(control);
  return 0;
}

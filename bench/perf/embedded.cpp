#include "perf/embedded.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "codec/amqp_encode.h"
#include "codec/compression.h"
#include "fake/uv_carrier.h"
#include "perf/body.h"
#include "perf/clock.h"
#include "wire/publish.h"

namespace perf {

namespace {

namespace fake = rstream::fake;
namespace wire = rstream::wire;

// What consumers have read is dropped beyond this; what they have not is kept.
constexpr size_t kept_bytes = 16 << 20;
// What --time can read at most, per second: more than this client does, and than
// loopback carries.
constexpr uint64_t readable_messages = 100000000;
constexpr uint64_t readable_bytes = UINT64_C(20) << 30;
// Of messages made up: a chunk costs the broker some 150 bytes, however often its
// messages are repeated. Verified ones differ, so that each is in memory.
constexpr uint64_t made_up_chunks_most = 2 << 20;
constexpr uint64_t verified_bytes_most = 1 << 30;
constexpr uint64_t sub_entry_bytes_most = 1 << 20;
constexpr size_t length_bytes = 4;  // before each message

// What the codec puts before a body.
size_t prefix_size(const options &o) {
  return o.codec == RSTREAM_CODEC_AMQP ? rstream::amqp_data_header_bytes(o.size) : 0;
}

// Of a message that the codec made, the length before it included.
uint64_t record_size(const options &o) {
  return length_bytes + prefix_size(o) + uint64_t{o.size};
}

// Returns where the body belongs.
uint8_t *write_prefix(uint8_t *to, const options &o) {
  if (o.codec == RSTREAM_CODEC_RAW) return to;
  return rstream::amqp_write_data_header(to, o.size);
}

// How many messages the stream must have before somebody who only reads comes.
uint64_t made_up_count(const options &o) {
  if (o.time_s > 0)
    return o.time_s * std::min(readable_messages, readable_bytes / record_size(o));
  // Single active consumers read one after the other.
  uint64_t readers = o.single_active ? o.consumers : 1;
  return o.messages * readers + o.offset_value;
}

uint64_t made_up_chunks(const options &o) {
  const fake::options usual;
  uint64_t most = uint64_t{usual.max_chunk_entries} * o.sub_entry;
  uint64_t in_chunk = std::min(most, usual.max_chunk_bytes / record_size(o));
  return made_up_count(o) / std::max<uint64_t>(in_chunk, 1) + 1;
}

// What of all messages a partition has: one of so many. A stream has them all.
struct share {
  uint32_t first = 0;
  uint32_t step = 1;

  uint64_t count(const options &o) const {
    return (made_up_count(o) + step - 1 - first) / step;
  }
};

// As one producer would have published them.
void append_verified(fake::stream &s, const options &o, const share &mine) {
  const uint32_t stamp_us = static_cast<uint32_t>(now_us());
  fake::stream_append_many(
      s, mine.count(o), prefix_size(o) + o.size, [&](uint64_t index, uint8_t *to) {
        auto sequence = static_cast<uint32_t>(index * mine.step + mine.first);
        verified_body_write(write_prefix(to, o), o.size, {sequence, 0, stamp_us});
      });
}

std::vector<uint8_t> plain_records(const options &o, uint32_t count) {
  std::vector<uint8_t> records(count * record_size(o));
  uint8_t *at = records.data();
  for (uint32_t i = 0; i < count; i++) {
    wire::store_u32be(at, static_cast<uint32_t>(prefix_size(o) + o.size));
    uint8_t *body = write_prefix(at + length_bytes, o);
    plain_body_fill(body, o.size, 0);
    at = body + o.size;
  }
  return records;
}

// The library's compression, outside of an environment.
struct packing {
  rstream::slab_pool *pool =
      rstream::slab_pool_create(rstream::memory_functions_default());
  rstream::compression_set *set = rstream::compression_set_create(pool);

  ~packing() {
    rstream::compression_set_unref(set);
    rstream::slab_pool_leave(pool);
  }
};

std::vector<uint8_t> packed(const std::vector<uint8_t> &records, uint8_t compression) {
  if (compression == RSTREAM_COMPRESSION_NONE) return records;
  packing p;
  std::vector<uint8_t> out(
      rstream::compression_bound(*p.set, compression, records.size()));
  ptrdiff_t n = rstream::compression_pack(*p.set, compression, records, out);
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

// An entry as a chunk has it: what Publish has behind the id.
std::vector<uint8_t> sub_entry_of(const options &o) {
  constexpr size_t id_bytes = 8;
  auto compression = static_cast<uint8_t>(o.compression);
  std::vector<uint8_t> records = plain_records(o, o.sub_entry);
  std::vector<uint8_t> data = packed(records, compression);
  std::vector<uint8_t> entry(wire::publish_sub_batch_overhead);
  wire::write_sub_batch_header(
      entry.data(), 0, compression, static_cast<uint16_t>(o.sub_entry),
      static_cast<uint32_t>(records.size()), static_cast<uint32_t>(data.size()));
  entry.erase(entry.begin(), entry.begin() + id_bytes);
  entry.insert(entry.end(), data.begin(), data.end());
  return entry;
}

void fill_stream(embedded_broker &b, const char *name, const share &mine) {
  const options &o = *b.opt;
  fake::stream &s = fake::stream_create(fake::uv_cluster_of(b.cluster), name);
  if (o.verify) {
    append_verified(s, o, mine);
    return;
  }
  fake::stream_fill_entries(s, mine.count(o),
                            o.sub_entry > 1 ? sub_entry_of(o) : plain_records(o, 1),
                            o.sub_entry);
}

void fill_streams(embedded_broker &b) {
  const options &o = *b.opt;
  if (o.super_stream == nullptr) {
    fill_stream(b, o.stream, {});
    return;
  }
  fake::super_stream &all = fake::uv_cluster_of(b.cluster).super_streams[o.super_stream];
  for (uint32_t i = 0; i < o.partitions; i++) {
    std::string number = std::to_string(i);
    all.partitions.push_back(o.super_stream + ("-" + number));
    all.binding_keys.push_back(number);
    fill_stream(b, all.partitions.back().c_str(), {i, o.partitions});
  }
}

void on_cluster_closed(void *arg) {
  embedded_broker &b = *static_cast<embedded_broker *>(arg);
  uv_close(reinterpret_cast<uv_handle_t *>(&b.stop), nullptr);
}

void on_stop(uv_async_t *stop) {
  embedded_broker &b = *static_cast<embedded_broker *>(stop->data);
  fake::uv_cluster_close(b.cluster, on_cluster_closed, &b);
}

bool open_cluster(embedded_broker &b) {
  const options &o = *b.opt;
  b.cluster = fake::uv_cluster_open(&b.loop);
  if (b.cluster == nullptr) return false;
  fake::options &how = fake::uv_cluster_of(b.cluster).options;
  how.count_only = o.consumers == 0;
  how.retention_bytes = kept_bytes;
  how.keep_unread = true;
  if (o.producers == 0) {
    how.retention_bytes = 0;
    fill_streams(b);
  }
  snprintf(b.uri, sizeof b.uri, "%s", fake::uv_cluster_uri(b.cluster).c_str());
  return true;
}

void thread_main(void *arg) {
  embedded_broker &b = *static_cast<embedded_broker *>(arg);
  if (!open_cluster(b)) uv_close(reinterpret_cast<uv_handle_t *>(&b.stop), nullptr);
  uv_sem_post(&b.ready);
  uv_run(&b.loop, UV_RUN_DEFAULT);
}

void release(embedded_broker &b) {
  uv_thread_join(&b.thread);
  uv_loop_close(&b.loop);
  uv_sem_destroy(&b.ready);
}

}  // namespace

const char *embedded_objection(const options &o) {
  if (o.producers > 0) return nullptr;
  if (o.offset_type != RSTREAM_OFFSET_FIRST && o.offset_type != RSTREAM_OFFSET_OFFSET)
    return "with --consume-only reads from the first message or from a number";
  if (o.super_stream != nullptr && o.offset_type != RSTREAM_OFFSET_FIRST)
    return "with --consume-only and --super-stream reads from the first message";
  if (o.offset_value >= UINT64_MAX / 2 || made_up_chunks(o) > made_up_chunks_most)
    return "can't make up so many messages for --consume-only";
  if (o.sub_entry * record_size(o) > sub_entry_bytes_most)
    return "makes up sub-entries of 1 MiB at most";
  if (o.filter.count > 0)
    return "with --consume-only makes up messages without filter values";
  if (!rstream::compression_available(*packing().set,
                                      static_cast<uint8_t>(o.compression)))
    return "can't make up messages of this compression, which is not built in";
  if (!o.verify) return nullptr;
  if (o.sub_entry > 1) return "with --consume-only and --verify makes up no sub-entries";
  if (o.time_s > 0)
    return "with --consume-only and --verify needs --messages, not --time";
  if (o.size < verified_body_least) return "with --verify needs --size 6 or more";
  if (made_up_count(o) > verified_bytes_most / record_size(o))
    return "keeps no more than 1 GiB of messages for --consume-only and --verify";
  return nullptr;
}

bool embedded_start(embedded_broker &b, const options &o) {
  b.opt = &o;
  if (uv_loop_init(&b.loop) != 0) return false;
  b.stop.data = &b;
  bool semaphore = uv_sem_init(&b.ready, 0) == 0;
  bool async = semaphore && uv_async_init(&b.loop, &b.stop, on_stop) == 0;
  if (!async || uv_thread_create(&b.thread, thread_main, &b) != 0) {
    if (async) uv_close(reinterpret_cast<uv_handle_t *>(&b.stop), nullptr);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    uv_loop_close(&b.loop);
    if (semaphore) uv_sem_destroy(&b.ready);
    return false;
  }
  uv_sem_wait(&b.ready);
  b.started = b.cluster != nullptr;
  if (!b.started) release(b);
  return b.started;
}

double embedded_cpu_s(const embedded_broker &b) {
  clockid_t clock;
  timespec t;
  if (pthread_getcpuclockid(b.thread, &clock) != 0 || clock_gettime(clock, &t) != 0)
    return 0;
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

void embedded_stop(embedded_broker &b) {
  if (!b.started) return;
  b.started = false;
  uv_async_send(&b.stop);
  release(b);
}

}  // namespace perf

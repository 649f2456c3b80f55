#include "net/send_queue.h"

#include <cassert>

namespace rstream {

namespace {

// Enough to keep system calls rare; small enough to sit on the stack. Far below IOV_MAX.
constexpr uint32_t buffers_per_write = 64;
constexpr uint32_t control_slab_bytes = slab_smallest_bytes;

void drop(send_queue &q, uint64_t taken) {
  q.bytes -= taken;
  taken += q.first_sent;
  while (!q.segments.empty() && taken >= q.segments.front().size) {
    taken -= q.segments.front().size;
    slab_unref(q.segments.front().owner);
    ring_pop_front(q.segments);
  }
  q.first_sent = static_cast<uint32_t>(taken);
}

uint32_t gather(const send_queue &q, net_buffer *buffers, uint64_t &total) {
  uint32_t n = 0;
  total = 0;
  for (; n < q.segments.count && n < buffers_per_write; n++) {
    const send_segment &segment = q.segments[n];
    uint32_t skip = n == 0 ? q.first_sent : 0;
    buffers[n] = {segment.data + skip, segment.size - skip};
    total += buffers[n].size;
  }
  return n;
}

}  // namespace

void send_queue_init(send_queue &q, slab_pool &pool) {
  q = send_queue();
  q.pool = &pool;
}

void send_queue_release(send_queue &q) {
  for (uint32_t i = 0; i < q.segments.count; i++) slab_unref(q.segments[i].owner);
  ring_release(q.pool->mem, q.segments);
  if (q.control) slab_unref(q.control);
  q.control = nullptr;
  q.bytes = 0;
}

bool send_queue_push(send_queue &q, slab *owner, const uint8_t *data, uint32_t size) {
  if (!ring_push(q.pool->mem, q.segments, send_segment{owner, data, size})) return false;
  slab_ref(owner);
  q.bytes += size;
  return true;
}

uint8_t *send_queue_append(send_queue &q, uint32_t size) {
  if (!ring_reserve(q.pool->mem, q.segments, 1)) return nullptr;
  // A slab that nothing in the queue refers to any more starts over.
  if (q.control && q.control->refs == 1) q.control_used = 0;
  if (!q.control || q.control->capacity - q.control_used < size) {
    slab *fresh =
        slab_acquire(*q.pool, size > control_slab_bytes ? size : control_slab_bytes);
    if (!fresh) return nullptr;
    if (q.control) slab_unref(q.control);
    q.control = fresh;
    q.control_used = 0;
  }
  uint8_t *at = q.control->data() + q.control_used;
  q.control_used += size;
  bool pushed = send_queue_push(q, q.control, at, size);
  assert(pushed);
  (void)pushed;
  return at;
}

ptrdiff_t send_queue_flush(send_queue &q, transport *t) {
  ptrdiff_t written = 0;
  while (!q.segments.empty() && !q.blocked) {
    net_buffer buffers[buffers_per_write];
    uint64_t total;
    uint32_t n = gather(q, buffers, total);
    ptrdiff_t taken = transport_write(t, {buffers, n});
    if (taken < 0) return taken;
    drop(q, static_cast<uint64_t>(taken));
    q.blocked = static_cast<uint64_t>(taken) < total;
    written += taken;
  }
  return written;
}

}  // namespace rstream
